-- Takes back an announcement: the transaction was rolled back, nothing has changed, nobody is told.
--
-- KEYS  mark
-- ARGV  writer
return redis.call('ZREM', KEYS[1], ARGV[1])
