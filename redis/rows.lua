-- Merges what one node has counted in some rows of one window of a report into the window's totals. Values are absolute: sending
-- a call again changes nothing.
--   KEYS  the window, a hash; then, if a row has a HyperLogLog or a score board, a temporary key and the keys of these, in the
--         order of the rows
--   ARGV  the node; owner of the node's lease, a number; what the node takes its part's sum to be; until; seconds to live;
--         the names of the components: a sign (see rows.h) and a name, US, the next; how many fields the rows have, the fields,
--         the rows' numbers, and bytes: see rows_pack.h
-- The hash has, beside the totals ("<key> US <component>" -> 38) and until:
--   names           as above, for the whole window; components are numbered by their place in it
--   keys, k:<i>     how many k:<i> there are; the keys of all rows, RS after each, about 4 KB in each of k:1, k:2, ...
--   nodes           the nodes that have a part, RS after each
--   n:<node>        owner and sum of the node's part: who wrote it last, and the events of all its rows
--   n:<node> RS <key>                  a row of its part: W (1 byte), events (7), then for each component of the signs + and ~
--                                      its number (2) and its value (W); little-endian
--   b:<node> RS <key> US <component>   a node's bytes of a component of the sign =: events (7), bytes
--   final           closed: nothing changes any more; 2: no parts (n:)
-- A component of the sign = called top(...) has a score board beside it, a sorted set: the score of a value is the least number of
-- times that it occurred according to all nodes' bytes (top_entry.h). So a score changes with these bytes, here, by the
-- difference. The board is made anew from all bytes when it is missing, or is left over from a window that is gone.
-- RS is 0x1e; no key contains it, so a field with RS belongs to a part, and one without RS but with US is a total.
-- Returns the sum that the node's part had before this call (0: there was none, or a HyperLogLog was gone) and the sum that it
-- has now, or
--   -1  the window is closed for good
--   -2  another owner has written this part, and its sum is not what the caller takes it to be
-- and then changes nothing.
--
-- Redis does not undo what a script wrote before it failed. So everything that can fail (a key of another type, a value that
-- is no number) comes first. HyperLogLogs only grow, so they may stay merged when a later one fails.
local key, node, owner = KEYS[1], ARGV[1], tonumber(ARGV[2])
local call, format, sub, pack, unpack_bytes = redis.call, string.format, string.sub, struct.pack, struct.unpack
local to_number, US, RS = tonumber, '\31', '\30'
local part_field = 'n:' .. node

local head = call('HMGET', key, 'final', 'until', 'names', 'keys', 'nodes', part_field)
if head[1] then
    return -1
end
local had, written_by = 0, owner
if head[6] then
    local by, sum = string.match(head[6], '^(%d+) (%d+)$')
    if not by then
        return redis.error_reply('ERR field ' .. part_field .. ' of ' .. key .. ' holds no sum of a part')
    end
    had, written_by = tonumber(sum), tonumber(by)
end
if written_by ~= owner and had ~= tonumber(ARGV[3]) then
    return -2
end

local write, at = {}, 0
local function set(field, value)
    write[at + 1], write[at + 2] = field, value
    at = at + 2
end

-- Redis itself formats a number with 17 digits, exactly and faster than format('%.0f'); but 7.2.0 to 7.2.4 write one with eight
-- zeros at its end as 1e+8.
local function as_text(total)
    return total < 9007199254740992 and total % 100000000 ~= 0 and total or format('%.0f', total)
end

-- The call's components: their names, signs and numbers in the window.
local names, signs, number = {}, {}, {}
local window_names = head[3] or ''
do
    local known, n = {}, 0
    for name in string.gmatch(window_names, '[^\31]+') do
        known[sub(name, 2)], n = {n, sub(name, 1, 1)}, n + 1
    end
    local before, i = n, 0
    for name in string.gmatch(ARGV[6], '[^\31]+') do
        local plain, sign = sub(name, 2), sub(name, 1, 1)
        if not known[plain] then
            known[plain], n = {n, sign}, n + 1
            window_names = window_names .. name .. US
        elseif known[plain][2] ~= sign then
            return redis.error_reply('ERR component ' .. plain .. ' of ' .. key .. ' is there by another rule')
        end
        names[i], signs[i], number[i] = plain, sign, known[plain][1]
        i = i + 1
    end
    if n ~= before then
        set('names', window_names)
    end
end

-- Adds each value's count according to a node's bytes, times factor, to sums.
local byte = string.byte
local function add_board(sums, bytes, factor)
    local at, last = 8, #bytes
    local function number()
        local piece, unit = byte(bytes, at), 128
        local value = piece % 128
        at = at + 1
        while piece > 127 do
            piece = byte(bytes, at)
            value, unit, at = value + piece % 128 * unit, unit * 128, at + 1
        end
        return value
    end
    while at <= last do
        local one, two, three, four = byte(bytes, at, at + 3)
        local least, len
        if one < 128 and two < 128 then -- most are small, and one check is faster than three
            least, len, at = one - two, three, at + 3
        elseif two < 128 and three < 128 then
            least, len, at = one - 128 + two * 128 - three, four, at + 4
        else
            least = number() - number()
            len, at = byte(bytes, at), at + 1
        end
        local name = sub(bytes, at, at + len - 1)
        at = at + len
        sums[name] = (sums[name] or 0) + factor * least
    end
end

-- struct reads and writes numbers and strings, and one call of it costs as much as everything else that is done with a value: so
-- many are read and written at once. Lua's stack has room for PIECE values.
local PIECE = 2000
local function read_all(item, n, bytes)
    if n <= PIECE then
        return {unpack_bytes('<' .. string.rep(item, n), bytes)}
    end
    local all, from = {}, 1
    for done = 0, n - 1, PIECE do
        local some = {unpack_bytes('<' .. string.rep(item, math.min(n - done, PIECE)), bytes, from)}
        from = table.remove(some)
        for i = 1, #some do
            all[#all + 1] = some[i]
        end
    end
    return all
end

-- A row of a part as a list: width, events, number, value, number, value, ... Usually its format is that of the row before.
local made, made_width, made_n = nil, nil, nil
local function format_of(width, n)
    if made_n ~= n or made_width ~= width then
        made, made_width, made_n = '<I1I7' .. string.rep('I2I' .. width, n), width, n
    end
    return made
end

local function read_part(width, n, bytes)
    if 2 * n <= PIECE then
        return {unpack_bytes(format_of(width, n), bytes)}
    end
    local list, all = read_all('I2I' .. width, n, sub(bytes, 9)), {unpack_bytes('<I1I7', bytes)}
    for i = 1, 2 * n do
        all[2 + i] = list[i]
    end
    return all
end

local function write_part(part, last)
    local width = part[1]
    if last <= PIECE then
        return pack(format_of(width, (last - 2) / 2), unpack(part, 1, last))
    end
    local all = {pack('<I1I7', width, part[2])}
    for from = 3, last, PIECE do
        local to = math.min(from + PIECE - 1, last)
        all[#all + 1] = pack('<' .. string.rep('I2I' .. width, (to - from + 1) / 2), unpack(part, from, to))
    end
    return table.concat(all)
end

-- The fields of the rows (for each row its part, then its components), their values, and the rows' numbers.
local asking = tonumber(ARGV[7])
local asked, numbers = read_all('I2c0', asking, ARGV[8]), read_all('i7', #ARGV[9] / 7, ARGV[9])
local there = {}
if asking <= 2000 then
    there = asking > 0 and call('HMGET', key, unpack(asked, 1, asking)) or there
else
    for from = 1, asking, 2000 do
        local some = call('HMGET', key, unpack(asked, from, math.min(from + 1999, asking)))
        for i = 1, #some do
            there[from + i - 1] = some[i]
        end
    end
end
local part_row = part_field .. RS
local key_at = #part_row + 1 -- in the name of a row's part

-- Where a part has each component, if they are not in the order of the call, as they usually are.
local function find_places(part, last)
    local places = {}
    for i = 3, last, 2 do
        places[part[i]] = i + 1
    end
    return places
end

local LIMITS = {256, 65536, 16777216, 4294967296, 1099511627776, 281474976710656, 72057594037927936} -- 256 ^ width
local sum, lost, new_keys, hll, joined, boards = had, false, {}, 2, {}, {}
local first, row_at, bytes_at = 1, 1, 1
-- The components of a row, usually those of the row before: their numbers in the call and in the window, and whether all of them
-- add up.
local shape, places_of, components, all_add = {}, {}, 0, true
while first <= asking do
    local events, n_or_same = numbers[row_at], numbers[row_at + 1]
    row_at = row_at + 1 -- its values follow
    if n_or_same >= 0 then
        components, all_add = n_or_same, true
        for i = 1, components do
            local c = numbers[row_at + i]
            shape[i], places_of[i] = c, number[c]
            all_add = all_add and signs[c] == '+'
        end
        row_at = row_at + components
    end
    local old, part, last, places, guess = there[first], nil, 2, nil, 2
    local width, events_before = 1, 0
    if old then
        width = byte(old) or 0
        local n = (#old - 8) / (width + 2)
        if width < 1 or width > 7 or n < 0 or n % 1 ~= 0 then
            return redis.error_reply('ERR a row of the part of node ' .. node .. ' in ' .. key .. ' holds no values')
        end
        if n == made_n and width == made_width then
            part = {unpack_bytes(made, old)}
        else
            part = read_part(width, n, old)
        end
        events_before, last = part[2], 2 + 2 * n
    else
        part = {1, 0}
    end
    local limit = LIMITS[width]
    local newer, changed, known, row_boards = events > events_before, false, false, nil
    -- Fast path for a row whose part has exactly these components in this order, as most have.
    local usual = 0
    if all_add and last == 2 + 2 * components then
        for i = 1, components do
            local place, value, total = 2 + 2 * i, numbers[row_at + i], there[first + i]
            total = total and to_number(total)
            if not total or total % 1 ~= 0 or part[place - 1] ~= places_of[i] then
                break
            end
            local before = part[place]
            if value > before then
                total = total + (value - before)
                part[place], changed = value, true
                while value >= limit do
                    width, limit = width + 1, limit * 256
                end
                at = at + 2
                write[at - 1], write[at] = asked[first + i], as_text(total)
            end
            usual, known, guess = i, true, place
        end
    end
    for i = usual + 1, components do
        local c, value, total = shape[i], numbers[row_at + i], there[first + i]
        local sign = signs[c]
        if total and sign ~= '=' then
            known = true
            total = to_number(total)
            if not total or total % 1 ~= 0 then
                return redis.error_reply('ERR field ' .. asked[first + i] .. ' of ' .. key .. ' holds no number')
            end
        end
        if sign == '+' or sign == '~' then
            local place, wanted = guess + 2, places_of[i]
            if place > last or part[place - 1] ~= wanted then
                places = places or find_places(part, last)
                place = places[wanted]
            end
            guess = place or guess
            local before = place and part[place] or 0
            local grows = value > before
            if sign == '~' then
                grows = newer and value ~= before
            end
            if grows or (not place and value >= 0 and (sign == '+' or newer)) then
                total = (total or 0) + (value - before) -- so that no step exceeds 2^53, beyond which numbers have gaps
                if sign == '~' then
                    total = total % 4294967296
                end
                if not place then
                    last = last + 2
                    place = last
                    part[place - 1], places[wanted] = wanted, place
                end
                part[place], changed = value, true
                while value >= limit do
                    width, limit = width + 1, limit * 256
                end
                at = at + 2
                write[at - 1], write[at] = asked[first + i], as_text(total)
            end
        elseif sign == '<' or sign == '>' then
            if not total or (sign == '<' and value < total) or (sign == '>' and value > total) then
                set(asked[first + i], format('%.0f', value))
            end
        else
            local bytes = sub(ARGV[10], bytes_at, bytes_at + value - 1)
            bytes_at = bytes_at + value
            if sign == '#' then
                hll = hll + 1
                joined[#joined + 1] = {KEYS[hll], bytes, total}
                if not total then
                    set(asked[first + i], '1')
                end
            else
                local newest
                if not total or events > unpack_bytes('<I7', total) then
                    newest = pack('<I7', events) .. bytes
                    set(asked[first + i], newest)
                end
                if sub(names[c], 1, 4) == 'top(' then
                    hll = hll + 1
                    row_boards = row_boards or {}
                    row_boards[#row_boards + 1] = {KEYS[hll], US .. names[c], total, newest}
                end
                changed = changed or newer
            end
        end
    end
    if not known and components > 0 then
        new_keys[#new_keys + 1] = sub(asked[first], key_at)
    end
    for _, board in ipairs(row_boards or {}) do
        local there_are, more, less, sums = call('ZCARD', board[1]) > 0, {board[4]}, nil, {}
        local anew = not (known and there_are)
        if anew then
            more[1] = board[4] or board[3]
            for other in string.gmatch(known and head[5] or '', '[^\30]+') do
                more[#more + 1] = other ~= node and call('HGET', key, 'b:' .. other .. RS .. sub(asked[first], key_at) .. board[2]) or nil
            end
        else
            less = board[4] and board[3]
        end
        local well = pcall(add_board, sums, less or '', -1)
        for _, bytes in ipairs(more) do
            well = well and pcall(add_board, sums, bytes, 1)
        end
        if not well then
            return redis.error_reply('ERR bytes of ' .. sub(board[2], 2) .. ' of ' .. key .. ' are no entries of a top')
        end
        boards[#boards + 1] = {board[1], sums, anew and there_are}
    end
    if newer then
        sum = sum + events - events_before
    end
    if changed or newer then
        part[1], part[2] = width, newer and events or events_before
        at = at + 2
        if made_width == width and 2 * made_n + 2 == last then
            write[at - 1], write[at] = asked[first], pack(made, unpack(part, 1, last))
        else
            write[at - 1], write[at] = asked[first], write_part(part, last)
        end
    end
    first, row_at = first + components + 1, row_at + components + 1
end

if #new_keys > 0 then
    local pieces = tonumber(head[4] or 0)
    local last = pieces > 0 and call('HGET', key, 'k:' .. pieces) or nil
    for _, row_key in ipairs(new_keys) do
        if not last or #last > 4096 then
            if last then
                set('k:' .. pieces, last)
            end
            pieces, last = pieces + 1, ''
        end
        last = last .. row_key .. RS
    end
    set('k:' .. pieces, last)
    set('keys', format('%d', pieces))
end
if not head[6] then
    set('nodes', (head[5] or '') .. node .. RS)
end
if sum ~= had or written_by ~= owner or not head[6] then
    set(part_field, format('%.0f %.0f', owner, sum))
end
local wanted = tonumber(ARGV[5])
if tonumber(ARGV[4]) > tonumber(head[2] or 0) then
    set('until', ARGV[4])
end

-- From here on it writes. Never shortened, because another node may need it for longer; a minute is not worth a write.
local function live(what)
    local lives = call('TTL', what)
    if lives == -1 or (lives >= 0 and lives < wanted - 60) then
        call('EXPIRE', what, wanted)
    end
end
for _, join in ipairs(joined) do
    local is_there = call('EXISTS', join[1]) == 1
    lost = lost or (join[3] and not is_there)
    call('SET', KEYS[2], join[2])
    local answer = redis.pcall('PFMERGE', join[1], KEYS[2])
    call('DEL', KEYS[2])
    if answer.err then
        return answer
    end
    live(join[1])
end
for _, board in ipairs(boards) do
    if board[3] then
        call('DEL', board[1])
    end
    for name, more in pairs(board[2]) do
        if more ~= 0 and tonumber(call('ZINCRBY', board[1], format('%.0f', more), name)) <= 0 then
            call('ZREM', board[1], name)
        end
    end
    live(board[1])
end
if at > 0 then
    local lives = head[2] and call('TTL', key) or -2
    for from = 1, at, 2000 do
        call('HSET', key, unpack(write, from, math.min(from + 1999, at)))
    end
    if lives == -2 or (lives >= 0 and lives < wanted - 60) then
        call('EXPIRE', key, wanted)
    end
end
return {lost and 0 or had, sum}
