-- Whether the ballots of a run are kept for others: follow.lua has noted until when.
local function is_followed(until_ms)
  return until_ms and tonumber(until_ms) > server_ms()
end
