-- Takes writers that a snapshot of the primary proves to be over out of cells, so that replicas may fill
-- again, and learns from where on they may after the state was lost.
--
-- KEYS  state, stream
-- ARGV  an epoch for a bucket that has none, shard, snapshot, position taken after it, then the cells
-- Returns how many of the cells are still in doubt
local state, shard, position = KEYS[1], ARGV[2], ARGV[4]
local xmin, xmax, running = parts(ARGV[3])
local epoch = hear(state, open(state, KEYS[2], ARGV[1]), shard, position, ARGV[1])
if epoch == nil then
  return #ARGV - 4
end
local horizon = of(epoch, redis.call('HGET', state, 'H:' .. shard))
if horizon and not less(xmin, horizon)
    and not of(epoch, redis.call('HGET', state, 'L:' .. shard)) then
  redis.call('HSET', state, 'L:' .. shard, epoch .. ' ' .. position)
end
local doubtful = 0
for i = 5, #ARGV do
  local doubt = redis.call('HGET', state, 'x' .. ARGV[i])
  if doubt then
    local left = unfinished(doubt, shard, xmax, running)
    if left ~= doubt then
      setDoubt(state, ARGV[i], left)
      raise(state, 'l' .. ARGV[i] .. ':' .. shard, position)
    end
    if left ~= '' then
      doubtful = doubtful + 1
    end
  end
end
return doubtful
