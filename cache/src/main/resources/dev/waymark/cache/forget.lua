-- Begins a new epoch for one bucket: every value, lease and announcement is unreadable at once, and nothing is
-- kept until the horizon is known anew. Everyone is told.
--
-- KEYS  state, stream
-- ARGV  new epoch, channel, 'cache bucket' for the message
open(KEYS[1], KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
return tell(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], '*')
