-- Makes every value and lease of one bucket unreadable at once, and tells everyone.
--
-- KEYS  epoch
-- ARGV  new epoch, channel, message
redis.call('SET', KEYS[1], ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
