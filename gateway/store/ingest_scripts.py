"""What is done with ingests in the store, each in one step: a job is begun, told, and taken over."""

from gateway.store.connection import Script

BEGIN = Script("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i = 8, #ARGV do
  local held = redis.call('HGET', KEYS[1], ARGV[i])
  if held then
    local process, job = string.match(held, '^(%S+) (%S+)$')
    local until_ = process and redis.call('ZSCORE', KEYS[2], process)
    if until_ and tonumber(until_) > now then return {i - 7, job} end
  end
end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
for i = 8, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], ARGV[1] .. ' ' .. ARGV[2]) end
redis.call('SET', KEYS[3], ARGV[4], 'EX', ARGV[6])
redis.call('ZADD', KEYS[4], ARGV[5], ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -1 - tonumber(ARGV[7]))
return {0, ''}
""")
"""A job's collections to itself, all or none. KEYS: what is held, processes, record, index. ARGV: process, job,
milliseconds until the process is missed, record, when it was asked for, seconds that it is kept, how many are; the
collections. Answers which of them another one has, counted from 1, and whose it is; 0: none."""

TAKE = Script("""
local there = redis.call('GET', KEYS[3])
if there == ARGV[5] then return 1 end
if there ~= ARGV[4] then return 0 end
for i = 7, #ARGV do
  local held = redis.call('HGET', KEYS[1], ARGV[i])
  if held and string.match(held, '%S+$') ~= ARGV[2] then return 0 end
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
for i = 7, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], ARGV[1] .. ' ' .. ARGV[2]) end
redis.call('SET', KEYS[3], ARGV[5], 'EX', ARGV[6])
return 1
""")
"""A job has another process, if it is still as it was read, and nobody else has one of its collections. KEYS: what is
held, processes, record. ARGV: process, job, milliseconds until the process is missed, record as it was read, as it is
now, seconds that it is kept; its collections. Answers whether; asked again it answers the same."""

TELL = Script("""
local there, mine = redis.call('GET', KEYS[2]), '["' .. ARGV[1] .. '"'
if there and string.sub(there, 1, #mine) ~= mine then return 0 end
redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[6])
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[7]))
local held = ARGV[1] .. ' ' .. ARGV[2]
for i = 8, #ARGV do
  if ARGV[3] == '0' then
    redis.call('HSETNX', KEYS[1], ARGV[i], held)
  elseif redis.call('HGET', KEYS[1], ARGV[i]) == held then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return 1
""")
"""A job as it is now, also where it was begun without the store. KEYS: what is held, record, index. ARGV: process, job,
whether it has ended, record, when it was asked for, seconds that it is kept, how many are; its collections. Answers
whether it is still this process's."""
