-- Notes and tells up to which hour chunks are closed.
--   KEYS  the note: chunks of this hour (since 1970) and later are not closed yet
--   ARGV  the hour to note; empty: none
-- Returns the note, empty when there is none, and this Redis' clock: seconds, microseconds.
if ARGV[1] ~= '' then
    redis.call('SET', KEYS[1], ARGV[1])
end
local time = redis.call('TIME')
return {redis.call('GET', KEYS[1]) or '', time[1], time[2]}
