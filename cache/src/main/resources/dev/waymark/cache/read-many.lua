-- Reads many keys of one bucket.
--
-- KEYS  state, stream, then for each key: value, lease, and its tag where ARGV says that there are tags
-- ARGV  lease token; how long a lease lasts, in ms; 'read', 'aged' or 'refresh' as in read.lua; an epoch for a
--       bucket that has none, or a generation for a tag; 'tags' or 'plain'; then for each key: cell
-- Returns for each key what read.lua returns
local epoch = open(KEYS[1], KEYS[2], ARGV[4])
local tagged = ARGV[5] == 'tags'
local answers = {}
local k = 3
for i = 6, #ARGV do
  answers[#answers + 1] = look(KEYS[k], KEYS[k + 1], tagged and KEYS[k + 2] or nil, KEYS[1], epoch, ARGV[1],
      tonumber(ARGV[2]), ARGV[3], ARGV[i], ARGV[4])
  k = k + (tagged and 3 or 2)
end
return answers
