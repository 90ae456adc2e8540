-- Says that a bucket has been told of everything that was acknowledged on a shard before a moment.
--
-- KEYS  state, stream
-- ARGV  an epoch for a bucket that has none; shard; a position that the stream has come to; the moment, in
--       microseconds by this server's clock
-- Returns 1 if it is news, 0 if it is not or is an old primary's word
local state, shard = KEYS[1], ARGV[2]
local epoch = hear(state, open(state, KEYS[2], ARGV[1]), shard, ARGV[3], ARGV[1])
if epoch == nil then
  return 0
end
local known = of(epoch, redis.call('HGET', state, 'w:' .. shard))
if known and not less(string.match(known, '^%d+'), ARGV[4]) then
  return 0
end
redis.call('HSET', state, 'w:' .. shard, epoch .. ' ' .. ARGV[4] .. ' ' .. ARGV[3])
return 1
