"""The event log: whatever is killed, full, stopped or cut, it has exactly what was counted; and what it could not keep is named."""

import collections
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time

from faults import BIN, TIMEOUT_S, Failure, environment, now_us, row, text_time, wait_until
from rows_state import small_disk
from support import us_of

BULKY = " x=" + 4000 * "y"
PLACES = ("calls", "kill_at", "stands", "standing")


class Disk:
    """Steers disk.c, which is preloaded into a server."""

    def __init__(self, run, name="disk"):
        path = run.place.dir / f"{name}.steering"
        path.write_bytes(bytes(8 * len(PLACES)))
        self.file = os.open(path, os.O_RDWR)
        run.place.at_close(os.close, self.file)
        self.env = {"LD_PRELOAD": run.place.preloaded("fault_disk.so"), "DEV_AFORO_DISK": str(path)}

    def put(self, **values):
        for name, value in values.items():
            os.pwrite(self.file, value.to_bytes(8, "little", signed=True), 8 * PLACES.index(name))

    def get(self, name):
        return int.from_bytes(os.pread(self.file, 8, 8 * PLACES.index(name)), "little", signed=True)


def log(word, directory, *flags):
    return subprocess.run([BIN / "aforo", "log", word, directory, *map(str, flags)], capture_output=True, text=True,
                          timeout=4 * TIMEOUT_S, env=environment(), check=False)


def records(directory, *flags):
    done = log("cat", directory, *flags)
    if done.returncode or (done.stderr and "no events there" not in done.stderr and "no counted" not in done.stderr):
        raise Failure(f"aforo log cat: {done.stderr}")
    return done.stdout.splitlines()


def windows(lines):
    """{10 ms window as text: events}, as the time of a record begins."""
    return collections.Counter(line[9:31] for line in lines)


def same(server, directory, node=None):
    """The log has exactly what the server has counted. Returns how many that is."""
    lines = records(directory) if node is None else [
        line for line in records(directory, "--number") if json.loads(line)["node"] == node]
    if node is not None:
        lines = [re.sub(r'^\{"node":"[^"]*","shard":\d+,"sequence":\d+,', "{", line) for line in lines]
    kept = windows(lines)
    counted = collections.Counter({text_time(us, 2).replace(" ", "T"): n for us, n in server.counts("10ms").items()})
    if kept != counted:
        raise Failure(f"{kept.total()} in the log, {counted.total()} counted; of {len(kept | counted)} windows differ "
                      f"{sorted((kept - counted).items())[:4]} and {sorted((counted - kept).items())[:4]}")
    return kept.total()


def whole(directory):
    done = log("check", directory)
    if done.returncode or done.stderr:
        raise Failure(f"aforo log check: {done.stdout}{done.stderr}")


class Bulk(threading.Thread):
    """Large batches over a connection, until it is told to end: tails fill. Lines of so many bytes that do not pack well."""

    def __init__(self, run, server, lines, fill):
        super().__init__()
        self.server, self.lines, self.fill = server, lines, fill
        self.random = run.random
        self.ends = threading.Event()
        self.accepted = self.rejected = 0
        self.longest_s = 0.0
        self.start()

    def run(self):
        while not self.ends.wait(0.002):
            now = text_time(now_us())
            rest = self.random.randbytes(self.fill // 2 * self.lines).hex()
            body = "".join(f"{now} x={rest[self.fill * i:self.fill * (i + 1)]}\n" for i in range(self.lines))
            begin = time.monotonic()
            told = self.server.post_lines(body).json
            self.longest_s = max(self.longest_s, time.monotonic() - begin)
            self.accepted += told["accepted"]
            self.rejected += told["rejected"]

    def end(self):
        self.ends.set()
        self.join(TIMEOUT_S)
        return self.accepted


@row("eventlog-kill", "killed -9 under load: the log has what was counted, event for event, and all that was refused")
def eventlog_kill(run):
    directory = run.place.dir / "log"
    redis = run.redis().start()
    server = run.server("--event-log", directory, redis=redis).start()
    run.load(server, connections=16, batch_every=5, lines=100)
    for _ in range(run.many(10, 50)):
        run.pause_s(0.05, 0.3)
        run.kill9(server)
        server.start()
    for load in run.loads:
        load.stop()
    for late in range(5):
        server.post("value=2001-01-01 00:00:00" if late % 2 else "value=never")
    before = server.conserved()
    run.verify([server], redis)
    if same(server, directory) != run.counted:
        raise Failure(f"{run.counted} were counted")
    refused = len(records(directory, "--refused"))
    if len(records(directory, "--all")) != run.counted + refused or refused < before["refused"]["malformed"]:
        raise Failure(f"{refused} refused ones in the log, {before['refused']}")
    whole(directory)
    server.stop()
    if list(directory.glob("*/*/*.ndjson")):
        raise Failure("not all is sealed at the end")
    whole(directory)


@row("eventlog-kill-sealing", "killed at each step of sealing a file: nothing is missing, nothing is there twice")
def eventlog_kill_sealing(run):
    """A start seals what an earlier run left, so that each start can be killed at the next of its steps."""
    directory = run.place.dir / "log"
    disk = Disk(run)
    server = run.server("--event-log", directory, threads=2, env=disk.env)
    sent = 0

    def has_sealed_or_ended():
        try:
            return not server.running() or server.stats()["event_log"]["waiting"] == 0
        except (OSError, http.client.HTTPException, ValueError):
            return False

    for step in range(1, run.many(30, 120)):
        disk.put(calls=0, kill_at=step)
        server.spawn()
        wait_until(has_sealed_or_ended, "it is killed, or has sealed all", every_s=0.002)
        if server.running():  # by the time it has sealed what its end leaves, it was killed there, or there are no more steps
            server.signal(signal.SIGTERM)
            run.faults += server.wait() != 0
        else:
            run.faults += 1
        disk.put(calls=0, kill_at=0)
        server.start()
        sent += server.post_lines([text_time(now_us())] * 300).json["accepted"]
        if same(server, directory) != sent:
            raise Failure(f"step {step}: {sent} were acknowledged")
        server.kill()
    if run.faults < 15:
        raise Failure(f"killed only {run.faults} times: sealing has other steps")
    server.start()
    whole(directory)
    if same(server, directory) != sent:
        raise Failure(f"{sent} were acknowledged")
    run.sent = run.acked = run.counted = sent


@row("eventlog-thread-stands", "the log thread stands still: nobody waits for it, and what waits is sealed afterwards")
def eventlog_thread_stands(run):
    directory, disk, seconds = run.place.dir / "log", Disk(run), run.many(3, 20)
    server = run.server("--event-log", directory, threads=1, env=disk.env).start()
    disk.put(stands=1)
    bulk = Bulk(run, server, lines=5000, fill=400)
    wait_until(lambda: disk.get("standing"), "it has a file to seal and stands still")
    begin = time.monotonic()
    while time.monotonic() < begin + seconds:
        time.sleep(0.2)
        if not disk.get("standing"):
            raise Failure("the log thread goes on")
        if server.stats()["event_log"]["waiting"] > 4:  # some 80 MB are enough
            bulk.ends.set()
    wait_until(lambda: server.stats()["event_log"]["waiting"] > 1, "another file waits")
    run.note(f"{server.stats()['event_log']['waiting']} files waited; the longest answer took {bulk.longest_s * 1000:.0f} ms")
    if bulk.longest_s > max(10, seconds / 2):  # who waits for the thread does so for as long as it stands
        raise Failure(f"a client waited for {bulk.longest_s:.1f} s")
    counted = bulk.end()
    if bulk.is_alive():
        raise Failure("a client waits as long as the log thread stands")
    if same(server, directory) != counted:
        raise Failure(f"{counted} were acknowledged")
    run.kill9(server)  # with all that waits
    disk.put(stands=0)
    server.start()
    wait_until(lambda: server.stats()["event_log"]["waiting"] == 0, "all is sealed", 4 * TIMEOUT_S, 0.1)
    if same(server, directory) != counted:
        raise Failure(f"{counted} were acknowledged")
    whole(directory)
    run.sent = run.acked = run.counted = counted


def missing(directory):
    """How many records the check of a log names as missing, each range once."""
    done = log("check", directory)
    ranges = re.findall(r"records (\d+) to (\d+) of node", done.stderr)
    return sum(int(last) - int(first) + 1 for first, last in ranges), done


@row("eventlog-disk-full", "a full disk, --event-log-when-full drop: all is counted, and what is not kept is named by its numbers")
def eventlog_disk_full(run):
    small = small_disk(run, "44m")
    server = run.server("--event-log", small / "log", threads=1).start()
    bulk = Bulk(run, server, lines=500, fill=4000)
    wait_until(lambda: server.stats()["event_log"]["dropped"] > 5000, "the disk is full", every_s=0.05)
    counted = bulk.end()
    run.faults += 1
    dropped = server.stats()["event_log"]["dropped"]
    if "no room for the event log" not in server.log():
        raise Failure("it is not said")
    if sum(server.counts("1min").values()) != counted or len(records_of_damaged(small / "log")) != counted - dropped:
        raise Failure(f"{counted} acknowledged, {dropped} dropped, {len(records_of_damaged(small / 'log'))} in the log")
    make_room(small / "log")
    before, more = server.stats()["event_log"], 0

    def is_kept():
        nonlocal more
        more += server.post_lines([text_time(now_us()) + BULKY] * 10).json["accepted"]
        return server.stats()["event_log"]["records"] > before["records"]
    wait_until(is_kept, "events are kept again", every_s=0.05)
    dropped = server.stats()["event_log"]["dropped"]
    lost, done = missing(small / "log")
    if lost != dropped or done.returncode != 1:
        raise Failure(f"{dropped} were dropped, {lost} are named: {done.stderr}")
    run.sent = run.acked = run.counted = counted + more
    server.stop()


def make_room(directory):
    """Removes the oldest sealed files, once there is one; the newest one of several stays, as aforod has it."""
    # not the one that is being written: its name begins with a point
    files = sorted(wait_until(lambda: list(directory.glob("*/1/[0-9]*.zst")), "a file is sealed"))
    for path in files[:max(1, len(files) - 1)]:
        path.unlink()


def records_of_damaged(directory):
    return log("cat", directory).stdout.splitlines()


def stays_full(server):
    """Whether nothing was kept for so long that sealing was tried meanwhile: a file that is sealed becomes smaller, which makes room."""
    first, end = server.stats(), time.monotonic() + 2.5
    while time.monotonic() < end:
        stats = server.stats()
        if stats["event_log"]["records"] != first["event_log"]["records"]:
            return False
        time.sleep(0.05)
    return stats["refused"]["not_kept"] > first["refused"]["not_kept"]


@row("eventlog-disk-full-refuse", "a full disk, refuse: 503 with Retry-After, and nothing is acknowledged that is not kept")
def eventlog_disk_full_refuse(run):
    small = small_disk(run, "44m")
    server = run.server("--event-log", small / "log", "--event-log-when-full", "refuse", threads=1).start()
    bulk = Bulk(run, server, lines=500, fill=4000)
    wait_until(lambda: stays_full(server), "the disk is full and stays so")
    counted = bulk.end()
    run.faults += 1
    answer = server.post(f"value={text_time(now_us())}&{BULKY.strip()}")  # a short one may have room left in the tail
    if (answer.status, answer.headers["Retry-After"]) != (503, "1"):
        raise Failure(f"{answer.status} {answer.headers['Retry-After']}")
    if same(server, small / "log") != counted:
        raise Failure(f"{counted} were acknowledged")
    whole(small / "log")
    run.kill9(server)
    server.start()
    if same(server, small / "log") != counted:
        raise Failure("after a kill")
    make_room(small / "log")
    wait_until(lambda: server.post("").status == 204, "it takes events again")
    run.sent = run.acked = run.counted = counted + 1


@row("eventlog-nodes", "three nodes of one folder, killed in turn: the log of each has what it counted, together what Redis has")
def eventlog_nodes(run):
    directory = run.place.dir / "log"
    redis = run.redis().start()
    servers = [run.server("--event-log", directory, "--node-id", f"node-{i}", redis=redis, name=f"node-{i}", threads=1).start()
               for i in range(3)]
    for server in servers:
        run.load(server, connections=4, batch_every=10, lines=50)
    for turn in range(run.many(6, 40)):
        run.pause_s(0.05, 0.3)
        run.kill9(servers[turn % 3])
        servers[turn % 3].start()
    run.verify(servers, redis)
    if sum(same(server, directory, server.name) for server in servers) != run.counted:
        raise Failure(f"{run.counted} were counted")
    if sorted(redis.counts("10ms").items()) != sorted(by_start(records(directory)).items()):
        raise Failure("Redis has something else than the logs")
    whole(directory)


def by_start(lines):
    """{start of the 10 ms window in us: events}"""
    return {us_of(text + "0000"): n for text, n in windows(lines).items()}


@row("eventlog-clock", "the wall clock steps back and forth: each event is in the log, in the window in which it was counted")
def eventlog_clock(run):
    directory = run.place.dir / "log"
    environment_, steering = run.clock()
    server = run.server("--event-log", directory, "--clock", "arrival", env=environment_, threads=1).start()
    load = run.load(server, connections=8, rate=4000, arrival=1)
    for turn in range(run.many(6, 60)):
        load.progress(400)
        if turn % 3 == 2:
            run.kill9(server)
        steering.offset(run.random.randrange(-20, 20) * 60_000_000)
        run.faults += 1
        if turn % 3 == 2:
            server.start()
    load.progress(400)
    load.stop()
    whole(directory)
    lines = len(records(directory))
    run.tally(lines)
    if not run.acked <= lines <= run.sent or sum(server.counts("1min").values()) != lines:
        raise Failure(f"{run.acked} acknowledged, {run.sent} sent, {lines} in the log, {sum(server.counts('1min').values())} counted")
