-- Closes a window of a report for good, in several calls: the totals stay, and what nodes gave of "=" (see rows.lua); the nodes'
-- parts go, and nothing changes it any more.
--   KEYS  the window
--   ARGV  the caller's clock, seconds since 1970; how far it is done: 0, then what was returned
-- Returns how far it is done now; 0 when all is, or the window is not there; -1 when it is not yet time by both clocks, the
-- caller's and Redis' own.
--
-- A window may have a million fields, so each call removes some. It is final with the first of them ("1"; "2" when the parts are
-- gone): a call that never comes leaves parts behind, which cost memory and nothing else.
local key, cursor = KEYS[1], ARGV[2]
local head = redis.call('HMGET', key, 'until', 'final')
local ends = tonumber(head[1] or 0)
if not head[1] or head[2] == '2' then
    return 0
end
if not head[2] then
    if not ends or ends >= tonumber(ARGV[1]) or ends >= tonumber(redis.call('TIME')[1]) then
        return -1
    end
    redis.call('HSET', key, 'final', '1')
end
local answer = redis.call('HSCAN', key, cursor, 'COUNT', 1000)
local gone, n = {}, 0
for i = 1, #answer[2], 2 do
    local field = answer[2][i]
    -- A total may begin like that, too, and then has US and no RS.
    if string.sub(field, 1, 2) == 'n:' and (string.find(field, '\30', 1, true) or not string.find(field, '\31', 1, true)) then
        n = n + 1
        gone[n] = field
    end
end
for from = 1, n, 2000 do
    redis.call('HDEL', key, unpack(gone, from, math.min(from + 1999, n)))
end
if answer[1] == '0' then
    redis.call('HSET', key, 'final', '2')
end
return tonumber(answer[1])
