-- A run at a glance, in one step: {revision, settings, counts, {open, waiting for the teacher, for peers, queued},
-- {version, accepted, asked, making, lost}, names and sums of steps}. The steps are the `latest` ones, and `spread` of those
-- before, in equal distances, the first among them; sums that wait are added.
if latest > 0 then add_waiting_signs(series, steps, answers, waiting_sums, ttl_ms) end
local names = latest > 0 and redis.call('ZREVRANGE', steps, 0, latest - 1) or {}
local before = spread > 0 and redis.call('ZCARD', steps) - #names or 0
spread = math.min(spread, before)
for k = 1, spread do
  local place = latest - 1 + math.floor(k * before / spread)
  names[#names + 1] = redis.call('ZREVRANGE', steps, place, place)[1]
end
local teacher_stands = redis.call('HMGET', teacher, 'version', 'accepted', 'lost')
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
    teacher_stands[3],
  },
  points_of(series, names),
}
