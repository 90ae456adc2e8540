-- Notes who takes a shard's changes over, and for which caches. Whoever was told before it may not have known of
-- some of them.
--
-- KEYS  the note
-- ARGV  the note as it was read; as it shall be
-- Returns 1, or 0 if it is another one by now
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
