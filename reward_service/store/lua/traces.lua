-- Shared by the scripts that settle: what a settlement leaves for the run besides its record, in MessagePack or ''.

-- How sure the last labels of a question are, in the orders of lua/list_questions.lua, in which those in doubt come first.
-- It is what standing_of of the domain tells. Shares are whole numbers of SHARES.
local SHARES = 10000
local function certainty_of(labels)
  local flips, share, astray, last, answers, both, differ = 0, 0, 0, {}, {}, 0, 0
  for _, each in ipairs(labels) do
    local view, step, answer = each[1], each[2], each[6]
    if last[view] and last[view] ~= answer then flips = flips + 1 end
    last[view] = answer
    share = share + each[4]
    astray = astray + SHARES - each[5]
    if step >= 0 then
      answers[step .. ' ' .. view] = answer
      local other = answers[step .. ' ' .. 1 - view]
      if other then both = both + 1 end
      if other and other ~= answer then differ = differ + 1 end
    end
  end
  local most = SHARES * #labels
  return {flips = -flips, disagreement = -math.max(astray / most, both > 0 and differ / both or 0), share = share / most}
end

-- More at once than Lua can unpack would be an error.
local AT_ONCE = 1000

local function order_questions(orders, sure, ttl_ms)
  for _, sort in ipairs({'flips', 'disagreement', 'share'}) do
    local placed = {}
    for question, certainty in pairs(sure) do
      placed[#placed + 1] = certainty[sort]
      placed[#placed + 1] = question
      if #placed >= AT_ONCE then
        redis.call('ZADD', orders .. sort, unpack(placed))
        placed = {}
      end
    end
    if #placed > 0 then redis.call('ZADD', orders .. sort, unpack(placed)) end
    redis.call('PEXPIRE', orders .. sort, ttl_ms)
  end
end

-- The last labels of questions: a hash by question, of {view, step, attempt, share, agreement, answer} in the order of steps
-- within each view; step -1 for none, which comes last. A higher attempt of a step takes the place of a lower one.
-- `noted` is an array of {question, how many labels of a view are kept, label}.
-- Answers sums of signs: the pairs of labels of both views of which one was there before, and those that are one answer.
-- What was settled together is compared by the worker.
local function note_labels(history, orders, noted, most_questions, ttl_ms)
  if noted == '' then return '' end
  local apart, sure, fresh = {}, {}, {}
  for _, each in ipairs(cmsgpack.unpack(noted)) do
    local question, window, label = each[1], each[2], each[3]
    local kept = redis.call('HGET', history, question)
    local labels, count, place, stale, twin, again = {}, 1, nil, false, nil, false
    for _, other in ipairs(kept and cmsgpack.unpack(kept) or {}) do
      local replaced, of_step = false, label[2] >= 0 and other[2] == label[2]
      if other[1] == label[1] then
        replaced = of_step
        stale = stale or replaced and other[3] > label[3]
        again = again or replaced and other[3] == label[3]
        if not place and label[2] >= 0 and other[2] > label[2] then place = #labels + 1 end
        if not replaced then count = count + 1 end
      elseif of_step and other[3] == label[3] then
        twin = other
      end
      if not replaced then labels[#labels + 1] = other end
    end
    if not stale and (kept or redis.call('HLEN', history) < most_questions) then
      table.insert(labels, place or #labels + 1, label)
      local first = 1
      while count > window do
        while labels[first][1] ~= label[1] do first = first + 1 end
        table.remove(labels, first)
        count = count - 1
      end
      redis.call('HSET', history, question, cmsgpack.pack(labels))
      sure[question] = certainty_of(labels)
      local name = string.format('%d:%d', label[2], label[3])
      local both = question .. '\n' .. name
      if twin and not again and not fresh[both] then
        apart[#apart + 1] = {label[2], label[3], {0, 0, 0, 0, 0, 0, 0, 1, twin[6] == label[6] and 1 or 0, 0, 0}, {}}
      end
      fresh[both] = true
    end
  end
  redis.call('PEXPIRE', history, ttl_ms)
  order_questions(orders, sure, ttl_ms)
  return #apart > 0 and cmsgpack.pack(apart) or ''
end

-- The signs of a run's steps: a hash by '<step>:<attempt>', of sums and, last, of how many rollouts gave the most frequent
-- answer. For that each answer is counted, in a hash of the step; those of the latest steps only are kept.
-- Sums may end early, as those of an older release do: what is missing is 0.
-- `sums` is an array of {step, attempt, sums, {answer: rollouts}}; `answers` is what the names of the counts begin with.
local MOST_STEPS = 1000
local COUNTED_STEPS = 8
local MOST_ANSWERS = 4096

-- Adds to the counts of answers, and answers the largest count, or `top` if that is larger: two commands, however many.
local function count_answers(counts, added, top, ttl_ms)
  local room = MOST_ANSWERS - redis.call('HLEN', counts)
  local fresh, names = room == MOST_ANSWERS, {}
  for answer in pairs(added) do names[#names + 1] = answer end
  for first = 1, #names, AT_ONCE do
    local last = math.min(first + AT_ONCE - 1, #names)
    local known, written = redis.call('HMGET', counts, unpack(names, first, last)), {}
    for at = first, last do
      local before = known[at - first + 1]
      if before or room > 0 then
        if not before then room = room - 1 end
        local now = tonumber(before or 0) + added[names[at]]
        written[#written + 1] = names[at]
        written[#written + 1] = now
        if now > top then top = now end
      end
    end
    if #written > 0 then redis.call('HSET', counts, unpack(written)) end
  end
  if fresh then redis.call('PEXPIRE', counts, ttl_ms) end
  return top
end

-- Adds up what jobs say of the same step, so that each step is written once. `packed` are the sums of jobs.
local function merged(packed)
  local order, of_name = {}, {}
  for _, sums in ipairs(packed) do
    for _, each in ipairs(cmsgpack.unpack(sums)) do
      local name = string.format('%d:%d', each[1], each[2])
      local known = of_name[name]
      if known then
        for at = 1, #each[3] do known.total[at] = (known.total[at] or 0) + each[3][at] end
        for answer, rollouts in pairs(each[4]) do known.answers[answer] = (known.answers[answer] or 0) + rollouts end
      else
        of_name[name] = {name = name, step = each[1], total = each[3], answers = each[4]}
        order[#order + 1] = of_name[name]
      end
    end
  end
  return order
end

local function add_signs(series, steps, answers, packed, ttl_ms)
  local fresh = false
  for _, each in ipairs(merged(packed)) do
    local name, total = each.name, each.total
    local kept = redis.call('HGET', series, name)
    local top, forgotten = 0, false
    if kept then
      local known = cmsgpack.unpack(kept)
      top = table.remove(known)
      for at = 1, math.max(#total, #known) do total[at] = (total[at] or 0) + (known[at] or 0) end
    else
      redis.call('ZADD', steps, each.step, name)
      fresh = true
      if redis.call('ZCARD', steps) > MOST_STEPS then
        local oldest = redis.call('ZPOPMIN', steps)[1]
        redis.call('HDEL', series, oldest)
        redis.call('DEL', answers .. oldest)
        forgotten = oldest == name
      end
      local passed = redis.call('ZREVRANGE', steps, COUNTED_STEPS, COUNTED_STEPS)[1]
      if passed then redis.call('DEL', answers .. passed) end
    end
    if not forgotten and redis.call('ZREVRANK', steps, name) < COUNTED_STEPS then
      top = count_answers(answers .. name, each.answers, top, ttl_ms)
    end
    total[#total + 1] = top
    if not forgotten then redis.call('HSET', series, name, cmsgpack.pack(total)) end
  end
  if fresh then
    redis.call('PEXPIRE', series, ttl_ms)
    redis.call('PEXPIRE', steps, ttl_ms)
  end
end

-- Sums wait in a list until some have come, or somebody reads: to add up small ones each by itself would cost as much as
-- all else that a settlement does.
local MOST_WAITING = 64
local SMALL_BYTES = 1024

local function add_waiting_signs(series, steps, answers, waiting, ttl_ms)
  local packed = redis.call('LRANGE', waiting, 0, -1)
  if #packed == 0 then return end
  local dropped = redis.pcall('DEL', waiting)
  if type(dropped) == 'table' then return end -- the server takes no writes now: who reads sees what is added up
  add_signs(series, steps, answers, packed, ttl_ms)
end

local function note_signs(series, steps, answers, waiting, sums, ttl_ms)
  if sums == '' then return end
  local count = redis.call('RPUSH', waiting, sums)
  if count >= MOST_WAITING or #sums > SMALL_BYTES then
    add_waiting_signs(series, steps, answers, waiting, ttl_ms)
  elseif count == 1 then
    redis.call('PEXPIRE', waiting, ttl_ms)
  end
end

-- What a settlement leaves for its run.
local function note_traces(history, orders, series, steps, answers, waiting, noted, sums, most_questions, ttl_ms)
  local apart = note_labels(history, orders, noted, most_questions, ttl_ms)
  note_signs(series, steps, answers, waiting, sums, ttl_ms)
  note_signs(series, steps, answers, waiting, apart, ttl_ms)
end

-- The names and sums of steps, one after the other, as readers take them; of those that are kept.
local function points_of(series, names)
  local points = {}
  for _, name in ipairs(names) do
    local kept = redis.call('HGET', series, name)
    if kept then
      points[#points + 1] = name
      points[#points + 1] = kept
    end
  end
  return points
end
