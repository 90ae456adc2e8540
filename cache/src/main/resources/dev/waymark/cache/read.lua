-- One read of one key: its value, or the right to fill it. One round trip either way.
--
-- KEYS  value, lease, state, stream, and the tag if there is one
-- ARGV  lease token; how long the lease lasts, in ms; 'read', 'aged' to be told a value's age as well, or
--       'refresh' to pass over the value; cell; an epoch for a bucket that has none, or a generation for a tag
-- Returns {1, epoch, shard, label, generation, end and value, remaining ms, age}  a hit; the age, only if asked for: how long
--             ago, in microseconds, all that was acknowledged by then had been told by the shard's change stream;
--             -1 if nobody knows
--         {2}  a lease: the caller may fill
--         {3}  another reader holds the lease
--         {4}  a lease, and a writer is in doubt: only the primary can prove what it shows
--         {5}  another reader holds the lease, and a writer is in doubt: not worth waiting for
local epoch = open(KEYS[3], KEYS[4], ARGV[5])
return look(KEYS[1], KEYS[2], KEYS[5], KEYS[3], epoch, ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5])
