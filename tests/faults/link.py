"""One connection through the fault proxy (`proxy.py`): two flows, and the faults they suffer."""

import asyncio
import random
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NamedTuple, NoReturn, TypeAlias

from tests.faults.fault import Bandwidth, Cut, Fault, Hang, Latency, Refuse, Reset, Share, Slice, SlowClose, Way

Connect: TypeAlias = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
PIECE = 64 * 1024
"""Bytes of one read at most."""
WAITING = 64
"""Reads that may wait to be passed on; then the sender is held up, as by any full connection."""
STEPS = 50
"""A limited bandwidth is so many pieces a second."""
LINGER_ZERO = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset."""


class BrokenOff(Exception):
    """A fault has ended the connection."""


class Arrived(NamedTuple):
    """One read, and when it came by the loop's clock."""

    at: float
    data: bytes
    """Empty: the end."""
    broken: bool = False
    """The sender reset the connection."""


class Flow:
    """One way of one connection: reads into a short line, and passes on what the faults let through."""

    def __init__(self, link: "Link", way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._link = link
        self._way = way
        self._reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=0)  # drained: what a reset follows is in the kernel's hands
        self._line: asyncio.Queue[Arrived] = asyncio.Queue(WAITING)
        self._chance = random.Random(f"{link.seed} {way}")
        self._due = 0.0
        self.passed = 0
        """Bytes, since the faults were last changed."""
        self.thrown_away = False
        """The way is cut: what comes leads nowhere."""

    async def read(self) -> None:
        """Take in until the sender ends."""
        clock = asyncio.get_running_loop().time
        try:
            while data := await self._reader.read(PIECE):
                await self._line.put(Arrived(clock(), data))
        except OSError:
            await self._line.put(Arrived(clock(), b"", broken=True))
        else:
            await self._line.put(Arrived(clock(), b""))

    async def write(self) -> None:
        """Pass on until the end. Raises BrokenOff."""
        while True:
            at, data, broken = await self._line.get()
            await self._late(at)
            await self._held()
            if self.thrown_away:
                if data:
                    continue
                return
            if broken:
                self._link.reset()
            if not data:
                await self._end()
                return
            await self._pass_on(data)

    async def _late(self, at: float) -> None:
        for fault in self._link.suffers(self._way):
            if isinstance(fault, Latency):
                at += max(0.0, fault.seconds + self._chance.uniform(-fault.jitter, fault.jitter))
        self._due = max(self._due, at)
        await asyncio.sleep(max(0.0, self._due - asyncio.get_running_loop().time()))

    async def _held(self) -> None:
        """Wait while it hangs."""
        while any(isinstance(fault, Hang) and fault.after <= self.passed for fault in self._link.suffers(self._way)):
            await self._link.changed.wait()

    async def _end(self) -> None:
        for fault in self._link.suffers(self._way):
            if isinstance(fault, SlowClose):
                await asyncio.sleep(fault.seconds)
        self.finish()

    def finish(self) -> None:
        """Tell the receiver that this is the end."""
        if self._writer.can_write_eof() and not self._writer.transport.is_closing():
            self._writer.write_eof()

    async def _pass_on(self, data: bytes) -> None:
        while data and not self.thrown_away:
            await self._held()
            size, pause = self._piece(len(data))
            if size:
                self._writer.write(data[:size])
                await self._writer.drain()
                self.passed += size
                data = data[size:]
            if self._broken_off():
                return
            if pause or data:
                await asyncio.sleep(pause)

    def _piece(self, size: int) -> tuple[int, float]:
        """How much of so many bytes goes out now, and the pause after it, in seconds."""
        delay, rate = 0.0, float("inf")
        for fault in self._link.suffers(self._way):
            if isinstance(fault, Slice):
                size, delay = min(size, fault.size), max(delay, fault.delay)
            elif isinstance(fault, Bandwidth):
                size, rate = min(size, max(1, int(fault.rate / STEPS))), min(rate, fault.rate)
            elif isinstance(fault, Reset | Cut | Hang) and fault.after is not None:
                size = min(size, max(0, fault.after - self.passed))
        return size, max(delay, size / rate)

    def _broken_off(self) -> bool:
        """Whether a fault has cut the way here. Raises BrokenOff where it resets the connection."""
        for fault in self._link.suffers(self._way):
            if isinstance(fault, Reset | Cut) and fault.after is not None and fault.after <= self.passed:
                if isinstance(fault, Reset):
                    self._link.reset()
                self._link.cut(self._way)
                return True
        return False


class Link:
    """One connection through the proxy."""

    def __init__(self, seed: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seed = seed
        """Decides what is left to chance."""
        self.changed = asyncio.Event()
        """Set, and another one put in its place, when the faults are changed."""
        self._reader = reader
        self._writers = [writer]
        """The caller's, and the target's as soon as there is one."""
        self._flows: dict[Way, Flow] = {}
        self._faults: tuple[Fault, ...] = ()

    def feel(self, faults: Sequence[Fault]) -> None:
        """Have these faults from now on, or its share of them."""
        self._faults = tuple(self._mine(faults))
        for flow in self._flows.values():
            flow.passed = 0
        self.changed.set()
        self.changed = asyncio.Event()

    def _mine(self, faults: Sequence[Fault]) -> Iterator[Fault]:
        for place, fault in enumerate(faults):
            if not isinstance(fault, Share):
                yield fault
            elif random.Random(f"{self.seed} {place}").random() < fault.share:
                yield fault.fault

    def suffers(self, way: Way) -> tuple[Fault, ...]:
        """The faults of this way."""
        return tuple(fault for fault in self._faults if getattr(fault, "way", None) in {way, None})

    def ended_at_once(self) -> bool:
        """Whether a fault ends it now, whatever has passed; it is done."""
        for fault in self._faults:
            if isinstance(fault, Reset) and fault.after is None:
                self.abort()
                return True
            if isinstance(fault, Cut) and fault.after is None:
                self.close()
                return True
        return False

    async def run(self, connect: Connect) -> None:
        """Pass on in both ways until both have ended or a fault has ended them."""
        try:
            if any(isinstance(fault, Refuse) for fault in self._faults):
                self.abort()
                return
            if self.ended_at_once():
                return
            reader, writer = await connect()
            self._writers.append(writer)
            down, up = Flow(self, "down", reader, self._writers[0]), Flow(self, "up", self._reader, writer)
            self._flows = {"down": down, "up": up}
            async with asyncio.TaskGroup() as group:
                for work in (down.read, down.write, up.read, up.write):
                    group.create_task(work())
            self.close()
        except* (BrokenOff, OSError):
            pass
        finally:
            self.abort()

    def cut(self, way: Way) -> None:
        """End this way, and hang up on its sender; what its receiver still sends is read and leads nowhere."""
        self._flows[way].finish()
        for flow in self._flows.values():
            flow.thrown_away = True
        (self._writers[1] if way == "down" else self._writers[0]).close()

    def reset(self) -> NoReturn:
        """Raises BrokenOff, whereupon both sides are reset."""
        raise BrokenOff

    def abort(self) -> None:
        """Reset both sides, where they are not closed."""
        for writer in self._writers:
            opened = writer.get_extra_info("socket")
            if writer.transport.is_closing():
                continue
            if opened is not None and opened.family != socket.AF_UNIX:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            writer.transport.abort()

    def close(self) -> None:
        """Close both sides."""
        for writer in self._writers:
            writer.close()
