-- Stores what the holder of a lease has loaded, if it is proven to show every writer that was announced.
--
-- KEYS  value, lease, state, stream, and the tag if there is one
-- ARGV  lease token, value, how long the value lasts in ms, cell, an epoch for a bucket that has none;
--       'primary', 'replica', or 'unfenced' where only the lease counts;
--       shard; snapshot ('' if none); position as 'system timeline lsn' ('' if unknown)
-- Returns {1} stored; {2} the lease is gone; {3} a writer is not proven to be over; {4} not known to be new
--         enough; {5, epoch} the shard's horizon is not known: it is to be told; {6} transactions from before
--         the horizon still run
-- After 5, and for a replica after 3 and 4, the lease stands: it may still be proven.
local epoch = open(KEYS[3], KEYS[4], ARGV[5])
local cell, kind, shard, snapshot, position = ARGV[4], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local lease = redis.pcall('GET', KEYS[2])
if type(lease) ~= 'string' then
  lease = ''
end
local leaseEpoch, token, born, copy = string.match(lease, '^(%S+) (%S+) (%S+) (.*)$')
-- guard: lease-token
if token ~= ARGV[1] then
  return {2}
end
-- end
-- guard: epoch
if leaseEpoch ~= epoch then
  return {2}
end
-- end

-- Something that carries the tag has changed since the lease was given. The value would carry the old
-- generation and not be read; it need not be stored.
if KEYS[5] and redis.pcall('GET', KEYS[5]) ~= born then
  redis.call('DEL', KEYS[2])
  return {2}
end

local heard = hear(KEYS[3], epoch, shard, position, ARGV[5])
if heard == nil then
  redis.call('DEL', KEYS[2])
  return {4}
end
if heard ~= epoch then
  return {5, heard}
end

local doubt = redis.call('HGET', KEYS[3], 'x' .. cell) or ''
-- guard: lease-copy
doubt = copy or ''
-- end

local label = '-'
local horizon = of(epoch, redis.call('HGET', KEYS[3], 'H:' .. shard))
if kind == 'primary' then
  if snapshot == '' then
    redis.call('DEL', KEYS[2])
    return {4}
  end
  -- guard: horizon
  if not horizon then
    return {5, epoch}
  end
  -- end
  -- Whatever comes of it, the lease is used up: the next reader need not wait for it to run out.
  redis.call('DEL', KEYS[2])
  local xmin, xmax, running = parts(snapshot)
  -- guard: horizon
  if less(xmin, horizon) then
    return {6}
  end
  -- end
  -- guard: snapshot
  if string.find(' ' .. unfinished(doubt, shard, xmax, running), ' ' .. shard .. '/', 1, true) then
    return {3}
  end
  -- end
  -- What is proven for this key is proven for its cell: nobody need prove it again. Not without a position: the
  -- floor must rise with it, or a replica that lacks the commit might fill.
  if position ~= '' then
    setDoubt(KEYS[3], cell,
        unfinished(redis.call('HGET', KEYS[3], 'x' .. cell) or '', shard, xmax, running))
    raise(KEYS[3], 'l' .. cell .. ':' .. shard, position)
    if not of(epoch, redis.call('HGET', KEYS[3], 'L:' .. shard)) then
      redis.call('HSET', KEYS[3], 'L:' .. shard, epoch .. ' ' .. position)
    end
  end
  label = snapshot
elseif kind == 'replica' then
  if position == '' then
    return {4}
  end
  if string.find(' ' .. doubt, ' ' .. shard .. '/', 1, true) then
    return {3}
  end
  -- guard: position-floor
  if not horizon then
    return {5, epoch}
  end
  local lowest = of(epoch, redis.call('HGET', KEYS[3], 'L:' .. shard))
  local floor = redis.call('HGET', KEYS[3], 'l' .. cell .. ':' .. shard)
  if not lowest or not covers(position, lowest) or (floor and not covers(position, floor)) then
    return {4}
  end
  -- end
  redis.call('DEL', KEYS[2])
  label = '@' .. string.gsub(position, ' ', ',')
else
  redis.call('DEL', KEYS[2])
end

if KEYS[5] and redis.call('PTTL', KEYS[5]) < tonumber(ARGV[3]) then
  redis.call('PEXPIRE', KEYS[5], ARGV[3])
end
redis.call('SET', KEYS[1], epoch .. ' ' .. shard .. ' ' .. label .. ' ' .. (born or '-') .. ' ' .. ending(ARGV[3])
    .. '\n' .. ARGV[2], 'PX', ARGV[3])
return {1}
