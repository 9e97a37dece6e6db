-- Firm observations of pairs, in order: the rule of domain/quarantine.py (observed, witnessed), carried out atomically.
-- `kept` is the share of the base that stays; evidence is `against` a pair that disagreed and `in_favour` of one that
-- agreed, `most` of it. `observations` are by turns a question, and 1 if its views disagreed.
local room = most_pairs - redis.call('HLEN', pairs_seen)
local known_base = redis.call('HMGET', base, 'seen', 'disagreed')
local all_seen, all_disagreed = tonumber(known_base[1] or 0), tonumber(known_base[2] or 0)
local accused, acquitted = 0, 0
for at = 1, #observations, 2 do
  local question, disagrees = observations[at], tonumber(observations[at + 1])
  local known = redis.call('HGET', pairs_seen, question)
  local record = known or '0 0 0 0'
  local seen, disagreed, evidence, held = record:match('^(%S+) (%S+) (%S+) (%S+)$')
  evidence, held = tonumber(evidence), held == '1'
  if evidence <= accuse_at / 2 then
    all_seen = kept * all_seen + 1
    all_disagreed = kept * all_disagreed + disagrees
  end
  evidence = math.min(most, math.max(0, evidence + (disagrees == 1 and against or in_favour)))
  local holds = evidence >= accuse_at or (held and evidence > 0)
  if known or room > 0 then
    redis.call('HSET', pairs_seen, question,
      string.format('%d %d %.17g %d', seen + 1, disagreed + disagrees, evidence, holds and 1 or 0))
    room = room - (known and 0 or 1)
  end
  if holds then
    redis.call('ZADD', quarantined, string.format('%.17g', evidence), question)
    if not held then accused = accused + 1 end
  elseif held then
    redis.call('ZREM', quarantined, question)
    acquitted = acquitted + 1
  end
end
redis.call('HSET', base, 'seen', string.format('%.17g', all_seen), 'disagreed', string.format('%.17g', all_disagreed))
for _, key in ipairs({pairs_seen, base, quarantined}) do redis.call('PEXPIRE', key, ttl_ms) end
return {accused, acquitted}
