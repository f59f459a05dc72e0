"""What open live pages cost: a hundred at `aforo serve`, which must not be felt at aforod, and at aforod itself."""

import json
import re
import statistics
import subprocess
import sys
import time

import peers
from measure import BIN, CLIENT_CORE, HERE, Failure, Program, load, median, on_core, ratio, usage, wait_until
from report import number, table
from sections import section

ROUNDS = 25  # so that each case comes equally often at each place of a round
SECONDS = 2  # of a round: many short ones in turn tell more than a few long ones, since the machine's speed drifts
SETTLE_S = {0: 0, 1: 0.3, 100: 1.5}  # by how many viewers: they connect, and learn how often to ask
RATE = 5000
VIEWERS = 100
PER_CONNECTION = 10  # as Tsung's users


class Serve(Program):
    def __init__(self, place, redis):
        self.port = place.port()
        super().__init__(place, "serve", [BIN / "aforo", "serve", "--redis", redis.url, "--listen", f"127.0.0.1:{self.port}"])

    def start(self):
        with on_core(CLIENT_CORE):
            self.spawn()
        wait_until(lambda: "Redis answers" in self.log(), self.log)
        return self


def commands(redis):
    return int(re.search(r"total_commands_processed:(\d+)", redis.do("INFO", "stats"))[1])


def once(server, port, viewers, seconds):
    """CPU of aforod and commands of Redis a second while so many viewers ask at that port, and the load goes on."""
    words = [sys.executable, "-B", HERE.parent / "tools" / "programs" / "viewers.py", port, viewers, seconds, SETTLE_S[viewers]]
    with on_core(CLIENT_CORE):
        asking = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True) if viewers else None
    time.sleep(SETTLE_S[viewers])
    before, sent = usage(*server.pids), commands(server.redis)
    load(server.port, seconds, rate=RATE, per_connection=PER_CONNECTION)
    cpu_s, sent = (usage(*server.pids) - before).total_s, commands(server.redis) - sent
    if asking:
        said, _ = asking.communicate(timeout=seconds + 60)
        seen = json.loads(said)
        if asking.returncode or seen["refused"] or not seen["answers"]:
            raise Failure(f"viewers: {seen}")
    return {"cpu": cpu_s / seconds, "commands": sent / seconds, "answers": seen["answers"] / seconds if asking else 0}


def spread(values, none):
    """Where the middle half of the rounds lies."""
    low, _, high = statistics.quantiles([a / b for a, b in zip(values, none)])
    return f"{low:.2f} to {high:.2f}"


@section("pollers", "Open pages: a hundred viewers")
def pollers(bench):
    server = peers.Aforod(bench.place, row="aforod").start()
    serve, seconds = Serve(bench.place, server.redis).start(), bench.seconds or SECONDS
    cases = {"nobody": (serve.port, 0), "1 at aforo serve": (serve.port, 1), f"{VIEWERS} at aforo serve": (serve.port, VIEWERS),
             "1 at aforod": (server.port, 1), f"{VIEWERS} at aforod": (server.port, VIEWERS)}
    found = {name: {"cpu": [], "commands": [], "answers": []} for name in cases}
    for i in range(ROUNDS):
        names = list(cases)
        for name in names[i % len(names):] + names[:i % len(names)]:  # each comes as often at each place: what was before is felt
            port, viewers = cases[name]
            bench.say(f"round {i + 1} of {ROUNDS}, {name}")
            for key, value in once(server, port, viewers, seconds).items():
                found[name][key].append(value)
    none = found["nobody"]["cpu"]
    rows = [[name, number(median(values["answers"]), 0), number(1000 * median(values["cpu"]), 1), number(ratio(values["cpu"], none)),
             spread(values["cpu"], none), number(median(values["commands"]), 0)] for name, values in found.items()]
    here, there = found[f"{VIEWERS} at aforo serve"], found[f"{VIEWERS} at aforod"]
    bench.goals.at_most(f"aforod's CPU with {VIEWERS} viewers at aforo serve, against nobody", ratio(here["cpu"], none), 1.02)
    bench.goals.at_most(f"Redis' commands with {VIEWERS} viewers, against 1",
                        ratio(here["commands"], found["1 at aforo serve"]["commands"]), 1.02)
    bench.goals.at_most(f"aforod's CPU with {VIEWERS} viewers at it, against nobody", ratio(there["cpu"], none), 1.10)
    return (f"{RATE:,} requests/s, {PER_CONNECTION} a connection, and viewers that ask what open pages ask, in the same rounds; medians of "
            f"{ROUNDS} rounds of {seconds} s in turn.\n\n"
            + table(["viewers", "answers/s", "aforod: ms of CPU a second", "against nobody", "the middle half of them",
                     "Redis: commands/s"], rows))
