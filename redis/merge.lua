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
    fields[(i - 1) / 2] = ARGV[i]
end
local reported = redis.call('HMGET', node, unpack(fields))
local sums = redis.call('HMGET', total, unpack(fields))
local raised, summed, known, n = {}, {}, false, 0
for i = 1, #fields do
    local field, text = fields[i], ARGV[2 * i + 2]
    local new, old, sum = tonumber(text), tonumber(reported[i] or 0), tonumber(sums[i] or 0)
    if not (new and old and sum) then
        return redis.error_reply('ERR field ' .. field .. ' of ' .. total .. ' holds no count')
    end
    known = known or reported[i]
    if new > old then
        -- What the node says goes on as the text it came in. The sum is made here: %.0f, since a number of Lua is a
        -- double, and its own text form turns large ones into an exponent.
        raised[n + 1] = field
        raised[n + 2] = text
        summed[n + 1] = field
        summed[n + 2] = string.format('%.0f', sum + (new - old))
        n = n + 2
    end
end
known = known and 1 or redis.call('EXISTS', node)
if n > 0 then
    redis.call('HSET', total, unpack(summed))
    redis.call('HSET', node, unpack(raised))
    redis.call('EXPIRE', total, ARGV[1])
    redis.call('EXPIRE', node, ARGV[2])
end
return known
