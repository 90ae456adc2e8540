-- Says what the database's log tells of one bucket: transactions that have been committed, by whomever. They may
-- not be visible on the primary yet, so each is put in doubt as if it had announced itself a moment ago.
-- What its writer has announced itself is left as it is.
--
-- KEYS  state, stream, then for each key: value, lease, intent
-- ARGV  an epoch for a bucket that has none; channel; 'cache bucket' for the message; shard; position at or after
--       the commits; how many characters of writers a cell may hold;
--       then for each key: cell, hash, ids of the transactions with blanks between ('' where no doubt is kept)
-- Returns how many keys were dropped
local state, stream, shard, position = KEYS[1], KEYS[2], ARGV[4], ARGV[5]
local epoch = open(state, stream, ARGV[1])
local heard = hear(state, epoch, shard, position, ARGV[1])
epoch = heard or epoch
local hashes, tooMany = {}, false
local k = 3
for i = 7, #ARGV, 3 do
  local cell, writers = ARGV[i], {}
  -- Whoever was the last to announce this key, in this epoch, is in doubt or has been proven over since: what is
  -- stored or leased now shows it or will have to, and it has the right to put.
  local last = text(KEYS[k + 2])
  local lastEpoch, lastWriter = string.match(last, '^(%S+):%d+ (%S+)$')
  for xid in string.gmatch(ARGV[i + 2], '%S+') do
    local writer = shard .. '/' .. xid
    if not (lastEpoch == epoch and lastWriter == writer) then
      writers[#writers + 1] = writer
    end
  end
  -- Of an old primary (not heard) nothing is put in doubt: its id is another transaction's now.
  if heard == nil or #writers > 0 or ARGV[i + 2] == '' then
    redis.call('DEL', KEYS[k], KEYS[k + 1])
    -- The change came later than the last announcement, or nobody knows: what it would put may be old.
    -- guard: stream-intent
    redis.call('DEL', KEYS[k + 2])
    -- end
    hashes[#hashes + 1] = ARGV[i + 1]
  end
  -- guard: stream-doubt
  if heard and #writers > 0 then
    local doubt = redis.call('HGET', state, 'x' .. cell) or ''
    for w = 1, #writers do
      if not string.find(' ' .. doubt .. ' ', ' ' .. writers[w] .. ' ', 1, true) then
        doubt = doubt == '' and writers[w] or doubt .. ' ' .. writers[w]
      end
    end
    if #doubt > tonumber(ARGV[6]) then
      tooMany = true
      doubt = unfinished(doubt, shard, '18446744073709551616', ',,')
    end
    setDoubt(state, cell, doubt)
  end
  -- end
  if heard then
    raise(state, 'l' .. cell .. ':' .. shard, position)
  end
  k = k + 3
end
if tooMany then
  -- Nobody reads the cell, so that nobody proves them over. In a new epoch they need not be remembered: its
  -- horizon will be later than all of them.
  epoch = begin(state, ARGV[1])
  tell(state, stream, epoch, ARGV[2], ARGV[3], '*')
elseif #hashes > 0 then
  tell(state, stream, epoch, ARGV[2], ARGV[3], table.concat(hashes, ','))
end
return #hashes
