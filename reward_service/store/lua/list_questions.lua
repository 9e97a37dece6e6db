-- A page of the questions whose last labels are kept, in one order: those behind a place, which need not be there any more.
-- `order` is a sorted set by how sure the labels are; of equal ones the name decides. The place is a number ('' the first
-- page) and a name. Its rank is searched for by halves, so a page costs the same wherever it lies.
-- Answers whether there are more, then for each question its number, its name, and its labels.
local function is_behind(name, other)
  for at = 1, math.min(#name, #other) do
    local one, two = name:byte(at), other:byte(at)
    if one ~= two then return one > two end
  end
  return #name > #other
end
local from, to = 0, redis.call('ZCARD', order)
while after and from < to do
  local middle = math.floor((from + to) / 2)
  local found = redis.call('ZRANGE', order, middle, middle, 'WITHSCORES')
  local number = tonumber(found[2])
  if number > after or (number == after and is_behind(found[1], after_name)) then to = middle else from = middle + 1 end
end
local found = redis.call('ZRANGE', order, from, from + most, 'WITHSCORES')
local names = {}
for k = 1, math.min(#found, 2 * most), 2 do names[#names + 1] = found[k] end
local answer = {#found > 2 * most and 1 or 0}
local kept = #names > 0 and redis.call('HMGET', history, unpack(names)) or {}
for k, name in ipairs(names) do
  if kept[k] then
    answer[#answer + 1] = found[2 * k]
    answer[#answer + 1] = name
    answer[#answer + 1] = kept[k]
  end
end
return answer
