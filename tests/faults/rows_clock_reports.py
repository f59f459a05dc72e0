"""The wall clock steps, and the rows of reports are what was acknowledged, here and at Redis."""

import calendar
import collections
import json
import re
import signal

from faults import Failure, row, text_time, wait_until
from support import TIMEOUT_S, WIDTH_US, now_us

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
US, RS = b"\x1f", b"\x1e"
DEFINITIONS = """
fields:
  client: {from: json.client, type: int}
  bytes:  {from: json.bytes, type: int}
reports:
  - {name: clients, by: [client], windows: [1s, 1min], show: [count, sum(bytes), max(bytes)]}
  - {name: all, windows: [1s, 1min], show: [count, sum(bytes), digest]}
"""


class Reports:
    """A server with reports whose clock is ours, its Redis, and what was acknowledged."""

    def __init__(self, run, threads):
        self.run = run
        definitions = run.place.dir / "reports.yaml"
        definitions.write_text(DEFINITIONS)
        self.redis = run.redis().start()
        environment, self.steering = run.clock()
        self.server = run.server("--reports", definitions, "--horizon", "1h", redis=self.redis, env=environment, threads=threads).start()
        self.offset_us = 0
        self.clocks = []  # what the clock showed, at the latest, when events were counted
        self.counts = collections.Counter()  # (width, start) -> events
        self.ledger = collections.defaultdict(lambda: [0, 0, 0])  # (report, width, start, client) -> count, sum, max
        wait_until(lambda: self.server.health()["store"]["connected"], "connected")

    def clock(self, offset_us):
        self.offset_us = offset_us
        self.steering.offset(offset_us)
        self.run.faults += 1
        self.run.pause_s(0.6, 0.7)  # every worker has woken up

    def count(self, n=150):
        """A batch of events over the horizon, but for its last seconds: in the ledger, since all are acknowledged."""
        now = now_us() + self.offset_us
        self.clocks.append(now + SECOND)
        events = [(now - self.run.random.randrange(HOUR - 20 * SECOND), self.run.random.randrange(5),
                   self.run.random.randrange(1000)) for _ in range(n)]
        lines = "".join(json.dumps({"time": text_time(us), "client": client, "bytes": size}) + "\n" for us, client, size in events)
        answer = self.server.request("POST", "/events", lines, {"Content-Type": "application/x-ndjson"})
        if answer.status != 200 or answer.json["accepted"] != n:
            raise Failure(f"of {n} events: {answer.status} {answer.text[:300]}")
        self.run.sent += n
        for us, _, _ in events:
            for width in WIDTH_US.values():
                self.counts[width, us // width * width] += 1
        for us, client, size in events:
            for width in (SECOND, MINUTE):
                for report, key in (("clients", client), ("all", None)):
                    row_ = self.ledger[report, width, us // width * width, key]
                    row_[0] += 1
                    row_[1] += size
                    row_[2] = max(row_[2], size) if report == "clients" else 0

    def at_redis(self):
        found = collections.defaultdict(lambda: [0, 0, 0])
        for report, key_of in (("clients", lambda text: int(text)), ("all", lambda _: None)):
            for name, width in (("1s", SECOND), ("1min", MINUTE)):
                keys = [key for key in self.redis.do("KEYS", f"aforo:2:r:{{{report}.*:{name}:*") if key.endswith("}")]
                hashes = self.redis.pipeline([("HGETALL", key) for key in keys], as_bytes=True)
                for key, fields in zip(keys, hashes):
                    start = us_of_name(re.search(rf":{name}:([^}}]+)", key).group(1))
                    for field, value in zip(fields[::2], fields[1::2]):
                        if US not in field or RS in field:
                            continue
                        text, component = field.decode().rsplit("\x1f", 1)
                        place = {"count": 0, "sum(bytes)": 1, "max(bytes)": 2}.get(component)
                        if place is not None:
                            found[report, width, start, key_of(text)][place] = int(value)
        return dict(found)

    def counts_at_redis(self):
        return {(width, start): n for name, width in WIDTH_US.items() for start, n in self.redis.counts(name).items()}

    def here(self):
        """The rows of the server, which shows what is ahead of its clock, too."""
        found = {}
        for report in ("clients", "all"):
            for name, width in (("1s", SECOND), ("1min", MINUTE)):
                page = self.server.request("GET", f"/reports/{report}/{name}?from=2020-01-01T00:00:00Z&partial=1&format=json").json
                for row_ in page["rows"]:
                    values, client = row_["values"], row_.get("key", {}).get("client")
                    found[report, width, us_of_name(row_["start"]), client] = [
                        values["count"], values["sum(bytes)"], values.get("max(bytes)", 0)]
        return found

    def verify(self):
        self.run.acked = self.run.sent
        self.run.counted = self.server.conserved()["counted"]
        if self.run.counted != self.run.sent:
            raise Failure(f"{self.run.counted} of {self.run.sent} events were counted")
        # what passed the horizon of any clock that events were counted by has been let go, sooner or later
        held = lambda rows: {row_: values for row_, values in rows.items()
                             if not any(at - HOUR - 20 * MINUTE <= row_[2] < at - HOUR for at in self.clocks)}
        if held(self.here()) != held(self.ledger):
            raise Failure(f"the server's rows: {differences(held(self.ledger), held(self.here()))}")
        wait_until(lambda: self.at_redis() == self.ledger,
                   lambda: f"Redis has each row: {differences(self.ledger, self.at_redis())}", 2 * TIMEOUT_S)
        wait_until(lambda: self.counts_at_redis() == self.counts,
                   lambda: f"Redis has each count: {differences(self.counts, self.counts_at_redis())}", 2 * TIMEOUT_S)
        if any(report["gone"] for report in self.server.stats()["reports"]):
            raise Failure(f"gone: {self.server.stats()['reports']}")


def us_of_name(text):
    """Of 2026-11-20T11:11, with or without seconds, their fraction and a Z."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    parts = [int(part) for part in re.split("[-T:]", whole)]
    return calendar.timegm((*parts, *[0] * (6 - len(parts)))) * SECOND + int((fraction + "000000")[:6] or 0)


def differences(expected, found):
    wrong = [key for key in {*expected, *found} if expected.get(key) != found.get(key)]
    return f"{len(wrong)} of {len(expected)} differ: " + ", ".join(
        f"{key}: {expected.get(key)} expected, {found.get(key)} found" for key in sorted(wrong, key=str)[:4])


def restart(reports, run):
    if run.random.randrange(2):
        reports.server.stop()
    else:
        reports.server.kill()
    run.faults += 1
    reports.server.start()


@row("reports-clock-back", "the clock is set back by 2 h with a horizon of 1 h, with and without a restart, and then right: "
     "each row of each report, and each count, is what was acknowledged")
def reports_clock_back(run):
    reports = Reports(run, threads=2)
    for again in range(run.many(2, 20)):
        reports.count()
        reports.clock(-2 * HOUR)
        reports.count()
        if again:
            restart(reports, run)
            reports.count()
        reports.verify()
        reports.clock(0)
        reports.count()
        reports.verify()


@row("reports-clock-ahead", "the clock is set 3 h ahead and right again, while Redis answers, while it hangs, and over restarts: "
     "each row of each report, and each count, is what was acknowledged")
def reports_clock_ahead(run):
    reports = Reports(run, threads=1)
    for again in range(run.many(3, 30)):
        hangs, restarts = again % 3 > 0, again % 3 > 1
        reports.count()
        if hangs:
            reports.redis.signal(signal.SIGSTOP)
            reports.count()
        reports.clock(3 * HOUR)
        reports.count()
        if restarts:
            reports.server.kill()
            run.faults += 1
            reports.server.start()
            reports.count()
        reports.clock(0)
        reports.count()
        if hangs:
            reports.redis.signal(signal.SIGCONT)
        reports.verify()


# The rings move past 10 ms windows whose seconds they still hold, and the clock comes back: the kill has these windows read back alone.
RETURNS = ((31, -14, 19), (-88, 194, 16))


@row("reports-clock-wanders", "the clock is set to and fro by hours, and the server is killed between: each row of each report, "
     "and each count, is what was acknowledged")
def reports_clock_wanders(run):
    reports = Reports(run, threads=1)
    for turn in range(run.many(4, 20)):
        offsets = RETURNS[turn] if turn < len(RETURNS) else [run.random.randrange(-300, 300) for _ in range(3)]
        for minutes in offsets:
            reports.clock(minutes * MINUTE)
            reports.count(100)
        if turn < len(RETURNS) or run.random.randrange(2):
            reports.server.kill()
            run.faults += 1
            reports.server.start()
            reports.count(100)
        reports.verify()
