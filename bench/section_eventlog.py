"""What it costs to keep every event: single requests and batches with the event log on and off, its bytes on disk, and the same events in
nginx's access log and in a stream of Redis."""

import pathlib
import resource
import subprocess

import peers
from measure import BIN, Failure, Machine, median, ratio, usage, wait_until, wrk
from report import number, table
from report_traffic import Pipeline, Sender, Traffic
from sections import section

PAIRS = 7
BATCH_ROUNDS = 5
PER_BODY = 20_000
EVENTS = 200_000  # sent again and again
ROUND_EVENTS = 1_000_000
LOG_THREAD = "event-log"
OTHERS_MAX = 0.2  # of a core


class Threads:
    """CPU seconds of a process: of its log thread, and of all others."""

    def __init__(self, pid):
        self.log_s = self.rest_s = 0.0
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            seconds = int((task / "schedstat").read_text().split()[0]) / 1e9
            if (task / "comm").read_text().strip() == LOG_THREAD:
                self.log_s += seconds
            else:
                self.rest_s += seconds

    def since(self, before):
        return self.rest_s - before.rest_s, self.log_s - before.log_s


def kept_bytes(directory):
    """(bytes, records) of what is sealed, which must be all."""
    if list(directory.glob("*/*/*.ndjson")):
        raise Failure("not all is sealed")
    done = subprocess.run([BIN / "aforo", "log", "check", directory], capture_output=True, text=True, check=True, timeout=300)
    records = sum(int(line.split(": ")[2].split()[0]) for line in done.stdout.splitlines() if "counted" in line)
    return sum(path.stat().st_size for path in directory.glob("*/*/*.zst")), records


def disturbed(machine):
    """Why CPU cannot be told when others were busy meanwhile: caches are shared, and a page fault costs half as much again."""
    others = machine.others()
    return f"others took {100 * others:.0f} % of one core" if others > OTHERS_MAX else ""


def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# ---- single requests ----


def nginx(place):
    version, = peers.debian("nginx")
    port = place.port()
    peer = peers.Peer(place, "log-nginx", ["nginx", "-c", peers.configured(place, "log-nginx.conf", PORT=port)],
                      row=f"nginx {version}, access log, then zstd -1", body="query")
    peer.port = port
    return peer


class Single:
    """A server of single requests, and what its rounds cost: CPU us a request, of all but the log thread and of all."""

    def __init__(self, server):
        self.server, self.requests = server, 0
        self.rest, self.all = [], []

    def round(self, seconds):
        before = Threads(self.server.pids[0])
        found = wrk(self.server.port, "event.lua", self.server.body, seconds=seconds)
        rest_s, log_s = Threads(self.server.pids[0]).since(before)
        self.requests += found["requests"]
        self.rest.append(rest_s * 1e6 / found["requests"])
        self.all.append((rest_s + log_s) * 1e6 / found["requests"])


def pack_access_log(bench, single):
    """CPU us and bytes of an event that zstd makes of the log."""
    path = bench.place.dir / "log-nginx.ndjson"
    single.server.end()
    before = children_s()
    subprocess.run(["zstd", "-q", "-1", "-T1", path], check=True, timeout=300)
    seconds = children_s() - before
    lines = int(subprocess.run(["wc", "-l", path], capture_output=True, text=True, check=True).stdout.split()[0])
    return seconds * 1e6 / lines, path.with_suffix(".ndjson.zst").stat().st_size / lines


def single_requests(bench, seconds):
    directory, machine = bench.place.dir / "single", Machine()
    found = [Single(peers.Aforod(bench.place, name="bare", row="aforod, no event log", redis=False).start()),
             Single(peers.Aforod(bench.place, "--event-log", directory, name="kept", row="aforod --event-log", redis=False).start())]
    other = bench.start(nginx)
    found += [Single(other)] if other else []
    for i in range(PAIRS):
        for single in found if i % 2 else found[1::-1] + found[2:]:
            bench.say(f"round {i + 1} of {PAIRS}, single requests, {single.server.row}")
            single.round(seconds)
    for single in found[:2]:
        single.server.stop()
    size, records = kept_bytes(directory)
    if not found[1].requests <= records <= found[1].requests + 64 * PAIRS:
        raise Failure(f"{found[1].requests} requests were answered, {records} records kept")
    bench.goals.at_most("single requests: CPU of the workers with the log, against without", ratio(found[1].rest, found[0].rest), 1.05,
                        unclear=disturbed(machine))
    bench.goals.at_most("bytes an event, a time alone, in a form", size / records, 10)
    rows = [[found[0].server.row, number(median(found[0].rest)), "1.00", number(median(found[0].all)), ""],
            [found[1].server.row, number(median(found[1].rest)), number(ratio(found[1].rest, found[0].rest), 3),
             number(median(found[1].all)), number(size / records, 1)]]
    if other:
        packing, bytes_each = pack_access_log(bench, found[2])
        rows.append([other.row, number(median(found[2].rest)), number(ratio(found[2].rest, found[0].rest), 3),
                     number(median(found[2].all) + packing), number(bytes_each, 1)])
    return ("### Single requests: a time alone\n\n"
            f"`wrk -t1 -c64`, {PAIRS} rounds of {seconds} s in turn; medians, and ratios of a round with the one beside it. nginx "
            "answers 204 and writes the time that a request carries and its own, to the millisecond, so that most lines are the one before "
            "once more; it counts nothing.\n\n"
            + table(["server", "CPU us a request, without the log thread", "x no log", "with sealing or zstd", "bytes an event"], rows))


# ---- batches ----


class Batches:
    """A server of batches, and what its rounds cost: CPU us an event, of all but the log thread and of all."""

    def __init__(self, bench, name, row, *flags):
        self.server = peers.Aforod(bench.place, *flags, name=name, row=row, redis=False).start()
        self.sender, self.row = Sender(self.server.port), row
        self.rest, self.all, self.events = [], [], 0

    def round(self, traffic):
        before = Threads(self.server.pids[0])
        for at in range(0, ROUND_EVENTS, PER_BODY):
            self.sender.post_events(traffic.bodies[at // PER_BODY % len(traffic.bodies)])
        wait_until(lambda: self.server.stats()["event_log"]["waiting"] == 0, "all full files are sealed", every_s=0.02)
        rest_s, log_s = Threads(self.server.pids[0]).since(before)
        self.events += ROUND_EVENTS
        self.rest.append(rest_s * 1e6 / ROUND_EVENTS)
        self.all.append((rest_s + log_s) * 1e6 / ROUND_EVENTS)


def stream_commands(event, _):
    """The event as one entry of a stream, its fields as the object has them."""
    return [("XADD", "events", "*", "us", str(event.us), "route", event.route, "status", str(event.status), "ms", str(event.ms),
             "bytes", str(event.bytes), "user", event.user)]


def stream_of_redis(bench, traffic):
    """One row: what Redis takes for the same events; CPU of reading its protocol with it, encoded before."""
    redis = peers.start_redis(bench.place, "stream", "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
    link = Pipeline(redis.port, traffic, None, stream_commands)
    cpu = []
    for _ in range(BATCH_ROUNDS):
        redis.do("DEL", "events")
        before = usage(redis.process.pid)
        for body in link.bodies:
            link.post_events(body)
        cpu.append((usage(redis.process.pid) - before).total_s * 1e6 / len(traffic.events))
    memory = redis.do("MEMORY", "USAGE", "events", "SAMPLES", 0) / len(traffic.events)
    appended = sum(path.stat().st_size for path in redis.directory.rglob("*.aof")) / len(traffic.events) / BATCH_ROUNDS
    link.close()
    redis.end()
    return ["Redis, XADD, append-only file", "", number(median(cpu), 3), number(1 / median(cpu)),
            f"{appended:.0f} on disk, {memory:.0f} in memory"]


def batches(bench):
    directory, machine = bench.place.dir / "batches", Machine()
    traffic = Traffic(EVENTS, per_body=PER_BODY, per_second=5000)
    found = [Batches(bench, "batch-bare", "aforod, no event log"),
             Batches(bench, "batch-kept", "aforod --event-log", "--event-log", directory)]
    for i in range(BATCH_ROUNDS):
        for each in found if i % 2 else found[::-1]:
            bench.say(f"round {i + 1} of {BATCH_ROUNDS}, batches, {each.row}")
            each.round(traffic)
    for each in found:
        each.sender.close()
        each.server.stop()
    unclear = disturbed(machine)
    size, records = kept_bytes(directory)
    if records != found[1].events:
        raise Failure(f"{found[1].events} events were sent, {records} kept")
    rows = [[each.row, number(median(each.rest), 3), number(median(each.all), 3), number(1 / median(each.all)), ""] for each in found]
    rows[1][4] = number(size / records, 1)
    bench.goals.at_least("NDJSON: million events a CPU second of the workers", 1 / median(found[1].rest), 3, 2, unclear=unclear)
    bench.goals.at_least("the same with sealing", 1 / median(found[1].all), 2, 2, unclear=unclear)
    bench.goals.at_most("bytes an event, NDJSON", size / records, 20)
    rows.append(stream_of_redis(bench, traffic))
    return (f"### NDJSON of a web log, {traffic.bytes_an_event():.0f} bytes an event, {PER_BODY:,} a batch\n\n"
            f"{BATCH_ROUNDS} rounds of {ROUND_EVENTS:,} events in turn, each until all full files are sealed; medians.\n\n"
            + table(["server", "CPU us an event, without the log thread", "with it", "M events a CPU s", "bytes an event"], rows))


@section("eventlog", "The event log: every event kept, beside none, nginx's access log, and a stream of Redis")
def eventlog(bench):
    bench.say("sealing alone")
    done = subprocess.run([BIN / "bench-eventlog", bench.place.dir], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise Failure(f"bench-eventlog: {done.stderr.strip()}")
    return (single_requests(bench, bench.seconds or 2) + "\n" + batches(bench)
            + "\n### Sealing alone, without a server\n\nCPU of one thread for a tail of 15 MiB, the best of several rounds.\n\n" + done.stdout)
