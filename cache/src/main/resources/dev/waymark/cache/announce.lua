-- Says before COMMIT that a transaction is about to change a key: no value, no fill until it is settled.
--
-- KEYS  value, lease, mark, intent, epoch
-- ARGV  writer, how long its mark lasts in ms, a token for this very announcement,
--       an epoch for a bucket that has none
redis.call('DEL', KEYS[1], KEYS[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
redis.call('ZADD', KEYS[3], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[3], ARGV[2])
-- Whoever writes the same row announces after it has the row's lock, which the writer before gives up only
-- by its commit: the last announcement belongs to the newest value.
redis.call('SET', KEYS[4], ARGV[3], 'PX', ARGV[2])
-- So that the new value can be put. Lost in between, the put is refused.
redis.call('SET', KEYS[5], ARGV[4], 'NX')
return 1
