-- Who answers: what a client asks now and then, to know what its plain reads come from. A replica fails.
--
-- Returns {identity, this moment in milliseconds}
local time = redis.call('TIME')
return {server(), time[1] * 1000 + math.floor(time[2] / 1000)}
