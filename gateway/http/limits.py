"""How much: a place for each turn in this process, the quotas of keys and agents, and the wrong keys of an address."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from gateway.errors import Overloaded, RateLimited
from gateway.settings import Limits
from gateway.types import Admission, Agent, Key, Quota

TICK = 0.05
"""Seconds between two looks at the event loop's clock."""
SOFT = 0.8
"""The share of the turns from which on the process does nothing twice, as a hedge would."""
ADDRESSES = 10_000
"""Whose wrong keys are counted at once; the one that was quiet for longest is forgotten for a new one."""
MINUTE = 60.0


def nothing() -> None:
    """There is nothing to give back."""


ADMITTED = Admission(True, 0, 0, 0.0, 0.0, "", nothing)


async def unlimited(_: Sequence[Quota]) -> Admission:
    """Everybody may, always."""
    return ADMITTED


class Load:
    """What this process has to do: turns, and how late its event loop is. Past a limit it refuses at once.

    A voice turn that waits in a line is a failed one, and the ones in front of it suffer with it.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.clock = clock
        self.turns = 0
        self.held: dict[str, int] = {}
        """Turns by whose they are: by the ids of keys and of agents that a capability opened."""
        self.late = 0.0
        """Seconds that the last tick came after its time."""
        self.due = float("inf")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look at the clock while inside."""
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle

        def tick() -> None:
            nonlocal timer
            now = self.clock()
            self.late = max(0.0, now - self.due)
            self.due = now + TICK
            timer = loop.call_later(TICK, tick)

        self.due = self.clock()
        tick()
        try:
            yield
        finally:
            timer.cancel()

    @property
    def lag(self) -> float:
        """Seconds: that of the last tick, or of the one that should have come."""
        return max(self.late, self.clock() - self.due)

    def overloaded(self) -> bool:
        """Whether it has so much to do that nothing should be done which need not be."""
        return self.turns >= self.limits.turns * SOFT or self.lag > self.limits.lag / 2

    def entered(self) -> "Place":
        """A place for one more turn. Raises Overloaded where there is none."""
        if self.turns >= self.limits.turns or self.lag > self.limits.lag:
            raise Overloaded("The gateway has more to do than it can do in time.", retry_after=1.0)
        return Place(self)

    def shared(self, place: "Place", owner: str) -> None:
        """Say whose the place is. Raises Overloaded where it is one of the last, and its owner has most of the others.

        So that whoever opens streams without end finds the gateway full, and nobody else does.
        """
        held = self.held.get(owner, 0) + 1
        if held > self.limits.turns / 2 and self.turns > self.limits.turns * SOFT:
            raise Overloaded("The gateway is full, and most of its turns are yours.", retry_after=1.0)
        self.held[owner] = held
        place.owner = owner


class Place:
    """What one turn holds while it runs. It is given back once, however often and from wherever the end is told."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.admission = ADMITTED
        self.owner = ""
        self.left = False
        load.turns += 1

    def leave(self) -> None:
        """The turn is over."""
        if not self.left:
            self.left = True
            self.load.turns -= 1
            if self.owner:
                held = self.load.held.pop(self.owner) - 1
                if held:
                    self.load.held[self.owner] = held
            self.admission.release()


def quotas(key: Key | None, agent: Agent | None) -> list[Quota]:
    """The rates that a turn counts against; empty where there is none to keep."""
    found = []
    if key is not None and (key.rate.requests or key.rate.streams):
        found.append(Quota(f"key:{key.id}", key.rate))
    if agent is not None and (agent.rate.requests or agent.rate.streams):
        found.append(Quota(f"agent:{agent.name}", agent.rate))
    return found


def refused(admission: Admission) -> RateLimited:
    """The error of a turn that was not admitted."""
    whose = "key" if admission.refused.startswith("key:") else "agent"
    message = f"This {whose} has had its requests of this minute, or has as many streams open as it may."
    return RateLimited(message, retry_after=max(admission.retry_after, 0.001), headers=told(admission))


def told(admission: Admission) -> dict[str, str]:
    """The headers that tell a caller of its limit, by OpenAI's names."""
    if not admission.limit:
        return {}
    return {
        "x-ratelimit-limit-requests": str(admission.limit),
        "x-ratelimit-remaining-requests": str(max(0, admission.remaining)),
        "x-ratelimit-reset-requests": f"{max(0.0, admission.reset):.3f}s",
    }


def untold(_: str) -> None:
    """There is no other process."""


class WrongKeys:
    """Counts the wrong keys of each address, for a minute from the first one.

    `tell` has every other process count it too (`heard`): an address gets its limit once, not once a process. What is
    past the limit is not told, so a flood stays here.
    """

    def __init__(
        self, limit: int, tell: Callable[[str], None] = untold, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self.tell = tell
        self.clock = clock
        self.counted: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def spent(self, address: str) -> float:
        """Count one. Seconds until the address may be wrong again; 0 while it is within its limit."""
        wait = self._count(address)
        if not wait:
            self.tell(address)
        return wait

    def heard(self, address: str) -> None:
        """Another process has counted one."""
        self._count(address)

    def _count(self, address: str) -> float:
        now = self.clock()
        began, count = self.counted.pop(address, (now, 0))
        if now - began >= MINUTE:
            began, count = now, 0
        self.counted[address] = (began, count + 1)
        while len(self.counted) > ADDRESSES:
            self.counted.popitem(last=False)
        return began + MINUTE - now if count >= self.limit else 0.0
