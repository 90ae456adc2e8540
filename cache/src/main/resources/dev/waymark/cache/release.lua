-- Gives a lease back without a fill, so that others need not wait for it to run out.
--
-- KEYS  lease, epoch
-- ARGV  lease token
local epoch = redis.call('GET', KEYS[2])
if epoch and redis.call('GET', KEYS[1]) == epoch .. ':' .. ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
