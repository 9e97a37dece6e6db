-- A worker takes questions: of jobs that somebody waits for first, then of the others in turn.
-- Answers how many were left by workers that died; job, order, index and question of each that was taken.
local room, taken = most, {}
local gone = redis.call('ZRANGEBYSCORE', WORKERS, '-inf', tick())
for _, each in ipairs(gone) do
  redis.call('ZREM', WORKERS, each)
  redis.call('HDEL', SAID, each)
end
local new = lease(worker, lease_ms)
local left = 0
if #gone > 0 or new or redis.call('EXISTS', NOW, QUEUE) == 0 then left = reclaim() end

local function claim(job, index, order)
  local question = redis.call('HGET', key('q', job), index)
  if not question then return end
  redis.call('HSET', key('t', job), index, worker)
  taken[#taken + 1] = {job, order, tonumber(index), question}
  room = room - 1
end

-- What came back goes first: it has waited longest.
local function draw(job, most)
  local about = redis.call('HMGET', key('j', job), 's', 'n', 'of', 'w')
  if about[1] then
    local before = room
    local back = redis.call('ZPOPMIN', key('a', job), most)
    for k = 1, #back, 2 do claim(job, back[k], about[4]) end
    local first = tonumber(about[2])
    local last = math.min(first + most - (before - room), tonumber(about[3])) - 1
    for index = first, last do claim(job, index, about[4]) end
    redis.call('HSET', key('j', job), 'n', math.max(first, last + 1))
    touch(job)
  end
  offer(job)
end

for _, job in ipairs(redis.call('ZRANGE', NOW, 0, -1)) do
  if room > 0 then draw(job, room) end
end
local queue = redis.call('ZRANGE', QUEUE, 0, -1)
for k, job in ipairs(queue) do
  if room == 0 then break end
  draw(job, math.ceil(room / (#queue - k + 1)))
  local last = redis.call('ZRANGE', QUEUE, -1, -1, 'WITHSCORES')
  redis.call('ZADD', QUEUE, 'XX', (last[2] or 0) + 1, job)
end
return {left, taken}
