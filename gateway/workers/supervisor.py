"""The supervisor: so many workers serve at any time; a dead one is started again, and a roll replaces them in turn."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import GatewayError
from gateway.workers import words
from gateway.workers.life import USUAL, Life, Pace, Plan, begun, ending

logger = logging.getLogger("gateway.workers")


class NotServing(GatewayError):
    """A worker could not be started. `status` is that of its process: it has said why itself."""

    code = "worker_failed"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Place:
    """Where a worker serves. Who serves there changes."""

    life: Life
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever starts another one in it."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def given(self, life: Life) -> Life:
        """Put another one in; who was there before."""
        before, self.life = self.life, life
        self.changed.set()
        return before


class Supervisor:
    """Keeps the workers of a plan, from `start` to `end`."""

    def __init__(self, plan: Plan, pace: Pace = USUAL) -> None:
        self._plan = plan
        self._pace = pace
        self._places: list[Place] = []
        self._lives: set[Life] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted = asyncio.Event()
        self._numbers: set[int] = set()
        """Of workers that run, or are being started."""
        self._begun = False
        self._ending = False

    async def start(self) -> None:
        """Return once every worker serves. Raises NotServing where one cannot; `end` ends the others.

        The first one starts alone: what is made once is made then, and what keeps all from starting is said once.
        """
        first = await self._fresh()
        others = await asyncio.gather(*(self._fresh() for _ in range(self._plan.count - 1)), return_exceptions=True)
        self._places.append(Place(first))
        for other in others:
            if isinstance(other, BaseException):
                raise other
            self._places.append(Place(other))
        for place in self._places:
            self._beside(self._keep(place))
        self._beside(self._rolls())

    def roll(self) -> None:
        """Replace every worker, one after another. Asked during a roll, another one follows it."""
        self._wanted.set()

    def reload(self) -> None:
        """Have every worker read everything again."""
        for life in self._lives:
            life.say(words.RELOAD)

    async def end(self, word: bytes, hurry: asyncio.Event) -> bool:
        """End all workers, with END or LEAVE, and when there is `hurry` with HURRY. Whether all ended properly.

        There is no limit of time: each worker has its own, and one that stands still is killed as at any time.
        """
        self._ending = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        lives = [life for life in self._lives if not life.over.done()]
        for life in lives:
            life.say(word)
        hurried = asyncio.create_task(self._hurried(lives, hurry))
        try:
            statuses = await asyncio.gather(*(life.over for life in lives))
        finally:
            hurried.cancel()
        bad = [(life, status) for life, status in zip(lives, statuses, strict=True) if status and life.ready.is_set()]
        for life, status in bad:
            logger.error("%s %s", life, ending(status))
        return not bad

    async def _hurried(self, lives: list[Life], hurry: asyncio.Event) -> None:
        await hurry.wait()
        for life in lives:
            life.say(words.HURRY)

    def _beside(self, running: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(running)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fresh(self) -> Life:
        """Start a worker, and wait until it serves. Raises NotServing."""
        number = next(number for number in range(len(self._numbers) + 1) if number not in self._numbers)
        self._numbers.add(number)
        first, self._begun = not self._begun, True
        try:
            life = await begun(self._plan, self._pace, number, self._asked, first=first)
        except BaseException as error:
            self._numbers.discard(number)
            if isinstance(error, OSError):
                raise NotServing(f"worker {number} cannot be started: {error}", 1) from error
            raise
        self._lives.add(life)
        life.over.add_done_callback(lambda _: self._ended(life))
        if not await life.served():
            raise NotServing(f"{life} {ending(life.over.result())} before it served", life.over.result())
        logger.info("%s serves after %.1f s", life, life.age)
        return life

    def _ended(self, life: Life) -> None:
        self._lives.discard(life)
        self._numbers.discard(life.number)

    async def _keep(self, place: Place) -> None:
        """Start another one in this place whenever who serves there has died, at growing distances."""
        pause = 0.0
        while True:
            life = place.life
            place.changed.clear()
            changed = asyncio.create_task(place.changed.wait())
            try:
                await asyncio.wait({life.over, changed}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
            if place.life is not life:
                pause = 0.0
                continue
            async with place.changing:
                if place.life is life:
                    pause = await self._again(place, pause)

    async def _again(self, place: Place, pause: float) -> float:
        """Start one in the place of a dead one; the pause before the next time. The others go on meanwhile."""
        dead = place.life
        if dead.age >= self._pace.steady + pause:
            pause = 0.0
        following = min(max(pause * 2, self._pace.backoff), self._pace.longest)
        when = f"in {pause:g} s" if pause else "at once"
        logger.error("%s %s; it is started again %s", dead, ending(dead.over.result()), when)
        await asyncio.sleep(pause)
        try:
            place.given(await self._fresh())
        except NotServing as error:
            logger.error("%s; the others go on", error.message)  # noqa: TRY400  (no stack: the worker has said why)
        return following

    async def _rolls(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            began = time.monotonic()
            logger.info("a rolling restart of %d workers begins", len(self._places))
            try:
                for place in self._places:
                    await self._replaced(place)
            except NotServing as error:
                words_ = "the rolling restart is given up: %s; what serves goes on, and SIGUSR2 tries again"
                logger.error(words_, error.message)  # noqa: TRY400  (no stack: the worker has said why)
            else:
                logger.info("the rolling restart took %.1f s", time.monotonic() - began)

    async def _replaced(self, place: Place) -> None:
        """Have another one serve in this place, then let the old one go, and wait until it has. Raises NotServing."""
        async with place.changing:
            old = place.given(await self._fresh())
        old.say(words.RETIRE)
        await asyncio.wait({old.over})

    def _asked(self, life: Life) -> None:
        """Somebody has sent SIGTERM to one worker: it retires, and another one takes its place."""
        for place in self._places:
            if place.life is life and not self._ending:
                logger.info("%s is asked to end; another one takes its place", life)
                self._beside(self._relieved(place, life))

    async def _relieved(self, place: Place, life: Life) -> None:
        try:
            if place.life is life:
                await self._replaced(place)
        except NotServing as error:
            logger.error("%s; %s goes on", error.message, life)  # noqa: TRY400  (no stack: the worker has said why)
