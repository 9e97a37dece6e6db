-- Whether the ballots of a run are kept for others: follow.lua has noted until when.
local function is_followed(until_ms)
  return until_ms and tonumber(until_ms) > server_ms()
end

-- How many cohorts and batches of a run wait for peers: only a run that names others has such.
local function waiting_for_peers(until_ms, peer_waits)
  return is_followed(until_ms) and redis.call('ZCARD', peer_waits) or 0
end
