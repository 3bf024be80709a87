"""What guards the gateway, out of the environment: keys and secrets, which no file may hold, and who may call."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from gateway.errors import Fault
from gateway.settings.build import Builder
from gateway.settings.values import SANDBOX_KEY, SANDBOX_URL, SIMLI_URL, Settings, loopback

LEAST = {"GATEWAY_ADMIN_KEY": 16, "GATEWAY_SECRET": 32}
"""Characters: 16 of a random key are past guessing over a network; the secret signs what strangers may try offline."""


_OTHERS = ("GATEWAY_PUBLIC_URL", "REDIS_URL", "CHROMA_URL", "SIMLI_URL", "SIMLI_API_KEY", "OTEL_EXPORTER_OTLP_ENDPOINT")
_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")
"""Names of variables whose values are never shown, ours or not."""


def read(settings: Settings, environ: Mapping[str, str], builder: Builder) -> Settings:
    """Keys, secrets and the URLs that may hold one or are a deployment's own. An empty variable is an unset one."""
    found = {name: environ.get(name, "").strip() for name in (*LEAST, *_OTHERS)}
    for name, least in LEAST.items():
        if found[name] and not re.fullmatch(rf"[\x21-\x7e]{{{least},512}}", found[name]):
            problem = f"must be {least} to 512 printable ASCII characters without blanks, chosen at random"
            builder.faults.append(Fault(name, 0, "", problem))
    public = found["GATEWAY_PUBLIC_URL"]
    if public and not _is_url(public, "http", "https"):
        builder.faults.append(Fault("GATEWAY_PUBLIC_URL", 0, "", "must be a URL such as https://gateway.example.org"))
    redis = found["REDIS_URL"]
    if redis and not (_is_url(redis, "redis", "rediss") or redis.startswith("unix:///")):
        problem = "must be a URL such as redis://127.0.0.1:6379/0 (redis, rediss or unix)"  # never shows the URL
        builder.faults.append(Fault("REDIS_URL", 0, "", problem))
    chroma = found["CHROMA_URL"]
    if chroma and not _is_url(chroma, "http", "https"):
        problem = "must be a URL such as http://127.0.0.1:8001"  # never shows the URL
        builder.faults.append(Fault("CHROMA_URL", 0, "", problem))
    collector = found["OTEL_EXPORTER_OTLP_ENDPOINT"]
    if collector and not _is_url(collector, "http", "https"):
        problem = "must be the base URL of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318"
        builder.faults.append(Fault("OTEL_EXPORTER_OTLP_ENDPOINT", 0, "", problem))
    simli, key = found["SIMLI_URL"], found["SIMLI_API_KEY"]
    if simli and not _is_url(simli, "http", "https"):
        builder.faults.append(Fault("SIMLI_URL", 0, "", f"must be a URL such as {SIMLI_URL}"))
    if key and not re.fullmatch(r"[\x21-\x7e]{1,512}", key):
        builder.faults.append(Fault("SIMLI_API_KEY", 0, "", "must be printable ASCII characters without blanks"))
    if simli and not key and not loopback(urlsplit(simli).hostname or ""):
        builder.faults.append(Fault("SIMLI_API_KEY", 0, "", "is not set, and SIMLI_URL is not on this machine"))
    return replace(
        settings,
        simli_url=(simli or (SIMLI_URL if key else SANDBOX_URL)).rstrip("/"),
        simli_key=key or SANDBOX_KEY,
        environ=dict(environ),
        admin_key=found["GATEWAY_ADMIN_KEY"],
        secret=found["GATEWAY_SECRET"],
        public_url=public.rstrip("/"),
        redis_url=redis,
        chroma_url=chroma.rstrip("/"),
        otlp_endpoint=collector,
    )


def withheld(settings: Settings) -> list[str]:
    """Every key, secret and password in the settings: what must never be shown."""
    found = [settings.admin_key, settings.secret]
    found += [settings.simli_key] if settings.simli_key != SANDBOX_KEY else []
    found += [value.strip() for name, value in settings.environ.items() if _SECRET.search(name)]
    found += [target.key for route in settings.routes.values() for target in route.targets]
    headers = settings.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    found += [unquote(each.partition("=")[2]).strip() for each in headers.split(",")]
    found += [unquote(urlsplit(url).password or "") for url in (settings.redis_url, settings.chroma_url) if url]
    return [value for value in found if value]


def guarded(settings: Settings, table: Mapping[str, object], builder: Builder) -> Settings:
    """Anonymous callers are let in where only this machine can call: asked for elsewhere, that is a fault.

    Where a public URL leads here they have to be asked for: what lies between may have a guard of its own.
    """
    _addresses(settings, builder)
    elsewhere = not loopback(settings.server.host)
    if not (elsewhere or settings.exposed):
        return settings
    auth = table.get("auth")
    wanted = isinstance(auth, Mapping) and auth.get("anonymous") is True
    if wanted and not (elsewhere or settings.tunnel):
        return settings
    if wanted:
        where = repr(settings.server.host[:80]) if elsewhere else "through a tunnel"
        problem = (
            f"must be false where others than this machine can call ({where}): "
            "`gateway keys create` makes a key, `gateway agents show NAME --url` a URL that needs none"
        )
        builder.fault(("auth", "anonymous"), problem)
    return replace(settings, auth=replace(settings.auth, anonymous=False))


def _addresses(settings: Settings, builder: Builder) -> None:
    """What looks like addresses has to be some: whom one trusts, and where /admin is, is decided by comparing them."""
    for index, network in enumerate(settings.server.trusted_proxies):
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            problem = f"must be an address or a network such as 10.0.0.0/8, not {network[:80]!r}"
            builder.fault(("server", "trusted_proxies", index), problem)
    if not settings.admin.listen:
        return
    host, _, port = settings.admin.listen.rpartition(":")
    host = host.strip("[]")
    if not (host == "localhost" or _is_address(host)) or not 0 < int(port) <= 65535:
        problem = "must be HOST:PORT with an address or localhost, and a port from 1 to 65535: 127.0.0.1:9000"
        builder.fault(("admin", "listen"), problem)
    elif (host, int(port)) == (settings.server.host.strip("[]"), settings.server.port):
        builder.fault(("admin", "listen"), "is where everything else listens: leave it empty, or choose another port")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_url(text: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
