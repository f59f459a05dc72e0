-- Absolute values -> totals. One call is one chunk of one node; sending it again changes nothing.
--   KEYS  total of the chunk, what this node has reported of it
--   ARGV  seconds to live of the total, of the node's key, then field, absolute value, field, absolute value, ...
-- Returns 1 when the node's key was there before, 0 when it was new.
--
-- Redis does not undo what a script wrote before it failed. So everything that can fail (a key of another type, a value
-- that is no number) is read first, and the two keys are then written with one command each.
local total, node = KEYS[1], KEYS[2]
local fields = {}
for i = 3, #ARGV, 2 do
    fields[#fields + 1] = ARGV[i]
end
local reported = redis.call('HMGET', node, unpack(fields))
local sums = redis.call('HMGET', total, unpack(fields))
local raised, summed, known = {}, {}, false
for i, field in ipairs(fields) do
    local new, old, sum = tonumber(ARGV[2 * i + 2]), tonumber(reported[i] or '0'), tonumber(sums[i] or '0')
    if not (new and old and sum) then
        return redis.error_reply('ERR field ' .. field .. ' of ' .. total .. ' holds no count')
    end
    known = known or reported[i]
    if new > old then
        -- %.0f: a number of Lua is a double, and its own text form turns 1e14 and more into an exponent
        raised[#raised + 1] = field
        raised[#raised + 1] = string.format('%.0f', new)
        summed[#summed + 1] = field
        summed[#summed + 1] = string.format('%.0f', sum + (new - old))
    end
end
known = known and 1 or redis.call('EXISTS', node)
if #raised > 0 then
    redis.call('HSET', total, unpack(summed))
    redis.call('HSET', node, unpack(raised))
    redis.call('EXPIRE', total, ARGV[1])
    redis.call('EXPIRE', node, ARGV[2])
end
return known
