"""What guards the gateway, out of the environment: keys and secrets, which no file may hold, and who may call."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from gateway.errors import Fault
from gateway.settings.build import Builder
from gateway.settings.values import Settings

LEAST = {"GATEWAY_ADMIN_KEY": 16, "GATEWAY_SECRET": 32}
"""Characters: 16 of a random key are past guessing over a network; the secret signs what strangers may try offline."""


def read(settings: Settings, environ: Mapping[str, str], builder: Builder) -> Settings:
    """GATEWAY_ADMIN_KEY, GATEWAY_SECRET, GATEWAY_PUBLIC_URL and REDIS_URL. An empty variable is an unset one."""
    found = {name: environ.get(name, "").strip() for name in (*LEAST, "GATEWAY_PUBLIC_URL", "REDIS_URL")}
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
    return replace(
        settings,
        admin_key=found["GATEWAY_ADMIN_KEY"],
        secret=found["GATEWAY_SECRET"],
        public_url=public.rstrip("/"),
        redis_url=redis,
    )


def guarded(settings: Settings, table: Mapping[str, object], builder: Builder) -> Settings:
    """Anonymous callers are let in on a loopback address only: asked for elsewhere, that is a fault."""
    auth = table.get("auth")
    asked_for = isinstance(auth, Mapping) and auth.get("anonymous") is True
    if loopback(settings.server.host):
        return settings
    problem = (
        f"must be a loopback address, not {settings.server.host[:80]!r}: no key is asked for, so only this machine may "
        "call; put a tunnel or a TLS proxy of its own in front"
    )
    builder.fault(("server", "host"), problem)
    if asked_for:
        builder.fault(("auth", "anonymous"), "must be false where the gateway listens to the world")
    return replace(settings, auth=replace(settings.auth, anonymous=False))


def loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_url(text: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
