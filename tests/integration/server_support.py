"""A real aforod and a real redis-server on ports and in directories of their own, for one test at a time."""

import datetime
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from harness import Port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DEV_AFORO_BIN", ROOT / "build" / "release" / "bin"))
WAIT_S = 30
RESOLUTIONS = ("10ms", "1s", "1min")
WIDTH_US = {"10ms": 10_000, "1s": 1_000_000, "1min": 60_000_000}


def wait_for(what, condition, seconds=WAIT_S):
    """Polls until condition() is true; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what}")


def stamp(us):
    """The form that Tsung sends."""
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=us)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond:06d}"


def now_us():
    return time.time_ns() // 1000


class Server:
    def __init__(self, state, *flags, env=None):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("AFORO_")}
        # Read by its name: a file that is shared has one position, and reading would move where aforod writes.
        log, self.log_path = tempfile.mkstemp(".log", dir=state.parent)
        words = [str(BIN / "aforod"), "--listen", "127.0.0.1:0", "--state", str(state), *map(str, flags)]
        self.process = subprocess.Popen(words, stderr=log, env={**clean, **(env or {})}, stdin=subprocess.DEVNULL)
        os.close(log)
        try:
            self.port = int(wait_for("aforod listens", self._port))
        except BaseException:
            self.kill()
            raise

    def _port(self):
        found = re.search(r'msg="listening" address=127.0.0.1:(\d+)', self.text())
        if not found and self.process.poll() is not None:
            raise AssertionError(f"aforod ended: {self.text()}")
        return found and found[1]

    def text(self):
        return pathlib.Path(self.log_path).read_text(encoding="utf-8")

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)

    def request(self, method, path, body=None, headers=None):
        """(status, headers, text) of one request on a connection of its own."""
        c = self.connection()
        c.request(method, path, body, headers or {})
        answer = c.getresponse()
        text = answer.read().decode()
        c.close()
        return answer.status, answer.headers, text

    def json(self, path):
        return json.loads(self.request("GET", path)[2])

    def stats(self):
        """GET /stats; the law of conservation is asserted every time."""
        stats = self.json("/stats")
        assert stats["received"] == stats["counted"] + sum(stats["refused"].values()), stats
        return stats

    def counts(self, resolution):
        """{window start in us: count} of all that is held, zeros left out."""
        text = self.request("GET", f"/counts/{resolution}?from=0&partial=1&format=csv")[2]
        return parse_csv(text)

    def kill(self, sig=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(sig)
        return self.process.wait(WAIT_S)


def parse_csv(text):
    out = {}
    for line in text.splitlines()[1:]:
        start, count, _ = line.split(",")
        moment = datetime.datetime.strptime(start, "%Y-%m-%dT%H:%M:%S.%fZ") - datetime.datetime(1970, 1, 1)
        if int(count):
            out[moment // datetime.timedelta(microseconds=1)] = int(count)
    return out


class Redis:
    def __init__(self, directory, *flags):
        self.held = Port()
        self.port = self.held.number
        self.directory = directory
        self.flags = flags
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--loglevel", "warning", "--save", "", "--dir",
             str(self.directory), *self.flags], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        try:
            wait_for("redis answers", lambda: self.cli("PING", check=False).startswith(("PONG", "NOAUTH")))
        except BaseException:
            self.kill()
            raise

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def cli(self, *words, check=True):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *map(str, words)], capture_output=True, text=True,
                              timeout=WAIT_S)
        if check and done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout.strip()

    def counts(self, resolution):
        done = subprocess.run([str(BIN / "aforo"), resolution, "--redis", self.url, "--from", "0", "--partial",
                               "--format", "csv"], capture_output=True, text=True, timeout=WAIT_S)
        assert done.returncode == 0, done.stderr
        return parse_csv(done.stdout)

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(WAIT_S)


def windows(events_us, resolution):
    """What a counter that cannot be wrong holds: {window start in us: count}."""
    out = {}
    for us in events_us:
        start = us // WIDTH_US[resolution] * WIDTH_US[resolution]
        out[start] = out.get(start, 0) + 1
    return out


class Case(unittest.TestCase):
    """Makes directories and processes that are gone after the test, whatever happens in it."""

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="aforo-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def server(self, *flags, state="state", **kwargs):
        server = Server(self.directory / state, *flags, **kwargs)
        self.addCleanup(server.kill)
        return server

    def redis(self, *flags, **kwargs):
        directory = tempfile.mkdtemp(dir=self.directory)
        redis = Redis(directory, *flags, **kwargs)
        self.addCleanup(redis.held.close)
        self.addCleanup(redis.kill)
        return redis

    def assert_exact(self, source, events_us):
        for resolution in RESOLUTIONS:
            self.assertEqual(source.counts(resolution), windows(events_us, resolution), resolution)

    def wait_exact(self, source, events_us, seconds=WAIT_S):
        wanted = {r: windows(events_us, r) for r in RESOLUTIONS}
        try:
            wait_for("all windows", lambda: all(source.counts(r) == wanted[r] for r in RESOLUTIONS), seconds)
        except AssertionError:
            self.assert_exact(source, events_us)

    def post(self, server, events_us):
        """One batch; all of it must be counted."""
        body = "".join(stamp(us) + "\n" for us in events_us)
        status, _, text = server.request("POST", "/events", body)
        self.assertEqual((status, json.loads(text)["accepted"]), (200, len(events_us)), text)
