-- Firm observations of pairs, in order: the rule of domain/quarantine.py (observed, witnessed), carried out atomically.
-- KEYS pairs, base, quarantined   ARGV ttl_ms, kept share of the base, evidence of a disagreement, of an agreement,
--   accuse_at, most, most_pairs, then for each observation question, 1 if its views disagreed
local ttl, kept, against, forit, accuse_at, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]),
  tonumber(ARGV[5]), tonumber(ARGV[6])
local room = tonumber(ARGV[7]) - redis.call('HLEN', KEYS[1])
local base = redis.call('HMGET', KEYS[2], 'seen', 'disagreed')
local all_seen, all_disagreed = tonumber(base[1] or 0), tonumber(base[2] or 0)
local accused, acquitted = 0, 0
for at = 8, #ARGV, 2 do
  local question, disagrees = ARGV[at], tonumber(ARGV[at + 1])
  local known = redis.call('HGET', KEYS[1], question)
  local record = known or '0 0 0 0'
  local seen, disagreed, evidence, held = record:match('^(%S+) (%S+) (%S+) (%S+)$')
  evidence, held = tonumber(evidence), held == '1'
  if evidence <= accuse_at / 2 then
    all_seen = kept * all_seen + 1
    all_disagreed = kept * all_disagreed + disagrees
  end
  evidence = math.min(most, math.max(0, evidence + (disagrees == 1 and against or forit)))
  local holds = evidence >= accuse_at or (held and evidence > 0)
  if known or room > 0 then
    redis.call('HSET', KEYS[1], question,
      string.format('%d %d %.17g %d', seen + 1, disagreed + disagrees, evidence, holds and 1 or 0))
    room = room - (known and 0 or 1)
  end
  if holds then
    redis.call('ZADD', KEYS[3], string.format('%.17g', evidence), question)
    if not held then accused = accused + 1 end
  elseif held then
    redis.call('ZREM', KEYS[3], question)
    acquitted = acquitted + 1
  end
end
redis.call('HSET', KEYS[2], 'seen', string.format('%.17g', all_seen), 'disagreed', string.format('%.17g', all_disagreed))
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ttl) end
return {accused, acquitted}
