-- Absolute values -> totals. One call is one chunk of one node; sending it again changes nothing.
--   KEYS  total of the chunk, what this node has reported of it
--   ARGV  seconds to live of the total, of the node's key, then field, absolute value, field, absolute value, ...
-- Returns 1 when the node's key was there before, 0 when it was new.
local total, node = KEYS[1], KEYS[2]
local fields = {}
for i = 3, #ARGV, 2 do
    fields[#fields + 1] = ARGV[i]
end
local known = redis.call('EXISTS', node)
local reported = redis.call('HMGET', node, unpack(fields))
local raised = {}
for i, field in ipairs(fields) do
    local new = tonumber(ARGV[2 * i + 2])
    local grown = new - (tonumber(reported[i]) or 0)
    if grown > 0 then
        -- %.0f: a number of Lua is a double, and its own text form turns 1e14 and more into an exponent
        redis.call('HINCRBY', total, field, string.format('%.0f', grown))
        raised[#raised + 1] = field
        raised[#raised + 1] = string.format('%.0f', new)
    end
end
if #raised > 0 then
    redis.call('HSET', node, unpack(raised))
    redis.call('EXPIRE', total, ARGV[1])
    redis.call('EXPIRE', node, ARGV[2])
end
return known
