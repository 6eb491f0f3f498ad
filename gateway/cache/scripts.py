"""What Redis does for us in one round trip, as Lua. Instants are microseconds of Redis' own time, as text."""

from dataclasses import dataclass, field
from hashlib import sha1


@dataclass(frozen=True, slots=True)
class Script:
    """A script, its name for the log, and the digest under which Redis knows it once it has run there."""

    name: str
    text: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "digest", digest)


ARRIVE = Script(
    "arrive",
    """
-- KEYS floor epoch count stream; ARGV a name for a new epoch
-- Where anything is missing or this is another life of Redis, marks may be lost, so nothing older than now counts.
local time = redis.call('TIME')
local now = time[1] .. string.format('%06d', time[2])
local run = '/' .. (string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or '')
local epoch = redis.call('GET', KEYS[2])
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3]) < 3 or string.sub(epoch, -#run) ~= run then
  epoch = ARGV[1] .. run
  redis.call('SET', KEYS[1], now)
  redis.call('SET', KEYS[2], epoch)
  redis.call('SET', KEYS[3], 0)
end
local last = redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)[1]
return {now, epoch, redis.call('GET', KEYS[3]), last and last[1] or '0-0'}
""",
)
"""Gives Redis' time, the present epoch, how many were told in it, and the last id of the stream."""

PUT = Script(
    "put",
    """
-- KEYS entries; ARGV bytes and milliseconds of each
for i = 1, #KEYS do
  redis.call('SET', KEYS[i], ARGV[2 * i - 1], 'PX', ARGV[2 * i])
end
""",
)
"""A pipeline of SETs costs our process five times as much: redis-py prepares and reads every command for itself."""

INVALIDATE = Script(
    "invalidate",
    """
-- KEYS stream epoch count marks...; ARGV instant, milliseconds of a mark (0: for ever), length of the stream, message
local epoch = redis.call('GET', KEYS[2])
if not epoch or redis.call('EXISTS', KEYS[3]) == 0 then return false end
for i = 4, #KEYS do
  local mark = redis.call('GET', KEYS[i])
  if not mark or tonumber(mark) < tonumber(ARGV[1]) then
    if ARGV[2] == '0' then
      redis.call('SET', KEYS[i], ARGV[1])
    else
      redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
    end
  elseif ARGV[2] ~= '0' then
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
  end
end
local count = redis.call('INCR', KEYS[3])
return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'n', count, 'e', epoch, 'm', ARGV[4])
""",
)
"""Marks never move backwards. Nothing where Redis was emptied: arrive first."""

CLAIM = Script(
    "claim",
    """
-- KEYS claims; ARGV instant, owner, milliseconds
local found = {}
for i = 1, #KEYS do
  local held = redis.call('GET', KEYS[i])
  if held and string.sub(held, -#ARGV[2]) ~= ARGV[2] then
    found[i] = string.match(held, '^%d+')
  else
    redis.call('SET', KEYS[i], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
    found[i] = false
  end
end
return found
""",
)
"""Since when another one holds each; nothing where it is ours now."""

RELEASE = Script(
    "release",
    """
-- KEYS claims; ARGV owner
for i = 1, #KEYS do
  local held = redis.call('GET', KEYS[i])
  if held and string.sub(held, -#ARGV[1]) == ARGV[1] then redis.call('DEL', KEYS[i]) end
end
""",
)
