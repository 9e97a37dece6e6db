-- A run at a glance, in one step: {revision, settings, counts, {open, waiting for the teacher, for peers, queued},
-- {version, accepted, asked, making}, names of steps, their sums}. The steps are the `latest` ones, and `spread` of those
-- before, in equal distances; the first is among them.
local all = latest > 0 and redis.call('ZREVRANGE', steps, 0, spread > 0 and -1 or latest - 1) or {}
local names = {}
for at = 1, math.min(latest, #all) do names[at] = all[at] end
local before = #all - #names
for k = 1, math.min(spread, before) do names[#names + 1] = all[latest + math.floor(k * before / math.min(spread, before))] end
local teacher_stands = redis.call('HMGET', teacher, 'version', 'accepted')
return {
  redis.call('HGET', settings, 'revision'),
  redis.call('HGET', settings, 'settings'),
  redis.call('HGETALL', stats),
  {
    redis.call('ZCARD', deadlines),
    redis.call('ZCARD', waits),
    redis.call('ZCARD', peer_waits),
    redis.call('XLEN', jobs),
  },
  {
    teacher_stands[1],
    teacher_stands[2],
    redis.call('ZCARD', asks),
    redis.call('ZCARD', taken),
  },
  names,
  #names > 0 and redis.call('HMGET', series, unpack(names)) or {},
}
