-- What a node reports about itself, about once a second, for anybody who asks which nodes there are.
--   KEYS  a hash: node -> "<time of the report, milliseconds by this Redis' clock> <words>"
--   ARGV  the node; its words
-- Returns that time. The key lives for a day after the last report; a node that was silent for as long is removed when a new
-- one appears.
local day = 86400000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local is_new = redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], day)
if is_new == 1 then
    local all = redis.call('HGETALL', KEYS[1])
    for i = 1, #all, 2 do
        if (tonumber(string.match(all[i + 1], '^(%d+) ')) or 0) < now - day then
            redis.call('HDEL', KEYS[1], all[i])
        end
    end
end
return now
