"""Which of Simli's STUN and TURN servers an offer waits for.

aiortc hands out its candidates all at once, and only after a server that does not answer has cost it 5 s. So the rule
of Simli's guide, to send the offer once nothing new came for 500 ms, is kept the other way round: servers that say
nothing within that time are left out.
"""

import asyncio
import contextlib
import os
import struct
from collections.abc import Iterable
from urllib.parse import parse_qs

from aiortc import RTCIceServer

from gateway.types.simli import IceServer

COOKIE = 0x2112A442
REQUEST, RESPONSE = 0x0001, 0x0101
PORTS = {"stun": 3478, "turn": 3478, "stuns": 5349, "turns": 5349}


async def answering(servers: Iterable[IceServer], within: float) -> list[RTCIceServer]:
    """Those of which something is heard in time, in their order."""
    found = [(server, url) for server in servers for url in server.urls]
    heard = await asyncio.gather(*(_heard(url, within) for _, url in found))
    return [_known(server, url) for (server, url), there in zip(found, heard, strict=True) if there]


def all_of(servers: Iterable[IceServer]) -> list[RTCIceServer]:
    """Every one, however long it takes: full gathering."""
    return [_known(server, url) for server in servers for url in server.urls]


def _known(server: IceServer, url: str) -> RTCIceServer:
    return RTCIceServer(urls=url, username=server.username or None, credential=server.credential or None)


async def _heard(url: str, within: float) -> bool:
    try:
        scheme, host, port, stream = _parts(url)
        async with asyncio.timeout(within):
            if stream or scheme in ("stuns", "turns"):
                _, writer = await asyncio.open_connection(host, port)
                writer.close()
                return True
            return await _bound(host, port)
    except (OSError, ValueError, TimeoutError):
        return False


def _parts(url: str) -> tuple[str, str, int, bool]:
    """Scheme, host, port, and whether it is TCP: `turn:host:3478?transport=tcp`."""
    scheme, _, rest = url.partition(":")
    address, _, query = rest.partition("?")
    host, port = address, ""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        port = port.lstrip(":")
    elif ":" in address:
        host, _, port = address.rpartition(":")
    return scheme, host, int(port or PORTS.get(scheme, 3478)), parse_qs(query).get("transport") == ["tcp"]


class _Binding(asyncio.DatagramProtocol):
    """Whatever comes back to one binding request."""

    def __init__(self, transaction: bytes) -> None:
        self.heard = asyncio.Event()
        self._transaction = transaction

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Ours is the one that repeats what we asked with."""
        if len(data) >= 20 and data[:2] == struct.pack("!H", RESPONSE) and data[8:20] == self._transaction:
            self.heard.set()


async def _bound(host: str, port: int) -> bool:
    transaction = os.urandom(12)
    loop = asyncio.get_running_loop()
    transport, binding = await loop.create_datagram_endpoint(lambda: _Binding(transaction), remote_addr=(host, port))
    try:
        while not binding.heard.is_set():
            transport.sendto(struct.pack("!HHI", REQUEST, 0, COOKIE) + transaction)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.15):
                    await binding.heard.wait()
        return True
    finally:
        transport.close()
