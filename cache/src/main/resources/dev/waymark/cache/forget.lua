-- Begins a new epoch for one bucket: every value, lease and announcement is unreadable at once, and nothing is
-- kept until the horizon is known anew. Everyone is told.
--
-- KEYS  state, stream
-- ARGV  the first part of the new epoch, channel, 'cache bucket' for the message
open(KEYS[1], KEYS[2], ARGV[1])
return tell(KEYS[1], KEYS[2], begin(KEYS[1], ARGV[1]), ARGV[2], ARGV[3], '*')
