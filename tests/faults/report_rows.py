"""The rows that a server, a state directory or Redis has, held against those that the ledger makes; and the end of every row of the
failure table that is about reports."""

import collections
import decimal
import json
import subprocess
import time

from faults import BIN, TIMEOUT_S, Failure, environment, text_time, wait_until
from report_plan import GROUPS, WIDTH_US, Row, wrong_figures
from support import difference, us_of

__all__ = ["Expected", "counted_events", "counted_masks", "dense_counts", "end_loads", "flushed", "of_redis", "of_server", "of_state", "until_holds",
           "verify_dead", "verify_redis", "verify_reports"]

OTHER = "(other)"  # the key of the row where events go whose key found no room
HEALED_S = 60  # a machine may be busy; who is right is so after a second or two


# ---- sources: each gives {(window's start, key): {figure: value}} ----

def rows_of(report, text):
    rows = {}
    for row in json.loads(text, parse_float=decimal.Decimal)["rows"] if text else []:
        key = OTHER if row.get("other") is True else tuple(row["key"][field] for field in report.by)
        place = us_of(row["start"]), key
        if place in rows:
            raise Failure(f"report {report.name} has the row {place} twice")
        rows[place] = row["values"]
    return rows


def of_server(server, first_us):
    def read(report, window, name=None):
        start = text_time(first_us // WIDTH_US[window] * WIDTH_US[window]).replace(" ", "T")
        answer = server.request("GET", f"/reports/{name or report.name}/{window}?from={start}Z&partial=1&format=json")
        if answer.status != 200:
            raise Failure(f"{server.name}: {answer.status} {answer.text}")
        return rows_of(report, answer.text)
    return read


def of_console(first_us, *source, env=None):
    def read(report, window, name=None):
        start = text_time(first_us // WIDTH_US[window] * WIDTH_US[window])
        done = subprocess.run([BIN / "aforo", "report", name or report.name, "--window", window, *source, "--partial", "--format",
                               "json", "--from", start], capture_output=True, text=True, timeout=TIMEOUT_S,
                              env=environment(**(env or {})), check=False)
        if done.returncode:
            raise Failure(f"aforo report {name or report.name} {' '.join(map(str, source))}: {done.stderr}")
        return rows_of(report, done.stdout)
    return read


def of_state(server, first_us):
    return of_console(first_us, "--state", server.state)


def of_redis(redis, first_us, env=None):
    """`env`: of a clock that is ours."""
    return of_console(first_us, "--redis", getattr(redis, "url", redis), env=env)


# ---- comparisons ----

def assert_rows(report, window, expected, found, where, since_us=0):
    """Each row is there, with each figure, and no other. Windows that begin before `since_us` may be gone, or half gone."""
    wrong = [wrong_figures(report, place, expected[place], found[place]) if place in expected and place in found else
             f"{text_time(place[0], 3)} {place[1]}: " + (f"{len(expected[place].events)} events expected, no row"
                                                         if place in expected else f"no row expected, {found[place]}")
             for place in expected.keys() | found.keys() if place[0] >= since_us]
    wrong = sorted(filter(None, wrong))
    if wrong:
        raise Failure(f"{where}, report {report.name}, {window}: {len(wrong)} of {len(expected)} rows are wrong:\n" +
                      "\n".join(wrong[:4]))


def digest_sum(digests):
    halves = [(int(digest[:8], 16), int(digest[8:], 16)) for digest in digests]
    return "".join(f"{sum(half) & 0xffffffff:08x}" for half in zip(*halves))


TOTALS = {"count": sum, "sum": sum, "min": min, "max": max, "first": min, "last": max, "digest": digest_sum}


def assert_totals(report, window, expected, found, where):
    """Where keys found no room, all rows of a window together are what was sent, and no row has more than its key was sent. Returns
    how many events are in `(other)`."""
    windows, rows = collections.defaultdict(list), collections.defaultdict(list)
    for (start, _), row in expected.items():
        windows[start] += row.events
    for place, values in found.items():
        rows[place[0]].append(values)
        if place[1] != OTHER and (place not in expected or values["count"] > len(expected[place].events)):
            raise Failure(f"{where}, report {report.name}, {window}: {values} in {place}, which was sent "
                          f"{len(expected[place].events) if place in expected else 0} events")
    for start in windows.keys() | rows.keys():
        merged = {figure: TOTALS[figure.partition("(")[0]]([values[figure] for values in rows[start]]) for figure in report.show
                  if rows[start]}
        said = wrong_figures(report, (start, "all rows together"), Row(windows[start]), merged) if merged else "no row"
        if said:
            raise Failure(f"{where}, report {report.name}, {window}, {len(windows[start])} events: {said}")
    return sum(values["count"] for place, values in found.items() if place[1] == OTHER)


def assert_agreement(reports, rows, counts, where, since_us=0):
    """Reports that take every event have the same digest in every window, and as many events as the counts have; whatever was sent.
    `rows`: {(report's name, window): rows}; `counts`: {window: {start: events}}."""
    digests = collections.defaultdict(dict)  # (window, start) -> {report: digest}
    for report in reports:
        for window in report.windows if report.agrees() else ():
            windows = collections.defaultdict(list)
            for (start, _), values in rows[report.name, window].items():
                if start >= since_us:
                    windows[start].append(values)
            found = {start: sum(values["count"] for values in held) for start, held in windows.items()}
            held = {start: n for start, n in counts.get(window, found).items() if start >= since_us}
            if found != held:
                raise Failure(f"{where}: report {report.name} has not the events of the counts, {window}: {difference(held, found)}")
            for start, held in windows.items():
                digests[window, start][report.name] = digest_sum(values["digest"] for values in held)
    for (window, start), of in digests.items():
        if len(set(of.values())) > 1:
            raise Failure(f"{where}: the digests of {window} {text_time(start, 3)} differ: {of}")


def counted_masks(read, name=None):
    """{group: the sum of the bits of its events that were counted}; fails when one was counted twice."""
    masks, counts = collections.Counter(), collections.Counter()
    for (_, key), values in read(GROUPS, "1d", name).items():
        masks[key[0]] += int(values["sum(mask)"])
        counts[key[0]] += values["count"]
    for number, mask in masks.items():
        if mask.bit_count() != counts[number]:
            raise Failure(f"group {number}: {counts[number]} events, whose bits sum to {mask:b}: one was counted twice")
    return masks


class Expected:
    """What each row must be, of some events."""

    def __init__(self, reports, events):
        self.reports, self.other = reports, 0
        self.rows = {(report.name, window): report.rows(events, window) for report in reports for window in report.windows}

    def verify(self, read, counts, where, since_us=0):
        found = {(report.name, window): read(report, window) for report in self.reports for window in report.windows}
        assert_agreement(self.reports, found, counts, where, since_us)
        for report in self.reports:
            for window in report.windows:
                expected, rows = self.rows[report.name, window], found[report.name, window]
                if report.full:
                    self.other = max(self.other, assert_totals(report, window, expected, rows, where))
                else:
                    assert_rows(report, window, expected, rows, where, since_us)


def until_holds(verify, timeout_s=HEALED_S):
    """Redis is a flush behind: what does not hold may hold a little later."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return verify()
        except Failure:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def first_of(loads):
    """The time of the first event: windows are asked for from there on."""
    return min(event[0] for load in loads for request in load.requests() for event in request.events())


def end_loads(loads):
    for load in loads:
        load.pause()
        load.end()
    return first_of(loads)


def counted_events(loads, masks, where):
    """What was counted, in all; nothing that nobody sent."""
    events = [event for load in loads for event in load.counted(masks)]
    counted = sum(mask.bit_count() for mask in masks.values())
    if counted != len(events):
        raise Failure(f"{where} has {counted} events, of which {len(events)} were sent")
    return events


def flushed(server):
    """As far as the server knows, Redis has all."""
    store = server.health()["store"]
    return store["connected"] and store["last_flush_age_ms"] >= 0 and store["lag_ms"] == 0


def dense_counts(source):
    return {window: source.counts(window) for window in ("1s", "1min")}


def verify_redis(run, redis, reports, loads, events, env=None):
    """Redis has each row of all servers together. Nobody reads the counts of a cluster but aforo."""
    expected, read = Expected(reports, events), of_redis(redis, end_loads(loads), env)
    until_holds(lambda: expected.verify(read, dense_counts(redis) if hasattr(redis, "counts") else {}, "Redis"))
    requests = [request for load in loads for request in load.requests()]
    run.sent = sum(len(request.events()) for request in requests)
    run.acked = sum(request.accepted for request in requests if request.answered)
    run.counted = len(events)
    return expected


def verify_dead(server, reports, load):
    """The state directory of a server that was killed, as it lies there; nothing is in flight. The counts may lack the one event that
    each worker had committed and not yet counted: its next start does that."""
    where, read = f"the state of {server.name}, which was killed", of_state(server, first_of([load]))
    events = counted_events([load], counted_masks(read), where)
    Expected(reports, events).verify(read, {}, where)


def verify_reports(run, servers, redis, reports, loads):
    """Ends the loads. Then each row of each report is what the ledger says: at each server, in each state directory, and in Redis;
    and each source agrees with itself."""
    first_us, everything = end_loads(loads), []
    for server in servers:
        read = of_server(server, first_us)
        events = counted_events([load for load in loads if load.server is server], counted_masks(read), server.name)
        expected, counts = Expected(reports, events), dense_counts(server)
        expected.verify(read, counts, server.name)
        expected.verify(of_state(server, first_us), counts, f"the state of {server.name}")
        everything += events
    wait_until(lambda: all(map(flushed, servers)), "Redis has what the servers have", HEALED_S)
    return verify_redis(run, redis, reports, loads, everything)
