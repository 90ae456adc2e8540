-- Who answers: what a client asks now and then, to know what its plain reads come from.
--
-- Returns {role, identity, this moment in milliseconds}
local role = string.match(redis.call('INFO', 'replication'), 'role:(%a+)')
local time = redis.call('TIME')
return {role, server(), time[1] * 1000 + math.floor(time[2] / 1000)}
