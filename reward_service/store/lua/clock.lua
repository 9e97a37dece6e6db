-- The service's time, in ms, by which deadlines, leases and heartbeats go. It passes as the server's clock does, but
-- never back, and by STEP_MS at most from one look to the next: a clock that is set back or forward closes nothing early and
-- holds nothing up. Time that nobody looks after does not count either: neither workers nor servers that were away
-- cost anybody a deadline. Kept by run, and for what belongs to no run: `clock` of every script that asks for time.
--   w the server's clock at the last look, s the service's time then, r which server it was, u since when that has been up
--   and looked at,
--   b that the server's clock was set back
local CLOCK = clock
local STEP_MS = 5000
local BACK_MS = 1000
local CLOCK_TTL_MS = 30 * 24 * 3600 * 1000

local function server_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function later(server, kept, most_ms)
  if not kept[1] then return server end
  return kept[2] + math.max(0, math.min(server - kept[1], most_ms))
end

local function now_ms()
  return later(server_ms(), redis.call('HMGET', CLOCK, 'w', 's'), STEP_MS)
end

local function server_named()
  local about = redis.call('INFO', 'server')
  return about:match('run_id:(%x+)'), math.max(0, tonumber(about:match('uptime_in_seconds:(%-?%d+)')))
end

-- Looks at the clock, as those do that look again soon. Who looks seldom says for how long it has not (ms): so much may
-- have passed.
local function tick(unseen_ms)
  local server, kept = server_ms(), redis.call('HMGET', CLOCK, 'w', 's', 'r')
  local most_ms = math.max(STEP_MS, unseen_ms or 0)
  local now = later(server, kept, most_ms)
  redis.call('HSET', CLOCK, 'w', server, 's', string.format('%d', now))
  if not kept[1] or math.floor(now / 1000) ~= math.floor(kept[2] / 1000) then
    local name, says_s = server_named()
    if name ~= kept[3] then
      redis.call('HSET', CLOCK, 'r', name, 'u', string.format('%d', kept[3] and now or now - says_s * 1000))
    end
    redis.call('PEXPIRE', CLOCK, CLOCK_TTL_MS)
  end
  if kept[1] and server < kept[1] - BACK_MS then redis.call('HSET', CLOCK, 'b', 1) end
  if kept[1] and server > kept[1] + most_ms then redis.call('HSET', CLOCK, 'u', string.format('%d', now)) end
  return now
end

-- For how long this server has been up and looked at; its own word counts only before anybody has looked.
local function up_s()
  local name, says_s = server_named()
  local kept = redis.call('HMGET', CLOCK, 'r', 'u', 'w')
  if not kept[1] then return says_s end
  if kept[1] ~= name or server_ms() > kept[3] + STEP_MS then return 0 end
  return (now_ms() - kept[2]) / 1000
end

-- A job's id holds the time at which it was queued.
local function enqueue(jobs, ttl_ms, ...)
  local added = redis.pcall('XADD', jobs, string.format('%d-*', now_ms()), ...)
  if added.err then redis.call('XADD', jobs, '*', ...) end -- there are jobs of a later time: the clock was lost
  redis.call('PEXPIRE', jobs, ttl_ms)
end
