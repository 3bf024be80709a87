"""Where a request comes from: the peer, or whom a trusted proxy says it speaks for. Pure."""

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]
"""ASGI's: names in lower case."""

FORWARDING = frozenset(
    {b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip", b"cf-ray"}
)
"""Headers that proxies and tunnels add, besides every `x-forwarded-…`."""


def read(text: str) -> Address | None:
    """An address, with or without brackets and a port; None for anything else. IPv4 in IPv6's clothes is IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def caller(scope: Mapping[str, Any], trusted: tuple[str, ...]) -> Address | None:
    """Who calls: the last hop that no trusted proxy stands for. Only those proxies' `X-Forwarded-For` is believed."""
    client = scope.get("client")
    address = read(client[0]) if client else None
    if not trusted:
        return address
    lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    hops = b",".join(lines).decode("latin-1").split(",") if lines else []
    while hops and address is not None and _within(address, trusted):
        further = read(hops.pop())
        if further is None:  # what cannot be read was not written by a proxy worth trusting: its own address stands
            break
        address = further
    return address


def counted(address: Address | None) -> str:
    """By what wrong keys are counted: an IPv6 caller has a whole /64 to call from."""
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def here(scope: Mapping[str, Any]) -> bool:
    """Whether the caller is a program on this machine, and nobody speaks through it.

    A tunnel or a proxy on this machine calls from a loopback address too, and so does any web page that a browser here
    has open: the first two name another host or add a header of theirs, a page has an origin.
    """
    client = scope.get("client")
    peer = read(client[0]) if client else None
    if peer is None or not peer.is_loopback:
        return False
    hosts = 0
    for name, value in scope["headers"]:
        if name == b"host":
            hosts += 1
            if not _loopback(value.decode("latin-1")):
                return False
        elif name in FORWARDING or name.startswith(b"x-forwarded-"):
            return False
        elif name == b"origin":
            scheme, _, host = value.decode("latin-1").partition("://")
            if scheme not in {"http", "https"} or not _loopback(host):
                return False
        elif name == b"sec-fetch-site" and value == b"cross-site":
            return False
    return hosts == 1


def _loopback(host: str) -> bool:
    """Whether a Host header, or an origin's, is this machine by a name that no DNS can be made to give it."""
    if host.lower().partition(":")[0] == "localhost":
        return True
    address = read(host)
    return address is not None and address.is_loopback


def _within(address: Address, networks: tuple[str, ...]) -> bool:
    return any(address in network for network in _parsed(networks))


@lru_cache(maxsize=8)
def _parsed(networks: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(network, strict=False) for network in networks)
