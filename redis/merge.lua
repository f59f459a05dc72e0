-- Merges what one node has counted in one chunk into the chunk's totals. Values are absolute: sending a call again changes
-- nothing.
--   KEYS  the chunk, a hash: the totals ("07" -> 122), each node's part, "until", and "final" once it is closed; beside a
--         part that has passed to another owner, "o:<owner>:<node>": the part as the earlier owner left it
--   ARGV  field of the node's part; owner of the node's lease, a number; what the node takes its part's sum to be;
--         the windows: one byte W, then slot (1 byte) and value (W bytes) of each; until; seconds to live
-- A part is: one byte W, owner (4 bytes), sum of its values (7 bytes), then the value of each slot from 0 on (W bytes),
-- all little-endian. See part.h.
-- Returns the sum that the part had before this call (0: there was none), or
--   -1  the chunk is closed for good
--   -2  another owner has written this part, and its sum is not what the caller takes it to be
-- and then changes nothing.
--
-- Redis does not undo what a script wrote before it failed. So everything that can fail (a key of another type, a value
-- that is no number) comes first, and everything that belongs together is then written with one command.
local key, field, owner = KEYS[1], ARGV[1], tonumber(ARGV[2])
local call, format = redis.call, string.format
local head = call('HMGET', key, field, 'until', 'final')
if head[3] then
    return -1
end
local part, width, slots, written_by, had = {}, 1, 0, owner, 0
if head[1] then
    width = string.byte(head[1]) or 0
    slots = (#head[1] - 12) / width
    if width < 1 or width > 7 or slots < 1 or slots % 1 ~= 0 then
        return redis.error_reply('ERR field ' .. field .. ' of ' .. key .. ' holds no part of a node')
    end
    width, written_by, had = struct.unpack('<I1I4I7', head[1])
    part = {struct.unpack('<' .. string.rep('I' .. width, slots), head[1], 13)}
end
if written_by ~= owner and had ~= tonumber(ARGV[3]) then
    return -2
end

local write, at = {}, 0
if written_by ~= owner then
    -- If that owner is still alive, this tells it which of its counts passed on with the part, and which did not.
    write[1], write[2] = 'o:' .. written_by .. ':' .. string.sub(field, 3), head[1]
    at = 2
end
local wide = struct.unpack('<I1', ARGV[4])
local n = (#ARGV[4] - 1) / (wide + 1)
local new = {struct.unpack('<' .. string.rep('I1I' .. wide, n), ARGV[4], 2)}
-- The fields of the slots: for many slots a table of constants costs less than formatting each.
local two = n > 8 and {
    '00', '01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '11', '12', '13', '14', '15', '16', '17', '18', '19',
    '20', '21', '22', '23', '24', '25', '26', '27', '28', '29', '30', '31', '32', '33', '34', '35', '36', '37', '38', '39',
    '40', '41', '42', '43', '44', '45', '46', '47', '48', '49', '50', '51', '52', '53', '54', '55', '56', '57', '58', '59',
    '60', '61', '62', '63', '64', '65', '66', '67', '68', '69', '70', '71', '72', '73', '74', '75', '76', '77', '78', '79',
    '80', '81', '82', '83', '84', '85', '86', '87', '88', '89', '90', '91', '92', '93', '94', '95', '96', '97', '98', '99',
}
local names, more, changed, sum, most = {}, {}, 0, had, 0
for i = 1, 2 * n, 2 do
    local slot, value = new[i] + 1, new[i + 1]
    if slot > slots then
        for empty = slots + 1, slot do
            part[empty] = 0
        end
        slots = slot
    end
    local by = value - part[slot]
    if by > 0 then
        changed = changed + 1
        names[changed] = two and two[slot] or slot > 10 and tostring(slot - 1) or '0' .. slot - 1
        more[changed] = by
        sum = sum + by
        part[slot] = value
        if value > most then
            most = value
        end
    end
end
while most >= 256 ^ width do
    width = width + 1
end
if changed == 0 and written_by == owner then
    return had
end

if changed > 0 then
    local sums = call('HMGET', key, unpack(names))
    for i = 1, changed do
        local total = tonumber(sums[i] or 0)
        if not total then
            return redis.error_reply('ERR field ' .. names[i] .. ' of ' .. key .. ' holds no count')
        end
        -- Lua's numbers are doubles: Redis' text form of large ones, like Lua's, has an exponent, while %d is right
        -- for what fits 32 bits on every machine. Worth a line: it saves a seventh of the whole call.
        total = total + more[i]
        write[at + 1], write[at + 2] = names[i], format(total < 2147483648 and '%d' or '%.0f', total)
        at = at + 2
    end
end
write[at + 1] = field
write[at + 2] = struct.pack('<I1I4I7' .. string.rep('I' .. width, slots), width, owner, sum, unpack(part, 1, slots))
if tonumber(ARGV[5]) > tonumber(head[2] or 0) then
    write[at + 3], write[at + 4] = 'until', ARGV[5]
end
local lives, wanted = head[2] and call('TTL', key) or -2, tonumber(ARGV[6])
call('HSET', key, unpack(write))
-- Never shortened, because another node may need it for longer. A difference of a minute is not worth a write.
if lives == -2 or (lives >= 0 and lives < wanted - 60) then
    call('EXPIRE', key, wanted)
end
return had
