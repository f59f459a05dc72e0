"""Reports while aforod comes to harm: killed under load, while windows are let go and while there is no room; asked for something else,
and read again under load. Each row of each report is what was sent."""

import signal

from faults import Failure, now_us, row, wait_until
from report_load import ReportLoad
from report_plan import ALL, CLIENTS, EXACT, GROUPS, PLAIN, ROUTES, Report, definitions
from report_rows import (Expected, counted_events, counted_masks, dense_counts, end_loads, flushed, of_redis, of_server, of_state, until_holds,
                         verify_dead, verify_redis, verify_reports)
from rows_kill import restarted
from stored import SECOND


def define(run, reports, name="reports.yaml"):
    path = run.place.dir / name
    path.write_text(definitions(reports))
    return path


def kill_often(run, server, load, times, shortest_s=0.02, longest_s=0.2):
    """At random moments of a load that goes on; returns how often an event was cut in half."""
    repaired = 0
    for _ in range(times):
        run.pause_s(shortest_s, longest_s)
        run.kill9(server)
        repaired += restarted(server)
        load.progress(1)
    return repaired


def note_repaired(run, repaired):
    run.note(f"{repaired} of {run.faults} starts completed or undid an event that the kill had cut in half")


@row("reports-kill", "killed -9 under load: each row of each report is what was acknowledged, here, in the state and in Redis")
def reports_kill(run):
    redis = run.redis().start()
    server = run.server("--reports", define(run, PLAIN), redis=redis).start()
    load = ReportLoad(run, server, size=600)
    repaired = kill_often(run, server, load, run.many(5, 50))
    for _ in range(run.many(1, 5)):  # read as they lie there, a transaction that is open included
        run.pause_s(0.02, 0.2)
        run.kill9(server)
        load.pause()
        verify_dead(server, PLAIN, load)
        repaired += restarted(server)
        load.resume()
        load.progress(1)
    note_repaired(run, repaired)
    verify_reports(run, [server], redis, PLAIN, [load])


# ---- windows are let go ----

BRIEF = [GROUPS, Report("all", ["100ms", "1s"], EXACT), Report("clients", ["1s"], EXACT, by=("client",), memory="1MiB")]
HORIZON_S, STEP_S = 60, 25  # what is not in Redis within a horizon never gets there: one step, and a slow machine, are within it
PASSES_US = 1_800_000  # by more than 2 s at once the clock would be set, and rows would keep their places


def pass_time(server, clock, load, us):
    """Time goes by for the server and its load, in pieces that each worker sees one by one."""
    def wakeups():
        return [worker["wakeups"] for worker in server.stats()["workers"]]
    for _ in range(us // PASSES_US + 1):
        before = wakeups()
        load.offset_us += PASSES_US
        clock.offset(load.offset_us)
        wait_until(lambda: all(now > then + 1 for now, then in zip(wakeups(), before)), "the workers see the time")


@row("reports-kill-retiring", "killed while windows and rows are let go, as time goes by: exact in Redis, and here as far as they are held")
def reports_kill_retiring(run):
    environment, clock = run.clock()
    redis = run.redis().start()
    server = run.server("--reports", define(run, BRIEF), "--horizon", f"{HORIZON_S}s", redis=redis, env=environment).start()
    load = ReportLoad(run, server, size=200, past_us=20_000_000)
    repaired = 0
    for _ in range(run.many(8, 60)):
        load.progress(4)
        load.pause()
        wait_until(lambda: flushed(server), "Redis has what the server has")
        load.resume()
        pass_time(server, clock, load, STEP_S * SECOND)
        repaired += kill_often(run, server, load, 1, 0, 0.3)
    note_repaired(run, repaired)
    first_us = end_loads([load])
    since_us = now_us() + load.offset_us - HORIZON_S * SECOND
    held = {(report.name, window): of_server(server, first_us)(report, window) for report in BRIEF for window in report.windows}
    counts = dense_counts(server)
    wait_until(lambda: flushed(server), "Redis has what the server has")
    events = until_holds(lambda: counted_events([load], counted_masks(of_redis(redis, first_us, environment)), "Redis"))
    expected = verify_redis(run, redis, BRIEF, [load], events, environment)
    expected.verify(lambda report, window: held[report.name, window], counts, server.name, since_us)
    room = next(report["rows_room"] for report in server.request("GET", "/reports").json["reports"] if report["name"] == "clients")
    made, room = len(expected.rows["clients", "1s"]), room // 3  # of one of two workers, and the flush
    run.note(f"{made} rows of 1 s were made, a worker has room for {room}")
    if made <= room:
        raise Failure("the circle of rows did not come round")


# ---- there is no room ----

def verify_full(run, server, redis, reports, load):
    expected = verify_reports(run, [server], redis, reports, [load])
    held = {report["name"]: report["other"] for report in server.request("GET", "/reports").json["reports"]}
    full = [report.name for report in reports if report.full]
    if expected.other == 0 or not all(held[name] for name in full):
        raise Failure(f"all keys found room: {held}")
    run.note(f"events in (other): {', '.join(f'{name} {held[name]}' for name in full)}")


@row("reports-kill-full", "killed while keys find no room (in memory, among `keys`): totals exact, the rest in `(other)`")
def reports_kill_full(run):
    reports = [GROUPS, ALL, Report("full", ["1s", "1min"], EXACT, by=("client",), keys=100_000, memory="3MiB", full=True),
               Report("few", ["1min"], EXACT, by=("client", "route"), keys=50, full=True)]
    redis = run.redis().start()
    server = run.server("--reports", define(run, reports), redis=redis).start()
    load = ReportLoad(run, server, size=600, clients=30_000)
    load.progress(5)
    note_repaired(run, kill_often(run, server, load, run.many(4, 50)))
    verify_full(run, server, redis, reports, load)


# ---- other definitions ----

class Asked:
    """Definitions that come one after the other, and what each full name, NAME.DIGEST, is."""

    def __init__(self, run):
        self.run, self.path, self.sets = run, run.place.dir / "reports.yaml", []

    def write(self, reports):
        self.path.write_text(definitions(reports))
        return self.path

    def in_force(self, server, reports):
        """Notes them, once the server has begun to ask them."""
        digests = {report["name"]: report["digest"] for report in server.request("GET", "/reports").json["reports"]}
        if digests.keys() != {report.name for report in reports}:
            raise Failure(f"the reports in force are {list(digests)}")
        self.sets.append({f"{report.name}.{digests[report.name]}": report for report in reports})

    def reload(self, server, reports):
        before = len(server.log())
        self.write(reports)
        server.signal(signal.SIGHUP)
        wait_until(lambda: 'msg="reports read again' in server.log()[before:], lambda: f"read again\n{server.log()[before:]}")
        self.in_force(server, reports)

    def parted(self, read, load, where):
        """The events that each definition counted, by its full name: those of each set by the set's own `groups`. A full name that is
        in several sets has the events of all."""
        masks, events = {}, {}
        names = {name for reports in self.sets for name, report in reports.items() if report.name == GROUPS.name}
        for name in names:
            masks[name] = counted_masks(read, name)
        total = sum(masks.values(), start=type(next(iter(masks.values())))())
        counted_events([load], total, where)
        for reports in self.sets:
            own = masks[next(name for name in reports if name in names)]
            for name in reports:
                events.setdefault(name, [])
                events[name] = sorted({*events[name], *self.of(load, own)})
        return events, total

    @staticmethod
    def of(load, masks):
        return [event for request in load.requests() for group in request.groups.values() for event in group
                if masks.get(event[3], 0) & event[4]]

    def verify(self, server, redis, load):
        run, first_us = self.run, end_loads([load])
        reports = {name: report for asked in self.sets for name, report in asked.items()}
        state = of_state(server, first_us)
        events, _ = self.parted(state, load, server.name)
        for where, read in ((f"the state of {server.name}", state), ("Redis", of_redis(redis, first_us))):
            for name, report in reports.items():
                expected = Expected([report], events[name])
                until_holds(lambda r=read, n=name, e=expected, w=where: e.verify(
                    lambda report, window: r(report, window, n), {}, f"{w}, {n}"))
        newest = self.sets[-1]
        everything = sorted({event for held in events.values() for event in held})
        run.note(f"{len(self.sets)} sets of definitions, {len(reports)} reports: " + ", ".join(
            f"{name[:-13]} {len(events[name])}" for name in reports if name.startswith("groups")))
        for name, report in newest.items():  # a server shows those in force
            Expected([report], events[name]).verify(of_server(server, first_us), {}, server.name)
        verify_redis(run, redis, [], [load], everything)


def groups_of(version):
    """The same question, another digest: what it counted says which events came while these definitions were in force."""
    return Report(GROUPS.name, GROUPS.windows, "count sum(mask)", by=GROUPS.by, keys=GROUPS.keys + version, memory=GROUPS.memory)


@row("reports-redefined", "two definitions one after the other, and the first again, killed between: each has the events of its time")
def reports_redefined(run):
    redis = run.redis().start()
    asked = Asked(run)
    first = [groups_of(0), ALL, CLIENTS]
    second = [groups_of(1), ALL, Report("clients", ["1min"], "count sum(ms) digest", by=("route", "client")), ROUTES]
    server = run.server("--reports", asked.write(first), redis=redis).start()
    asked.in_force(server, first)
    load = ReportLoad(run, server, size=200, rate=30)
    for reports in (second, first) * run.many(1, 6):
        load.progress(10)
        run.kill9(server)
        server.start()
        load.progress(10)
        load.pause()
        asked.reload(server, reports)
        load.resume()
        load.progress(5)
        run.kill9(server)
        server.start()
    load.progress(10)
    asked.verify(server, redis, load)


@row("reports-reload", "definitions are read again under load, killed between: every event is in those that were in force, and in no other")
def reports_reload(run):
    redis = run.redis().start()
    asked = Asked(run)
    reports = [groups_of(0), ALL, CLIENTS]
    server = run.server("--reports", asked.write(reports), redis=redis).start()
    asked.in_force(server, reports)
    load = ReportLoad(run, server, size=300)
    for version in range(1, run.many(5, 30)):
        run.pause_s(0.05, 0.2)
        some = [Report("clients", ["1s", "1min"], EXACT, by=("client",), keys=1000 + version), ROUTES][:version % 3]
        asked.reload(server, [groups_of(version), ALL, *some])
        load.progress(2)
        if version % 2:
            run.kill9(server)
            server.start()
    load.progress(2)
    asked.verify(server, redis, load)
