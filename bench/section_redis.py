"""What the summaries cost at Redis, whatever the rate; and what is written to disks."""

import time

import peers
from measure import load, usage, written_bytes
from report import number, table
from sections import section

RATES = (100, 5000, 100000)
WARM_UP_S = 2
FIGURES = ("total_commands_processed", "total_net_input_bytes", "total_net_output_bytes")


def info(redis):
    lines = redis.do("INFO").splitlines()
    return {key: int(value) for key, _, value in (line.partition(":") for line in lines) if value.isdigit()}


class Cost:
    """What Redis and the disk had to do from the making of this object until now."""

    def __init__(self, server):
        self.server, self.redis = server, server.redis
        self.info, self.cpu = info(self.redis), usage(self.redis.process.pid)
        self.written = written_bytes(server.process.pid)
        self.log_bytes = server.log_path.stat().st_size
        self.begin = time.monotonic()

    def per_second(self):
        """{commands, in_bytes, out_bytes, cpu_ms, written, log}"""
        seconds = time.monotonic() - self.begin
        cpu = usage(self.redis.process.pid) - self.cpu
        now = info(self.redis)
        found = [now[key] - self.info[key] for key in FIGURES]
        found += [cpu.total_s * 1000, written_bytes(self.server.process.pid) - self.written,
                  self.server.log_path.stat().st_size - self.log_bytes]
        return dict(zip(("commands", "in_bytes", "out_bytes", "cpu_ms", "written", "log"), (x / seconds for x in found)))


@section("redis", "Cost at Redis: flush every 100 ms, whatever the rate")
def redis(bench):
    rows, costs, reached = [], {}, {}
    seconds = bench.seconds or 8
    for rate in RATES:
        bench.say(f"{rate} requests/s")
        server = peers.Aforod(bench.place, name=f"aforod-{rate}").start()
        load(server.port, WARM_UP_S, rate=rate)
        before = Cost(server)
        found = load(server.port, seconds, rate=rate)
        costs[rate] = cost = before.per_second()
        reached[rate] = found["requests"] / found["seconds"]
        rows.append([number(rate, 0), number(reached[rate], 0), number(cost["commands"], 0),
                     number(cost["in_bytes"] / 1000, 1), number(cost["out_bytes"] / 1000, 1), number(cost["cpu_ms"])])
        server.stop()
        server.redis.kill()
    least, most = costs[RATES[0]], costs[RATES[-1]]
    short = [rate for rate in RATES if reached[rate] < 0.9 * rate]
    unclear = f"only {reached[short[-1]]:,.0f} of {short[-1]:,} requests/s were reached" if short else ""
    for key, what in (("commands", "commands"), ("in_bytes", "bytes to Redis"), ("cpu_ms", "CPU")):
        bench.goals.equal(f"{what} at {RATES[-1]:,}/s, against {RATES[0]}/s", most[key] / least[key], 0.1, unclear)
    head = ["requests/s wanted", "reached", "commands/s", "kB/s to Redis", "kB/s from Redis", "CPU ms/s"]
    return (f"{seconds} s each, on one thread, single requests. Commands as Redis counts them: with those inside the "
            "script. Its CPU is with its own clock and on the generator's core.\n\n" + table(head, rows))


def key_bytes(redis, per_hour):
    """Memory of the keys of an hour, totals and the node's parts: each resolution's mean key, times how many an hour makes."""
    total = 0
    for resolution, chunks in per_hour.items():
        sizes = redis.pipeline([("MEMORY", "USAGE", key) for key in redis.do("KEYS", f"aforo:2:{{{resolution}:*")])
        total += chunks * sum(sizes) / len(sizes)
    return total


@section("disk", "Disk: what an hour writes, at 5,000 requests/s")
def disk(bench):
    seconds = bench.seconds or 12
    server = peers.Aforod(bench.place, name="aforod-disk", redis=False, threads=2)
    server.redis = peers.start_redis(bench.place, "disk", "--appendonly", "yes")
    server.start()
    load(server.port, WARM_UP_S, rate=5000)
    bench.say(f"{seconds} s at 5000 requests/s")
    before, appended = Cost(server), info(server.redis)["aof_current_size"]
    load(server.port, seconds, rate=5000)
    time.sleep(0.3)
    cost = before.per_second()
    appended = (info(server.redis)["aof_current_size"] - appended) / (time.monotonic() - before.begin)
    state = server.state / "counters.aforo"
    kept = key_bytes(server.redis, {"10ms": 3600, "1s": 60, "1min": 1})
    rows = [["state file, its size on the disk", number(state.stat().st_blocks * 512 / 1e6, 1) + " MB"],
            ["state, written an hour (/proc/PID/io)", number(cost["written"] * 3600 / 1e6, 0) + " MB"],
            ["Redis: memory of an hour's summaries, three resolutions", number(kept / 1e6, 1) + " MB"],
            ["Redis: append-only file, written an hour", number(appended * 3600 / 1e6, 0) + " MB"],
            ["log at level info, an hour", number(cost["log"] * 3600 / 1e3, 0) + " kB"]]
    return f"2 threads, flush every 100 ms, from {seconds} s.\n\n" + table(["what", "figure"], rows)


