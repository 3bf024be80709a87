"""Where Simli reaches the gateway: by a tunnel or GATEWAY_PUBLIC_URL, or for a sandbox here where it listens."""

from gateway.errors import ConfigurationError, Fault
from gateway.orchestration.publicity import refusal
from gateway.public import url as public_url
from gateway.settings import Settings

VARIABLE = "GATEWAY_PUBLIC_URL"
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 nothing is bound here


def listening(settings: Settings) -> str:
    """Where the gateway is reached on this machine."""
    host = settings.server.host.strip("[]")
    host = EVERYWHERE.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.server.port}"


def origin(settings: Settings) -> str:
    """The URL of now that `/k/…` is put behind. Raises ConfigurationError where Simli could not reach it."""
    local = settings.simli_is_local
    url = public_url(settings).rstrip("/")
    if problem := refusal(url, local=local):
        raise ConfigurationError([Fault(VARIABLE, 0, "", problem)])
    if not url and settings.server.port == 0:
        raise ConfigurationError([Fault("PORT", 0, "", f"is 0, so nobody knows where; set it, or {VARIABLE}")])
    return url or listening(settings)
