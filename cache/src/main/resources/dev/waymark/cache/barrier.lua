-- Tells a bucket that has lost its state where to begin again on one shard: a transaction id given out after
-- the loss. Every writer that was forgotten has a smaller one.
--
-- KEYS  state
-- ARGV  the epoch for which the id was fetched, shard, the id, a snapshot taken after it was given out, a
--       position taken after the snapshot
-- Returns 1 if taken, 0 if not needed or too late
local state, shard = KEYS[1], ARGV[2]
local epoch = redis.call('HGET', state, 'epoch')
if not epoch then
  return 0
end
-- The epoch is the recovery token: an id fetched before the data was lost once more must not be taken.
-- guard: recovery-token
if epoch ~= ARGV[1] then
  return 0
end
-- end
if of(epoch, redis.call('HGET', state, 'H:' .. shard)) then
  return 0
end
redis.call('HSET', state, 'H:' .. shard, epoch .. ' ' .. ARGV[3])
local xmin = parts(ARGV[4])
if not less(xmin, ARGV[3]) then
  redis.call('HSET', state, 'L:' .. shard, epoch .. ' ' .. ARGV[5])
end
return 1
