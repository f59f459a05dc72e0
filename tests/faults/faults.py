"""The frame of the fault tests: rows by name, a load with its ledger, and the one comparison that every row ends with.

A row is a function of a Run. It starts real programs, puts a load on them, does harm, and calls run.verify: then each
window of each resolution is compared with what was sent and acknowledged, at every node and in Redis.
"""

import os
import pathlib
import random
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from harness import (BIN, MEMORY_IS_OURS, TIMEOUT_S, WIDTH_US, Failure, Place, Redis, RedisError, difference,  # noqa: E402
                     environment, flushed, needs, now_us, state_counts, sums, text_time, wait_until)

__all__ = ["BIN", "HERE", "MEMORY_IS_OURS", "TIMEOUT_S", "WIDTH_US", "Failure", "Load", "Place", "RedisError", "Run",
           "Skipped", "checked", "difference", "environment", "flushed", "needs", "now_us", "row", "rows", "state_counts", "sums",
           "text_time", "wait_until"]

rows = {}


class Skipped(Exception):
    """This machine does not permit what the row needs."""


def row(name, promise):
    """Registers a row of the failure table under `name`."""
    def add(function):
        rows[name] = (function, promise)
        return function
    return add


class Load:
    """The load client and what it wrote down: window start -> [sent, acknowledged, refused]."""

    def __init__(self, place, server, name, seed, **settings):
        self.place, self.server = place, server
        self.ledger_path = place.dir / f"{name}.ledger"
        self.errors = open(place.dir / f"{name}.log", "wb")
        place.at_close(self.errors.close)
        words = [f"{key}={value}" for key, value in {"seed": seed, **settings}.items()]
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", BIN / "fault_load", str(server.port), self.ledger_path, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, bufsize=1)
        place.at_close(self.end)
        self.totals, self.ledger = None, None

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(TIMEOUT_S)
        self.process.stdin.close()
        self.process.stdout.close()

    def say(self, word):
        """One command and its answer, {name: number}."""
        self.process.stdin.write(word + "\n")
        answer = self.process.stdout.readline()
        if not answer:
            raise Failure(f"the load client ended: {(self.place.dir / self.errors.name).read_text()}")
        return {key: float(value) for key, value in (pair.split("=") for pair in answer.split()[1:])}

    def progress(self, requests=200):
        """Waits until so many more requests were acknowledged."""
        goal = self.say("tally")["acked"] + requests
        wait_until(lambda: self.say("tally")["acked"] >= goal, lambda: f"the load goes on: {self.say('tally')}")

    def pause(self):
        return self.say("pause")

    def resume(self):
        return self.say("resume")

    def phase(self):
        """Rate and latencies since the last call."""
        return self.say("phase")

    def stop(self):
        if self.totals is None:
            self.totals = {key: int(value) for key, value in self.say("stop").items()}
            if self.process.wait(TIMEOUT_S):
                raise Failure("the load client failed")
            self.ledger = {}
            for line in self.ledger_path.read_text().splitlines():
                start, *entry = map(int, line.split())
                self.ledger[start] = entry
            if self.totals["acked"] == 0:
                raise Failure(f"the load counted nothing: {self.totals}")
        return self.totals


def bounds(loads, resolution):
    """{window start: (acknowledged, sent and not refused)} over all loads."""
    width, result = WIDTH_US[resolution], {}
    for load in loads:
        for start, (sent, acked, refused) in load.ledger.items():
            low, high = result.get(start // width * width, (0, 0))
            result[start // width * width] = (low + acked, high + sent - refused)
    return result


def compare(loads, resolution, counts, where):
    """acknowledged <= counted <= sent in every window."""
    limits = bounds(loads, resolution)
    wrong = [(start, *limits.get(start, (0, 0)), counts.get(start, 0)) for start in limits.keys() | counts.keys()
             if not limits.get(start, (0, 0))[0] <= counts.get(start, 0) <= limits.get(start, (0, 0))[1]]
    if wrong:
        start, low, high, found = min(wrong)
        lost = sum(max(0, low - found) for _, low, _, found in wrong)
        doubled = sum(max(0, found - high) for _, _, high, found in wrong)
        raise Failure(f"{where}, {resolution}: {len(wrong)} of {len(limits)} windows are wrong, {lost} events lost, "
                      f"{doubled} too many; first {text_time(start, 3)}: {low} acknowledged, {high} sent, {found} counted")


class Run:
    """One row under way."""

    def __init__(self, seed, long):
        self.seed, self.long = seed, long
        self.random = random.Random(seed)
        self.place = Place()
        self.faults = self.sent = self.acked = self.counted = 0
        self.notes = []
        self.loads = []

    def many(self, bounded, long):
        """How often: in the bounded pass, in the long one."""
        return long if self.long else bounded

    def server(self, *flags, **settings):
        return self.place.server(*flags, **settings)

    def redis(self, *options, **settings):
        return self.place.redis(*options, **settings)

    def load(self, server, **settings):
        name = f"load{len(self.loads)}"
        self.loads.append(Load(self.place, server, name, self.random.randrange(1 << 32), **settings))
        return self.loads[-1]

    def clock(self, name="clock"):
        """Environment of a program whose wall clock is ours, and its steering."""
        steering = Steering(self.place.dir / f"{name}.steering")
        self.place.at_close(steering.close)
        return {"LD_PRELOAD": self.place.preloaded("fault_clock.so"), "DEV_AFORO_CLOCK": str(steering.path)}, steering

    def pause_s(self, shortest, longest):
        """Lets a random time pass: the moment of a fault is part of what the seed chooses."""
        time.sleep(self.random.uniform(shortest, longest))

    def kill9(self, server):
        server.kill()
        self.faults += 1

    def note(self, text):
        self.notes.append(text)

    def verify(self, servers, redis=None, local=tuple(WIDTH_US), timeout_s=TIMEOUT_S):
        """Ends the loads and compares everything. `local`: resolutions in which the nodes still hold all of the run."""
        for load in self.loads:
            load.stop()
        if redis is not None:
            flushed(servers, redis, timeout_s) if len(local) == len(WIDTH_US) else wait_flushed(servers, redis, timeout_s)
        for server in servers:
            own = [load for load in self.loads if load.server is server]
            server.conserved()
            for resolution in local:
                compare(own, resolution, server.counts(resolution), server.name)
        if redis is not None:
            redis.audit()
            for resolution in WIDTH_US:
                compare(self.loads, resolution, redis.counts(resolution), "Redis")
        self.tally(sum(sum(server.counts(local[-1]).values()) for server in servers))

    def verify_now(self, servers, redis):
        """In the middle of a run: Redis has what the servers have, with nothing in flight."""
        for load in self.loads:
            load.pause()
        flushed(servers, redis)
        for load in self.loads:
            load.resume()

    def verify_stopped(self, servers, redis=None, local=tuple(WIDTH_US)):
        """The same for servers that have ended: their state files, and that Redis says the same."""
        for load in self.loads:
            load.stop()
        for resolution in local:
            total = {}
            for server in servers:
                held = state_counts(server.state, resolution)
                compare([load for load in self.loads if load.server is server], resolution, held, server.name)
                for start, count in held.items():
                    total[start] = total.get(start, 0) + count
            if redis is not None:
                there = redis.counts(resolution)
                compare(self.loads, resolution, there, "Redis")
                if there != total:
                    raise Failure(f"Redis has not what the state file has, {resolution}: {difference(total, there)}")
        if redis is not None:
            redis.audit()
        self.tally(sum(total.values()))

    def tally(self, counted):
        self.counted = counted
        self.sent = sum(load.totals["sent"] - load.totals["refused"] for load in self.loads)
        self.acked = sum(load.totals["acked"] for load in self.loads)


def checked(run):
    """`aforo check` of every Redis that still runs: what lies there must hold, whatever the row did."""
    for redis in run.place.programs:
        if not isinstance(redis, Redis) or not redis.running() or not hasattr(redis, "url"):
            continue
        try:
            if not redis.do("KEYS", "aforo:2:{1min:*"):
                continue
        except RedisError:  # a sentinel
            continue
        done = subprocess.run([BIN / "aforo", "check", "--redis", redis.url, "--from", "-3h"], capture_output=True, text=True,
                              timeout=4 * TIMEOUT_S, env=environment(), check=False)
        nothing = "nothing to check" in done.stderr or "no window that is over" in done.stderr  # all of it is too young
        if done.returncode and not nothing:
            raise Failure(f"aforo check --redis: {done.stdout[-1500:]}{done.stderr}")


def wait_flushed(servers, redis, timeout_s):
    """Where the 10 ms ring has turned over meanwhile: the coarser rings hold all, and say whether Redis is complete."""
    def equal():
        for resolution in ("1s", "1min"):
            held = {}
            for server in servers:
                for start, count in server.counts(resolution).items():
                    held[start] = held.get(start, 0) + count
            try:
                if redis.counts(resolution) != held:
                    return False
            except (OSError, RedisError):
                return False
        ten_ms = sum(redis.counts("10ms").values())
        return ten_ms == sum(redis.counts("1s").values())
    wait_until(equal, lambda: "Redis has what the servers have; 10ms %d, 1s %d, 1min %d; servers 1s %d" % (
        *(sum(redis.counts(r).values()) for r in WIDTH_US), sum(sum(s.counts("1s").values()) for s in servers)),
        timeout_s, 0.05)


class Steering:
    """The file that clock.c reads."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(24))
        self.file = os.open(path, os.O_RDWR)

    def close(self):
        os.close(self.file)

    def put(self, place, value):
        os.pwrite(self.file, value.to_bytes(8, "little", signed=True), 8 * place)

    def offset(self, us):
        self.put(0, us)

    def freeze(self, us):
        self.put(1, us)

    def msyncs(self):
        return int.from_bytes(os.pread(self.file, 8, 16), "little")
