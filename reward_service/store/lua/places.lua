-- Shared by the scripts about rollouts without identity. Of each question there are
--   a hash: r:<view> the round that takes rollouts, h:<request> the place that a request holds,
--   a sorted set of the places by name: "text round owner twin request", with '-' as owner and no request where the
--   place is abandoned. So the places of a text, and those of them in one round and of one owner, stand together, and
--   finding, taking or leaving one costs the same however many are alike.
local ABANDONED = '-'

local function padded(round) return string.format('%07d', round) end

local function place_named(digest, round, owner, twin, request)
  return digest .. ' ' .. padded(round) .. ' ' .. owner .. ' ' .. twin .. ' ' .. request
end

local function parts_of(place)
  local digest, round, owner, twin, request = place:match('^(%S+) (%d+) (%S+) (%d+) (%S*)$')
  return digest, tonumber(round), owner, twin, request
end

-- The bounds of a range of places: of a text, of a text in a round, of a text in a round and of an owner.
local function from_first(...) return '[' .. table.concat({...}, ' ') .. ' ' end
local function to_last(...) return '(' .. table.concat({...}, ' ') .. '!' end
