"""A connection to a real server whose time is the test's: scripts, times to live and uptime follow one clock.

The scripts run unchanged behind a prelude that answers TIME and INFO from a hash of the run, and keeps in a sorted set
when each key is to vanish. Moving the clock forgets what is due. So a day passes in no time, and to the millisecond.
"""

from collections.abc import Callable

from redis.exceptions import NoScriptError

from reward_service.store.connection import Argument, Reply
from reward_service.store.keys import RunKeys
from reward_service.store.run_scripts import look_at_clock
from reward_service.store.server_connection import ServerConnection

PRELUDE = """
local redis = (function(server)
  local prefix = (KEYS[1] or ''):match('^cr:{[^}]*}:')
  if not prefix then return server end
  local clock, ends = prefix .. '~clock', prefix .. '~ends'
  local function now_ms() return tonumber(server.call('HGET', clock, 'now_ms')) end
  local commands = {}
  function commands.TIME()
    return {tostring(math.floor(now_ms() / 1000)), tostring(now_ms() % 1000 * 1000)}
  end
  function commands.INFO()
    return 'run_id:a\\r\\nuptime_in_seconds:' .. server.call('HGET', clock, 'up_s') .. '\\r\\n'
  end
  function commands.PEXPIRE(key, for_ms)
    if server.call('EXISTS', key) == 0 then return 0 end
    server.call('ZADD', ends, now_ms() + tonumber(for_ms), key)
    return 1
  end
  function commands.PTTL(key)
    if server.call('EXISTS', key) == 0 then return -2 end
    local at_ms = server.call('ZSCORE', ends, key)
    return at_ms and tonumber(at_ms) - now_ms() or -1
  end
  function commands.SET(key, value, option, for_ms)
    assert(not option or option == 'PX', 'the prelude knows SET with PX only')
    server.call('SET', key, value)
    if option then commands.PEXPIRE(key, for_ms) else server.call('ZREM', ends, key) end
    return {ok = 'OK'}
  end
  local function call(name, ...)
    if commands[name] then return commands[name](...) end
    local answer = server.call(name, ...)
    -- A key that is made anew has no end until it is given one.
    if name == 'DEL' then server.call('ZREM', ends, ...) end
    return answer
  end
  return setmetatable({call = call}, {__index = server})
end)(redis)
"""

PASS_ON = PRELUDE + "return redis.call(unpack(ARGV))"

FORGET_WHAT_IS_DUE = """
local clock, ends = KEYS[1], KEYS[2]
redis.call('HSET', clock, 'now_ms', ARGV[1], 'up_s', ARGV[2])
for _, key in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', ARGV[1])) do
  redis.call('DEL', key)
  redis.call('ZREM', ends, key)
end
"""

# Each key of the run, what it holds, and whether it has an end. An end that outlives its key is dropped.
READ_ALL = """
local clock, ends = KEYS[1], KEYS[2]
for _, key in ipairs(redis.call('ZRANGE', ends, 0, -1)) do
  if redis.call('EXISTS', key) == 0 then redis.call('ZREM', ends, key) end
end
local readers = {
  string = function(key) return redis.call('GET', key) end,
  hash = function(key) return redis.call('HGETALL', key) end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  stream = function(key) return redis.call('XRANGE', key, '-', '+') end,
}
local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  if key ~= clock and key ~= ends then
    local kind = redis.call('TYPE', key).ok
    found[#found + 1] = {key, readers[kind](key), redis.call('ZSCORE', ends, key) and 1 or 0}
  end
end
return found
"""


class TimedConnection(ServerConnection):
    """For runs whose time was set by `pass_time`. `changed` is given each script, to change it on its way."""

    def __init__(self, url: str, changed: Callable[[str], str] = str) -> None:
        """Opens nothing yet."""
        super().__init__(url)
        self._changed = changed

    async def execute(self, *command: Argument) -> Reply:
        """As RedisConnection.execute, in the run's own time."""
        match command:
            case ("EVALSHA", *_):
                raise NoScriptError("the script is to be sent whole, behind the prelude")
            case ("EVAL", str(text), *rest):
                return await super().execute("EVAL", PRELUDE + self._changed(text), *rest)
            case ("SET" | "PEXPIRE" as name, str(key), *rest) if key.startswith("cr:{"):
                return await super().execute("EVAL", PASS_ON, 1, key, name, key, *rest)
            case _:
                return await super().execute(*command)

    async def pass_time(self, run: str, now_ms: int, up_s: int) -> None:
        """Sets the run's time and for how long its server has been up, at which a worker looks at once."""
        await super().execute("EVAL", FORGET_WHAT_IS_DUE, 2, *_own_keys(run), now_ms, up_s)
        clock = RunKeys(run).clock
        time_ms = await look_at_clock(self, clock=clock, unseen_ms=now_ms)
        await super().execute("HSET", clock, "u", time_ms - 1000 * up_s)

    async def read_all(self, run: str) -> dict[str, Reply]:
        """What each key of a run holds, by the rest of its name; every key must have an end."""
        prefix = RunKeys(run).prefix
        found = await super().execute("EVAL", READ_ALL, 2, *_own_keys(run), f"{prefix}*")
        assert all(has_end for _, _, has_end in found), [key for key, _, has_end in found if not has_end]
        return {key.decode().removeprefix(prefix): held for key, held, _ in found}

    async def forget_run(self, run: str) -> None:
        """Deletes what there is of a run."""
        found = await super().execute("KEYS", f"{RunKeys(run).prefix}*")
        if found:
            await super().execute("DEL", *found)


def _own_keys(run: str) -> tuple[str, str]:
    """Where the clock and the ends are kept."""
    prefix = RunKeys(run).prefix
    return f"{prefix}~clock", f"{prefix}~ends"
