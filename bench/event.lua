-- What wrk sends: POST / as Tsung does, each stamped with the moment, in turn a quarter of a 10 ms window later.
-- All requests are made before the load starts; while it runs, a request is one table look-up, and one in 32 looks at
-- the clock.
--   arguments: seconds of load, "event" (body value=...), "fields" (three fields more), "webdis" (body: the Redis command) or "query"
--   (value=... in the target, no body)
local ffi = require("ffi")
ffi.cdef [[
typedef struct { long s; long ns; } bench_time;
int clock_gettime(int id, bench_time *time);
]]
local C, moment = ffi.C, ffi.new("bench_time")
local VARIANTS = 4
local requests, first, sent, base = {}, 0, 0, 0

local function now()
  C.clock_gettime(0, moment)
  return tonumber(moment.s) + tonumber(moment.ns) / 1e9
end

local function body(kind, window, variant)
  local second, part = math.floor(window / 100), window % 100
  if kind == "webdis" then
    return string.format("HINCRBY/bench:10ms:%s/%02d/1", os.date("!%Y-%m-%dT%H:%M:%S", second), part)
  end
  local event = string.format("value=%s.%02d%04d", os.date("!%Y-%m-%d %H:%M:%S", second), part, variant * 2500 + part)
  if kind == "fields" then -- 400 keys
    event = event .. string.format("&flight=AA%d&client=%d&seconds=%d", window % 20 + 10, (window + variant) % 80 + 10, part)
  end
  return event
end

function init(args)
  local seconds, kind = tonumber(args[1]), args[2]
  first = math.floor(now() * 100)
  for window = 0, (seconds + 4) * 100 do
    for variant = 0, VARIANTS - 1 do
      local text, target = body(kind, first + window, variant), "/"
      if kind == "query" then
        text, target = "", "/?" .. text:gsub(" ", "T")
      end
      requests[window * VARIANTS + variant] =
        "POST " .. target .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\nUser-Agent: tsung\r\n" ..
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " .. #text .. "\r\n\r\n" .. text
    end
  end
end

function request()
  if sent % 32 == 0 then
    base = math.floor(now() * 100 - first) * VARIANTS
  end
  sent = sent + 1
  return requests[base + sent % VARIANTS]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.6f, "p50_us": %.1f, "p99_us": %.1f, "p999_us": %.1f, "max_us": %.1f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    latency:percentile(99.9), latency.max,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
