"""Where Simli reaches the gateway: by a tunnel or GATEWAY_PUBLIC_URL, or for a sandbox here where it listens."""

from gateway import running
from gateway.errors import ConfigurationError, Fault
from gateway.orchestration.publicity import refusal
from gateway.public import url as public_url
from gateway.settings import Settings

VARIABLE = "GATEWAY_PUBLIC_URL"


def listening(settings: Settings) -> str:
    """Where the gateway is reached on this machine; empty where its port is any that is free, and none runs.

    The settings say where, unless nothing of this `var` runs there and one gateway does elsewhere: `serve --port 9000`
    is heard of by no other command.
    """
    own = running.address(settings.server.host, settings.server.port)
    known = running.found(settings.var)
    if len(known) == 1 and own not in known:
        return known[0]
    return own if settings.server.port else ""


def origin(settings: Settings) -> str:
    """The URL of now that `/k/…` is put behind. Raises ConfigurationError where Simli could not reach it."""
    local = settings.simli_is_local
    url = public_url(settings).rstrip("/")
    if problem := refusal(url, local=local):
        raise ConfigurationError([Fault(VARIABLE, 0, "", problem)])
    if not url and not (url := listening(settings)):
        raise ConfigurationError(
            [Fault("PORT", 0, "", f"is 0, and not one gateway runs here; start it, or set {VARIABLE}")]
        )
    return url
