-- One read of one key: its value, or the right to fill it. One round trip either way.
--
-- KEYS  value, lease, state, stream
-- ARGV  lease token; how long the lease lasts, in ms; 'read', 'aged' to be told a value's age as well, or
--       'refresh' to pass over the value; cell; an epoch for a bucket that has none
-- Returns {1, epoch, shard, label and value, remaining ms, age}  a hit; the age, only if asked for: how long ago, in
--             microseconds, all that was acknowledged by then had been told by the shard's change stream; -1 if
--             nobody knows
--         {2}  a lease: the caller may fill
--         {3}  another reader holds the lease
--         {4}  a lease, and a writer is in doubt: only the primary can prove what it shows
--         {5}  another reader holds the lease, and a writer is in doubt: not worth waiting for
local epoch = open(KEYS[3], KEYS[4], ARGV[5])

if ARGV[3] ~= 'refresh' then
  -- pcall: a key of another type, written by somebody else, is a miss and not an error.
  local stored = redis.pcall('GET', KEYS[1])
  if type(stored) == 'string' then
    local hit = true
    -- guard: epoch
    hit = string.sub(stored, 1, #epoch + 1) == epoch .. ' '
    -- end
    if hit then
      local age = -1
      if ARGV[3] == 'aged' then
        local told = of(epoch, redis.call('HGET', KEYS[3], 'w:' .. string.match(stored, '^%S+ (%S+) ')))
        if told then
          local time = redis.call('TIME')
          age = time[1] * 1000000 + time[2] - tonumber(string.match(told, '^%d+'))
        end
      end
      return {1, stored, redis.call('PTTL', KEYS[1]), age}
    end
  end
end

-- The lease remembers who was in doubt when it was given: another fill may prove them over for the cell, but
-- the load of this lease may have begun before.
local doubt = redis.call('HGET', KEYS[3], 'x' .. ARGV[4]) or ''
if redis.call('SET', KEYS[2], epoch .. ' ' .. ARGV[1] .. ' ' .. doubt, 'NX', 'PX', ARGV[2]) then
  return {doubt == '' and 2 or 4}
end
return {doubt == '' and 3 or 5}
