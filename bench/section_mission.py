"""The load that users run: Tsung's pattern, 500 new connections a second with 10 requests each, mostly one event a wake-up; and
connections of one request each. From a generator of our own, which is steady, and from Tsung itself."""

import contextlib
import os

import peers
from measure import CLIENT_CORE, SERVER_CORE, load, median, ratio, usage
from report import number, table
from sections import section
from system_calls import Trace, switches
from tsung import Tsung

ROUNDS = 3
TSUNG_ROUNDS = 2
TSUNG_S = 10
TRACE_S = 4
KEYS = ("cpu_us", "woken", "switched")
NAMES_MIN = 0.005  # calls a request; a system call that is rarer is not named


class Load:
    """One way to send requests: its title and what sends them, to a port for some seconds; it returns how many."""

    def __init__(self, title, send, seconds, rounds):
        self.title, self.send, self.seconds, self.rounds = title, send, seconds, rounds
        self.found, self.traces = {}, {}

    def round(self, server):
        before, (slept, lost) = usage(*server.pids), switches(*server.pids)
        requests = self.send(server.port, self.seconds)
        now_slept, now_lost = switches(*server.pids)
        values = ((usage(*server.pids) - before).total_s * 1e6, now_slept - slept, now_slept - slept + now_lost - lost)
        found = self.found.setdefault(server.row, {key: [] for key in KEYS})
        for key, value in zip(KEYS, values):
            found[key].append(value / requests)

    def trace(self, place, server):
        with Trace(place, server.pids) as trace:
            requests = self.send(server.port, min(self.seconds, TRACE_S))
        self.traces[server.row] = {name: (calls / requests, trace.failed[name] / requests) for name, calls in trace.calls.items()}

    def calls(self, row):
        """System calls a request; None when they were not counted."""
        return sum(calls for calls, _ in self.traces[row].values()) if row in self.traces else None

    def costs(self, servers):
        floor = self.found[servers[0].row]
        rows = []
        for server in servers:
            found = self.found[server.row]
            rows.append([server.row, number(median(found["cpu_us"])), number(ratio(found["cpu_us"], floor["cpu_us"])),
                         number(self.calls(server.row)) if server.row in self.traces else "-",
                         *(number(median(found[key])) for key in ("woken", "switched"))])
        head = ["server", "CPU us/request", "x floor", "system calls a request", "wake-ups", "context switches"]
        return f"{self.title}:\n\n" + table(head, rows)

    def by_name(self):
        names = sorted({name for trace in self.traces.values() for name, (calls, _) in trace.items() if calls >= NAMES_MIN},
                       key=lambda name: -max(trace.get(name, (0, 0))[0] for trace in self.traces.values()))
        rows = [[f"`{name}`", *(said(trace.get(name)) for trace in self.traces.values())] for name in names]
        rows.append(["all", *(number(self.calls(row)) for row in self.traces)])
        return f"{self.title}, system calls a request by name, in a run of its own (those that failed in brackets):\n\n" + table(
            ["", *self.traces], rows)


def said(counted):
    if counted is None or counted[0] < NAMES_MIN:
        return "-"
    calls, failed = counted
    return number(calls) + (f" ({number(failed)})" if failed >= NAMES_MIN else "")


def generator(rate, per_connection):
    def send(port, seconds):
        with before_others():
            return load(port, seconds, rate=rate, per_connection=per_connection, spin=0)["requests"]
    return send


def loads(bench):
    seconds = bench.seconds or 3
    found = [Load("Own generator, 500 connections a second with 10 requests each", generator(5000, 10), seconds, ROUNDS),
             Load("Own generator, 2,000 connections a second with one request each", generator(2000, 1), seconds, ROUNDS)]
    try:
        tsung = Tsung(bench.place)
        found.append(Load("Tsung itself, 500 users a second with 10 requests each",
                          lambda port, seconds: tsung.load(port, seconds)["answers"], bench.seconds or TSUNG_S, TSUNG_ROUNDS))
    except peers.Missing as why:
        bench.skipped.append(f"Tsung was skipped: {why}.")
    return found


def start_servers(bench):
    found = [peers.Floor(bench.place).start(), peers.Aforod(bench.place, row="aforod, 1 thread").start(),
             peers.Aforod(bench.place, name="aforod-two", row="aforod, 2 threads", threads=2, cores=(SERVER_CORE, CLIENT_CORE)).start()]
    return found + [server for server in (bench.start(make) for make in (peers.nginx, peers.node)) if server]


def measure(bench, servers, ways):
    for way in ways:
        for i in range(way.rounds):
            for server in servers:
                bench.say(f"{way.title}, round {i + 1} of {way.rounds}, {server.row}")
                way.round(server)
    try:
        for way in ways:
            for server in servers:
                bench.say(f"{way.title}, system calls, {server.row}")
                way.trace(bench.place, server)
    except peers.Missing as why:
        bench.skipped.append(f"System calls were not counted: {why}.")


@contextlib.contextmanager
def before_others():
    """What is started inside gets its core at once (real time, SCHED_RR): else a busy machine lets many requests come together
    before a server wakes up, which is another load. Without the right to that, as it comes."""
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    try:
        yield os.sched_getscheduler(0) == os.SCHED_RR
    finally:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, policy, parameter)


@section("mission", "The mission's own load")
def mission(bench):
    with before_others() as first:
        servers = start_servers(bench)
    if not first:
        bench.skipped.append("No right to SCHED_RR: on a busy machine a wake-up finds more than one event.")
    ways = loads(bench)
    measure(bench, servers, ways)
    add_goals(bench.goals, servers, ways)
    return ("CPU of the whole process, user and system; the servers and our own generator run as real time, before all others. "
            f"The floor, nginx, Node.js and aforod with 1 thread have core {SERVER_CORE}, aforod with "
            f"2 threads both, the load and every Redis core {CLIENT_CORE}; medians of the rounds ({ROUNDS} of {ways[0].seconds} s, Tsung "
            f"{TSUNG_ROUNDS}), in turn.\n\n" + "\n".join([*(way.costs(servers) for way in ways), *(way.by_name() for way in ways if way.traces)]))


def add_goals(goals, servers, ways):
    """The first rows are judged with Tsung, where there is one."""
    floor, one, two, *rest = (server.row for server in servers)
    pattern, single, *tsung = ways
    judged = tsung[0] if tsung else pattern

    def against(way, row, base):
        return ratio(way.found[row]["cpu_us"], way.found[base]["cpu_us"])
    goals.at_most("CPU a request, Tsung's pattern, 2 threads, against the floor", against(judged, two, floor), 1.15, 2)
    goals.at_most("the same, 1 thread", against(judged, one, floor), 1.12, 2)
    for row in (two, one):
        if row in judged.traces:
            goals.at_most(f"system calls a request, Tsung's pattern, {row} (floor {number(judged.calls(floor))})", judged.calls(row), 4.0, 2)
    for nginx in (row for row in rest if row.startswith("nginx")):
        for row in (two, one):
            goals.at_most(f"CPU a request, Tsung's pattern, {row}, against nginx + Lua", against(judged, row, nginx), 0.95, 2)
    for row in (two, one):
        goals.at_most(f"one request a connection, {row}, against the floor", against(single, row, floor), 1.15, 2)
