-- wrk: the bodies of a file, one after the other, and the result as JSON.
-- Arguments: the file of bodies, the path.
local bodies, path, n = {}, "/", 0

function init(args)
  for line in io.lines(args[1]) do bodies[#bodies + 1] = line end
  path = args[2]
end

function request()
  n = n % #bodies + 1
  return wrk.format("POST", path, {["Content-Type"] = "application/json"}, bodies[n])
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "failed": %d, "p50": %f, "p95": %f, "p99": %f}\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
