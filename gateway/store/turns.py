"""The last turns, as an operator asks for them: a record each, right across processes, and written behind the answers.

    {prefix}:turns            sorted     records by when the turn began; the newest ones, for `[store] kept_days`
    {prefix}:turns:refused    sorted     those of requests that were refused: a flood of them drives out no other

Nothing of a turn waits for its record: it is put down here, and one errand writes all that were put down meanwhile.
While the store is away they stay with the process, which shows its own.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from gateway.errors import StoreUnavailable
from gateway.errors.redaction import Redact
from gateway.store import turn_records
from gateway.store.connection import Connection, Script
from gateway.store.errands import Errands
from gateway.store.following import Following
from gateway.store.sessions import MARGIN
from gateway.types import Turn, TurnRecord, WantedTurns

BATCH = 50
"""Records in one write, and in one read."""
GATHERING = 0.05
"""Seconds from a turn's end until it is written, with all that end meanwhile: a write for each would cost more than its
record."""
OWN = 1000
"""Records of each kind that a process keeps itself."""
REFUSED = 20
"""Of refused requests so many records are made in a second; the others are in the log."""

KEEP = Script("""
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
for i = 2, #KEYS do
  local at, text, worded = ARGV[3 * i], ARGV[3 * i + 1], ARGV[3 * i + 2]
  if worded ~= '' then
    local told = redis.call('HMGET', KEYS[i], 'transcript', 'started')
    if told[1] == '1' and tonumber(told[2]) <= at + tonumber(ARGV[3]) then text = worded end
  end
  redis.call('ZADD', KEYS[1], at, text)
  redis.pcall('PUBLISH', ARGV[5], text)
end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[1]))
redis.call('EXPIRE', KEYS[1], math.ceil(ARGV[4]))
return 1
""")
"""More records, with their words only where the session's own record has them kept. KEYS: records, and for each its
session's record. ARGV: how many are kept, from when on, the margin between clocks, seconds, the channel on which they
are told; and for each when the turn began, the record, and the one with its words or nothing."""


@dataclass(slots=True)
class _Kept:
    """One record of this process."""

    record: TurnRecord
    redact: Redact
    lone: bool
    """It may be of its agent's only open session."""
    written: bool = False

    @property
    def texts(self) -> tuple[str, str]:
        """Without its words, and with them; the latter is empty where there are none."""
        text = self.redact(turn_records.written(self.record))
        return (text, "") if self.record.question is None else (self.redact(turn_records.written(self._silent)), text)

    @property
    def _silent(self) -> TurnRecord:
        return replace(self.record, question=None, answer=None)

    def stored(self) -> None:
        """It stands in the store, with its words where they are to be: here they are not needed any more."""
        self.written = True
        if self.record.question is not None:
            self.record = self._silent


@dataclass(slots=True)
class _Shelf:
    """The records of one kind: in the store under `key`, and those of this process."""

    key: str
    own: deque[_Kept]
    """In the order in which they are written."""
    ended: deque[tuple[Turn, Redact]] = field(default_factory=deque)
    """Of which no record was made yet."""

    def settle(self) -> None:
        """Make the records of what has ended."""
        while self.ended:
            turn, redact = self.ended.popleft()
            lone = turn.said is not None and not turn.session
            self.own.append(_Kept(turn_records.record(turn), redact, lone))

    def unwritten(self) -> list[_Kept]:
        """Some that are still to be written, the oldest first."""
        found: list[_Kept] = []
        for kept in reversed(self.own):
            if kept.written:
                break
            found.append(kept)
        return found[: -BATCH - 1 : -1]


class Turns:
    """The last turns. `most` are kept of each kind, and for `kept` seconds; `alone` names an agent's only session that
    was open at a time."""

    def __init__(
        self,
        connection: Connection,
        errands: Errands,
        alone: Callable[[str, float], Awaitable[str]],
        most: int,
        *,
        kept: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connection = connection
        self._errands = errands
        self._alone = alone
        self._most = most
        self._kept = kept
        self._clock = clock
        self._answered, self._refused = (
            _Shelf(connection.key(*parts), deque(maxlen=min(most, OWN)), deque(maxlen=min(most, OWN)))
            for parts in (("turns",), ("turns", "refused"))
        )
        self._following = Following(connection)
        self._second, self._refusals = 0, 0
        self._due = False

    def turned(self, turn: Turn, redact: Redact) -> None:
        """A turn has ended: keep its record, without what `redact` takes out of it. Never waits, never raises."""
        if not self._most or (turn.outcome == "refused" and self._flooded()):
            return
        shelf = self._refused if turn.outcome == "refused" else self._answered
        shelf.ended.append((turn, redact))
        self.write()

    def write(self) -> None:
        """Have written what is still to be written. Never waits, never raises."""
        if not self._due:
            self._due = True
            self._errands.add(self._write)

    async def listed(self, wanted: WantedTurns) -> tuple[list[TurnRecord], bool]:
        """The records that are asked for, newest first; and whether they are those of all processes, or of this one."""
        shelves = {"": (self._answered, self._refused), "refused": (self._refused,)}
        found: dict[tuple[str, float], TurnRecord] = {}
        whole = True
        for shelf in shelves.get(wanted.outcome, (self._answered,)):
            told = self._own(shelf, wanted)  # first: what is written meanwhile stands in the store then
            try:
                told += await self._stored(shelf, wanted)
            except StoreUnavailable:
                told, whole = self._own(shelf, wanted, every=True), False
            found |= {(one.id, one.at): one for one in told}
        newest = sorted(found.values(), key=lambda one: one.at, reverse=True)
        return newest[: wanted.limit], whole

    async def told(self, wanted: WantedTurns) -> AsyncGenerator[TurnRecord | None, None]:
        """The last ones that are asked for, oldest first, then each when it was kept; None now and then, at once too.

        Ends where the store goes. Raises StoreUnavailable, Overloaded, before anything is told.
        """
        async with aclosing(self._following.told(wanted)) as news:
            yield await anext(news)
            last, _ = await self.listed(wanted)
            for one in reversed(last):
                yield one
            shown = {(one.id, one.at) for one in last}
            async for news_ in news:
                if news_ is None or (news_.id, news_.at) not in shown:
                    yield news_

    def _flooded(self) -> bool:
        """Whether this second has had its refusals."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._refusals = second, 0
        self._refusals += 1
        return self._refusals > REFUSED

    def _own(self, shelf: _Shelf, wanted: WantedTurns, *, every: bool = False) -> list[TurnRecord]:
        """Those of this process: `every` one, or only what is not in the store yet. Their words stay untold."""
        shelf.settle()
        return turn_records.found((kept.texts[0] for kept in shelf.own if every or not kept.written), wanted)

    async def _stored(self, shelf: _Shelf, wanted: WantedTurns) -> list[TurnRecord]:
        """As many as are wanted, of all processes."""
        found: list[TurnRecord] = []
        start, oldest = 0, self._clock() - self._kept
        while len(found) < wanted.limit:
            command = ("ZREVRANGEBYSCORE", shelf.key, "+inf", oldest, "LIMIT", start, BATCH)
            (texts,) = await self._connection.take(command)
            found += turn_records.found(texts, wanted)
            start += BATCH
            if len(texts) < BATCH:
                break
        return found

    async def _write(self) -> None:
        await asyncio.sleep(GATHERING)
        self._due = False
        for shelf in (self._answered, self._refused):
            shelf.settle()
            while batch := shelf.unwritten():
                await self._written(shelf, batch)

    async def _written(self, shelf: _Shelf, batch: Sequence[_Kept]) -> None:
        """Write these. Raises StoreUnavailable; they are tried again then, when the next turn ends."""
        arguments: list[str | float] = [
            self._most,
            self._clock() - self._kept,
            MARGIN,
            self._kept,
            self._following.channel,
        ]
        keys = [shelf.key]
        told: list[str | float] = []
        for kept in batch:
            if kept.lone:
                session = await self._alone(kept.record.agent, kept.record.at)
                kept.record, kept.lone = replace(kept.record, session=session), False
            keys.append(self._connection.key("session", kept.record.session))
            told += [kept.record.at, *kept.texts]
        command = ("EVAL", KEEP.text, len(keys), *keys, *arguments, *told)
        await self._connection.take(command, writing=True)
        for kept in batch:
            kept.stored()
