-- Shared by the scripts about paraphrase jobs. `prefix` is what all of their keys begin with; no key itself, it says in
-- which slot they are. Of a job:
--   j:<job> a hash: s state, f fingerprint, w order, h columns, i whether somebody waits for it now, l how long it is kept
--           (ms), of questions, n the next that nobody has taken, d done, c created, e ended (ms since the epoch by the server's clock)
--   q:<job> the questions and r:<job> their outcomes, by index
--   t:<job> who is at work on which index; a:<job> indexes that were taken and came back
--   n:<job> counts; g:<job> which question a text was given to as its second view, by digests
-- Of all: jobs that are told of, and those unfinished, by when they were made; of these the ones that have questions to
-- give, `now` for those that somebody waits for, `queue` for the others, by whose turn it is; workers by the end of their
-- lease; what each said; counts.
local NEXT = {--JOB_TRANSITIONS--}
local PREFIX = prefix
local JOBS, OPEN, NOW, QUEUE = PREFIX .. 'jobs', PREFIX .. 'open', PREFIX .. 'now', PREFIX .. 'queue'
local WORKERS, SAID, COUNTS = PREFIX .. 'workers', PREFIX .. 'said', PREFIX .. 'counts'
local COUNTS_TTL_MS = 30 * 24 * 3600 * 1000

local function key(kind, job)
  return PREFIX .. kind .. ':' .. job
end

-- A list that holds jobs lives as long as any of them.
local function outlive(list, ttl_ms)
  if redis.call('PTTL', list) < ttl_ms then redis.call('PEXPIRE', list, ttl_ms) end
end

-- A job that is in use is kept.
local function touch(job)
  local ttl_ms = tonumber(redis.call('HGET', key('j', job), 'l') or nil)
  if not ttl_ms then return end
  for kind in ('jqrtang'):gmatch('.') do redis.call('PEXPIRE', key(kind, job), ttl_ms) end
  for _, list in ipairs({JOBS, OPEN, NOW, QUEUE}) do outlive(list, ttl_ms) end
end

-- A job that comes into the queue has its turn among the first, and then as often as the others.
local function offer(job)
  local about = redis.call('HMGET', key('j', job), 's', 'i', 'n', 'of')
  local has_some = about[1] == 'running'
    and (tonumber(about[3]) < tonumber(about[4]) or redis.call('ZCARD', key('a', job)) > 0)
  if not has_some then
    redis.call('ZREM', NOW, job)
    redis.call('ZREM', QUEUE, job)
  elseif about[2] == '1' then
    redis.call('ZADD', NOW, 'NX', redis.call('ZSCORE', OPEN, job) or 0, job)
  else
    local first = redis.call('ZRANGE', QUEUE, 0, 0, 'WITHSCORES')
    redis.call('ZADD', QUEUE, 'NX', first[2] or 0, job)
  end
end

local function advance(job, event)
  local to = NEXT[(redis.call('HGET', key('j', job), 's') or '') .. ':' .. event]
  if not to then return nil end
  redis.call('HSET', key('j', job), 's', to)
  if to == 'done' or to == 'cancelled' then
    redis.call('HSETNX', key('j', job), 'e', server_ms())
    redis.call('ZREM', OPEN, job)
    redis.call('DEL', key('t', job), key('a', job))
  end
  offer(job)
  return to
end

local function give_back(job, index)
  redis.call('HDEL', key('t', job), index)
  redis.call('ZADD', key('a', job), index, index)
  offer(job)
  touch(job)
end

-- What workers had taken whose lease has ended may be taken by others; how many questions these are.
local function reclaim()
  local freed = 0
  for _, job in ipairs(redis.call('ZRANGE', OPEN, 0, -1)) do
    local claims = redis.call('HGETALL', key('t', job))
    for k = 1, #claims, 2 do
      if not redis.call('ZSCORE', WORKERS, claims[k + 1]) then
        give_back(job, claims[k])
        freed = freed + 1
      end
    end
    if redis.call('EXISTS', key('j', job)) == 0 then redis.call('ZREM', OPEN, job) end
  end
  return freed
end

-- Answers whether the worker had none.
local function lease(worker, lease_ms)
  local new = redis.call('ZADD', WORKERS, now_ms() + lease_ms, worker)
  redis.call('PEXPIRE', WORKERS, CLOCK_TTL_MS)
  return new == 1
end

local function count(name, by)
  redis.call('HINCRBY', COUNTS, name, by)
  outlive(COUNTS, COUNTS_TTL_MS)
end
