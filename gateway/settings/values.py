"""The frozen values of the settings, and their defaults.

`deploy/gateway.toml` documents every key; a test holds it equal to the defaults below.
Durations are seconds, sizes bytes, unless a name says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.types import OnFailure


@dataclass(frozen=True, slots=True)
class Server:
    """`[server]`: where it listens and how it ends."""

    host: str = "127.0.0.1"
    port: int = 8000
    write_timeout: float = 5.0
    """A caller that does not read for so long is hung up on."""
    drain_timeout: float = 25.0
    """After SIGTERM, running streams have so long to end by themselves; then they get a proper finish."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`[limits]`: what a request may bring."""

    body_bytes: int = 1024 * 1024
    body_timeout: float = 10.0
    messages: int = 5000
    history_characters: int = 48_000
    """What is sent upstream of the caller's history; the oldest turns go first."""


@dataclass(frozen=True, slots=True)
class Cors:
    """`[cors]`: browsers of which origins may call."""

    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Knowledge:
    """`[knowledge]`: where it lies, how it is cut and searched."""

    directory: Path = Path("knowledge")
    passage_characters: int = 800
    threads: int = 2
    """Searches at once."""
    waiting: int = 4
    """Searches that may wait for a thread; one more is served by the lexical list alone."""


@dataclass(frozen=True, slots=True)
class Target:
    """`[[routes.NAME.targets]]`: one OpenAI-compatible server and the deadlines it has."""

    url: str = ""
    """The base: `/chat/completions` is put behind it."""
    model: str = ""
    key_env: str = ""
    """Name of the environment variable that holds its key."""
    key: str = field(default="", repr=False)
    """Read from `key_env`; never in a file."""
    embedded: str = ""
    """`extractive` or `llm` instead of a URL: what this package brings."""
    connect: float = 1.0
    first_token: float = 3.0
    between_chunks: float = 5.0
    total: float = 60.0


@dataclass(frozen=True, slots=True)
class Route:
    """`[routes.NAME]`: targets in order; the next one is asked where one fails before its first chunk."""

    targets: tuple[Target, ...] = ()
    on_failure: OnFailure = "error"


@dataclass(frozen=True, slots=True)
class Log:
    """`[log]`: one line a turn, sizes and ids only."""

    format: str = "auto"
    """`json`, `text`, or `auto`: text on a terminal."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the process was told, once."""

    server: Server = Server()
    limits: Limits = Limits()
    cors: Cors = Cors()
    knowledge: Knowledge = Knowledge()
    log: Log = Log()
    routes: Mapping[str, Route] = field(default_factory=dict)
    default_route: str = ""
    """The route of agents that name none. Empty: `llm` if asked for on the command line, else `openai` with
    OPENAI_API_KEY, else `extractive`."""
    default_agent: str = ""
    """Who answers where `model` names nobody. Empty: a lone agent does."""
    prompts: Path = Path("prompts")
    var: Path = Path("var")
    """State that is not the truth: knowledge versions, vectors, the converted model. GATEWAY_VAR."""
