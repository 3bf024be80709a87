"""A STUN responder (RFC 8489): it tells who asks which address they come from.

Clients ask every server of their list. One that does not answer costs Python's clients five seconds, and the sandbox
has no network: so it lists its own.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import cast

COOKIE = 0x2112A442
REQUEST, SUCCESS, XOR_MAPPED_ADDRESS = 0x0001, 0x0101, 0x0020


def answer(data: bytes, host: str, port: int) -> bytes | None:
    """The Success Response to a Binding Request from there; None to anything else."""
    if len(data) < 20 or len(data) % 4:
        return None
    kind, length, cookie = struct.unpack("!HHI", data[:8])
    if kind != REQUEST or cookie != COOKIE or length != len(data) - 20:
        return None
    transaction = data[8:20]
    address = ip_address(host.partition("%")[0])
    mask = struct.pack("!I", COOKIE) + transaction
    masked = bytes(one ^ other for one, other in zip(address.packed, mask, strict=False))
    family = 1 if address.version == 4 else 2
    value = struct.pack("!BBH", 0, family, port ^ (COOKIE >> 16)) + masked
    attribute = struct.pack("!HH", XOR_MAPPED_ADDRESS, len(value)) + value
    return struct.pack("!HHI", SUCCESS, len(attribute), COOKIE) + transaction + attribute


class Responder(asyncio.DatagramProtocol):
    """Answers what arrives."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """A datagram: answered where it is a Binding Request."""
        if (said := answer(data, addr[0], addr[1])) is not None:
            self._transport.sendto(said, addr)


@asynccontextmanager
async def responding(host: str) -> AsyncIterator[int]:
    """Listen on a free UDP port, which is yielded, until this is left."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Responder, local_addr=(host, 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
