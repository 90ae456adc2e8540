-- One read of one key: its value, or the right to fill it. One round trip either way.
--
-- KEYS  value, lease, mark, epoch
-- ARGV  lease token; how long the lease lasts, in ms; 'read', or 'refresh' to pass over the value;
--       an epoch for a bucket that has none
-- Returns {1, value, remaining ms}  a hit
--         {2}                       a lease: the caller may fill
--         {3}                       another reader holds the lease
--         {4}                       a write is in doubt: load, but do not fill
if redis.call('EXISTS', KEYS[3]) == 1 then
  -- Each writer's mark has a deadline of its own: one that died is not kept alive by the next.
  local time = redis.call('TIME')
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', time[1] * 1000 + math.floor(time[2] / 1000))
  if redis.call('EXISTS', KEYS[3]) == 1 then
    return {4}
  end
end

local epoch = redis.call('GET', KEYS[4])
if not epoch then
  -- Lost or never there. A fresh one makes every value that outlived it unreadable.
  epoch = ARGV[4]
  redis.call('SET', KEYS[4], epoch)
end

if ARGV[3] == 'read' then
  -- pcall: a key of another type, written by somebody else, is a miss and not an error.
  local stored = redis.pcall('GET', KEYS[1])
  local prefix = epoch .. ':'
  if type(stored) == 'string' and string.sub(stored, 1, #prefix) == prefix then
    return {1, string.sub(stored, #prefix + 1), redis.call('PTTL', KEYS[1])}
  end
end

if redis.call('SET', KEYS[2], epoch .. ':' .. ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {2}
end
return {3}
