-- Gives a lease back without a fill, so that others need not wait for it to run out.
--
-- KEYS  lease
-- ARGV  lease token
local lease = redis.pcall('GET', KEYS[1])
if type(lease) == 'string' then
  local token = string.match(lease, '^%S+ (%S+) ')
  if token == ARGV[1] then
    return redis.call('DEL', KEYS[1])
  end
end
return 0
