-- The lease of a node's name: who may write the node's parts.
--   KEYS  the lease: "<number of renewals> <owner>[ <number of an owner whose parts it has read back>]...", or "released"
--   ARGV  owner; milliseconds that the lease is to last; 'take', 'wait' or 'release'; what the caller has read there for
--         longer than a lease lasts: its owner is dead, even if this Redis' clock was set back and the lease does not run out;
--         what is to stand behind the owner
-- Returns 1 when the caller had it already, 0 when it was free, else what the other one wrote there.
--
-- Who waits does not take a lease that is gone without a word: this Redis may have lost it, and its owner, who knows no more
-- than that, renews it in a moment. He takes it when it was released, or says that it is dead.
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
