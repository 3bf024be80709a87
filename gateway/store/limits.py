"""Rates of keys and agents, counted once for all processes; by each for itself while the store is away.

A turn's place among the streams is a lease that bears its process's name: a process that dies gives its places back as
soon as it is missed (`members`) and somebody wants one. A lease ends by itself, too, and is renewed while its stream
runs, however long that is.
"""

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial

from gateway.errors import StoreUnavailable
from gateway.store.connection import Connection, Script
from gateway.store.errands import Errands
from gateway.store.members import Members
from gateway.store.window import Local, Verdict
from gateway.types import Admission, Quota

LEASE = 30.0
"""Seconds after which a place is free that nobody renews, whatever became of its process."""
PAGE = 500
"""Leases renewed in one write."""
MOST_GONE = 10_000
"""Leases to be given back that are remembered while the store is away; the rest end by themselves."""
SAFE = re.compile(r"[A-Za-z0-9:_-]{1,120}")
"""What may stand in the name of a key in the store; anything else is hashed."""

ADMIT = Script("""
local time = redis.call('TIME')
local second = tonumber(time[1])
local ms = second * 1000 + math.floor(tonumber(time[2]) / 1000)
local refused, retry = 0, 0
local limit, left, reset = 0, 0, 0
local old = {}
local owners = (#KEYS - 1) / 2
local function freed(key)
  local missed, gone = {}, 0
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[#KEYS], '-inf', ms)) do missed[name] = true end
  if not next(missed) then return 0 end
  for _, lease in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. ms, '+inf')) do
    if missed[string.match(lease, '^%x+')] then gone = gone + redis.call('ZREM', key, lease) end
  end
  return gone
end
for i = 1, owners do
  local requests, streams = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  if requests > 0 then
    local told = redis.call('HGETALL', KEYS[2 * i - 1])
    local used, newest, live, gone = 0, 0, {}, {}
    for j = 1, #told, 2 do
      local at, count = tonumber(told[j]), tonumber(told[j + 1])
      if at > second - 60 then
        used = used + count
        newest = math.max(newest, at)
        live[#live + 1] = {at, count}
      else
        gone[#gone + 1] = told[j]
      end
    end
    old[i] = gone
    local free = requests - used
    local whole = newest > 0 and (newest + 60) * 1000 - ms or 0
    if free <= 0 then
      table.sort(live, function(a, b) return a[1] < b[1] end)
      local freed, wait = free, 0
      for _, bucket in ipairs(live) do
        if freed > 0 then break end
        freed = freed + bucket[2]
        wait = (bucket[1] + 60) * 1000 - ms
      end
      if wait > retry then
        refused, retry, limit, left, reset = i, wait, requests, free, whole
      end
    elseif refused == 0 and (limit == 0 or free < left) then
      limit, left, reset = requests, free, whole
    end
  end
  if streams > 0 and retry < 1000 then
    local running = redis.call('ZCOUNT', KEYS[2 * i], '(' .. ms, '+inf')
    if running >= streams and running - freed(KEYS[2 * i]) >= streams then refused, retry = i, 1000 end
  end
end
if refused > 0 then
  return {refused, limit, math.max(left, 0), reset, retry}
end
for i = 1, owners do
  if tonumber(ARGV[2 * i + 1]) > 0 then
    for _, at in ipairs(old[i]) do redis.call('HDEL', KEYS[2 * i - 1], at) end
    redis.call('HINCRBY', KEYS[2 * i - 1], time[1], 1)
    redis.call('EXPIRE', KEYS[2 * i - 1], 61)
  end
  if tonumber(ARGV[2 * i + 2]) > 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[2 * i], '-inf', ms)
    redis.call('ZADD', KEYS[2 * i], ms + tonumber(ARGV[2]), ARGV[1])
    redis.call('PEXPIRE', KEYS[2 * i], ARGV[2])
  end
end
if limit == 0 then return {0, 0, 0, 0, 0} end
return {0, limit, left - 1, (second + 60) * 1000 - ms, 0}
""")
"""`window.Local` in the store: all quotas or none. The time is the store's, so that no process's clock counts.

KEYS: of each quota its window and its streams; processes. ARGV: the lease, its milliseconds; of each quota requests and
streams. Where the streams are spent, places of processes that are missed are given away.
Answers the fields of a Verdict, times in milliseconds.
"""

RENEW = Script("""
local time = redis.call('TIME')
local ends = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[1])
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], ends, ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return #ARGV - 1
""")
"""Leases that still run. KEYS: an owner's streams. ARGV: milliseconds, leases. Mends a store that lost its data."""

SCRIPTS = (ADMIT, RENEW)


def _nothing() -> None:
    return None


FREE = Admission(True, 0, 0, 0.0, 0.0, "", _nothing)
"""Where nothing is limited."""


class Limits:
    """Admits turns under quotas."""

    def __init__(
        self,
        connection: Connection,
        errands: Errands,
        members: Members,
        lease: float = LEASE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._errands = errands
        self._members = members
        self._lease = lease
        self._clock = clock
        self._local = Local()
        self._gone: dict[str, set[str]] = {}

    async def admit(self, quotas: Sequence[Quota]) -> Admission:
        """Ask for a place under these quotas, all or none. Never raises; one round trip, none without a rate."""
        limited = [quota for quota in quotas if quota.rate.requests or quota.rate.streams]
        if not limited:
            return FREE
        lease = f"{self._members.name}:{secrets.token_hex(8)}"
        owners = [quota.owner for quota in limited if quota.rate.streams]
        try:
            verdict = await self._shared(limited, lease)
        except StoreUnavailable:
            verdict = self._local.verdict(limited, self._clock())
            if verdict.refused:
                self._give_back(owners, lease)  # the store may have said yes, too late
        except asyncio.CancelledError:
            self._give_back(owners, lease)
            raise
        if verdict.refused:
            spent = limited[verdict.refused - 1].owner
            return Admission(
                False, verdict.limit, verdict.remaining, verdict.reset, verdict.retry_after, spent, _nothing
            )
        self._local.count(limited, lease, self._clock())
        release = partial(self._release, owners, lease) if owners else _nothing
        return Admission(True, verdict.limit, verdict.remaining, verdict.reset, 0.0, "", release)

    async def run(self) -> None:
        """Renew the leases of the streams that run, until cancelled."""
        while True:
            await asyncio.sleep(self._lease / 3)
            self.renew()

    def renew(self) -> None:
        """Tell the store what runs here, soon: in time, and when it comes back."""
        self._errands.add(self._flush)
        self._errands.add(self._renew)

    async def _shared(self, quotas: Sequence[Quota], lease: str) -> Verdict:
        keys = [
            key for quota in quotas for key in (self._key("window", quota.owner), self._key("streams", quota.owner))
        ]
        keys.append(self._members.key)
        rates = [number for quota in quotas for number in (quota.rate.requests, quota.rate.streams)]
        answer = await self._connection.run(ADMIT, keys, (lease, int(self._lease * 1000), *rates))
        refused, limit, remaining, reset, retry_after = map(int, answer)
        return Verdict(refused, limit, remaining, reset / 1000, retry_after / 1000)

    def _key(self, kind: str, owner: str) -> str:
        if not SAFE.fullmatch(owner):
            owner = hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()
        return self._connection.key("rate", kind, owner)

    def _release(self, owners: Sequence[str], lease: str) -> None:
        if lease in self._local.streams.get(owners[0], ()):
            for owner in owners:
                self._local.leave(owner, lease)
            self._give_back(owners, lease)

    def _give_back(self, owners: Sequence[str], lease: str) -> None:
        if not self._gone:
            self._errands.add(self._flush)
        elif sum(map(len, self._gone.values())) >= MOST_GONE:
            return
        for owner in owners:
            self._gone.setdefault(owner, set()).add(lease)

    async def _flush(self) -> None:
        """Give back what is gone. What cannot be given back now is when the store returns."""
        while self._gone:
            owner, leases = self._gone.popitem()
            try:
                await self._connection.ask("ZREM", self._key("streams", owner), *leases)
            except StoreUnavailable:
                self._gone.setdefault(owner, set()).update(leases)
                raise

    async def _renew(self) -> None:
        for owner in tuple(self._local.streams):
            leases = sorted(self._local.streams.get(owner, ()))
            for start in range(0, len(leases), PAGE):
                page = [lease for lease in leases[start : start + PAGE] if lease in self._local.streams.get(owner, ())]
                if page:
                    key = self._key("streams", owner)
                    await self._connection.run(RENEW, [key], (int(self._lease * 1000), *page))
