"""How late an answer is at a fixed rate, counted from when its request was due; and when many are due at once."""

import peers
from measure import BIN, client, load, median, ratio, waited_s
from report import number, table
from sections import section

ROUNDS = 3
RATES = (5000, 20000, 50000)
GOAL_RATE = 20000
WAITED_PERCENT_MAX = 5  # beyond, latencies are those of a machine with other things to do
BURSTS = (127, 128, 256, 257)
BURST_ROUNDS = 60
LATENCIES = ("p50_us", "p99_us", "p999_us", "max_us")


def in_turn(bench, servers, rate, seconds):
    """{server's row: {latency: [of each round]}}"""
    found = {server.row: {key: [] for key in (*LATENCIES, "waited")} for server in servers}
    for i in range(ROUNDS):
        for server in servers:
            bench.say(f"{rate} requests/s, round {i + 1} of {ROUNDS}, {server.row}")
            before = waited_s(*server.pids)
            once = load(server.port, seconds, rate=rate)
            once["waited"] = 100 * (waited_s(*server.pids) - before + once["waited_ms"] / 1000) / once["seconds"]
            for key, values in found[server.row].items():
                values.append(once[key])
    return found


def add_goal(goals, floor, aforod):
    waited = max(median(floor["waited"]), median(aforod["waited"]))
    unclear = f"{waited:.0f} % of the time was spent waiting for a core" if waited > WAITED_PERCENT_MAX else ""
    goals.at_most(f"p99.9 at {GOAL_RATE:,}/s, against the floor", ratio(aforod["p999_us"], floor["p999_us"]), 2,
                  unclear=unclear)


@section("openloop", "Open loop: latency from the moment a request was due")
def openloop(bench):
    servers = [peers.Floor(bench.place), peers.Aforod(bench.place, row="aforod, flush to Redis on"),
               peers.Aforod(bench.place, name="aforod-alone", row="aforod, no Redis", redis=False)]
    for server in servers:
        server.start()
    rows = []
    for rate in RATES:
        found = in_turn(bench, servers, rate, bench.seconds or 2)
        for name, values in found.items():
            rows.append([number(rate, 0), name, *(number(median(values[key]), 0) for key in LATENCIES),
                         f"{median(values['waited']):.1f} %"])
        if rate == GOAL_RATE:
            add_goal(bench.goals, found["floor"], found[servers[1].row])
    head = ["requests/s", "server", "p50 us", "p99 us", "p99.9 us", "max us", "waited for a core"]
    return (f"64 keep-alive connections, one core each for server and generator (which shares its own with Redis); "
            f"medians of {ROUNDS} rounds of {bench.seconds or 2} s in turn. The last column: how long server and "
            "generator together were ready to run and had no core; that part of the latencies is the machine's.\n\n"
            + table(head, rows))


@section("bursts", "Bursts: so many connections ready at the same moment")
def bursts(bench):
    servers = [peers.Floor(bench.place).start(), peers.Aforod(bench.place, row="aforod, flush to Redis on").start()]
    rounds, rows, unanswered = BURST_ROUNDS if bench.seconds is None else 10 * bench.seconds, [], 0
    for connections in BURSTS:
        for server in servers:
            bench.say(f"{connections} connections, {server.row}")
            found = client([BIN / "bench-burst", server.port, server.process.pid, connections, rounds], 0)
            unanswered += found["unanswered"] if server is servers[1] else 0
            rows.append([connections, server.row, *(number(found[key], 0) for key in LATENCIES), found["unanswered"],
                         found["errors"]])
    bench.goals.at_most("requests of full batches that aforod leaves unanswered", unanswered, 0, 0)
    head = ["connections", "server", "p50 us", "p99 us", "p99.9 us", "max us", "unanswered", "errors"]
    return (f"The server is stopped, gets one request on each connection, and is continued; latency from then; {rounds} "
            "bursts each.\n\n" + table(head, rows))
