"""One run: nodes, events, deaths; then every row."""

import collections
import random
import signal
import time

import distinct
import reading
import sending
from definitions import REPORTS, WIDTHS, yaml
from events import Events
from figures import Row, differs
from model import OTHER, Model
from support import Failure, Redis, now_us, sums, text_time, wait_until
from values import shown, text_of

THREADS = {"n-1": 2, "n-2": 1, "n-3": 1}  # worker threads
# Who finds room depends on the order in which events come, and so does whose sum is full: these nodes have it, and one thread.
ZONED, LARGE = ("n-2", "n-3"), ("n-2",)
AT_ONCE = 400  # events of a batch
SHOWN = 5      # differences that are printed
PATIENCE_S = 3600
GRACE_S = 20   # between a signal in the middle and the second one

# How large a run is: of so many events and more. deaths: of nodes. spread_s: how far back events lie when it begins; so the horizon
# leaves time until the end.
Size = collections.namedtuple("Size", "events nodes deaths spread_s horizon_s bursts flush")
SIZES = [Size(200_000, 3, 12, 3000, 6 * 3600, 400, "30s"), Size(0, 2, 4, 12, 3600, 4, "1s")]


class Run:
    def __init__(self, place, events, seed):
        self.place, self.goal = place, events
        self.size = next(size for size in SIZES if events >= size.events)
        self.names = list(THREADS)[:self.size.nodes]
        self.equal = {}  # (nodes, report, width) -> what was read, and was right
        self.random = random.Random(seed)
        definitions = place.dir / "reports.yaml"
        definitions.write_text(yaml(events))
        self.store = Redis(place).start()
        flags = ("--reports", definitions, "--horizon", f"{self.size.horizon_s}s", "--flush-interval", self.size.flush,
                 "--idle-timeout", "24h", "--grace", f"{PATIENCE_S}s", "--redis-timeout", "60s")
        self.servers = {name: place.server(*flags, "--node-id", name, name=name, threads=THREADS[name], redis=self.store).start()
                        for name in self.names}
        self.links = {name: [sending.Link(server) for _ in range(2 if THREADS[name] > 1 else 1)]
                      for name, server in self.servers.items()}
        self.made = Events(seed, now_us(), self.size)
        self.model = Model(self.names)

    # ---- the flow ----

    def send(self):
        """All events; every now and then a node ends, by a signal or by its death."""
        sent, deaths = 0, 0
        while sent < self.goal:
            name = self.random.choice(self.names)
            sent += self.send_some(name)
            if sent * (self.size.deaths + 1) > (deaths + 1) * self.goal and deaths < self.size.deaths:
                self.end(self.random.choice(self.names), deaths)
                deaths += 1

    def send_some(self, name):
        now, zoned, large = now_us(), name in ZONED, name in LARGE
        n = self.random.randrange(1, AT_ONCE)
        if self.random.random() < 0.3:
            requests = [self.made.single(now, zoned, large) for _ in range(n // 8 + 1)]
        else:
            requests = [self.made.batch(now, zoned, large, n)]
        sending.send(self.random.choice(self.links[name]), self.model, name, requests)
        return sum(len(request.events) for request in requests)

    def end(self, name, turn):
        """All that was sent to it is acknowledged."""
        self.check_node(name)
        for link in self.links[name]:
            link.close()
        server = self.servers[name]
        if turn % 2:
            server.kill()
        else:
            self.stop(name, GRACE_S)
        server.start()
        self.links[name] = [sending.Link(server) for _ in self.links[name]]
        self.model.nodes[name].unfit.clear()

    def stop(self, name, patience_s):
        """It ends when Redis has all, or at the second signal: then its next start sends the rest."""
        server = self.servers[name]
        server.signal(signal.SIGTERM)
        meant = 0
        try:
            server.wait(patience_s)
        except Failure:
            server.signal(signal.SIGTERM)
            meant = -signal.SIGTERM
            server.wait(PATIENCE_S)
        if server.process.returncode not in (0, meant):
            raise Failure(f"{name} ended with {server.process.returncode}\n{server.log()[-2000:]}")

    def check_node(self, name):
        """What it says of itself."""
        server, node = self.servers[name], self.model.nodes[name]
        reports = server.request("GET", "/reports").json["reports"]
        unfit = {(each["name"], field): n for each in reports for field, n in each["unfit"].items() if n}
        if unfit != dict(node.unfit):
            wrong = [f"{place} {unfit.get(place, 0)}, not {node.unfit[place]}" for place in sorted(unfit.keys() | node.unfit.keys())
                     if unfit.get(place, 0) != node.unfit[place]]
            raise Failure(f"{name}: unfit {', '.join(wrong)}")
        gone = [each["name"] for each in reports if each["gone"]]
        stats = server.conserved()
        if gone or (stats["counted"], sum(stats["refused"].values())) != (node.counted, node.refused):
            raise Failure(f"{name}: {node.counted} counted and {node.refused} refused are meant: {stats}; gone: {gone}")

    # ---- the rows ----

    def check_all(self):
        for name in self.names:
            self.check_node(name)
        self.reference = distinct.Reference(self.place)
        self.reference.fill(self.model)
        digests = {each["name"]: each["digest"] for each in self.servers["n-1"].request("GET", "/reports").json["reports"]}
        for name, server in self.servers.items():
            self.check_source(f"server {name}", [name], "--server", f"http://127.0.0.1:{server.port}")
            self.check_counts(name, [name], server.counts)
        for name, server in self.servers.items():
            self.stop(name, PATIENCE_S)
            self.check_source(f"state of {name}", [name], "--state", server.state)
            reading.audit("--state", server.state)
        self.check_source("Redis", self.names, "--redis", self.store.url)
        self.check_counts("Redis", self.names, self.store.counts)
        compared = 0
        for report, field, width in distinct.figures():
            places = self.model.rows(report, width, self.names)
            compared += self.reference.compare_bytes(self.store, report, width, field, digests[report.name], places)
        print(f"{compared} HyperLogLogs have the bytes of PFADD", flush=True)
        if self.size is SIZES[0]:  # it looks for each window that there may be, which takes long
            reading.audit("--redis", self.store.url)

    def check_counts(self, where, nodes, counts):
        times = {}
        for numbers in self.model.rows(REPORTS[0], "1d", nodes).values():
            for i in numbers:
                us = self.model.events[i][0]
                times[us] = times.get(us, 0) + 1
        for resolution, expected in sums(times).items():
            if counts(resolution) != expected:
                raise Failure(f"{where}: the counts of {resolution} are not the model's")

    def check_source(self, where, nodes, *source):
        begin, rows = time.monotonic(), 0
        totals = {}
        for report in REPORTS:
            for width in report.windows:
                text = reading.text(report, width, self.made.oldest_us, *source)
                rows += text.count(b'"start":')
                mark, place = reading.mark(text), (*nodes, report.name, width)
                if self.equal.get(place) != mark:
                    found = reading.rows(report, width, text)
                    self.compare(where, report, width, nodes, found)
                    add_totals(totals, report, width, found)
                    self.equal[place] = mark
        check_totals(where, totals)
        print(f"{where}: {rows} rows, {time.monotonic() - begin:.1f} s", flush=True)

    def compare(self, where, report, width, nodes, found):
        """Every row of one report and width."""
        expected = {}
        places = self.model.rows(report, width, nodes)
        for (window, key), numbers in places.items():
            names = tuple(as_read(name, value) for name, value in zip(report.by, key))
            expected[window * WIDTHS[width], names] = (window, key), numbers
        wrong = [(place, "the row", "none") for place in found.keys() - expected.keys()]
        wrong += [(place, "the row is missing:", f"{len(expected[place][1])} events") for place in expected.keys() - found.keys()]
        counts = {}
        for figure in report.show:
            if figure.startswith("distinct("):
                field = figure[9:-1]
                counts[field] = self.reference.counts(nodes[0] if len(nodes) == 1 else "all", report, width, field, places)
        for place, values in found.items():
            if place not in expected:
                continue
            at, numbers = expected[place]
            row = Row(self.model, numbers, width)

            def estimate(name, row, at=at):
                return distinct.expected(counts[name][at], row, name, len(nodes) == 1)
            for figure, value in values.items():
                meant = differs(row, figure, value, estimate)
                if meant:
                    wrong.append((place, f"{figure} is {value!r}", meant))
        if wrong:
            lines = [f"{text_time(place[0], 3)} {place[1]}: {what}, the model has {meant}" for place, what, meant in wrong[:SHOWN]]
            raise Failure(f"{where}, report {report.name}, window {width}: {len(wrong)} of {len(expected)} rows and figures differ\n"
                          + "\n".join(lines))


def as_read(name, value):
    """A value of a key as reading.key_of has it."""
    if value is OTHER:
        return OTHER
    text = text_of(name, value)
    return b"(other)" if text == b"(other)" else shown(text)


def add_totals(totals, report, width, found):
    """Counts and digests of reports that are about every event, by width and window."""
    if report.name not in ("all", "kinds"):
        return
    windows = totals.setdefault(width, {}).setdefault(report.name, {})
    for (start, _), values in found.items():
        count, high, low = windows.get(start, (0, 0, 0))
        digest = int(values["digest"], 16)
        windows[start] = count + int(values["count"]), (high + (digest >> 32)) & 0xffffffff, (low + digest) & 0xffffffff


def check_totals(where, totals):
    """They agree with each other, whatever they are told apart by."""
    for width, reports in totals.items():
        windows = list(reports.values())
        if any(each != windows[0] for each in windows[1:]):
            raise Failure(f"{where}, window {width}: {' and '.join(reports)} do not have the same events")


def run(place, events, seed):
    """Raises Failure where anything differs."""
    this = Run(place, events, seed)
    begin = time.monotonic()
    this.send()
    print(f"{len(this.model.events)} events counted, {time.monotonic() - begin:.1f} s", flush=True)
    this.check_all()
