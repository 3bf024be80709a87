"""The public URL in a line that a tunnel writes. Pure.

Tunnels write other URLs too: their documentation, their terms, where they lead to. A line's URL is the public one where
its host is one that a known tunnel gives, where the words before it say so, or where nothing else stands in the line.
"""

import re
from urllib.parse import urlsplit

GIVEN = (
    *("trycloudflare.com", "ngrok-free.app", "ngrok-free.dev", "ngrok.app", "ngrok.dev", "ngrok.io", "ngrok.pro"),
    *("loca.lt", "localtunnel.me", "serveo.net", "serveousercontent.com", "lhr.life", "lhr.rocks", "lhrtunnel.link"),
    *("pinggy.link", "pinggy.io", "pinggy-free.link", "devtunnels.ms", "ts.net", "zrok.io", "loclx.io", "tunnelto.dev"),
    *("bore.digital", "playit.gg", "telebit.io", "localto.net", "tunnl.gg"),
)
"""Ends of the names that tunnels give."""
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_URL = re.compile(r"https?://[^\s\"'<>|,;()\[\]{}]+", re.IGNORECASE)
_SAID = re.compile(
    r"(\burl=|\byour url is:?|public (url|address):?|(forwarding|tunneled|tunnelled|available (at|on))\b.*)\s*$",
    re.IGNORECASE,
)
_BORE = re.compile(r"\blistening at ([a-z0-9.-]+\.[a-z]+:[0-9]{1,5})\s*$", re.IGNORECASE)
"""bore gives a port of a host's, and no URL."""
_BARE = re.compile(r"[\s|+*>=-]*")
"""What may frame a URL that stands alone."""


def address(line: str) -> str:
    """The public URL that this line gives, without a slash at the end; empty where it gives none. https goes first."""
    line = _COLOURS.sub("", line)
    if found := _BORE.search(line):
        return f"http://{found[1].lower()}"
    given = [url for match in _URL.finditer(line) if (url := _given(line, match))]
    return next((url for url in given if url.startswith("https:")), given[0] if given else "")


def _given(line: str, match: re.Match[str]) -> str:
    """The URL, where it is one that the tunnel gives."""
    try:
        parts = urlsplit(match[0].rstrip(".:"))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if not host or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        return ""
    before = line[: match.start()]
    alone = _BARE.fullmatch(before) and _BARE.fullmatch(line[match.end() :])
    local = host == "localhost" or host.startswith("127.") or "." not in host
    if not (alone or _tunnels(host) or (_SAID.search(before) and not local)):
        return ""
    return f"{parts.scheme.lower()}://{host}{'' if port is None else f':{port}'}"


def _tunnels(host: str) -> bool:
    if re.search(r"-inspect\.[a-z0-9]+\.devtunnels\.ms$", host):  # Microsoft's page about the traffic
        return False
    return any(host.endswith(f".{end}") for end in GIVEN) and not host.startswith(("www.", "dashboard.", "docs."))
