"""Real programs for tests: aforod, redis-server and its sentinel, on ports and in directories of their own.

A Place holds everything that one test starts; closing it ends every process and removes every file. A process also dies
with the test program itself (setpriv --pdeathsig), so that nothing is left behind when a test is killed.
"""

import datetime
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DEV_AFORO_BIN", ROOT / "build" / "release" / "bin"))
TIMEOUT_S = 30
# A sanitizer has an allocator of its own, which keeps what was freed for a while: memory then says nothing of the program.
MEMORY_IS_OURS = not os.environ.get("DEV_AFORO_SANITIZE")
WIDTH_US = {"10ms": 10_000, "1s": 1_000_000, "1min": 60_000_000}
CHUNK_US = {"10ms": 1_000_000, "1s": 60_000_000, "1min": 3_600_000_000}
CHUNK_TIME = {"10ms": "%Y-%m-%dT%H:%M:%S", "1s": "%Y-%m-%dT%H:%M", "1min": "%Y-%m-%dT%H"}
EPOCH = datetime.datetime(1970, 1, 1)
STATE_FILE = "counters.aforo"
SOME_DAY = "2001-09-09 01:46:40"  # before everything that is counted here


class Failure(AssertionError):
    """Something did not hold."""


def needs(built, *programs):
    """Ends this program when something is not there that it will start: programs of BIN, and of the machine. Says what, and how to
    get it."""
    place = BIN.relative_to(ROOT) if BIN.is_relative_to(ROOT) else BIN
    missing = [str(place / name) for name in built if not (BIN / name).exists()]
    missing += [name for name in programs if shutil.which(name) is None]
    if missing:
        sys.exit(f"{sys.argv[0]}: missing: {', '.join(missing)}; tools/setup release test installs and builds all that it needs")


def now_us():
    return time.time_ns() // 1000


def text_time(us, digits=6):
    """The form that Tsung sends: 2016-05-28 11:11:11.123456, in UTC."""
    moment = EPOCH + datetime.timedelta(microseconds=us)
    text = moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    return text[:len(text) - 6 + digits]


def us_of(text):
    """Microseconds of 2016-05-28T11:11:11.120Z."""
    moment = datetime.datetime.fromisoformat(text.rstrip("Z").replace(" ", "T"))
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def wait_until(holds, what, timeout_s=TIMEOUT_S, every_s=0.005):
    """Polls until `holds()` is true, and returns what it was; fails with `what` when it never is."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"still not so after {timeout_s} s: {what() if callable(what) else what}")
        time.sleep(every_s)


def environment(**extra):
    """Ours, without what would set a flag of the programs or make them talk to a service manager."""
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith("AFORO_") and k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")}
    return {**kept, **extra}


class Port:
    """A free port, held by a socket that is bound and never listens: a server with SO_REUSEADDR can take it, again and
    again, while no other test and no outgoing connection gets it in between."""

    def __init__(self):
        self.holder = socket.socket()
        self.holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.holder.bind(("127.0.0.1", 0))
        self.number = self.holder.getsockname()[1]

    def close(self):
        self.holder.close()


class Program:
    """One program that can be started more than once; what it writes goes to a file of its place."""

    def __init__(self, place, name, command, env=None, as_user=None):
        self.place, self.name, self.command = place, name, [str(word) for word in command]
        self.env = env or environment()
        self.as_user = as_user
        self.process = None
        self.wrap = []  # a program that starts it, with its arguments
        self.log_path = place.dir / f"{name}.log"
        place.programs.append(self)

    def spawn(self):
        user = ["--reuid", self.as_user, "--regid", "nogroup", "--clear-groups"] if self.as_user else []
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(["setpriv", *user, "--pdeathsig", "KILL", *self.wrap, *self.command],
                                            env=self.env,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.place.dir)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout_s=TIMEOUT_S):
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} does not end within {timeout_s} s\n{self.log()[-2000:]}") from None

    def kill(self):
        if self.running():
            self.process.kill()
        if self.process is not None:
            self.process.wait(TIMEOUT_S)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", status).group(1))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


class Server(Program):
    """aforod."""

    def __init__(self, place, *flags, name="aforod", state=None, redis=None, threads=2, env=None, as_user=None):
        self.port = place.port()
        self.state = pathlib.Path(state or place.dir / f"{name}-state")
        self.redis = redis
        self.threads = threads
        self.flags = list(flags)
        super().__init__(place, name, [], environment(**(env or {})), as_user)

    def spawn(self):
        url = [] if self.redis is None else ["--redis", getattr(self.redis, "url", self.redis)]
        self.command = [str(word) for word in (
            BIN / "aforod", "--listen", f"127.0.0.1:{self.port}", "--state", self.state, "--threads", self.threads, *url,
            *self.flags)]
        super().spawn()

    def start(self):
        self.spawn()
        self.ready()
        return self

    def ready(self):
        def answers():
            if not self.running():
                raise Failure(f"{self.name} ended with {self.process.returncode}:\n{self.log()[-2000:]}")
            try:
                return self.request("GET", "/healthz").status == 200
            except (OSError, http.client.HTTPException):
                return False
        wait_until(answers, lambda: f"{self.name} answers\n{self.log()[-2000:]}")

    def refuses_to_start(self, timeout_s=TIMEOUT_S):
        """Starts it, and returns (exit status, what it said) when it has ended, as it should."""
        before = len(self.log())
        self.spawn()
        return self.wait(timeout_s), self.log()[before:]

    def stop(self, timeout_s=TIMEOUT_S):
        """SIGTERM; returns the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S)

    def request(self, method, path, body=None, headers=None):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            link.request(method, path, body, headers or {})
            answer = link.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            link.close()

    def post(self, body, headers=None):
        return self.request("POST", "/", body, headers)

    def post_lines(self, lines):
        body = lines if isinstance(lines, (bytes, str)) else "".join(f"{line}\n" for line in lines)
        return self.request("POST", "/events", body)

    def health(self):
        return self.request("GET", "/healthz").json

    def stats(self):
        return self.request("GET", "/stats").json

    def conserved(self):
        """received = counted + refused; returns the statistics."""
        stats = self.stats()
        if stats["received"] != stats["counted"] + sum(stats["refused"].values()):
            raise Failure(f"{self.name}: received is not counted + refused: {stats}")
        return stats

    def counts(self, resolution):
        """{start in us: count} of all that the server holds, windows with events only."""
        return rows_of(self.request(
            "GET", f"/counts/{resolution}?from={SOME_DAY.replace(' ', 'T')}Z&partial=1&format=csv").text)


def rows_of(csv):
    counts = {}
    for line in csv.splitlines()[1:]:
        start, count, _ = line.split(",")
        if count != "0":
            counts[us_of(start)] = int(count)
    return counts


def state_counts(state, resolution):
    """The same as Server.counts, from the state file, by the console program."""
    done = subprocess.run([BIN / "aforo", resolution, "--state", state, "--from", SOME_DAY, "--partial", "--format", "csv"],
                          capture_output=True, text=True, timeout=TIMEOUT_S, env=environment(), check=False)
    if done.returncode:
        raise Failure(f"aforo --state {state}: {done.stderr}")
    return rows_of(done.stdout)


class RedisError(Exception):
    """An error reply."""


def read_reply(wire, as_bytes=False):
    """One reply of Redis' protocol."""
    line = wire.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("Redis closed the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        raise RedisError(rest.decode())
    if kind == b"+":
        return rest.decode()
    if kind == b":":
        return int(rest)
    if int(rest) < 0:
        return None
    if kind == b"$":
        value = wire.read(int(rest) + 2)[:-2]
        return value if as_bytes else value.decode()
    return [read_reply(wire, as_bytes) for _ in range(int(rest))]


class Redis(Program):
    """redis-server, by default without any file; a client of it that stands apart from the programs under test."""

    def __init__(self, place, *options, name="redis", command="redis-server"):
        self.port = place.port()
        self.directory = place.dir / name
        self.directory.mkdir()
        self.options = list(options)
        self.url = f"redis://127.0.0.1:{self.port}"
        super().__init__(place, name, [command])

    def spawn(self):
        self.command = [str(word) for word in (
            "redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.directory, "--save", "",
            *self.options)]
        super().spawn()

    def start(self):
        self.spawn()

        def answers():
            if not self.running():
                raise Failure(f"{self.name} ended:\n{self.log()[-2000:]}")
            try:
                return self.do("PING") == "PONG"
            except (OSError, RedisError):  # "LOADING" while it reads its files
                return False
        wait_until(answers, f"{self.name} answers")
        return self

    def pipeline(self, commands, as_bytes=False):
        if not commands:
            return []
        wire = b"".join(b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(str(word).encode()), str(word).encode()) for word in words) for words in commands)
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S) as link, link.makefile("rb") as replies:
            link.sendall(wire)
            return [read_reply(replies, as_bytes) for _ in commands]

    def do(self, *words):
        return self.pipeline([words])[0]

    def chunks(self, resolution):
        """{start of a chunk in us: its hash}, keys and values as bytes; groups of a cluster are not told apart."""
        prefix = f"aforo:2:{{{resolution}:"
        keys = [key for key in self.do("KEYS", prefix + "*") if key.endswith("}")]
        chunks = {}
        for key, reply in zip(keys, self.pipeline([("HGETALL", key) for key in keys], as_bytes=True)):
            start = datetime.datetime.strptime(key[len(prefix):-1], CHUNK_TIME[resolution])
            chunks[(start - EPOCH) // datetime.timedelta(microseconds=1)] = dict(zip(reply[::2], reply[1::2]))
        return chunks

    def counts(self, resolution, node=None):
        """{start in us: count} of all that is there: the totals, or what one node has reported."""
        counts = {}
        for base, chunk in self.chunks(resolution).items():
            if node is None:
                found = {int(field): int(value) for field, value in chunk.items() if len(field) == 2}
            else:
                found = part(chunk.get(b"n:" + node.encode(), b""))
            counts.update({base + slot * WIDTH_US[resolution]: count for slot, count in found.items()})
        return counts

    def audit(self):
        """Every total is the sum of its parts, in every key; fails with the first that is not."""
        for resolution in WIDTH_US:
            for base, chunk in self.chunks(resolution).items():
                sums = {}
                for field, value in chunk.items():
                    for slot, count in part(value).items() if field.startswith(b"n:") else ():
                        sums[slot] = sums.get(slot, 0) + count
                totals = {int(field): int(value) for field, value in chunk.items() if len(field) == 2}
                if b"final" not in chunk and totals != sums:
                    raise Failure(f"{resolution} {text_time(base, 3)}: totals {totals}, but the parts sum to {sums}")


def part(value):
    """A node's part of a chunk (redis/part.h) -> {slot: count}."""
    if not value:
        return {}
    width, total = value[0], int.from_bytes(value[5:12], "little")
    counts = [int.from_bytes(value[i:i + width], "little") for i in range(12, len(value), width)]
    if sum(counts) != total:
        raise Failure(f"a part says {total}, and sums to {sum(counts)}")
    return {slot: count for slot, count in enumerate(counts) if count}


class Place:
    """What one test starts and writes."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="aforo-test-"))
        self.programs, self.held, self.closers = [], [], []

    def port(self):
        self.held.append(Port())
        return self.held[-1].number

    def server(self, *flags, **settings):
        return Server(self, *flags, **settings)

    def redis(self, *options, **settings):
        return Redis(self, *options, **settings)

    def at_close(self, call, *args):
        self.closers.append((call, args))

    def preloaded(self, name):
        """A library of BIN as LD_PRELOAD takes it, which ends a name at a blank: by a link from here."""
        link = self.dir / name
        if not link.is_symlink():
            link.symlink_to((BIN / name).resolve())
        return str(link)

    def close(self):
        for program in reversed(self.programs):
            program.kill()
        for call, args in reversed(self.closers):
            call(*args)
        for port in self.held:
            port.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def sums(events):
    """{event time in us: n} -> {resolution: {window start in us: n}}."""
    windows = {resolution: {} for resolution in WIDTH_US}
    for us, n in events.items():
        for resolution, width in WIDTH_US.items():
            start = us // width * width
            windows[resolution][start] = windows[resolution].get(start, 0) + n
    return windows


def flushed(servers, redis, timeout_s=TIMEOUT_S):
    """Waits until Redis' totals are the sum of what the servers hold, window by window. Nothing may be in flight."""
    differs = ""

    def equal():
        nonlocal differs
        try:
            for resolution in WIDTH_US:
                held = {}
                for server in servers:
                    for start, n in server.counts(resolution).items():
                        held[start] = held.get(start, 0) + n
                there = redis.counts(resolution)
                if there != held:
                    differs = f"{resolution}: " + difference(held, there)
                    return False
            return True
        except (OSError, RedisError) as error:
            differs = str(error)
            return False
    wait_until(equal, lambda: f"Redis has what the servers have: {differs}", timeout_s, 0.05)


def difference(expected, found):
    """The first windows in which two counts differ, for messages."""
    wrong = [(start, expected.get(start, 0), found.get(start, 0)) for start in sorted(expected.keys() | found.keys())
             if expected.get(start, 0) != found.get(start, 0)]
    first = ", ".join(f"{text_time(start, 3)}: {e} expected, {f} found" for start, e, f in wrong[:4])
    return f"{len(wrong)} windows differ (sum {sum(expected.values())} expected, {sum(found.values())} found): {first}"


class Case(unittest.TestCase):
    """A test with a place of its own; afterwards every server that still runs must conserve its statistics."""

    maxDiff = 4000

    def setUp(self):
        self.place = Place()
        self.addCleanup(self.place.close)
        self.addCleanup(self.check_conservation)

    def check_conservation(self):
        for program in self.place.programs:
            if isinstance(program, Server) and program.running():
                program.conserved()

    def server(self, *flags, **settings):
        return self.place.server(*flags, **settings).start()

    def redis(self, *options, **settings):
        return self.place.redis(*options, **settings).start()

    def assert_counts(self, source, events):
        """`source.counts` holds exactly {event time: n}, in every resolution."""
        for resolution, expected in sums(events).items():
            found = source.counts(resolution)
            self.assertEqual(found, expected, f"{resolution}: {difference(expected, found)}")
