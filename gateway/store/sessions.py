"""Sessions: their records, how many are open at once, the words of their turns, and their transcripts.

    {prefix}:session:{id}       hash       the record; gone `[store] kept_days` after the session's key expires
    {prefix}:words:{id}         list       what was said, line by line, while the session ran
    {prefix}:transcript:{id}    string     what was said, once that is settled
    {prefix}:sessions           sorted     ids by when they began
    {prefix}:sessions:open      sorted     ids by when their place is free again
    {prefix}:sessions:due       sorted     ids by when their transcript is to be looked for
    {prefix}:sessions:of:{…}    sorted     ids of an agent's sessions by agent, by when they expire

A place is free when the session ends, or by itself: when its key expires, or when there was no turn for as long as
Simli lets a session be idle. For Simli tells nobody that a session is over.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from gateway.store import records
from gateway.store.connection import Connection, Script
from gateway.store.errands import Errands
from gateway.types import Turn
from gateway.types.orchestration import Session, Transcript
from gateway.types.simli import Spoken

logger = logging.getLogger("gateway.store")

ID = re.compile(r"ses_[a-z0-9]{12}")
MARGIN = 60
"""Seconds that a place is held beyond the idle limit: turns and limits are not told at the same moment."""
MOST_LISTED = 200
MOST_INDEXED = 10_000
MOST_LINES = 4_000
MOST_BYTES = 2 * 1024 * 1024
LONGEST_LINE = 8_000
"""Characters; a longer line is cut."""
MOST_LONE = 1_000
"""Turns without a session of which it is remembered whose they were, until their record is written."""
AGAIN = 60
"""Seconds until a transcript that was looked for is looked for again."""

OPEN = Script("""
local now = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local open, limit = redis.call('ZCARD', KEYS[2]), tonumber(ARGV[1])
if ARGV[3] == '1' then
  if limit > 0 and open >= limit then return {0, open} end
  redis.call('ZADD', KEYS[2], ARGV[5], ARGV[4])
end
if ARGV[8] == '1' then
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now)
  redis.call('ZADD', KEYS[5], ARGV[6], ARGV[4])
  redis.call('EXPIRE', KEYS[5], ARGV[7])
end
redis.call('HSET', KEYS[1], unpack(ARGV, 10))
redis.call('EXPIRE', KEYS[1], ARGV[7])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[4])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[9]))
redis.call('ZADD', KEYS[4], ARGV[6], ARGV[4])
return {1, open}
""")
"""A new record, if there is a place. KEYS: record, open, index, due, the agent's. ARGV: places (0: any number), now,
whether it takes one, id, when that is free by itself, when the session expires, seconds that it is kept, whether it is
by agent, how many are indexed, fields and values. Answers whether, and how many were open."""

CLOSE = Script("""
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
if redis.call('HSETNX', KEYS[1], 'ended', ARGV[2]) == 0 then return 0 end
if #ARGV > 2 then redis.call('HSET', KEYS[1], unpack(ARGV, 3)) end
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
return 1
""")
"""The first end of a session. KEYS: record, open, due, the agent's. ARGV: id, when, fields and values."""

CHANGE = Script("""
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
""")
"""Fields of a record that is there."""

SAY = Script("""
local told = redis.call('HMGET', KEYS[1], 'expires', 'idle', 'transcript', 'bytes', 'started')
if not told[1] or tonumber(ARGV[5]) < tonumber(told[5]) then return 0 end
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then
  local free = math.min(tonumber(told[1]), tonumber(ARGV[2]) + (tonumber(told[2]) or 0))
  redis.call('ZADD', KEYS[3], free, ARGV[1])
end
if told[3] ~= '1' or #ARGV < 7 then return 1 end
local bytes, lines = tonumber(told[4] or '0') or 0, redis.call('LLEN', KEYS[2])
local known, last = pcall(cjson.decode, lines > 0 and redis.call('LINDEX', KEYS[2], -1) or '')
if known and last.role == 'assistant' and ARGV[6] ~= '' and #ARGV[6] < #last.text
    and string.sub(last.text, 1, #ARGV[6]) == ARGV[6] then
  last.text = ARGV[6]
  redis.call('LSET', KEYS[2], -1, cjson.encode(last))
end
for i = 7, #ARGV do
  if lines >= tonumber(ARGV[3]) or bytes + #ARGV[i] > tonumber(ARGV[4]) then break end
  redis.call('RPUSH', KEYS[2], ARGV[i])
  bytes, lines = bytes + #ARGV[i], lines + 1
end
redis.call('HSET', KEYS[1], 'bytes', bytes)
redis.call('EXPIRE', KEYS[2], redis.call('TTL', KEYS[1]))
return 1
""")
"""A turn of a session: its place is held on, and its words are kept where they are to be. The answer before is cut to
what the caller has of it: an answer that is interrupted was sent faster than it was spoken. KEYS: record, words, open.
ARGV: id, now and the margin, most lines, most bytes, when the turn began (a session that began later is not
meant), the answer before, lines. Answers whether it is the session's."""

CLAIM = Script("""
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, id in ipairs(ids) do redis.call('ZADD', KEYS[1], ARGV[2], id) end
return ids
""")
"""What is due, put off, so that one process alone has it; one that dies leaves it to the next. KEYS: due. ARGV: now,
when again, how many."""

SCRIPTS = (SAY,)


class Sessions:
    """The sessions of a store. What can fail raises StoreUnavailable.

    `kept`: seconds that all of one is kept after its key has expired.
    """

    def __init__(
        self, connection: Connection, errands: Errands, kept: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._connection = connection
        self._errands = errands
        self._kept = kept
        self._clock = clock
        self._lone: dict[tuple[str, float], str] = {}
        self._index, self._open, self._due = (
            connection.key(*parts) for parts in (("sessions",), ("sessions", "open"), ("sessions", "due"))
        )

    async def begin(self, session: Session, limit: int) -> int | None:
        """Keep a new record, if fewer than `limit` (0: any number) are open; else None. Answers how many others are.

        A `link` takes no place: nothing has begun.
        """
        now = self._clock()
        counted, by_agent = session.flow != "link", session.flow != "e2e"
        free = min(session.expires, now + session.idle + MARGIN)
        kept = max(1, int(session.expires - now)) + self._kept
        flat: list[str] = [part for pair in records.written(session).items() for part in pair]
        keys = [self._record(session.id), self._open, self._index, self._due, self._of(session.agent)]
        limits = (limit, now, int(counted), session.id, free, session.expires, kept, int(by_agent), MOST_INDEXED)
        ((begun, open_),) = await self._patiently(OPEN, keys, [*limits, *flat])
        return int(open_) if int(begun) else None

    async def change(self, id_: str, **values: str) -> None:
        """Write fields of a record: `room_url`, `simli_id`, …."""
        await self._patiently(CHANGE, [self._record(id_)], [part for pair in values.items() for part in pair])

    async def close(self, session: Session, *, note: str = "", unsure: bool = False) -> Session:
        """End it, as of now, and give its place back. One that has ended stays as it is; as it is then."""
        keys = [self._record(session.id), self._open, self._due, self._of(session.agent)]
        more = [("note", note)] if note else []
        more += [("unsure", "1")] if unsure else []
        flat = [part for pair in more for part in pair]
        await self._patiently(CLOSE, keys, (session.id, self._clock(), *flat))
        return await self.found(session.id) or replace(session, ended=self._clock(), note=note, unsure=unsure)

    async def found(self, id_: str) -> Session | None:
        """The session of this id; None where there is none, or none any more."""
        if not ID.fullmatch(id_):
            return None
        (told,) = await self._connection.take(("HGETALL", self._record(id_)))
        return _read(id_, told)

    async def taken(self) -> int:
        """How many places are taken now, by all processes."""
        (count,) = await self._connection.take(("ZCOUNT", self._open, f"({self._clock()}", "+inf"))
        return int(count)

    async def listed(self) -> list[Session]:
        """The last ones, newest first."""
        (ids,) = await self._connection.take(("ZREVRANGE", self._index, 0, MOST_LISTED - 1))
        if not ids:
            return []
        told = await self._connection.take(*(("HGETALL", self._record(id_)) for id_ in ids))
        found = [_read(id_, fields) for id_, fields in zip(ids, told, strict=True)]
        if gone := [id_ for id_, fields in zip(ids, told, strict=True) if not fields]:
            await self._connection.take(("ZREM", self._index, *gone), writing=True)
        return [session for session in found if session is not None]

    def turned(self, turn: Turn) -> None:
        """A turn has ended: keep its words, if it is a session's. Never waits, never raises."""
        if turn.session or turn.said is not None:
            lines, recalled = list(_lines(turn)), turn.recalled.strip()[:LONGEST_LINE]
            self._errands.add(partial(self._turned, turn.session, turn.agent, lines, recalled, turn.started))

    async def words(self, id_: str) -> list[Spoken]:
        """What was said as far as the gateway knows it, in order."""
        (told,) = await self._connection.take(("LRANGE", self._words(id_), 0, -1))
        return [line for text in told if (line := records.line(text)) is not None]

    async def settle(self, transcript: Transcript, until: float) -> None:
        """Keep a transcript that will not change any more."""
        kept = max(1, int(until - self._clock())) + self._kept
        await self._connection.take(
            ("SET", self._transcript(transcript.session), records.kept(transcript), "EX", kept),
            ("ZREM", self._due, transcript.session),
            writing=True,
        )

    async def settled(self, id_: str) -> Transcript | None:
        """The transcript that was kept."""
        (text,) = await self._connection.take(("GET", self._transcript(id_)))
        return records.transcript(text) if text else None

    async def claim(self, most: int) -> list[str]:
        """Sessions whose transcript is to be looked for now; nobody else is given them for a minute."""
        now = self._clock()
        (ids,) = await self._patiently(CLAIM, [self._due], (now, now + AGAIN, most))
        return [str(id_) for id_ in ids]

    async def forget(self, id_: str) -> None:
        """Look for its transcript no more."""
        await self._connection.take(("ZREM", self._due, id_), writing=True)

    async def _turned(self, id_: str, agent: str, lines: Sequence[Spoken], recalled: str, at: float) -> None:
        # Clocks of two machines differ, and a key names its session; without one, a turn is of no later session.
        if id_:
            await self._say(id_, lines, recalled, at, at + MARGIN)
            return
        id_ = await self._only(agent)
        meant = bool(id_) and await self._say(id_, lines, recalled, at, at)
        self._lone[agent, at] = id_ if meant else ""
        if len(self._lone) > MOST_LONE:
            del self._lone[next(iter(self._lone))]

    async def _say(self, id_: str, lines: Sequence[Spoken], recalled: str, at: float, since: float) -> bool:
        """Keep a turn's words; whether it is the session's."""
        keys = [self._record(id_), self._words(id_), self._open]
        told = [records.said(line) for line in lines]
        arguments: list[str | float] = [id_, at + MARGIN, MOST_LINES, MOST_BYTES, since, recalled, *told]
        return bool(int(await self._connection.run(SAY, keys, arguments)))

    async def alone(self, agent: str, at: float) -> str:
        """The agent's session, where one alone is open and was when a turn began `at`; else empty.

        What the words of that turn have asked already is not asked again.
        """
        if (known := self._lone.pop((agent, at), None)) is not None:
            return known
        found = await self.found(await self._only(agent))
        return found.id if found is not None and found.started <= at else ""

    async def _only(self, agent: str) -> str:
        """The agent's session, where one alone is open; else nobody knows which is meant."""
        ids = await self._connection.ask("ZRANGEBYSCORE", self._of(agent), f"({self._clock()}", "+inf", "LIMIT", 0, 2)
        return str(ids[0]) if len(ids) == 1 else ""

    async def _patiently(
        self, script: Script, keys: Sequence[str], arguments: Iterable[str | int | float]
    ) -> list[Any]:
        return await self._connection.take(("EVAL", script.text, len(keys), *keys, *arguments), writing=True)

    def _record(self, id_: str) -> str:
        return self._connection.key("session", id_)

    def _words(self, id_: str) -> str:
        return self._connection.key("words", id_)

    def _transcript(self, id_: str) -> str:
        return self._connection.key("transcript", id_)

    def _of(self, agent: str) -> str:
        return self._connection.key("sessions", "of", agent)


def _read(id_: str, told: dict[str, str]) -> Session | None:
    if not told:
        return None
    try:
        return records.read(told)
    except ValueError as error:
        logger.warning("the store's record of session %.20r %s", id_, error)
        return None


def _lines(turn: Turn) -> Iterable[Spoken]:
    """The turn's words: what was asked, and what was sent of the answer."""
    if turn.heard.strip():
        yield Spoken("user", turn.heard.strip()[:LONGEST_LINE], turn.started)
    if text := "".join(turn.said or ()).strip():
        yield Spoken("assistant", text[:LONGEST_LINE], turn.started + turn.timings.get("ttft", 0.0) / 1000)
