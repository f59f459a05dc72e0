"""What reports cost: single requests and batches beside the same requests without reports and beside other servers, which must
answer with the same rows; reading them; and what they cost at Redis."""

import os
import subprocess
from functools import partial

import peers
import report_costs
from measure import BIN, CLIENT_CORE, HERE, SERVER_CORE, Failure, load, median, now_us, ratio, text_time, usage, wrk
from report import number, table
from report_traffic import (EVENTS, Pipeline, Sender, Traffic, counted_commands, must_agree, rows_of_aforod, rows_of_peer,
                            rows_of_redis, web_commands)
from sections import section

ROUNDS = 5
PAIRS, PEER_ROUNDS, SHORT_ROUNDS = 9, 3, 5  # of single requests: a tenth of one request's CPU is to be told
FORMS = 400  # sent to each server before the load, to hold their answers against each other
TSUNG_RATE, PER_CONNECTION = 5000, 10
EXAMPLES = HERE.parent / "examples"
BODIES = 20
KEYED = """
fields: {route: , status: {type: int}, bytes: {type: int}}
reports: [{name: keyed, by: [route, status], windows: [1min], show: [count, sum(bytes)]}]
"""


def aforod(bench, name, row, *flags):
    return peers.Aforod(bench.place, *flags, name=name, row=row).start()


def with_reports(bench, name, row, definitions):
    return aforod(bench, name, row, "--reports", definitions)


def keyed_definitions(bench):
    path = bench.place.dir / "keyed.yaml"
    path.write_text(KEYED)
    return path


# ---- single requests ----


def send_forms(servers):
    """The same requests to each; what they answer must be the same rows, in both windows."""
    begin = now_us() - 600_000_000
    forms = [f"value={text_time(begin + i * 700_001)}&flight=AA{i % 20}&client={i % 7}&seconds={i % 60}" for i in range(FORMS)]
    for server in servers:
        sender = Sender(server.port)
        for form in forms:
            sender.post("/", form, "application/x-www-form-urlencoded")
        sender.close()


def billing_rows(server):
    if isinstance(server, peers.Aforod):
        return {**rows_of_aforod(server.port, "billing", "1min", 2),
                **{(key[0][:10], *key[1:]): row for key, row in rows_of_aforod(server.port, "billing", "1d", 2).items()}}
    return rows_of_peer(server.port, 2)


class Forms:
    """One server, and what its rounds of single requests cost."""

    def __init__(self, server):
        self.server, self.sent = server, FORMS
        self.kept, self.rate, self.short = [], [], []

    def keep_alive(self, seconds):
        before = usage(*self.server.pids)
        found = wrk(self.server.port, "event.lua", "fields", seconds=seconds)
        self.kept.append((usage(*self.server.pids) - before).total_s * 1e6 / found["requests"])
        self.rate.append(found["requests"] / found["seconds"])
        self.sent += found["requests"]

    def short_connections(self, seconds):
        before = usage(*self.server.pids)
        found = load(self.server.port, seconds, rate=TSUNG_RATE, per_connection=PER_CONNECTION, fields=1)
        self.short.append((usage(*self.server.pids) - before).total_s * 1e6 / found["requests"])
        self.sent += found["requests"]

    def check_sum(self):
        """Every request that was answered is in the rows of a day; what was under way when a load ended may be."""
        counted = sum(int(row[0]) for key, row in billing_rows(self.server).items() if len(key[0]) == 10)
        if not self.sent <= counted <= self.sent + 64 * len(self.kept):
            raise Failure(f"{self.server.row}: {self.sent} requests were answered, the rows have {counted}")


def judge(goals, what, above, below, most):
    """The median of the rounds' ratios; it cannot be told when a goal lies among the middle half of them."""
    each = sorted(a / b for a, b in zip(above, below))
    low, high = each[len(each) // 4], each[-1 - len(each) // 4]
    goals.at_most(what, median(each), most, unclear=f"the middle rounds gave {low:.2f} to {high:.2f}" if low <= most < high else "")


def single_requests(bench, seconds):
    bare, billing = aforod(bench, "aforod-bare", "aforod, no reports"), with_reports(
        bench, "aforod-billing", "aforod, examples/billing.yaml", EXAMPLES / "billing.yaml")
    servers = [bare, billing, *filter(None, map(bench.start, (peers.nginx_reports, peers.node_reports)))]
    send_forms(servers)
    wanted = billing_rows(billing)
    for server in servers[2:]:
        must_agree(server.row, billing_rows(server), wanted)
    found = [Forms(server) for server in servers]
    for i in range(PAIRS):
        for forms in found if i < PEER_ROUNDS else found[:2] if i % 2 else found[1::-1]:
            bench.say(f"round {i + 1} of {PAIRS}, forms, {forms.server.row}")
            forms.keep_alive(seconds)
            if i < SHORT_ROUNDS:
                forms.short_connections(seconds)
    for forms in found[1:]:
        forms.check_sum()
    judge(bench.goals, "a form with 3 fields and the billing report, CPU against no reports, keep-alive", found[1].kept,
          found[0].kept, 1.10)
    judge(bench.goals, "the same, connections of 10 requests", found[1].short, found[0].short, 1.10)
    rows = [[forms.server.row, number(median(forms.kept)), number(ratio(forms.kept, found[0].kept)), number(median(forms.rate), 0),
             number(median(forms.short)), number(ratio(forms.short, found[0].short))] for forms in found]
    head = ["server", "keep-alive: CPU us/request", "x no reports", "requests/s", "short connections: CPU us/request", "x no reports"]
    for server in servers:
        server.end()
    return ("### Single requests: a form with 3 fields, two windows of count, sum, first and last\n\n"
            f"`wrk -t1 -c64`, {PAIRS} rounds of {seconds} s in turn, {PEER_ROUNDS} of the peers; `bench-openloop` with {PER_CONNECTION} "
            f"requests a connection at {TSUNG_RATE:,}/s, as Tsung does it, {SHORT_ROUNDS} rounds. Medians; ratios compare round with "
            f"round. {FORMS} requests before the load gave the same {len(wanted)} rows everywhere.\n\n" + table(head, rows))


# ---- batches ----


def busiest_s(pid):
    """CPU seconds of the thread of a process that has used most: the one worker of a server under load."""
    def run_ns(task):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0])
    return max(run_ns(task) for task in os.listdir(f"/proc/{pid}/task")) / 1e9


class Batches:
    """One server and one traffic, and what its rounds cost. repeats: how often a round sends all bodies; rows: what the server has,
    as many figures a row as it says; None: nothing is asked."""

    def __init__(self, server, name, traffic, repeats, rows=None, figures=2, sender=None):
        self.server, self.name, self.traffic, self.repeats, self.rows, self.figures = server, name, traffic, repeats, rows, figures
        self.sender = sender or Sender(server.port)
        self.bodies = getattr(self.sender, "bodies", traffic.bodies)
        self.pid, self.sent = server.process.pid, 0
        self.worker, self.process = [], []

    def round(self):
        before = busiest_s(self.pid), usage(self.pid).total_s
        for _ in range(self.repeats):
            for body in self.bodies:
                self.sender.post_events(body)
        events = self.repeats * len(self.traffic.events)
        self.worker.append(events / (busiest_s(self.pid) - before[0]) / 1e6)
        self.process.append(events / (usage(self.pid).total_s - before[1]) / 1e6)
        self.sent += self.repeats

    def check(self):
        """All that was sent in all rounds is in the rows: count, sum, and where it is asked for the maximum."""
        if self.rows:
            wanted = self.traffic.web_rows(self.sent)
            must_agree(self.name, self.rows(), {key: row[:self.figures] for key, row in wanted.items()})

    def row(self, first):
        return [self.name, number(median(self.worker), 3), number(1e3 / median(self.worker), 0),
                number(median(self.process), 3), number(ratio(self.process, first.process), 3)]


def web_rows_of_aforod(port):
    """count, sum(bytes) and max(ms) of each row of `routes`: the measures of web.yaml that have one exact answer."""
    return {key: (row[0], row[2], row[6]) for key, row in rows_of_aforod(port, "routes", "1min", 2).items()}


def aforods(bench, repeats):
    keyed, found = keyed_definitions(bench), {}
    for name, digits, traffic in (("us", "microseconds", Traffic(BODIES * EVENTS)),
                                  ("ms", "milliseconds", Traffic(BODIES * EVENTS, digits=3))):
        bench.say(f"{traffic.bytes_an_event():.1f} bytes an event with {digits}")
        for kind, what, flags in (("keyed", "`keyed`", ["--reports", keyed]), ("bare", "no reports", []),
                                  ("web", "`web`", ["--reports", HERE / "web.yaml"])):
            row = f"aforod, {what}, times of {digits}"
            server = aforod(bench, f"aforod-{kind}-{name}", row, *flags)
            rows = {"keyed": partial(rows_of_aforod, server.port, "keyed", "1min", 2),
                    "web": partial(web_rows_of_aforod, server.port), "bare": None}[kind]
            found[kind, name] = Batches(server, row, traffic, repeats, rows, 3 if kind == "web" else 2)
    return found


def contenders(bench, traffic, repeats):
    """The peers, with either question; each gets a process of its own."""
    found = []
    for question, path, rows, figures in (("keyed", "/events", "/rows", 2), ("web", "/web", "/web", 3)):
        for make in (peers.nginx_reports, peers.node_reports):
            server = bench.start(make)
            if server:
                found.append(Batches(server, f"{server.row}, `{question}`", traffic, repeats,
                                     partial(rows_of_peer, server.port, 2, rows), figures, Sender(server.port, path)))
        with peers.on_core(SERVER_CORE):
            redis = peers.Redis(bench.place, name=f"pipelined-{question}").start()
        version = next(line.partition(":")[2] for line in redis.do("INFO", "server").splitlines() if line.startswith("redis_version"))
        commands = "HINCRBY" if question == "keyed" else "HINCRBY, PFADD, ZINCRBY, without maxima,"
        pipeline = Pipeline(redis.port, traffic, ("route", "status"), counted_commands if question == "keyed" else web_commands)
        found.append(Batches(redis, f"Redis {version}, {commands} pipelined, `{question}`", traffic, repeats,
                             partial(rows_of_redis, redis), sender=pipeline))
    return found


def batches(bench, seconds):
    ours = aforods(bench, 10 * seconds)
    found = [*ours.values(), *contenders(bench, ours["keyed", "us"].traffic, seconds)]
    for i in range(ROUNDS):
        for one in found:
            bench.say(f"round {i + 1} of {ROUNDS}, {one.name}")
            one.round()
    for one in found:
        one.check()
    for kind, least in (("web", 3), ("keyed", 5)):
        for name, digits in (("us", "microseconds"), ("ms", "milliseconds")):
            bench.goals.at_least(f"NDJSON, {'web.yaml' if kind == 'web' else 'one keyed report'}, times of {digits}, million events "
                                 "per CPU second of the worker", median(ours[kind, name].worker), least, 2)
    first = ours["keyed", "us"]
    size = first.traffic.bytes_an_event()
    for one in found:
        one.sender.close()
        one.server.end()
    head = ["server and question", "M events per CPU s of the worker", "ns an event", "of the process", "x the first"]
    return (f"### Batches: NDJSON of 5 fields and a time, {size:.0f} bytes an event, {EVENTS:,} events a request\n\n"
            f"`keyed` is count and sum(bytes) by route and status, a window of a minute; `web` the three reports of examples/web.yaml, "
            f"`routes` by the second as well. Medians of {ROUNDS} rounds in turn, aforod with flush to Redis; the worker is the "
            "process's busiest thread. Redis gets "
            "commands that were made before the load, so its figure is without the reading of JSON. Of what all rounds have sent, "
            "everybody had the rows that the events make: count and sum(bytes), of `web` also max(ms) but at Redis.\n\n"
            + table(head, [one.row(first) for one in found]))


# ---- programs without a server ----


def run_program(bench, name, *arguments):
    bench.say(name)
    done = subprocess.run(["taskset", "-c", str(SERVER_CORE), BIN / name, *arguments], capture_output=True, text=True, timeout=120,
                          check=False)
    if done.returncode:
        raise Failure(f"{name}: {done.stderr.strip()}")
    return done.stdout


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def parts(bench):
    """The scanner, a row's bytes, and each measure, alone."""
    scanner, rows, measures = (run_program(bench, name, *words) for name, words in (
        ("bench-json", []), ("bench-rows", [bench.place.dir]), ("bench-measures", [])))
    usual = cells(scanner.splitlines()[2])
    bench.goals.at_least(f"scanner alone, {usual[0]}, GB per CPU second", float(usual[3]), 1, 2)
    row_bytes = int(rows.splitlines()[-1].rpartition(": ")[2].split()[0])
    bench.goals.at_most("bytes of a row of count, sum, first and last, key of 16 bytes", row_bytes, 112, 0)
    for line in measures.splitlines()[2:]:
        name, values, _, ns, goal = cells(line)
        if goal:
            bench.goals.at_most(f"ns added by {name}, {values} values", float(ns), float(goal), 1)
    return ("### The scanner alone: `bench-json`\n\n" + scanner + "\n### Rows alone: `bench-rows`\n\n" + rows.replace("\na row", "\n\na row")
            + "\n### Measures alone: `bench-measures`\n\nIn the cache, within a transaction that is there anyway.\n\n" + measures)


@section("reports", "Reports: beside no reports and beside other programs that answer the same question")
def reports(bench):
    seconds = bench.seconds or 1
    texts = [f"Servers are on core {SERVER_CORE}, loads on core {CLIENT_CORE}.\n", single_requests(bench, seconds),
             batches(bench, seconds), parts(bench), report_costs.reading(bench), report_costs.redis(bench, seconds)]
    return "\n".join(texts)
