-- The lease of a node's name, whose owner may write the node's parts.
--   KEYS  the lease: "<number of renewals> <owner>[ <number of an owner whose parts it has read back>]...", or "released"
--   ARGV  owner; milliseconds that the lease lasts; 'take', 'wait' or 'release'; the value that the caller has read there for
--         longer than a lease lasts, which means that its owner is dead even if the lease never expires because this Redis'
--         clock was set back; what to store after the owner
-- Returns 1 when the caller had it already; 0 when it was free, or its owner dead; the present value when another owner has it;
-- empty when a waiting caller found none.
--
-- With 'wait' the caller does not take a lease that is simply missing: this Redis may have lost it, and its owner, who does not
-- know more than that, will renew it in a moment. It takes one that was released, or whose owner is dead.
local held = redis.call('GET', KEYS[1])
local beat, owner = string.match(held or '', '^(%d+) (%S+)')
if owner and owner ~= ARGV[1] and held ~= ARGV[4] then
    return held
end
if ARGV[3] == 'wait' and not held then
    return ''
end
local lease = 'released'
if ARGV[3] ~= 'release' then
    lease = string.format('%.0f', (beat or 0) + 1) .. ' ' .. ARGV[1] .. ARGV[5]
end
redis.call('SET', KEYS[1], lease, 'PX', ARGV[2])
return owner == ARGV[1] and 1 or 0
