"""gateway/http/address.py"""

from typing import Any

import pytest

from gateway.http.address import caller, counted, here, read


def scope(client: str | None, *headers: tuple[str, str]) -> dict[str, Any]:
    """What ASGI says of a request."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return {"client": None if client is None else (client, 4711), "headers": raw}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7:443 ", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unknown", None),
        ("_hidden", None),
        ("", None),
        ("127.0.0.1.evil.example", None),
    ],
)
def test_an_address_is_read_in_every_form(text: str, address: str | None) -> None:
    """With and without a port; what is none is none."""
    assert (str(found) if (found := read(text)) else None) == address


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "who"),
    [
        ("203.0.113.7", ["1.1.1.1"], (), "203.0.113.7"),
        ("203.0.113.7", ["1.1.1.1"], ("10.0.0.0/8",), "203.0.113.7"),
        ("10.0.0.1", ["1.1.1.1"], ("10.0.0.0/8",), "1.1.1.1"),
        ("10.0.0.1", ["6.6.6.6, 1.1.1.1"], ("10.0.0.0/8",), "1.1.1.1"),
        ("10.0.0.1", ["6.6.6.6", "1.1.1.1, 10.0.0.2"], ("10.0.0.0/8",), "1.1.1.1"),
        ("10.0.0.1", ["6.6.6.6, 10.0.0.3"], ("10.0.0.1",), "10.0.0.3"),
        ("10.0.0.1", ["10.0.0.3"], ("10.0.0.0/8",), "10.0.0.3"),
        ("10.0.0.1", ["1.1.1.1, garbage"], ("10.0.0.0/8",), "10.0.0.1"),
        ("10.0.0.1", [], ("10.0.0.0/8",), "10.0.0.1"),
        ("::ffff:10.0.0.1", ["[2001:db8::1]:1"], ("10.0.0.0/8",), "2001:db8::1"),
        ("fd00::1", ["1.1.1.1"], ("fd00::/8",), "1.1.1.1"),
    ],
)
def test_the_last_hop_that_is_not_trusted_calls(
    peer: str, forwarded: list[str], trusted: tuple[str, ...], who: str
) -> None:
    """Whatever a caller wrote before it does not count."""
    assert str(caller(scope(peer, *(("x-forwarded-for", line) for line in forwarded)), trusted)) == who


def test_an_ipv6_caller_is_its_network() -> None:
    """Every household has 2^64 addresses of its own."""
    assert counted(read("2001:db8:1:2:3::4")) == counted(read("2001:db8:1:2:ffff::1")) == "2001:db8:1:2::/64"
    assert counted(read("203.0.113.7")) == "203.0.113.7" and counted(None) == "None"


@pytest.mark.parametrize(
    ("client", "headers", "local"),
    [
        ("127.0.0.1", [("host", "localhost:8000")], True),
        ("::1", [("host", "[::1]:8000")], True),
        ("::ffff:127.0.0.1", [("host", "127.0.0.1")], True),
        ("192.168.1.5", [("host", "localhost")], False),
        ("203.0.113.7", [("host", "127.0.0.1")], False),
        (None, [("host", "localhost")], False),
        ("127.0.0.1", [], False),
        ("127.0.0.1", [("host", "localhost"), ("host", "localhost")], False),
        ("127.0.0.1", [("host", "0.0.0.0:8000")], False),
        ("127.0.0.1", [("host", "localhost.")], False),
        ("127.0.0.1", [("host", "localhost"), ("origin", "file://")], False),
        ("127.0.0.1", [("host", "localhost"), ("origin", "http://[::1]:3000")], True),
    ],
)
def test_this_machine_is_here_and_nobody_else(client: str | None, headers: list[tuple[str, str]], local: bool) -> None:
    """The peer and the name that it used have to be loopback both."""
    assert here(scope(client, *headers)) is local
