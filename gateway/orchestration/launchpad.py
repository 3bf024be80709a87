"""What a launch stands on, looked at first: the agent's file, the URL that Simli reaches, and its agent at Simli."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from gateway.errors import ConfigurationError, Conflict, Fault, InvalidValue, NotFound
from gateway.orchestration.ownership import ENDPOINT, owned
from gateway.settings import Settings
from gateway.simli import fields
from gateway.simli.client import Simli
from gateway.simli.dialect import Dialect
from gateway.simli.fields import Mapped
from gateway.store import Store
from gateway.types import Agent
from gateway.types.simli import SimliToken

SUFFIX = "/chat/completions"

Look: TypeAlias = Callable[[str, str, str], Awaitable[Sequence[str]]]
"""One real turn by base URL, key and model; what is worth a warning. Raises a GatewayError that says what is wrong."""


@dataclass(frozen=True, slots=True)
class Launchpad:
    """What launches need of the rest of the gateway."""

    settings: Settings
    store: Store
    simli: Callable[[], AbstractAsyncContextManager[Simli]]
    agents: Callable[[], Mapping[str, Agent]]
    """Those that are served now."""
    public: Callable[[], str]
    """The URL by which Simli reaches the gateway. Raises ConfigurationError where it could not."""
    path_of: Callable[[str], str]
    """An agent's path with its capability."""
    id: str
    """The gateway's: which agents at Simli are ours."""
    marker: str
    """What Simli is given for an agent's prompt."""
    look: Look
    clock: Callable[[], float] = time.time

    def ground(self, name: str) -> "Ground":
        """The agent of this name, where it can be reached. Raises NotFound, ConfigurationError."""
        agents = self.agents()
        if name not in agents:
            known = ", ".join(sorted(agents)) or "none"
            raise NotFound(f"There is no agent {name[:80]!r}; there are: {known}.")
        return Ground(self, agents[name], self.public())


@dataclass(frozen=True, slots=True)
class Ground:
    """One agent that a session is launched with."""

    pad: Launchpad
    agent: Agent
    public: str

    @property
    def endpoint(self) -> str:
        """Where Simli's agent asks, whoever talks to it."""
        return self.public + self.pad.path_of(self.agent.name)

    @property
    def tts_key(self) -> str:
        """The key of its voice; empty where it has none of its own."""
        return fields.tts_key(self.agent, self.pad.settings.environ)

    def base(self, key: str = "") -> str:
        """The base URL of its answers: by its capability, or by a key, which then needs no header."""
        if key:
            return f"{self.public}/k/{key}/agents/{self.agent.name}/v1"
        return self.endpoint.removesuffix(SUFFIX)

    def agent_fields(self) -> Mapped:
        """What it is as an agent at Simli. Raises ConfigurationError for what Simli cannot take."""
        marker, environ = self.pad.marker, self.pad.settings.environ
        return self._sound(fields.agent_fields(self.agent, self.endpoint, marker, environ=environ))

    def session_fields(self, key: str, dialect: Dialect) -> Mapped:
        """What it is as a session of its own. Raises ConfigurationError for what Simli cannot take."""
        marker = self.pad.marker
        base = self.base(key)
        return self._sound(
            fields.session_fields(self.agent, base, key, tts_key=self.tts_key, dialect=dialect, marker=marker)
        )

    async def applied(self, simli: Simli) -> str:
        """Simli's id of it. Raises Conflict where it has none of ours, or one that would ask elsewhere."""
        name = self.agent.name
        ours = [each for each in await simli.agents() if owned(each, self.pad.id) == name]
        if not ours:
            raise Conflict(f"{name} is not at Simli yet: run `gateway agents apply`.")
        current = [each for each in ours if each.fields.get(ENDPOINT) == self.endpoint]
        if not current:
            raise Conflict(f"{name} at Simli asks at another URL than that of now: run `gateway agents apply`.")
        return current[0].id

    async def token(self, simli: Simli, key: str, expires: float, origins: Sequence[str] = ()) -> SimliToken:
        """What starts a session of Simli's agent, with the key that it is to present."""
        return await simli.auto_token(
            llm_key=key,
            tts_key=self.tts_key,
            expires=int(expires),
            origins=origins,
            transcript=self.agent.transcript,
        )

    def _sound(self, mapped: Mapped) -> Mapped:
        file = str(self.pad.settings.prompts / f"{self.agent.name}.md")
        if mapped.faults:
            raise ConfigurationError([Fault(file, 0, "", problem) for problem in mapped.faults])
        return mapped


def origin(text: str) -> str:
    """An origin as browsers send it. Raises InvalidValue."""
    try:
        parts = urlsplit(text.strip())
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        problem = f"An origin is a scheme and a host, such as https://www.example.org, not {text[:80]!r}."
        raise InvalidValue(problem, param="origins")
    return f"{parts.scheme}://{parts.netloc.lower()}"
