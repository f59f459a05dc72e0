-- The lease of a node's name: who may write the node's parts.
--   KEYS  the lease: "<number of renewals> <owner>"
--   ARGV  owner; milliseconds that the lease is to last, 0 to give it back; what the caller has read there for longer than a
--         lease lasts: its owner is dead, even if this Redis' clock was set back and the lease does not run out
-- Returns 1 when the caller had it already, 0 when it was free, else what the other one wrote there.
local held = redis.call('GET', KEYS[1])
local beat, owner = string.match(held or '', '^(%d+) (.*)$')
if held and owner ~= ARGV[1] and held ~= ARGV[3] then
    return held
end
if ARGV[2] == '0' then
    redis.call('DEL', KEYS[1])
else
    redis.call('SET', KEYS[1], string.format('%.0f', (beat or 0) + 1) .. ' ' .. ARGV[1], 'PX', ARGV[2])
end
return owner == ARGV[1] and 1 or 0
