-- The cohorts of a question, the latest first, from a place on: at most so many, after looking at so many names.
-- `in_slot_of` says in which slot of a cluster the lists are. The place is a period, and how many of its names are left; or '' and ''.
-- Answers the next place ('' at the end), then what each is noted as.
local left = most_seen
local newest = math.floor(server_ms() / period_ms)
local oldest = math.floor((server_ms() - ttl_ms) / period_ms)
-- A place is a client's word.
local period, rest = math.min(from_period or newest, newest), names_left
local answer = {'', ''}
while period >= oldest do
  local list = lists .. period .. ':' .. mark:byte()
  local size = redis.call('LLEN', list)
  local last = math.min(rest or size, size) - 1
  while last >= 0 do
    local first = math.max(0, last - 999)
    local names = redis.call('LRANGE', list, first, last)
    for k = #names, 1, -1 do
      if names[k]:sub(1, #mark) == mark then answer[#answer + 1] = names[k] end
      left = left - 1
      if #answer == most + 2 or left <= 0 then
        answer[1], answer[2] = tostring(period), tostring(first + k - 1)
        return answer
      end
    end
    last = first - 1
  end
  period, rest, left = period - 1, nil, left - 1
end
return answer
