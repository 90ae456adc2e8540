-- What all scripts begin with. State of one bucket, all of it in one hash so that it is lost as a whole:
--   server     whose data this is; another server, or the same one after a restart, has another id
--   epoch      whatever carries another one is unreadable; also names this state when it is recovered
--   seq        counts invalidations
--   x<cell>    writers in doubt: 'shard/xid shard/xid'
--   l<cell>:<shard>  floor: 'system timeline lsn', at or after the last commit known
--   H:<shard>  'epoch xid': horizon; nobody knows which writers with smaller ids were forgotten
--   L:<shard>  'epoch system timeline lsn': at or after every commit before the horizon
--   w:<shard>  'epoch moment system timeline lsn': all that was acknowledged before the moment has been told, and
--              all before the position
--   T:<shard>  'system timeline': the latest timeline heard of
-- Beside it stands 'server epoch' once more, in a key of its own, for readers who take it and a value in one
-- plain command. It is written with the state and never without it.
--
-- A line '-- guard: name' and the next '-- end' enclose what a test may cut out to see that it is missed.

-- Unsigned 64-bit numbers are decimal text: a Lua number holds 53 bits.
local function less(a, b)
  if #a ~= #b then
    return #a < #b
  end
  return a < b
end

-- The text that a key holds; '' for none, and for a key of another type.
local function text(key)
  local found = redis.pcall('GET', key)
  return type(found) == 'string' and found or ''
end

-- Whether a position is known to be at or after a floor.
local function covers(position, floor)
  local system, timeline, lsn = string.match(position, '^(%d+) (%d+) (%d+)$')
  local floorSystem, floorTimeline, floorLsn = string.match(floor, '^(%d+) (%d+) (%d+)$')
  return system == floorSystem and timeline == floorTimeline and not less(lsn, floorLsn)
end

local function raise(state, field, position)
  local old = redis.call('HGET', state, field)
  if old then
    local system, timeline, lsn = string.match(position, '^(%d+) (%d+) (%d+)$')
    local oldSystem, oldTimeline, oldLsn = string.match(old, '^(%d+) (%d+) (%d+)$')
    -- They arrive in another order than the commits: the greatest stays. Another system replaces it.
    if system == oldSystem and (less(timeline, oldTimeline)
        or (timeline == oldTimeline and not less(oldLsn, lsn))) then
      return
    end
  end
  redis.call('HSET', state, field, position)
end

-- Whether a snapshot 'xmin:xmax:xip,xip' proves a transaction to be over.
local function finished(xid, xmax, running)
  return less(xid, xmax) and not string.find(running, ',' .. xid .. ',', 1, true)
end

-- A snapshot in parts, the running ones with commas around each.
local function parts(snapshot)
  local xmin, xmax, running = string.match(snapshot, '^(%d+):(%d+):(.*)$')
  return xmin, xmax, ',' .. running .. ','
end

-- The writers of a cell that are not (yet) proven to be over.
local function unfinished(doubt, shard, xmax, running)
  local left = {}
  for of, xid in string.gmatch(doubt, '([^/ ]+)/(%d+)') do
    if of ~= shard or not finished(xid, xmax, running) then
      left[#left + 1] = of .. '/' .. xid
    end
  end
  return table.concat(left, ' ')
end

local function setDoubt(state, cell, doubt)
  if doubt == '' then
    redis.call('HDEL', state, 'x' .. cell)
  else
    redis.call('HSET', state, 'x' .. cell, doubt)
  end
end

-- What follows the epoch in a field, if it is of this epoch.
local function of(epoch, field)
  if field and string.sub(field, 1, #epoch + 1) == epoch .. ' ' then
    return string.sub(field, #epoch + 2)
  end
  return nil
end

-- The key for plain readers. Not declared: it lies in the state's slot.
local function plain(state)
  return (string.gsub(state, ':state$', ':epoch'))
end

-- Begins a new epoch of a state that is this server's. Its name is made here, with the time, so that a command
-- which is carried out twice cannot bring an old one back.
local function begin(state, fresh)
  local time = redis.call('TIME')
  local epoch = fresh .. '-' .. time[1] .. string.format('%06d', time[2])
  redis.call('HSET', state, 'epoch', epoch)
  redis.call('SET', plain(state), redis.call('HGET', state, 'server') .. ' ' .. epoch)
  return epoch
end

-- Opens a bucket: its epoch and seq. Where the state was lost, or is another server's and may lack what that
-- one had promised, a new epoch begins, in which nothing is kept until BARRIER has told the horizon.
local function open(state, stream, fresh)
  -- pcall: a key of another type is somebody's mistake, and no reason to fail for ever: it counts as lost.
  local known = redis.pcall('HMGET', state, 'server', 'epoch', 'seq')
  if known.err then
    redis.call('DEL', state)
    known = {}
  end
  local me = server()
  if known[2] then
    local mine = true
    -- guard: incarnation
    mine = known[1] == me
    -- end
    if mine then
      if redis.call('EXISTS', plain(state)) == 0 then
        -- Evicted, where no policy spares it.
        redis.call('SET', plain(state), known[1] .. ' ' .. known[2])
      end
      return known[2], known[3]
    end
  end
  local seq = known[3] or '0'
  if not known[3] then
    redis.call('DEL', stream)
  end
  redis.call('HSET', state, 'server', me, 'seq', seq)
  return begin(state, fresh), seq
end

-- Hears from a primary, which tells by a position what timeline it is on ('' if it does not). After a promotion
-- the new primary gives out transaction ids that the old one has given out, too: what an old primary says proves
-- nothing about the writers of the new one, and with the first word of the new one all is forgotten that rests on
-- the old one. Returns the epoch from then on, or nil if the word is an old primary's.
local function hear(state, epoch, shard, position, fresh)
  local system, timeline = string.match(position, '^(%d+) (%d+) ')
  if not system then
    return epoch
  end
  -- guard: timeline
  local known = redis.call('HGET', state, 'T:' .. shard)
  if known == system .. ' ' .. timeline then
    return epoch
  end
  local knownSystem, knownTimeline = string.match(known or '', '^(%d+) (%d+)$')
  if knownSystem == system and less(timeline, knownTimeline) then
    return nil
  end
  redis.call('HSET', state, 'T:' .. shard, system .. ' ' .. timeline)
  if known then
    local fields = redis.call('HGETALL', state)
    for i = 1, #fields, 2 do
      local cell = string.match(fields[i], '^x(%d+)$')
      if cell then
        local left = {}
        for writer in string.gmatch(fields[i + 1], '%S+') do
          if string.sub(writer, 1, #shard + 1) ~= shard .. '/' then
            left[#left + 1] = writer
          end
        end
        setDoubt(state, cell, table.concat(left, ' '))
      end
    end
    return begin(state, fresh)
  end
  -- end
  return epoch
end

-- When a value is over, by this server's clock in milliseconds.
local function ending(millis)
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(millis))
end

-- Tells everyone that keys of the bucket have changed.
local function tell(state, stream, epoch, channel, about, hashes)
  local seq = string.format('%.0f', redis.call('HINCRBY', state, 'seq', 1))
  if type(redis.pcall('XADD', stream, 'MAXLEN', '~', 1000, seq .. '-0', 'h', hashes)) == 'table' then
    -- Not a stream. Who asks what was missed finds too little there, and forgets all of the bucket.
    redis.call('DEL', stream)
    redis.call('XADD', stream, 'MAXLEN', '~', 1000, seq .. '-0', 'h', hashes)
  end
  redis.call('PUBLISH', channel, about .. ' ' .. epoch .. ' ' .. seq .. ' ' .. hashes)
  return seq
end

-- What all values of a tag have in common at this moment; '-' for a key without a tag. It is lost when
-- something that carries the tag changes, or when Redis evicts it: then whatever carries the old one is gone.
local function generation(tag, fresh, millis)
  if not tag then
    return '-'
  end
  local known = redis.pcall('GET', tag)
  if type(known) == 'string' then
    return known
  end
  -- With the time, as an epoch: a command that is carried out twice must not bring an old one back.
  local time = redis.call('TIME')
  local born = fresh .. '-' .. time[1] .. string.format('%06d', time[2])
  redis.call('SET', tag, born, 'PX', millis)
  return born
end

-- One key: its value, or the right to fill it. See read.lua for what is returned.
local function look(value, lease, tag, state, epoch, token, millis, asking, cell, fresh)
  local born = generation(tag, fresh, 2 * millis)
  if asking ~= 'refresh' then
    -- pcall: a key of another type, written by somebody else, is a miss and not an error.
    local stored = redis.pcall('GET', value)
    if type(stored) == 'string' then
      local hit = true
      -- guard: epoch
      hit = string.sub(stored, 1, #epoch + 1) == epoch .. ' '
      -- end
      local current = true
      -- guard: tag
      current = not tag or string.match(stored, '^%S+ %S+ %S+ (%S+) %d+\n') == born
      -- end
      if hit and current then
        local age = -1
        if asking == 'aged' then
          local told = of(epoch, redis.call('HGET', state, 'w:' .. string.match(stored, '^%S+ (%S+) ')))
          if told then
            local time = redis.call('TIME')
            age = time[1] * 1000000 + time[2] - tonumber(string.match(told, '^%d+'))
          end
        end
        return {1, stored, redis.call('PTTL', value), age}
      end
    end
  end

  if tag and redis.call('PTTL', tag) < millis then
    -- It must not run out during the load.
    redis.call('PEXPIRE', tag, 2 * millis)
  end
  -- The lease remembers who was in doubt when it was given: another fill may prove them over for the cell, but
  -- the load of this lease may have begun before.
  local doubt = redis.call('HGET', state, 'x' .. cell) or ''
  local given = epoch .. ' ' .. token .. ' ' .. born .. ' ' .. doubt
  if redis.call('SET', lease, given, 'NX', 'PX', millis) then
    return {doubt == '' and 2 or 4}
  end
  -- One of another epoch fills nothing any more: nobody need wait for it to run out.
  local held = redis.pcall('GET', lease)
  if type(held) ~= 'string' or string.sub(held, 1, #epoch + 1) ~= epoch .. ' ' then
    redis.call('SET', lease, given, 'PX', millis)
    return {doubt == '' and 2 or 4}
  end
  return {doubt == '' and 3 or 5}
end
