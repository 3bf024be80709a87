"""`gateway play`: any audio to a face, live, and what was seen, heard and waited for."""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

from gateway import agent_files
from gateway.cli.faces import seconds
from gateway.cli.play_shown import line, table
from gateway.errors import GatewayError, InvalidValue
from gateway.peer.lips import Lips
from gateway.peer.performing import Wanted, perform
from gateway.peer.recording import Recording
from gateway.peer.session import Way
from gateway.peer.source import Raw, RawFormat, checked, reading
from gateway.peer.watch import Watch
from gateway.settings import Settings
from gateway.simli import client
from gateway.simli.client import Simli
from gateway.simli.fields import DEFAULT_FACE
from gateway.types.peer import PeerDialect, Ticket

EX_INTERRUPTED = 130
SHOWN_EVERY = 0.5


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("face", metavar="AGENT|FACE", help="an agent, for its face; or Simli's id of a face")
    parser.add_argument("source", metavar="SOURCE", help="a file, an http address (radio too), or - for standard input")
    parser.add_argument("--record", type=Path, metavar="FILE", help="what is seen and heard, as an MP4")
    parser.add_argument(
        "--dialect",
        choices=get_args(PeerDialect),
        help="how the session is joined; else p2p, or websocket where Simli's older API is spoken",
    )
    parser.add_argument("--format", choices=get_args(RawFormat), help="the source is raw samples, without a header")
    parser.add_argument("--rate", type=whole(1000, 384_000), metavar="HZ", help="of raw samples (16000)")
    parser.add_argument("--channels", type=whole(1, 8), metavar="N", help="of raw samples (1)")
    parser.add_argument("--seconds", type=seconds, metavar="N", help="play so much of it; else all")
    parser.add_argument("--fast", action="store_true", help="send as fast as the line takes it, not as it is heard")
    parser.add_argument("--full-gathering", action="store_true", help="wait for every STUN and TURN server")


def whole(least: int, most: int) -> Callable[[str], int]:
    """An argument: a whole number between two."""

    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text[:9]) <= most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}, not {text[:40]!r}")
        return int(text)

    return number


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Play it; 0 only if the face was seen and heard. Raises InvalidValue, SimliError, PeerError."""
    raw = _raw(arguments)
    checked(arguments.source, raw)
    record: Path | None = arguments.record
    if record and record.exists():
        raise InvalidValue(f"{record} exists; name another file with --record.")
    if record and not record.parent.is_dir():
        raise InvalidValue(f"There is no folder {record.parent} for {record.name}.")
    return asyncio.run(_run(arguments, settings, raw))


def _raw(arguments: argparse.Namespace) -> Raw | None:
    if arguments.format:
        return Raw(arguments.format, arguments.rate or 16000, arguments.channels or 1)
    if arguments.rate or arguments.channels:
        raise InvalidValue("--rate and --channels are of raw samples: say --format s16le or f32le beside them.")
    return None


async def _run(arguments: argparse.Namespace, settings: Settings, raw: Raw | None) -> int:
    face = _face(arguments.face, settings)
    recording = Recording(arguments.record) if arguments.record else None
    watch = Watch(sinks=[recording.take] if recording else [])
    lips = Lips(watch)
    failure: GatewayError | None = None
    interrupted = False
    try:
        async with (
            client.opened(settings.simli_url, settings.simli_key, settings.simli) as simli,
            reading(arguments.source, raw) as source,
        ):
            way = await _way(arguments, settings, simli)
            wanted = Wanted(paced=not arguments.fast, seconds=arguments.seconds)
            playing = perform(source, way, _issuing(simli, face), watch, wanted)
            interrupted = await _until_interrupted(playing, watch)
    except GatewayError as error:
        failure = error
    finally:
        if recording:
            await asyncio.to_thread(recording.close)
    if watch.sessions:
        print(*table(watch, lips, recording), sep="\n")
    if failure:
        raise failure
    return EX_INTERRUPTED if interrupted and not (watch.seen and watch.heard) else 0


def _face(name: str, settings: Settings) -> str:
    """An agent's face, or the id itself. Other files' faults are none of this command's."""
    agent = agent_files.read(settings).agents.get(name)
    return (agent.face_id or DEFAULT_FACE) if agent else name


async def _way(arguments: argparse.Namespace, settings: Settings, simli: Simli) -> Way:
    dialect: PeerDialect | None = arguments.dialect
    if dialect is None:
        dialect = "p2p" if await simli.dialect() == "current" else "websocket"
    return Way(settings.simli_url.rstrip("/"), dialect, simli.signalled, arguments.full_gathering)


def _issuing(simli: Simli, face: str) -> Callable[[], Awaitable[Ticket]]:
    async def issue() -> Ticket:
        token, servers = await asyncio.gather(simli.compose_token(face), simli.ice())
        return Ticket(token, tuple(servers))

    return issue


async def _until_interrupted(playing: Coroutine[Any, Any, None], watch: Watch) -> bool:
    """Play to the end, or until Ctrl-C: then the session is ended properly, and True says so."""
    task = asyncio.create_task(playing, name="play")
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def stop() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)  # a second one ends it at once
        asked.set()
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        async with _shown(watch):
            await task
    except asyncio.CancelledError:
        if not asked.is_set():
            raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return asked.is_set()


@contextlib.asynccontextmanager
async def _shown(watch: Watch) -> AsyncIterator[None]:
    """On a terminal, a line that says how it goes."""
    console = Console(stderr=True)
    if not sys.stderr.isatty():
        yield
        return
    with console.status(line(watch)) as status:

        async def show() -> None:
            while True:
                await asyncio.sleep(SHOWN_EVERY)
                status.update(line(watch))

        showing = asyncio.create_task(show(), name="status")
        try:
            yield
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
