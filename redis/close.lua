-- Closes a chunk for good: keeps the totals, drops the nodes' parts, and lets nothing change it any more.
--   KEYS  the chunk
--   ARGV  the caller's clock, seconds since 1970
-- Returns 1 when the chunk is closed or does not exist, 0 when it is too early by either clock, the caller's or Redis' own.
--
-- Whatever can fail is read first, and a write that could be refused (no memory, no permission) is tried without effect while
-- the old hash is there. The hash is then made anew, because Redis never returns the memory of removed fields; its time to live
-- stays the same.
local key = KEYS[1]
local head = redis.call('HMGET', key, 'until', 'final')
local ends = tonumber(head[1] or 0)
if head[2] or not head[1] then
    return 1
end
if not ends or ends >= tonumber(ARGV[1]) or ends >= tonumber(redis.call('TIME')[1]) then
    return 0
end
local names = {}
for i = 1, 100 do
    names[i] = string.format('%02d', i - 1)
end
local totals, keep = redis.call('HMGET', key, unpack(names)), {'until', head[1], 'final', '1'}
for i = 1, 100 do
    if totals[i] then
        keep[#keep + 1] = names[i]
        keep[#keep + 1] = totals[i]
    end
end
local lives = redis.call('PTTL', key)
redis.call('HSET', key, 'until', head[1])
if lives > 0 then
    redis.call('PEXPIRE', key, lives)
end
redis.call('DEL', key)
redis.call('HSET', key, unpack(keep))
if lives > 0 then
    redis.call('PEXPIRE', key, lives)
end
return 1
