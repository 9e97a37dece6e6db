-- The cohorts of a run by whatever question, list after list, each list from its end, from a place on: at most so many.
-- `in_slot_of` says in which slot of a cluster the lists are. A place is a period, a list of it, and how many of its names
-- are left; or '', 0 and ''. Those of one question come the latest first.
-- Answers the next place ('' at the end), then what each is noted as.
local newest = math.floor(server_ms() / period_ms)
local oldest = math.floor((server_ms() - ttl_ms) / period_ms)
-- A place is a client's word.
local period, number, rest = math.min(from_period or newest, newest), from_list, names_left
local answer = {'', '', ''}
while period >= oldest do
  while number < 256 do
    local list = lists .. period .. ':' .. number
    local size = redis.call('LLEN', list)
    local last = math.min(rest or size, size) - 1
    if last >= 0 then
      local first = math.max(0, last + 1 - (most - (#answer - 3)))
      local names = redis.call('LRANGE', list, first, last)
      for k = #names, 1, -1 do answer[#answer + 1] = names[k] end
      if #answer - 3 >= most then
        answer[1], answer[2], answer[3] = tostring(period), tostring(number), tostring(first)
        return answer
      end
    end
    number, rest = number + 1, nil
  end
  period, number = period - 1, 0
end
return answer
