"""What is asked of a process that serves: by signals, or by the supervisor of a worker."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.workers import Handed, Link, words

logger = logging.getLogger("gateway")

_ENDS = {words.END: signal.SIGTERM, words.LEAVE: signal.SIGINT}


class Asked:
    """That the process is to end, now or when it has retired; and that it is to read everything again."""

    def __init__(self, again: asyncio.Event) -> None:
        self.again = again
        self.number = 0
        """The signal that ends it, or stands for what was said."""
        self.end = asyncio.Event()
        self.hurry = asyncio.Event()
        self.retire = asyncio.Event()
        """Another process serves in the place of this one."""

    def ended(self, number: int) -> None:
        """Asked once, it is to end; asked twice, at once."""
        if self.end.is_set():
            self.hurry.set()
        self.number = self.number or number
        self.end.set()


def unready() -> None:
    """Until there is an event loop, SIGHUP and SIGUSR2 do nothing: their default is death."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def by_signals(asked: Asked, roll: Callable[[], None] | None = None) -> None:
    """SIGTERM or SIGINT once: the process is to end. Twice: at once. SIGHUP: read everything again. SIGUSR2: `roll`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.ended, number)
    loop.add_signal_handler(signal.SIGHUP, asked.again.set)
    loop.add_signal_handler(signal.SIGUSR2, roll or _alone)


def _alone() -> None:
    logger.warning(
        "SIGUSR2 replaces workers, and this is one process: start it with --workers 2 or more, or restart it"
    )


@contextmanager
def by_supervisor(asked: Asked, handed: Handed) -> Iterator[Link]:
    """What the supervisor says, for the length of the block, and the way to answer; it is told of every beat.

    Where the supervisor is gone, the worker ends as after SIGTERM. SIGTERM to the worker itself is told to the
    supervisor, who puts another one in its place; SIGINT is the supervisor's to pass on.
    """
    loop = asyncio.get_running_loop()
    link = Link(socket.socket(fileno=handed.link), lambda word: _heard(asked, word), lambda: _orphaned(asked))

    beating = asyncio.create_task(_beats(link))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop.add_signal_handler(signal.SIGTERM, link.say, words.ASKED)
    loop.add_signal_handler(signal.SIGHUP, asked.again.set)
    try:
        yield link
    finally:
        beating.cancel()
        link.close()


async def _beats(link: Link) -> None:
    while True:
        link.say(words.BEAT)
        await asyncio.sleep(words.BEATS)


def _heard(asked: Asked, word: bytes) -> None:
    if word in _ENDS and not asked.end.is_set():
        asked.ended(_ENDS[word])
    elif word == words.HURRY:
        asked.hurry.set()
    elif word == words.RETIRE:
        asked.retire.set()
    elif word == words.RELOAD:
        asked.again.set()


def _orphaned(asked: Asked) -> None:
    logger.error("the supervisor is gone: this worker ends as after SIGTERM")
    if not asked.end.is_set():
        asked.ended(signal.SIGTERM)
