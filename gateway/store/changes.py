"""Changes of keys and generations: each is made in one step with a line that says what it was.

Each change gives the whole a new mark, and the line names the mark before, the mark after, and what has changed. Who
knows the whole as of some mark follows the lines from it to the mark of now, and needs to read nothing else. Where
they do not lead there (a store that lost its data, a process that writes no lines, too many changes) all is read.
"""

from collections.abc import Sequence

from gateway.store.connection import Script

MOST = 1000
"""Lines that are kept: changes that a process may have missed without reading all keys again."""
GENERATIONS = "@"
"""Stands in a line for generations: all of them are read then, for they are few."""

_TELL = f"""
local function tell(what)
  local before = redis.call('GET', KEYS[2]) or ''
  redis.call('SET', KEYS[2], ARGV[2])
  redis.call('LPUSH', KEYS[5], before .. ' ' .. ARGV[2] .. ' ' .. what)
  redis.call('LTRIM', KEYS[5], 0, {MOST - 1})
  return before
end
"""

KEEP = Script(
    _TELL
    + f"""
redis.call('SET', KEYS[1], ARGV[1], 'NX')
local at = 4
local kept, what = 0, {{}}
for _ = 1, tonumber(ARGV[3]) do
  if ARGV[at + 2] == 'over' or redis.call('HEXISTS', KEYS[3], ARGV[at]) == 0 then
    redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1])
    kept = kept + 1
  end
  table.insert(what, ARGV[at])
  at = at + 3
end
if ARGV[at] then table.insert(what, '{GENERATIONS}') end
while ARGV[at] do
  local now = tonumber(redis.call('HGET', KEYS[4], ARGV[at]) or '0') or 0
  if tonumber(ARGV[at + 1]) > now then redis.call('HSET', KEYS[4], ARGV[at], ARGV[at + 1]) end
  at = at + 2
end
return {{redis.call('GET', KEYS[1]), tell(table.concat(what, ' ')), kept}}
"""
)
"""Keys that are not there yet, revocations (`over`), generations that are greater; and a new mark of the whole.

KEYS: store, mark, keys, generations, changes. ARGV: the store's name where it has none, the mark, how many keys; of
each its id, its record, `over` or `new`; then agents and generations. Answers the store's name, the mark before, and
how many keys were written.
"""

ROTATE = Script(
    _TELL
    + f"""
local now = tonumber(redis.call('HGET', KEYS[4], ARGV[3]) or '0') or 0
local next = math.max(now, tonumber(ARGV[4])) + 1
redis.call('SET', KEYS[1], ARGV[1], 'NX')
redis.call('HSET', KEYS[4], ARGV[3], next)
return {{redis.call('GET', KEYS[1]), tell('{GENERATIONS}'), next}}
"""
)
"""The agent's next generation. KEYS and ARGV 1, 2 as above; the agent, the generation that the caller knows.

Answers the store's name, the mark before, and the generation.
"""


def since(lines: Sequence[str], before: str, now: str) -> set[str] | None:
    """What has changed from one mark to the other: ids, `GENERATIONS`; None where the lines do not tell. Pure.

    `lines` are the newest ones, the newest first. An empty mark is an empty store's: nothing follows from it.
    """
    changed: set[str] = set()
    at = now
    for line in lines:
        was, _, rest = line.partition(" ")
        mark, *what = rest.split(" ")
        if mark == at and before:
            changed.update(what)
            at = was
            if at == before:
                return changed
    return None
