"""What a line of POST /events costs, and what an event in the rings costs."""

import subprocess

import peers
from measure import BIN, SERVER_CORE, Failure, median, ratio, usage, wrk
from report import number, table
from sections import section

ROUNDS = 3
LINES = 10000
LINE_BYTES = {"order": 27, "scattered": 27, "none": 20, "three": 24, "nine": 30, "offset": 33, "epoch": 17}
CONNECTIONS = 4
LAYOUTS = {"none": "no digits after the second", "three": "3 digits", "nine": "9 digits", "offset": "T, 6 digits and an offset",
           "epoch": "epoch in us"}


@section("batch", "Batch: POST /events, 10,000 lines a request, of 27 bytes unless said otherwise")
def batch(bench):
    floor = peers.Floor(bench.place, "batch").start()
    aforod = peers.Aforod(bench.place, row="aforod, flush to Redis on").start()
    runs = [(floor, "order", "floor: receives the bytes"), (aforod, "order", "aforod, in order within a second"),
            (aforod, "scattered", "aforod, scattered over a minute"),
            *((aforod, kind, f"aforod, in order, {layout}") for kind, layout in LAYOUTS.items())]
    seconds = bench.seconds or 2
    rates, rows, answered = {name: [] for _, _, name in runs}, [], 0
    wall = {name: [] for _, _, name in runs}
    for i in range(ROUNDS):
        for server, kind, name in runs:
            bench.say(f"round {i + 1} of {ROUNDS}, {name}")
            before = usage(*server.pids)
            found = wrk(server.port, "batch.lua", LINES, kind, seconds=seconds, connections=CONNECTIONS)
            events = found["requests"] * LINES
            rates[name].append(events / (usage(*server.pids) - before).total_s)
            wall[name].append(events / found["seconds"])
            answered += events if server is aforod else 0
    counted = aforod.stats()["counted"]
    if not answered <= counted <= answered + len(runs) * ROUNDS * CONNECTIONS * LINES:
        raise Failure(f"{answered} events were answered, {counted} counted")
    order = rates[runs[1][2]]
    for _, kind, name in runs:
        found = rates[name]
        rows.append([name, number(median(found) / 1e6, 1), number(ratio(found, order)),
                     number(median(found) * LINE_BYTES[kind] / 1e9), number(median(wall[name]) / 1e6, 1)])
    bench.goals.at_least("million events per CPU second, in order", median(order) / 1e6, 100, 1)
    bench.goals.at_most("the floor's events per CPU second, against aforod's", ratio(rates[runs[0][2]], order), 1.6, 2)
    return (f"wrk with {CONNECTIONS} connections; medians of {ROUNDS} rounds of {seconds} s in turn.\n\n"
            + table(["server", "M events per CPU s", "x in order", "GB per CPU s", "M events per s"], rows))


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


@section("rings", "Rings: one event in all three resolutions, in the shard and in shared atomics")
def rings(bench):
    bench.say("bench-rings")
    done = subprocess.run([BIN / "bench-rings", bench.place.dir], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise Failure(f"bench-rings: {done.stderr.strip()}")
    found = {(line[0], line[1]): [float(cell) for cell in line[2:]]
             for line in map(cells, done.stdout.splitlines()[2:])}
    for order, most in (("in order", 2), ("scattered", 6)):
        one_ns, _, gain = found[order, "shard_add_owner"][:3]
        bench.goals.at_most(f"ns per event, {order}", one_ns, most)
        bench.goals.at_least(f"two threads against one, {order}", gain, 1.9)
    return "CPU time per event and thread, best of several rounds.\n\n" + done.stdout


@section("lines", "Reading lines, without a server")
def lines(bench):
    bench.say("bench-lines")
    done = subprocess.run(["taskset", "-c", str(SERVER_CORE), BIN / "bench-lines"], capture_output=True, text=True,
                          timeout=120, check=False)
    if done.returncode:
        raise Failure(f"bench-lines: {done.stderr.strip()}")
    found = {name: float(ns) for name, ns, *_ in map(cells, done.stdout.splitlines()[2:])}
    slowest = max(ns for name, ns in found.items() if name.startswith("lines_feed") and "mixed" not in name)
    bench.goals.at_most("ns a line, the slowest layout in order", slowest, 5)
    return done.stdout
