"""Binds what sessions are launched with, for commands and for the admin API."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from gateway.chat.prompt import MARKER
from gateway.http.capability import Capabilities
from gateway.orchestration.launchpad import Launchpad
from gateway.orchestration.origin import origin
from gateway.orchestration.preflight import patience, preflight
from gateway.settings import Settings
from gateway.simli import client
from gateway.simli.client import Simli
from gateway.store import Store
from gateway.types import Agent


def launchpad(
    settings: Settings,
    store: Store,
    agents: Callable[[], Mapping[str, Agent]],
    simli: Callable[[], AbstractAsyncContextManager[Simli]] | None = None,
    public: Callable[[], str] = str,
) -> Launchpad:
    """What launches need. `simli` lends a client that is open; `public` is the URL of now, where a tunnel gave one."""
    capabilities = Capabilities(store.secret, agents, store.generations.current, settings.simli.id)
    return Launchpad(
        settings=settings,
        store=store,
        simli=simli or (lambda: client.opened(settings.simli_url, settings.simli_key, settings.simli)),
        agents=agents,
        public=lambda: origin(settings, public()),
        path_of=capabilities.path_of,
        id=capabilities.id,
        marker=MARKER,
        look=partial(looked, settings, agents),
    )


async def looked(
    settings: Settings, agents: Callable[[], Mapping[str, Agent]], base_url: str, key: str, model: str
) -> Sequence[str]:
    """One turn through the public URL, as Simli will ask it; what is worth a warning. Raises NotReachable."""
    agent = agents().get(model)
    route = settings.routes.get((agent.route if agent else "") or settings.default_route)
    return (await preflight(base_url, key, model, first_word=patience(route))).warnings
