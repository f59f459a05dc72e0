-- Tells all nodes that this Redis has lost something: they read the number once a second, and send all again when it is
-- another one than before.
--   KEYS  the number
--   ARGV  what it was when the caller read it last: nobody else has told of the loss since
-- Returns what it is now.
--
-- The new number is made of Redis' clock: counted on from 0, one that was lost itself would come to what a node read before.
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
