"""Binds agents at Simli to Simli's client, agent files and capabilities. For `/admin` and commands."""

from collections.abc import Awaitable, Callable
from functools import partial

from gateway.chat.agent import parse
from gateway.chat.prompt import MARKER, SIMLI_DEFAULT
from gateway.http.capability import Capabilities
from gateway.orchestration.agency import Agency, Texts
from gateway.orchestration.origin import origin
from gateway.settings import Settings
from gateway.simli import client
from gateway.store import Store
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
