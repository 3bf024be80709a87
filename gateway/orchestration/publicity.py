"""What a public URL has to be, so that Simli can be given it. Pure: nothing is asked, of nobody."""

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

TUNNEL = "run the gateway with a tunnel (make run TUNNEL='cloudflared tunnel --url {url}')"
PUBLIC = f"set GATEWAY_PUBLIC_URL to the https URL that leads here from the internet, or {TUNNEL}"
PRIVATE = (
    *("alt", "corp", "domain", "example", "home", "home.arpa", "internal", "intranet", "invalid", "lan", "local"),
    *("localdomain", "onion", "private", "svc", "test"),
)
"""Ends of names that the internet's DNS has not: RFC 6761, 6762, 7686, 8375, 9476, ICANN's `internal`, and habit."""
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")


def refusal(url: str, *, local: bool) -> str:
    """Why this cannot be the gateway's URL at Simli, and what to do; empty where it can.

    `local`: Simli is a sandbox on this machine, which reaches what this machine reaches.
    """
    if not url:
        return "" if local else f"there is no public URL; {PUBLIC}"
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return f"the public URL is no URL; {PUBLIC}"
    if parts.scheme not in ("http", "https") or not host or port == 0:
        return f"the public URL is no http or https URL; {PUBLIC}"
    return _odd(parts) or ("" if local else _unreachable(parts.scheme, host))


def _odd(parts: SplitResult) -> str:
    """What no client could put a path behind; a name or password is not repeated."""
    if parts.username is not None or parts.password is not None:
        return "the public URL holds a name or password, which Simli would not send; leave it out"
    if parts.query or parts.fragment:
        return "the public URL has a query or a fragment, and paths are put behind it; leave it out"
    if parts.path.rstrip("/").endswith(("/chat/completions", "/v1")) or parts.path.startswith("/k/"):
        return f"the public URL is to end where the gateway's own paths begin; leave off {_shown(parts.path)}"
    return ""


def _shown(path: str) -> str:
    return "/k/…" if path.startswith("/k/") else path[:80]


def _unreachable(scheme: str, host: str) -> str:
    shown = host[:80]
    if address := _address(host):
        if not address.is_global or address.is_multicast:
            kind = "this machine's own" if address.is_loopback else "no address of the internet"
            return f"{shown} is {kind}, and Simli cannot reach it; {PUBLIC}"
    elif host == "localhost" or host.endswith(".localhost"):
        return f"{shown} is this machine's own name, and Simli cannot reach it; {PUBLIC}"
    elif not _NAME.fullmatch(_ascii(host)):
        return f"{shown} is no name of a host; {PUBLIC}"
    elif "." not in host or any(host.endswith(f".{end}") for end in PRIVATE):
        return f"{shown} is a name of a private network, and Simli cannot reach it; {PUBLIC}"
    if scheme != "https":
        return f"{shown} would be reached by http, where keys and words could be read on the way; {PUBLIC}"
    return ""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a client would connect to, in whatever spelling; None for a name."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))  # 127.1, 0x7f000001, 2130706433
        except OSError:
            return None
    return getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None) or found


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return ""
