-- Says that a transaction is about to change keys of one bucket (before its COMMIT), or that they have
-- changed: values and leases go, everyone is told, and nothing is kept that is not proven to show the writer.
--
-- KEYS  state, stream, then for each key: value, lease, intent
-- ARGV  an epoch for a bucket that has none; channel; 'cache bucket' for the message;
--       writer as 'shard/xid' ('' for a change that is committed and seen by everyone);
--       how long its right to put a value lasts in ms; shard; position of the commit ('' if unknown);
--       a position from when the writer's id was given out ('' if unknown);
--       then for each key: cell, hash
-- Returns {epoch, seq, token}: the token names this very announcement
local state, stream = KEYS[1], KEYS[2]
local epoch = open(state, stream, ARGV[1])
local writer, shard, position = ARGV[4], ARGV[6], ARGV[7]
local heard = hear(state, epoch, shard, position ~= '' and position or ARGV[8], ARGV[1])
if heard == nil then
  -- An old primary's transaction: nothing that it commits will be seen, and its id is another one's now.
  writer, position = '', ''
else
  epoch = heard
end
local hashes = {}
for i = 9, #ARGV, 2 do
  hashes[#hashes + 1] = ARGV[i + 1]
end
local seq = tell(state, stream, epoch, ARGV[2], ARGV[3], table.concat(hashes, ','))

-- Whoever writes the same row announces after it has the row's lock, which the writer before gives up only
-- by its commit: the last announcement belongs to the newest value. It is named by this execution and not by
-- the transaction: a repeated command that arrives late must not give an old writer its right back.
local token = writer
-- guard: intent
token = epoch .. ':' .. seq
-- end
local k = 3
for i = 9, #ARGV, 2 do
  redis.call('DEL', KEYS[k], KEYS[k + 1])
  if writer ~= '' then
    local field = 'x' .. ARGV[i]
    local doubt = redis.call('HGET', state, field)
    if not doubt then
      redis.call('HSET', state, field, writer)
    elseif not string.find(' ' .. doubt .. ' ', ' ' .. writer .. ' ', 1, true) then
      redis.call('HSET', state, field, doubt .. ' ' .. writer)
    end
    -- With whose it is: the change stream leaves that writer's own change alone.
    redis.call('SET', KEYS[k + 2], token .. ' ' .. writer, 'PX', ARGV[5])
  else
    redis.call('DEL', KEYS[k + 2])
  end
  if position ~= '' then
    raise(state, 'l' .. ARGV[i] .. ':' .. shard, position)
  end
  k = k + 3
end
return {epoch, seq, token}
