-- What is known of one key, for a person; changes nothing.
--
-- KEYS  value, lease, state, and the tag if there is one
-- ARGV  cell
-- Returns {whose data this is and which server answers are the same, epoch, seq, stored, remaining ms, lease,
--          its remaining ms, writers in doubt, generation of the tag}, with '' for what is not there
local known = redis.call('HMGET', KEYS[3], 'server', 'epoch', 'seq', 'x' .. ARGV[1])
return {known[1] == server() and 1 or 0, known[2] or '', known[3] or '', text(KEYS[1]),
    redis.call('PTTL', KEYS[1]), text(KEYS[2]), redis.call('PTTL', KEYS[2]), known[4] or '',
    KEYS[4] and text(KEYS[4]) or ''}
