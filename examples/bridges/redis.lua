-- A batch of `aforo log cat --number` (ARGV[1]) -> streams, one for each node and shard: {KEYS[1]}:NODE:SHARD. A record's id is
-- its sequence, so that one which is there already, or was and is trimmed, is passed over. docs/eventlog.md says how it is run.
local last, added = {}, 0
for line in string.gmatch(ARGV[1], "[^\n]+") do
    local node, shard, sequence = string.match(line, '^{"node":"([^"]*)","shard":(%d+),"sequence":(%d+),')
    if not sequence then
        return redis.error_reply("no record of aforo log cat --number: " .. string.sub(line, 1, 80))
    end
    local stream = "{" .. KEYS[1] .. "}:" .. node .. ":" .. shard
    if not last[stream] then
        last[stream] = 0
        local info = redis.pcall("XINFO", "STREAM", stream)
        for i = 1, info.err and 0 or #info, 2 do
            if info[i] == "last-generated-id" then
                last[stream] = tonumber(string.match(info[i + 1], "^%d+"))
            end
        end
    end
    if tonumber(sequence) > last[stream] then
        redis.call("XADD", stream, sequence .. "-0", "record", line)
        last[stream] = tonumber(sequence)
        added = added + 1
    end
end
return added
