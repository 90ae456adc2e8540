-- Says that a transaction is over. Nothing depends on it: it spares the next readers the proof, and the new
-- value may take the old one's place. Everyone was told by the announcement.
--
-- KEYS  state, stream, then for each key: value, lease, intent
-- ARGV  an epoch for a bucket that has none; writer as 'shard/xid'; shard; position at or after the commit (''
--       after a rollback); a position from when the writer's id was given out ('' if unknown); epoch of the
--       announcement;
--       then for each key: cell, token of the announcement ('' to put nothing), new value, how long it lasts
--       in ms
-- Returns how many values were put
local state = KEYS[1]
local writer, shard, position = ARGV[2], ARGV[3], ARGV[4]
local epoch = open(state, KEYS[2], ARGV[1])
epoch = hear(state, epoch, shard, position ~= '' and position or ARGV[5], ARGV[1])
if epoch == nil then
  return 0
end
local xid = string.match(writer, '/(%d+)$')
local put = 0
local k = 3
for i = 7, #ARGV, 4 do
  local doubt = redis.call('HGET', state, 'x' .. ARGV[i])
  if doubt then
    local left = {}
    for each in string.gmatch(doubt, '%S+') do
      if each ~= writer then
        left[#left + 1] = each
      end
    end
    setDoubt(state, ARGV[i], table.concat(left, ' '))
  end
  if position ~= '' then
    raise(state, 'l' .. ARGV[i] .. ':' .. shard, position)
  end
  local token = ARGV[i + 1]
  if token ~= '' and string.match(text(KEYS[k + 2]), '^%S+') == token then
    local standing = true
    -- guard: epoch
    standing = epoch == ARGV[6]
    -- end
    if standing then
      redis.call('SET', KEYS[k], epoch .. ' ' .. shard .. ' =' .. xid .. ' - ' .. ending(ARGV[i + 3]) .. '\n'
          .. ARGV[i + 2], 'PX', ARGV[i + 3])
      redis.call('DEL', KEYS[k + 1])
      put = put + 1
    end
  end
  k = k + 3
end
return put
