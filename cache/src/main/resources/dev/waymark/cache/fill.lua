-- Stores what the holder of a lease has loaded, if nothing speaks against it.
--
-- KEYS  value, lease, mark, floor, epoch
-- ARGV  lease token, value, how long the value lasts in ms, 'primary' or 'replica';
--       the position of the answer: system ('' if unknown), timeline, upper and lower half of the LSN
-- Returns 1 stored; 2 the lease is gone; 3 a write is in doubt; 4 not known to be new enough
local epoch = redis.call('GET', KEYS[5])
if not epoch or redis.call('GET', KEYS[2]) ~= epoch .. ':' .. ARGV[1] then
  return 2
end
-- Used up either way: after a refusal the next reader need not wait for it to run out.
redis.call('DEL', KEYS[2])

if redis.call('EXISTS', KEYS[3]) == 1 then
  return 3
end

if ARGV[4] == 'replica' then
  if ARGV[5] == '' then
    return 4
  end
  local floor = redis.call('GET', KEYS[4])
  if floor then
    local system, timeline, upper, lower = string.match(floor, '^(%d+) (%d+) (%d+) (%d+)$')
    -- Halves, because a Lua number holds 53 bits. The system stays text: it is only compared.
    upper, lower = tonumber(upper), tonumber(lower)
    if system ~= ARGV[5] or timeline ~= ARGV[6] or tonumber(ARGV[7]) < upper
        or (tonumber(ARGV[7]) == upper and tonumber(ARGV[8]) < lower) then
      return 4
    end
  end
end

redis.call('SET', KEYS[1], epoch .. ':' .. ARGV[2], 'PX', ARGV[3])
return 1
