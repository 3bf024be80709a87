"""The STUN responder."""

import asyncio
import socket

import pytest

from gateway.sandbox import stun

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = bytes.fromhex("000100002112a442") + TRANSACTION


@pytest.mark.parametrize(
    ("host", "attribute"),
    [
        ("192.0.2.1", "002000080001a147e112a643"),
        ("2001:db8:1234:5678:11:2233:4455:6677", "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"),
    ],
)
def test_an_address_is_told_as_the_standard_writes_it(host: str, attribute: str) -> None:
    """The samples of RFC 5769, 2.2 and 2.3."""
    told = stun.answer(REQUEST, host, 32853)
    assert told is not None
    assert told[:2] == b"\x01\x01" and told[4:20] == REQUEST[4:20]
    assert told[20:] == bytes.fromhex(attribute) and int.from_bytes(told[2:4], "big") == len(told) - 20


@pytest.mark.parametrize(
    "data",
    [b"", REQUEST[:19], REQUEST + b"\0\0\0\0", b"\x01\x01" + REQUEST[2:], REQUEST[:4] + b"\0" * 16, b"\x80" * 40],
)
def test_nothing_else_is_answered(data: bytes) -> None:
    """Neither what is cut off, nor a response, nor another protocol."""
    assert stun.answer(data, "127.0.0.1", 1) is None


async def test_it_answers_on_its_port() -> None:
    """A Binding Request over UDP gets the address that it came from; garbage before it does no harm."""
    async with stun.responding("127.0.0.1") as port:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.bind(("127.0.0.1", 0))
            asking.setblocking(False)
            loop = asyncio.get_running_loop()
            for data in (b"hello", REQUEST):
                await loop.sock_sendto(asking, data, ("127.0.0.1", port))
            told = await asyncio.wait_for(loop.sock_recv(asking, 1000), 5)
            assert told == stun.answer(REQUEST, *asking.getsockname())
