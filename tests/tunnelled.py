"""A tunnel that is a program: it forwards TCP from a free port to the gateway, gives its URL, and does what it is told.

tunnel = Scripted(directory)
… --tunnel tunnel.command …
tunnel.tell("change")       another port, another URL; nothing is forwarded from the old one
tunnel.tell("deaf")         it lives and forwards nothing
tunnel.tell("die")          it ends
tunnel.tell("say WORDS")    a line of its output
"""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit


class Scripted:
    """The test's side of it: a folder with its orders."""

    def __init__(self, directory: Path, *words: str) -> None:
        self.orders = directory / "orders"
        os.mkfifo(self.orders)
        self._open = os.open(self.orders, os.O_RDWR)  # so that no writer meets a pipe without a reader
        self.command = " ".join([sys.executable, str(Path(__file__)), str(self.orders), "{url}", *words])

    def tell(self, order: str) -> None:
        os.write(self._open, f"{order}\n".encode())

    def close(self) -> None:
        os.close(self._open)


def said(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Forwarding:
    """The program's side."""

    def __init__(self, target: str, *, quiet: bool) -> None:
        parts = urlsplit(target)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.quiet = quiet
        self.server: asyncio.Server | None = None
        self.deaf = False
        self.tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        if self.server is not None:
            self.server.close()
        self.server = await asyncio.start_server(self.met, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        said("INF Requesting new quick tunnel; terms: https://www.example.org/terms/")
        if not self.quiet:
            said(f"|  http://127.0.0.1:{port}  |")

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.deaf:
            writer.close()
            return
        with suppress(OSError):
            to_reader, to_writer = await asyncio.open_connection(self.host, self.port)
            await asyncio.gather(pumped(reader, to_writer), pumped(to_reader, writer))


async def pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()


async def main(orders: str, target: str, *words: str) -> int:
    """Forward until told to die."""
    if "broken" in words:
        said("ERR no such host: tunnel.example.org")
        return 3
    forwarding = Forwarding(target, quiet="quiet" in words)
    await forwarding.open()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.open(orders, os.O_RDWR)))
    while line := (await reader.readline()).decode().strip():
        order, _, rest = line.partition(" ")
        if order == "die":
            return 1
        if order == "deaf":
            forwarding.deaf = True
        elif order == "hear":
            forwarding.deaf = False
        elif order == "say":
            said(rest)
        elif order == "change":
            await forwarding.open()
    return 0


if __name__ == "__main__":
    os._exit(asyncio.run(main(*sys.argv[1:])))
