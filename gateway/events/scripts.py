"""What the event log does in Redis in one step, as Lua: nobody sees half of it.

``state`` is a hash of epoch, run (the life of Redis in which it was last looked at), sure (whether everything was
written to its disk then), last and trimmed; the stream's ids
are the positions. Beside it stand ``numbers`` and ``facts`` (→ position), and under the prefix sorted sets of what
touches an object (``t:<id>``) and of a subject's events by the instant of their happening (``s:<id>``), messages that
told an event again (``d:<number>``) and parked ones (``p:<number>``, in order in ``parked``). An entry of the stream
has its event (b), when it was received (r), its number (n), and what is to be cleaned up with it (k: number, fact,
subject, member in the subject's set, touches). Instants are microseconds.
"""

from gateway.cache.scripts import Script

LOCATE = """
local function bodies(positions)
  local found = {}
  for i, position in ipairs(positions) do
    local entry = position and redis.call('XRANGE', KEYS[2], position .. '-1', position .. '-1')[1]
    found[i] = {position, entry and entry[2][2] or false}
  end
  return found
end
"""

ARRIVE = Script(
    "arrive",
    """
-- KEYS state; ARGV a name for a new epoch, appendfsync as configured, the epoch and the last position that are known
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
local aof = string.match(redis.call('INFO', 'persistence'), 'aof_enabled:(%d)') or '0'
local heir = string.match(redis.call('INFO', 'replication'), 'second_repl_offset:(%-?%d+)') or '-1'
local memory = redis.call('INFO', 'memory')
local policy = string.match(memory, 'maxmemory:(%d+)') ~= '0' and string.match(memory, 'maxmemory_policy:(%S+)') or ''
local state = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'last', 'sure')
local epoch, last = state[1], tonumber(state[3] or '0')
-- Only a Redis that wrote every event to its disk before it said so, then as now, comes back with all of them.
local sure = aof == '1' and ARGV[2] == 'always' and '1' or '0'
local whole = state[2] == run or (state[4] == '1' and sure == '1' and heir == '-1')
if not epoch or not whole or (ARGV[3] == epoch and tonumber(ARGV[4]) > last) then
  epoch = ARGV[1]
  redis.call('HSETNX', KEYS[1], 'last', 0)
  redis.call('HSETNX', KEYS[1], 'trimmed', 0)
  redis.call('HSET', KEYS[1], 'epoch', epoch)
end
redis.call('HSET', KEYS[1], 'run', run, 'sure', sure)
return {epoch, last, aof, policy}
""",
)
"""Gives the epoch, made anew where events may be lost, the last position, whether Redis writes to its disk, and what it forgets
where its memory is bounded.
"""

APPEND = Script(
    "append events",
    """
-- KEYS state stream numbers facts; ARGV prefix, then of each event: number fact subject type occurred received body
-- touches told (what a duplicate is known by), the latter three packed
if redis.call('HEXISTS', KEYS[1], 'epoch') == 0 then return false end
local became = {redis.call('HGET', KEYS[1], 'epoch')}
for i = 2, #ARGV, 9 do
  local number, fact, subject, type = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local occurred, received, body = ARGV[i + 4], ARGV[i + 5], ARGV[i + 6]
  local at, original = redis.call('HGET', KEYS[3], number), number
  if not at and fact ~= '' then
    at = redis.call('HGET', KEYS[4], fact)
    local entry = at and redis.call('XRANGE', KEYS[2], at .. '-1', at .. '-1')[1]
    if entry then original = entry[2][6] else at = false end
  end
  if at then
    local key = ARGV[1] .. 'd:' .. original
    local count = tonumber(string.match(redis.call('HGET', key, number) or '0', '^%d+')) + 1
    redis.call('HSET', key, number, string.format('%d %s %s', count, received, ARGV[i + 8]))
    became[#became + 1] = {tonumber(at), original}
  else
    at = redis.call('HINCRBY', KEYS[1], 'last', 1)
    local member = string.format('%016d %s', at, type)
    redis.call('XADD', KEYS[2], string.format('%d-1', at), 'b', body, 'r', received, 'n', number, 'k',
      cmsgpack.pack({number, fact, subject, member, ARGV[i + 7]}))
    redis.call('HSET', KEYS[3], number, at)
    if fact ~= '' then redis.call('HSET', KEYS[4], fact, at) end
    redis.call('ZADD', ARGV[1] .. 's:' .. subject, occurred, member)
    for _, id in ipairs(cmsgpack.unpack(ARGV[i + 7])) do
      redis.call('ZADD', ARGV[1] .. 't:' .. id, at, at)
    end
    became[#became + 1] = {at, false}
  end
end
return became
""",
)
"""Gives the epoch, then of each event its position and the number of the one that is the same, if any."""

READ = Script(
    "read events",
    """
-- KEYS state stream; ARGV position, most
local state = redis.call('HMGET', KEYS[1], 'epoch', 'last', 'trimmed')
if not state[1] then return false end
local found = {}
if tonumber(ARGV[1]) < tonumber(state[2]) then
  local from = string.format('%d-1', tonumber(ARGV[1]) + 1)
  for i, entry in ipairs(redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', ARGV[2])) do
    found[i] = {string.match(entry[1], '^%d+'), entry[2][2]}
  end
end
return {state[1], state[2], state[3], found}
""",
)
"""Gives epoch, last position, up to where events were let go, and the next events."""

ABOUT = Script(
    "read events of an object",
    LOCATE
    + """
-- KEYS state stream touches; ARGV position, most
local state = redis.call('HMGET', KEYS[1], 'epoch', 'last', 'trimmed')
if not state[1] then return false end
local positions = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])
return {state[1], state[2], state[3], bodies(positions)}
""",
)

FIND = Script(
    "find events",
    LOCATE
    + """
-- KEYS state stream numbers; ARGV numbers
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then return false end
local positions = {}
for i = 1, #ARGV do positions[i] = redis.call('HGET', KEYS[3], ARGV[i]) end
return {epoch, bodies(positions)}
""",
)

LATEST = Script(
    "find the latest event",
    LOCATE
    + """
-- KEYS state stream subject; ARGV type or nothing
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then return false end
local from = 0
while true do
  local members = redis.call('ZREVRANGE', KEYS[3], from, from + 49)
  for _, member in ipairs(members) do
    if ARGV[1] == '' or string.sub(member, 18) == ARGV[1] then
      return {epoch, bodies({string.format('%d', tonumber(string.sub(member, 1, 16)))})}
    end
  end
  if #members < 50 then return {epoch, {}} end
  from = from + 50
end
""",
)

TRIM = Script(
    "trim events",
    """
-- KEYS state stream numbers facts; ARGV prefix, oldest instant, most events, most at once
local last = tonumber(redis.call('HGET', KEYS[1], 'last') or '0')
local gone, upto = 0, nil
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', ARGV[4])) do
  local at, fields = tonumber(string.match(entry[1], '^%d+')), entry[2]
  if tonumber(fields[4]) >= tonumber(ARGV[2]) and at > last - tonumber(ARGV[3]) then break end
  local number, fact, subject, member, touches = unpack(cmsgpack.unpack(fields[8]))
  redis.call('HDEL', KEYS[3], number)
  if fact ~= '' then redis.call('HDEL', KEYS[4], fact) end
  redis.call('ZREM', ARGV[1] .. 's:' .. subject, member)
  for _, id in ipairs(cmsgpack.unpack(touches)) do
    redis.call('ZREM', ARGV[1] .. 't:' .. id, string.format('%d', at))
  end
  redis.call('DEL', ARGV[1] .. 'd:' .. number)
  gone, upto = gone + 1, at
end
if gone > 0 then
  redis.call('XTRIM', KEYS[2], 'MINID', string.format('%d-1', upto + 1))
  redis.call('HSET', KEYS[1], 'trimmed', string.format('%d', upto))
end
return gone
""",
)
"""Gives how many went."""

PARK = Script(
    "park messages",
    """
-- KEYS parked; ARGV prefix, then of each: number source received reason body attempts
for i = 2, #ARGV, 6 do
  local key, received = ARGV[1] .. 'p:' .. ARGV[i], ARGV[i + 2]
  local before = redis.call('HGET', key, 'received')
  if before and tonumber(before) < tonumber(received) then received = before end
  redis.call('HSET', key, 'source', ARGV[i + 1], 'received', received, 'reason', ARGV[i + 3], 'body', ARGV[i + 4])
  redis.call('HINCRBY', key, 'attempts', ARGV[i + 5])
  redis.call('ZADD', KEYS[1], received, ARGV[i])
end
return 1
""",
)

_PARKED = """
local function message(number)
  local key = ARGV[1] .. 'p:' .. number
  local found = redis.call('HMGET', key, 'source', 'received', 'reason', 'body', 'attempts')
  return {number, found[1], found[2], found[3], found[4], found[5]}
end
"""

PARKED = Script(
    "read parked messages",
    _PARKED
    + """
-- KEYS parked; ARGV prefix, most, source or nothing
local found, from = {}, 0
while #found < tonumber(ARGV[2]) do
  local numbers = redis.call('ZRANGE', KEYS[1], from, from + 99)
  for _, number in ipairs(numbers) do
    if ARGV[3] == '' or redis.call('HGET', ARGV[1] .. 'p:' .. number, 'source') == ARGV[3] then
      found[#found + 1] = message(number)
      if #found == tonumber(ARGV[2]) then break end
    end
  end
  if #numbers < 100 then break end
  from = from + 100
end
return found
""",
)

UNPARK = Script(
    "take parked messages",
    _PARKED
    + """
-- KEYS parked; ARGV prefix, numbers
local found = {}
for i = 2, #ARGV do
  if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    found[#found + 1] = message(ARGV[i])
    redis.call('DEL', ARGV[1] .. 'p:' .. ARGV[i])
  end
end
return found
""",
)

TRIM_PARKED = Script(
    "trim parked messages",
    """
-- KEYS parked; ARGV prefix, oldest instant, most, most at once
local numbers = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[4])
if #numbers == 0 then
  local over = math.min(redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[3]), tonumber(ARGV[4]))
  if over > 0 then numbers = redis.call('ZRANGE', KEYS[1], 0, over - 1) end
end
for _, number in ipairs(numbers) do
  redis.call('ZREM', KEYS[1], number)
  redis.call('DEL', ARGV[1] .. 'p:' .. number)
end
return #numbers
""",
)
"""Gives how many went."""
