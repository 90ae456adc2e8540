-- Says what a change stream tells: a transaction that changed keys of one bucket is in the log. It may not be
-- visible on the primary yet, so it is put in doubt like one that announces itself; unless it has said already that
-- it is over, or the value that is there is proven to show it.
--
-- KEYS  state, stream, then for each key: value, lease, intent
-- ARGV  an epoch for a bucket that has none; channel; 'cache bucket' for the message; writer as 'shard/xid';
--       shard; position of the commit;
--       then for each key: cell, hash
-- Returns for how many keys it was news
local state, stream = KEYS[1], KEYS[2]
local writer, shard, position = ARGV[4], ARGV[5], ARGV[6]
local epoch = hear(state, open(state, stream, ARGV[1]), shard, position, ARGV[1])
if epoch == nil then
  return 0
end
local xid = string.match(writer, '/(%d+)$')

local function shows(stored)
  if type(stored) ~= 'string' then
    return false
  end
  local rest = of(epoch, stored)
  local valueShard, label = string.match(rest or '', '^(%S+) (%S+)\n')
  if valueShard ~= shard then
    return false
  end
  if string.sub(label, 1, 1) == '=' then
    return label == '=' .. xid
  end
  if string.sub(label, 1, 1) == '@' then
    return covers((string.gsub(string.sub(label, 2), ',', ' ')), position)
  end
  if label == '-' then
    return false
  end
  local xmin, xmax, running = parts(label)
  return finished(xid, xmax, running)
end

local hashes = {}
local k = 3
for i = 7, #ARGV, 2 do
  if redis.call('GET', KEYS[k + 2]) ~= 'over ' .. writer and not shows(redis.pcall('GET', KEYS[k])) then
    hashes[#hashes + 1] = ARGV[i + 1]
    -- With the intent goes the right of an earlier writer to put its value.
    redis.call('DEL', KEYS[k], KEYS[k + 1], KEYS[k + 2])
    local doubt = redis.call('HGET', state, 'x' .. ARGV[i])
    if not doubt then
      setDoubt(state, ARGV[i], writer)
    elseif not string.find(' ' .. doubt .. ' ', ' ' .. writer .. ' ', 1, true) then
      setDoubt(state, ARGV[i], doubt .. ' ' .. writer)
    end
  end
  raise(state, 'l' .. ARGV[i] .. ':' .. shard, position)
  k = k + 3
end
if #hashes > 0 then
  tell(state, stream, epoch, ARGV[2], ARGV[3], table.concat(hashes, ','))
end
return #hashes
