-- The server's identity. It changes with a restart and with a promotion, at once.
local function server()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end
