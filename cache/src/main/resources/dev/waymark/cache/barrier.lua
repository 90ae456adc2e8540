-- Tells a bucket that has lost its state where to begin again on one shard: a transaction id given out after
-- the loss. Every writer that was forgotten has a smaller one.
--
-- KEYS  state, stream
-- ARGV  an epoch for a bucket that has none; the epoch for which the id was fetched; shard; the id; a snapshot
--       taken after it was given out; a position taken after the snapshot
-- Returns 1 if taken, 0 if not needed or too late
local state, shard = KEYS[1], ARGV[3]
local epoch = hear(state, open(state, KEYS[2], ARGV[1]), shard, ARGV[6], ARGV[1])
if epoch == nil then
  return 0
end
-- The epoch is the recovery token: an id fetched before the data was lost once more must not be taken.
-- guard: recovery-token
if epoch ~= ARGV[2] then
  return 0
end
-- end
if of(epoch, redis.call('HGET', state, 'H:' .. shard)) then
  return 0
end
redis.call('HSET', state, 'H:' .. shard, epoch .. ' ' .. ARGV[4])
local xmin = parts(ARGV[5])
if not less(xmin, ARGV[4]) then
  redis.call('HSET', state, 'L:' .. shard, epoch .. ' ' .. ARGV[6])
end
return 1
