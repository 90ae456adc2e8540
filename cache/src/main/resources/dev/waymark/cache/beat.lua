-- What a process has missed of one bucket's invalidations. Nothing missed means: it knew at the moment of this
-- call of everything announced before.
--
-- KEYS  state, stream
-- ARGV  an epoch for a bucket that has none, the epoch the process knows, the seq up to which it knows all
-- Returns {epoch, seq, hashes}: the hashes of what it missed, '*' if nobody can tell
local epoch, seq = open(KEYS[1], KEYS[2], ARGV[1])
if epoch ~= ARGV[2] then
  return {epoch, seq, '*'}
end
if seq == ARGV[3] then
  return {epoch, seq, ''}
end
local missed = redis.pcall('XRANGE', KEYS[2], '(' .. ARGV[3] .. '-0', seq .. '-0')
if missed.err or #missed ~= tonumber(seq) - tonumber(ARGV[3]) then
  return {epoch, seq, '*'}
end
local hashes = {}
for i = 1, #missed do
  hashes[i] = missed[i][2][2]
end
return {epoch, seq, table.concat(hashes, ',')}
