"""What one request costs when one core is given all it can do, server beside server."""

import peers
from measure import CLIENT_CORE, SERVER_CORE, Failure, median, memory_kib, ratio, usage, wrk
from report import number, table
from sections import section

ROUNDS = 5
KEYS = ("rps", "cpu_us", "user_us", "system_us", "p50_us", "p99_us", "p999_us", "busy")


class Measured:
    """A server and what its rounds gave."""

    def __init__(self, server):
        self.server = server
        self.rounds = {key: [] for key in KEYS}
        self.answered = 0

    def round(self, seconds):
        before = usage(*self.server.pids)
        found = wrk(self.server.port, "event.lua", self.server.body, seconds=seconds)
        used, requests = usage(*self.server.pids) - before, found["requests"]
        self.answered += requests
        per_request = 1e6 / requests
        values = (requests / found["seconds"], used.total_s * per_request, used.user_s * per_request,
                  used.system_s * per_request, found["p50_us"], found["p99_us"], found["p999_us"],
                  100 * used.total_s / found["seconds"])
        for key, value in zip(KEYS, values):
            self.rounds[key].append(value)

    def row(self):
        m = {key: median(values) for key, values in self.rounds.items()}
        peak_kib = sum(memory_kib(pid)["VmHWM"] for pid in self.server.pids)
        return [self.server.row, number(m["rps"], 0), number(m["cpu_us"]), number(m["user_us"]), number(m["system_us"]),
                number(m["p50_us"], 0), number(m["p99_us"], 0), number(m["p999_us"], 0), number(peak_kib / 1024, 1),
                f"{m['busy']:.0f} %"]


def check_counted(server, answered):
    """Every answered request was counted; what was in flight when the load ended may have been, too."""
    counted = server.stats()["counted"]
    if not answered <= counted <= answered + 64 * (ROUNDS + 1):
        raise Failure(f"{answered} requests were answered, {counted} counted")


@section("saturation", "Saturation: one core for the server, 64 keep-alive connections")
def saturation(bench):
    aforod = peers.Aforod(bench.place, row="aforod, flush to Redis on").start()
    floor = peers.Floor(bench.place).start()
    found = {"floor": Measured(floor), "aforod": Measured(aforod)}
    for make in (peers.nginx, peers.node, peers.webdis):
        server = bench.start(make)
        if server:
            found[make.__name__] = Measured(server)
    seconds = bench.seconds or 2
    for measured in found.values():
        measured.answered += wrk(measured.server.port, "event.lua", measured.server.body, seconds=1)["requests"]
    for i in range(ROUNDS):
        for name, measured in found.items():
            bench.say(f"round {i + 1} of {ROUNDS}, {name}")
            measured.round(seconds)
    check_counted(aforod, found["aforod"].answered)
    add_goals(bench.goals, {name: measured.rounds for name, measured in found.items()})
    head = ["server", "requests/s", "CPU us/request", "user", "system", "p50 us", "p99 us", "p99.9 us", "peak MB",
            "CPU used"]
    return (f"`wrk -t1 -c64`, `POST /` as Tsung sends it; server on core {SERVER_CORE}, wrk and Redis on core "
            f"{CLIENT_CORE}; medians of {ROUNDS} rounds of {seconds} s in turn; goals compare round with round. "
            "CPU used below 100 % says that not this server was the limit, but wrk or others. webdis: HINCRBY of one "
            "window, CPU and memory with its Redis.\n\n"
            + table(head, [measured.row() for measured in found.values()]))


def add_goals(goals, rounds):
    aforod = rounds["aforod"]
    for name, what, most in (("floor", "the floor", 1.10), ("nginx", "nginx + Lua", 0.92), ("node", "Node.js", 0.45),
                             ("webdis", "webdis with its Redis", 0.80)):
        if name in rounds:
            goals.at_most(f"CPU per request, against {what}", ratio(aforod["cpu_us"], rounds[name]["cpu_us"]), most)
    goals.at_least("requests/s", median(aforod["rps"]), 100000, 0)
    goals.at_least("requests/s, against the floor", ratio(aforod["rps"], rounds["floor"]["rps"]), 0.95)
