-- Closes a window of a report for good, in several calls: keeps the totals and the nodes' bytes of "=" components (see
-- rows.lua), drops the nodes' parts, and lets nothing change it any more.
--   KEYS  the window
--   ARGV  the caller's clock, seconds since 1970; how far closing has come: 0, then what was returned
-- Returns how far closing has come; 0 when it is complete, or the window does not exist; -1 when it is too early by either clock,
-- the caller's or Redis' own.
--
-- A window may have a million fields, so each call removes some. The first call makes it final ("1"; "2" once the parts are
-- gone): if a later call never comes, parts are left behind, which costs memory and nothing else.
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
    -- A total's field may begin like that, too, but has US and no RS.
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
