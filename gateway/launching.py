"""Binds sessions to Simli, the store, and a look through the public URL, for which the openai client is loaded."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gateway.chat.prompt import MARKER
from gateway.http.capability import Capabilities
from gateway.orchestration.launchpad import Launchpad
from gateway.orchestration.origin import origin
from gateway.orchestration.preflight import preflight
from gateway.settings import Settings
from gateway.simli import client
from gateway.store import Store
from gateway.types import Agent


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
