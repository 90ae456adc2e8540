-- Says that a transaction is over. Nothing depends on it: it spares the next readers the proof, and the new
-- value may take the old one's place. Everyone was told by the announcement.
--
-- KEYS  state, stream, then for each key: value, lease, intent
-- ARGV  writer as 'shard/xid'; shard; position at or after the commit ('' after a rollback); epoch of the
--       announcement;
--       then for each key: cell, token of the announcement ('' to put nothing), new value, how long it lasts
--       in ms
-- Returns how many values were put
local state = KEYS[1]
local writer, shard, position = ARGV[1], ARGV[2], ARGV[3]
local xid = string.match(writer, '/(%d+)$')
local put = 0
local k = 3
for i = 5, #ARGV, 4 do
  local field = 'x' .. ARGV[i]
  local doubt = redis.call('HGET', state, field)
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
  if token ~= '' and redis.call('GET', KEYS[k + 2]) == token then
    local epoch = redis.call('HGET', state, 'epoch')
    local standing = epoch and redis.call('HGET', state, 'server') == server()
    -- guard: epoch
    standing = standing and epoch == ARGV[4]
    -- end
    if standing then
      redis.call('SET', KEYS[k], epoch .. ' ' .. shard .. ' =' .. xid .. '\n' .. ARGV[i + 2],
          'PX', ARGV[i + 3])
      redis.call('DEL', KEYS[k + 1])
      put = put + 1
    end
  end
  k = k + 3
end
return put
