"""The frozen values of the settings, and their defaults.

`deploy/gateway.toml` documents every key; a test holds it equal to the defaults below.
Durations are seconds, sizes bytes, unless a name says otherwise.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gateway.types import OnFailure, Strategy

SIMLI_URL = "https://api.simli.ai"
SANDBOX_URL = "http://127.0.0.1:8765"
SANDBOX_KEY = "sandbox0sandbox0sandbox0"
"""In the form of Simli's keys. It opens nothing but a sandbox."""


def loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Server:
    """`[server]`: where it listens and how it ends."""

    host: str = "127.0.0.1"
    port: int = 8000
    write_timeout: float = 5.0
    """A caller that does not read for so long is hung up on."""
    drain_notice: float = 5.0
    """After SIGTERM, readiness says 503 for so long before connections are refused: load balancers need to see it."""
    drain_timeout: float = 25.0
    """After SIGTERM, running streams have so long to end by themselves; then they get a proper finish."""
    workers: int = 1
    """Processes that serve on one port, each on a core of its own. From 2 on a supervisor keeps them alive."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose `X-Forwarded-For` says who the caller is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`[limits]`: what a request may bring."""

    body_bytes: int = 1024 * 1024
    body_timeout: float = 10.0
    header_bytes: int = 64 * 1024
    header_timeout: float = 10.0
    messages: int = 5000
    history_characters: int = 48_000
    """What is sent upstream of the caller's history; the oldest turns go first."""
    turns: int = 1000
    """Turns at once in this process; one more is refused with 503, at once."""
    lag: float = 1.0
    """Where the event loop is so late, new turns are refused with 503 until it is not."""
    wrong_keys: int = 20
    """Wrong keys of one address in a minute; more are refused with 429."""


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
    retries: int = 1
    """Further tries, when no other target is left to ask: only where it failed at once (refused, reset, 5xx, empty)."""
    weight: int = 1
    """Its share of the requests, where the route's strategy is `weighted`."""
    continues: bool = False
    """It may be handed what another target had said before it broke off, and go on from there."""
    pace: float = 0.0
    """Words a second, where `extractive` is embedded. 0: as fast as it is, some twenty times as fast as speech."""


@dataclass(frozen=True, slots=True)
class Route:
    """`[routes.NAME]`: targets; another one is asked where one fails before its first chunk."""

    targets: tuple[Target, ...] = ()
    strategy: Strategy = "fallback"
    """Which is asked first: `fallback`, the first written; `weighted`, by chance; `fastest`, by time to first token."""
    first_token: float = 0.0
    """Until the first word, over all targets and retries. 0: twice the longest of its targets'."""
    hedge: bool = False
    """Ask a second target where the first has said nothing after `hedge_after`; the first word wins."""
    hedge_after: float = 0.0
    """0: the 95th percentile of the target's own last times to first token."""
    hedge_share: float = 0.1
    """Of the requests that may be hedged."""
    on_failure: OnFailure = "error"


@dataclass(frozen=True, slots=True)
class Breaker:
    """`[breaker]`: when a target is left out for a while."""

    failures: int = 3
    """In a row."""
    open_for: float = 1.0
    """Until it is probed; doubled each time that fails."""
    longest: float = 5.0


@dataclass(frozen=True, slots=True)
class Auth:
    """`[auth]`: who may call."""

    anonymous: bool = True
    """Callers without a key, or with an unknown one, may chat: on a loopback address only. Elsewhere it is False."""


@dataclass(frozen=True, slots=True)
class Admin:
    """`[admin]`: where `/admin` answers."""

    listen: str = ""
    """`HOST:PORT` of its own; empty: beside everything else."""


@dataclass(frozen=True, slots=True)
class Store:
    """`[store]`: Redis, or the Valkey server that the gateway starts itself."""

    timeout: float = 0.05
    """For one operation; what takes longer is done without."""
    prefix: str = "gateway"
    """Of every key and channel."""
    turns: int = 1000
    """So many records of the last turns are kept, and as many of refused ones; 0: none."""
    kept_days: int = 30
    """Days that a session's record, its words and its transcript are kept after its key has expired; so long at most a
    turn's record, too."""


@dataclass(frozen=True, slots=True)
class Simli:
    """`[simli]`: how Simli is spoken to. SIMLI_URL and SIMLI_API_KEY say to whom."""

    dialect: str = "auto"
    """`current` (`/auto/…`, `/compose/…`), `legacy` (`/startE2ESession`, …), or `auto`: whichever it serves."""
    timeout: float = 10.0
    """For one answer; three times that where a session or a video is started."""
    patience: float = 30.0
    """How long an overloaded or limiting Simli is asked again, all tries together; 0: not at all."""
    sessions: int = 0
    """At once, over all processes. 0: as many as Simli allows."""
    id: str = ""
    """Which agents at Simli are ours: a part of their `llm_endpoint`. Empty: made of the secret."""


@dataclass(frozen=True, slots=True)
class Log:
    """`[log]`: one line a turn, sizes and ids only, unless it is told otherwise."""

    format: str = "auto"
    """`json`, `text`, or `auto`: text on a terminal."""
    content: bool = False
    """What was asked, answered, and sent to the model stands in the line, too, without keys and secrets."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the process was told, once."""

    server: Server = Server()
    limits: Limits = Limits()
    cors: Cors = Cors()
    knowledge: Knowledge = Knowledge()
    log: Log = Log()
    auth: Auth = Auth()
    admin: Admin = Admin()
    store: Store = Store()
    simli: Simli = Simli()
    breaker: Breaker = Breaker()
    routes: Mapping[str, Route] = field(default_factory=dict)
    default_route: str = ""
    """The route of agents that name none. Empty: `llm` if asked for on the command line, else `openai` with
    OPENAI_API_KEY, else `extractive`."""
    default_agent: str = ""
    """Who answers where `model` names nobody. Empty: a lone agent does."""
    prompts: Path = Path("prompts")
    var: Path = Path("var")
    """State that is not the truth: knowledge versions, vectors, the converted model. GATEWAY_VAR."""
    redis_url: str = field(default="", repr=False)
    """REDIS_URL; empty: the gateway starts its own store. Never in a file, since it may hold a password."""
    chroma_url: str = field(default="", repr=False)
    """CHROMA_URL: a Chroma server that holds the sealed versions for many gateways; empty: they lie under `var`.
    Never in a file, since it may hold a password."""
    otlp_endpoint: str = ""
    """OTEL_EXPORTER_OTLP_ENDPOINT: the base URL of a collector of traces, by HTTP; empty: there are no traces."""
    admin_key: str = field(default="", repr=False)
    """GATEWAY_ADMIN_KEY; empty: `/admin` answers to callers on this machine only."""
    secret: str = field(default="", repr=False)
    """GATEWAY_SECRET: capabilities are made with it; empty: the one that lies under `var`, made at the first start."""
    public_url: str = ""
    """GATEWAY_PUBLIC_URL: where callers reach the gateway; empty: where it listens. A tunnel's own goes before it
    (`public.url`)."""
    tunnel: str = ""
    """`gateway serve --tunnel`: the command of a tunnel to where it listens; empty: there is none."""
    simli_url: str = SANDBOX_URL
    """SIMLI_URL; without it Simli's own where SIMLI_API_KEY is set, else the sandbox on this machine."""
    simli_key: str = field(default=SANDBOX_KEY, repr=False)
    """SIMLI_API_KEY; without it the one that the sandbox takes."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """The whole environment, for the names that agent files give: `tts_key_env`."""

    @property
    def exposed(self) -> bool:
        """Whether something on this machine lets others in: what comes from here may come from anywhere then."""
        return bool(self.tunnel) or not loopback(urlsplit(self.public_url).hostname or "localhost")

    @property
    def simli_is_local(self) -> bool:
        """Whether SIMLI_URL is on this machine: a sandbox, which may be given any public URL."""
        return loopback(urlsplit(self.simli_url).hostname or "")
