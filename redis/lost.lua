-- Tells all nodes that this Redis has lost something: they read the number once a second, and send everything again when it has
-- changed.
--   KEYS  the number
--   ARGV  its value when the caller last read it: if it is another one now, somebody else has reported the loss
-- Returns its value now.
--
-- The new number is taken from Redis' clock. If numbers were counted up from 0 and the number itself was lost, it would reach
-- values again that a node has read before.
local now = redis.call('GET', KEYS[1]) or '0'
if now ~= ARGV[1] then
    return tonumber(now) or 0
end
local time, before = redis.call('TIME'), tonumber(now) or 0
local number = time[1] * 1000000 + time[2]
if number <= before then
    number = before + 1
end
redis.call('SET', KEYS[1], string.format('%.0f', number))
return number
