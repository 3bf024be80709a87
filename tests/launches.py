"""A launchpad in this process: a store and a sandbox that run, and a look through the public URL that is data."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway import store as stores
from gateway.chat.prompt import MARKER
from gateway.errors import GatewayError
from gateway.http.capability import Capabilities
from gateway.orchestration.launchpad import Launchpad
from gateway.orchestration.sessions import sessions_desk
from gateway.settings import SANDBOX_KEY, Settings
from gateway.settings import Simli as Options
from gateway.simli import client, fields
from gateway.types import Agent, Voice
from gateway.types.orchestration import SessionsDesk
from tests.serving import sharing

PUBLIC = "http://127.0.0.1:1"
NORA = Agent("nora", "You are Nora.", face_id="face", max_session_length=600, max_idle_time=120)
SPOKEN = replace(NORA, name="spoken", voice=Voice("elevenlabs", "v1"), tts_key_env="TTS_KEY")
MUTE = replace(NORA, name="mute", transcript=False)
PAGED = replace(NORA, name="paged", origins=("https://www.example.org",))
AGENTS = {agent.name: agent for agent in (NORA, SPOKEN, MUTE, PAGED)}


@dataclass
class Site:
    """Everything that sessions are launched with."""

    settings: Settings
    store: stores.Store
    pad: Launchpad
    looked: list[tuple[str, str, str]] = field(default_factory=list)
    """What was looked at: base URL, key, model."""
    fails: GatewayError | None = None
    """What the look finds."""
    warns: Sequence[str] = ()
    ahead: float = 0.0
    """Seconds that the launchpad's clock is ahead."""

    @property
    def desk(self) -> SessionsDesk:
        """What commands and the admin API use."""
        return sessions_desk(self.pad)

    async def look(self, base_url: str, key: str, model: str) -> Sequence[str]:
        self.looked.append((base_url, key, model))
        if self.fails is not None:
            raise self.fails
        return self.warns

    async def applied(self, name: str = "nora") -> str:
        """Have the agent at Simli, as `agents apply` has it; its id there."""
        ground = self.pad.ground(name)
        wanted = fields.agent_fields(ground.agent, ground.endpoint, MARKER).fields
        async with self.pad.simli() as simli:
            return (await simli.create_agent(wanted)).id

    def key_state(self, id_: str) -> str:
        """Whether a key opens: `good`, `revoked`, or `unknown`."""
        key = self.store.keys._register.known.keys.get(id_)
        return "unknown" if key is None else "revoked" if key.revoked else "good"


@asynccontextmanager
async def site(
    var: Path,
    url: str,
    *,
    redis: str = "",
    options: Options = Options(patience=0.0, timeout=2.0),  # noqa: B008 frozen
    agents: Callable[[], dict[str, Agent]] = lambda: AGENTS,
) -> AsyncIterator[Site]:
    """One that speaks to the Simli at `url`; with a store of its own at `redis`, else the one that tests share."""
    settings = Settings(var=var, simli_url=url, simli_key=SANDBOX_KEY, simli=options, redis_url=redis)
    settings = sharing(replace(settings, store=replace(settings.store, timeout=1.0)))
    async with stores.opened(settings) as store:
        assert await store.reached(5)
        capabilities = Capabilities(store.secret, agents, store.generations.current)
        made: Site

        async def look(base_url: str, key: str, model: str) -> Sequence[str]:
            return await made.look(base_url, key, model)

        pad = Launchpad(
            settings=settings,
            store=store,
            simli=lambda: client.opened(settings.simli_url, settings.simli_key, settings.simli),
            agents=agents,
            public=lambda: PUBLIC,
            path_of=capabilities.path_of,
            id=capabilities.id,
            marker=MARKER,
            look=look,
            clock=lambda: time.time() + made.ahead,
        )
        made = Site(settings, store, pad)
        yield made
