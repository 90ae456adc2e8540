-- Says that a key has changed, or may have: the value goes, everyone is told, and the new value takes its
-- place if the writer brought one and nobody has announced another since.
--
-- KEYS  value, lease, mark, intent, floor, epoch
-- ARGV  writer ('' to leave all marks standing);
--       a position at or after the commit: system ('' if unknown), timeline, upper and lower half of the
--       LSN; how long the floor lasts in ms;
--       token of the announcement ('' to put nothing), new value, how long it lasts in ms;
--       channel, message
-- Returns 1 if the new value was put, else 0
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', time[1] * 1000 + math.floor(time[2] / 1000))
local standing = 0
if ARGV[1] ~= '' then
  standing = redis.call('ZREM', KEYS[3], ARGV[1])
end
redis.call('DEL', KEYS[1], KEYS[2])

if ARGV[2] ~= '' then
  local floor = redis.call('GET', KEYS[5])
  local keep = false
  if floor then
    local system, timeline, upper, lower = string.match(floor, '^(%d+) (%d+) (%d+) (%d+)$')
    if system == ARGV[2] then
      -- Settlements may arrive in another order than the commits: the greatest stays.
      local old = {tonumber(timeline), tonumber(upper), tonumber(lower)}
      local new = {tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])}
      for i = 1, 3 do
        if old[i] ~= new[i] then
          keep = old[i] > new[i]
          break
        end
      end
    end
  end
  if keep then
    redis.call('PEXPIRE', KEYS[5], ARGV[6])
  else
    redis.call('SET', KEYS[5], table.concat({ARGV[2], ARGV[3], ARGV[4], ARGV[5]}, ' '), 'PX', ARGV[6])
  end
end

local put = 0
if ARGV[7] ~= '' and standing == 1 and redis.call('GET', KEYS[4]) == ARGV[7]
    and redis.call('EXISTS', KEYS[3]) == 0 then
  local epoch = redis.call('GET', KEYS[6])
  if epoch then
    redis.call('SET', KEYS[1], epoch .. ':' .. ARGV[8], 'PX', ARGV[9])
    put = 1
  end
end

redis.call('PUBLISH', ARGV[10], ARGV[11])
return put
