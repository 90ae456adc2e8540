-- The server's identity. It changes with a restart and with a promotion, at once. Fails on a replica, whose data are
-- another's and may lag behind: else a script that finds nothing to write would be carried out there.
local function server()
  local replication = redis.call('INFO', 'replication')
  if string.find(replication, 'role:slave', 1, true) then
    error('it is a replica, and may lag behind its master')
  end
  return string.match(replication, 'master_replid:(%x+)')
end
