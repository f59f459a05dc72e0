"""The other parts of the section reports: reading 100,000 rows, and what changed rows cost at Redis beside HINCRBY an event."""

import os
import re
import subprocess
import time

import peers
from measure import BIN, SERVER_CORE, Failure, median, usage, wait_until
from report import number, table
from report_traffic import TICKS_PER_S, Pipeline, Sender, Traffic, must_agree, rows_of_redis, send_at_rate

ROWS = 100_000
A_SECOND = 100
READS = 5
MANY = """
fields: {user: , bytes: {type: int}}
reports: [{name: many, by: [user], windows: [1d, 1s], show: [count, sum(bytes), first, last], keys: {max: 120000}, memory: 256MiB}]
"""
CHANGED = 1000  # rows a second
RATES = (5_000, 20_000, 100_000)
USERS = """
fields: {user: , bytes: {type: int}}
reports: [{name: users, by: [user], windows: [1min], show: [count, sum(bytes)]}]
"""


def definitions(bench, name, text):
    path = bench.place.dir / name
    path.write_text(text)
    return path


# ---- reading ----


def read_rows(words):
    """One run of the console program: seconds by the clock, its CPU seconds, and its lines without their header."""
    before, begin = os.times(), time.perf_counter()
    done = subprocess.run([BIN / "aforo", "report", "many", "--partial", "--format", "csv", *words], capture_output=True, timeout=120,
                          check=False)
    clock, after = time.perf_counter() - begin, os.times()
    if done.returncode:
        raise Failure(f"aforo report: {done.stderr.decode()[-500:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return clock, cpu, done.stdout.splitlines()[1:]


def without_state(lines):
    """A window that ends between two readings is closed in the later one."""
    return [re.sub(rb",(open|closed|final),", b",", line, count=1) for line in lines]


class Reads:
    """What reading one width from one source took, each time."""

    def __init__(self, width, source, words):
        self.width, self.source, self.words = width, source, [*words, "--window", width, "--from", "-3d"]
        self.clock, self.cpu = [], []

    def read(self):
        clock, cpu, lines = read_rows(self.words)
        self.clock.append(clock)
        self.cpu.append(cpu)
        return without_state(lines)


def reading(bench):
    server = peers.Aforod(bench.place, "--reports", definitions(bench, "many.yaml", MANY), name="aforod-many").start()
    traffic, sender = Traffic(ROWS, users=ROWS, per_body=1000, per_second=A_SECOND), Sender(server.port)
    for body in traffic.bodies:
        sender.post_events(body)
    sender.close()
    sources = {"server": ["--server", f"http://127.0.0.1:{server.port}"], "state": ["--state", server.state],
               "redis": ["--redis", server.redis.url]}
    found = [Reads(width, source, words) for width in ("1d", "1s") for source, words in sources.items()]
    wait_until(lambda: all(len(reads.read()) == ROWS for reads in found), "all sources have all rows", every_s=0.5)
    rows = []
    for i in range(READS):
        first = {}
        for reads in found:
            bench.say(f"reading, round {i + 1} of {READS}, {reads.source}, windows of {reads.width}")
            lines = reads.read()
            if lines != first.setdefault(reads.width, lines):
                raise Failure(f"{reads.source} has other rows than the server")
    for reads in found:
        clock_s, windows = median(reads.clock[-READS:]), "one window" if reads.width == "1d" else f"{ROWS // A_SECOND:,} windows"
        bench.goals.at_most(f"{ROWS:,} rows from {reads.source}, {windows}, s", clock_s, 1, 2)
        rows.append([f"`--{reads.source}`", windows, number(clock_s), number(min(reads.clock)), number(median(reads.cpu[-READS:]))])
    server.end()
    return (f"### Reading {ROWS:,} rows of count, sum, first and last\n\n"
            f"`aforo report many --partial --format csv --window 1d` (or `1s`), {READS} times each in turn; all sources gave the same "
            "rows.\n\n" + table(["source", "rows in", "median s", "least s", "CPU s of aforo"], rows))


# ---- at Redis ----


def cpu_ms_a_second(redis, post, traffic, bodies, rate, seconds):
    """Of Redis, while events come at that rate; what is under way at the end of the load counts, too. And the events sent."""
    warm = send_at_rate(post, bodies, traffic.per_body, rate, 2)
    time.sleep(1.2)
    before = usage(redis.process.pid)
    sent = send_at_rate(post, bodies, traffic.per_body, rate, seconds)
    time.sleep(1.2)
    return (usage(redis.process.pid) - before).total_s * 1000 / seconds, warm + sent


def rows_at_redis(redis):
    """The totals that aforod's flush has made, as rows_of_redis has those of HINCRBY."""
    found = {}
    for key in redis.do("KEYS", "aforo:2:r:{users.*:1min:*}"):
        fields = redis.pipeline([("HGETALL", key)], as_bytes=True)[0]
        for field, value in zip(fields[::2], fields[1::2]):
            row, separator, figure = field.decode(errors="replace").partition("\x1f")
            if separator and "\x1e" not in field.decode(errors="replace"):
                place = found.setdefault((key[key.index("1min:") + 5:-1].replace("T", " "), row), ["", ""])
                place[figure.startswith("sum")] = value.decode()
    return {key: tuple(row) for key, row in found.items()}


def one_rate(bench, rate, seconds):
    """CPU of Redis for both ways, ms a second."""
    per_body = min(rate // TICKS_PER_S, CHANGED)
    traffic = Traffic(max(CHANGED, per_body), users=CHANGED, per_body=per_body)
    bench.say(f"Redis, {rate} events/s, aforod")
    server = peers.Aforod(bench.place, "--flush-interval", "1s", "--reports", definitions(bench, "users.yaml", USERS),
                          name=f"aforod-users-{rate}").start()
    sender = Sender(server.port)
    ours, sent = cpu_ms_a_second(server.redis, sender.post_events, traffic, traffic.bodies, rate, seconds)
    wanted = traffic.rows(("user",), sent // len(traffic.events))
    wait_until(lambda: rows_at_redis(server.redis) == wanted, "Redis has what was sent", every_s=0.2)
    sender.close()
    server.end()
    bench.say(f"Redis, {rate} events/s, HINCRBY")
    redis = peers.start_redis(bench.place, f"hincrby-{rate}")
    pipeline = Pipeline(redis.port, traffic, ("user",))
    theirs, sent_too = cpu_ms_a_second(redis, pipeline.post_events, traffic, pipeline.bodies, rate, seconds)
    must_agree("HINCRBY", rows_of_redis(redis), traffic.rows(("user",), sent_too // len(traffic.events)))
    pipeline.close()
    redis.kill()
    return ours, theirs


def redis(bench, seconds):
    rows, seconds = [], max(3 * seconds, 3)
    for rate in RATES:
        ours, theirs = one_rate(bench, rate, seconds)
        rows.append([number(rate, 0), number(ours), number(theirs), number(ours / theirs, 3), number(ours * 1000 / CHANGED, 1),
                     number(theirs * 1e6 / rate / 1000, 2)])
        bench.goals.at_most(f"Redis' CPU for {CHANGED:,} changed rows a second, against HINCRBY an event, {rate:,} events/s",
                            ours / theirs, 0.2)
    head = ["events/s", "aforod: ms/s of Redis", "HINCRBY: ms/s", "ratio", "aforod: us a changed row", "HINCRBY: us an event"]
    return (f"### Redis' CPU for {CHANGED:,} changed rows a second and node, of count and sum\n\n"
            f"NDJSON to aforod, which flushes every second, against two HINCRBY an event, pipelined; both at the same rate, {seconds} s "
            f"after 2 s of the same. The flush of the counts and Redis' own timers are in it. Redis is on the load's core, the "
            f"other programs on core {SERVER_CORE}. Both ended with the same rows.\n\n" + table(head, rows))
