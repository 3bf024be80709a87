"""Binds orchestration to what it works with: Simli's client, agent files, capabilities. For `/admin` and commands."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from gateway.chat.agent import parse
from gateway.chat.prompt import MARKER, SIMLI_DEFAULT
from gateway.http.capability import Capabilities
from gateway.orchestration.agency import Agency, Texts
from gateway.orchestration.launchpad import Launchpad
from gateway.orchestration.origin import origin
from gateway.orchestration.preflight import preflight
from gateway.settings import Settings
from gateway.simli import client
from gateway.store import Store
from gateway.types import Agent
from gateway.types.administration import AgentFiles


def agency(settings: Settings, store: Store, files: Callable[[], Awaitable[AgentFiles]]) -> Agency:
    """The agents at Simli, as the files say; at the public URL of the moment that each thing is done."""
    capabilities = Capabilities(store.secret, lambda: (), store.generations.current, settings.simli.id)

    def endpoint(agent: str) -> str:
        return origin(settings) + capabilities.path_of(agent)

    return Agency(
        simli=partial(client.opened, settings.simli_url, settings.simli_key, settings.simli),
        files=files,
        endpoint=endpoint,
        gateway=capabilities.id,
        prompts=settings.prompts,
        load=parse,
        texts=Texts(MARKER, SIMLI_DEFAULT),
        environ=settings.environ,
    )


def launchpad(settings: Settings, store: Store, agents: Callable[[], Mapping[str, Agent]]) -> Launchpad:
    """What sessions are launched with. `agents` are those of now."""
    capabilities = Capabilities(store.secret, agents, store.generations.current, settings.simli.id)
    return Launchpad(
        settings=settings,
        store=store,
        simli=partial(client.opened, settings.simli_url, settings.simli_key, settings.simli),
        agents=agents,
        public=partial(origin, settings),
        path_of=capabilities.path_of,
        id=capabilities.id,
        marker=MARKER,
        look=looked,
    )


async def looked(base_url: str, key: str, model: str) -> Sequence[str]:
    """One turn through the public URL, as Simli will ask it; what is worth a warning. Raises NotReachable."""
    return (await preflight(base_url, key, model)).warnings
