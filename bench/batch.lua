-- What wrk sends to POST /events: bodies of LINES lines, made before the load starts.
--   arguments: seconds of load, lines, "order" (one after the other within a second), "scattered" (over a minute), or a layout
--   of lines in order: "none", "three", "nine" (digits after the second), "offset", "epoch" (microseconds)
local BODIES = 4
local requests, sent = {}, 0

local function line(kind, newest, n, lines)
  local us = math.floor(n * 1e6 / lines)
  local blank, t = os.date("!%Y-%m-%d %H:%M:%S", newest), os.date("!%Y-%m-%dT%H:%M:%S", newest)
  if kind == "order" then
    return blank .. string.format(".%06d\n", us)
  elseif kind == "none" then
    return blank .. "\n"
  elseif kind == "three" then
    return blank .. string.format(".%03d\n", math.floor(us / 1000))
  elseif kind == "nine" then
    return blank .. string.format(".%06d000\n", us)
  elseif kind == "offset" then
    return t .. string.format(".%06d+00:00\n", us)
  elseif kind == "epoch" then
    return string.format("%d%06d\n", newest, us)
  end
  us = (n * 2654435761) % 60000000
  return os.date("!%Y-%m-%d %H:%M:%S", newest - math.floor(us / 1000000)) .. string.format(".%06d\n", us % 1000000)
end

function init(args)
  local lines, kind = tonumber(args[2]), args[3]
  for body = 0, BODIES - 1 do
    local text = {}
    for n = 1, lines do
      text[n] = line(kind, os.time() - 1 - body, n - 1, lines)
    end
    local joined = table.concat(text)
    requests[body] = "POST /events HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port ..
      "\r\nUser-Agent: bench\r\nContent-Type: text/plain\r\nContent-Length: " .. #joined .. "\r\n\r\n" .. joined
  end
end

function request()
  sent = sent + 1
  return requests[sent % BODIES]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.6f, "p50_us": %.1f, "p99_us": %.1f, "errors": %d}\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
