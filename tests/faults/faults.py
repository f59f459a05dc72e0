"""The frame of the fault tests: rows by name, and the one comparison that every row ends with.

A row is a function of a Run. It starts real programs, puts a load on them, does harm, and calls run.verify: then each
window of each resolution is compared with what was sent and acknowledged, at every node and in Redis.
"""

import os
import pathlib
import random
import subprocess
import time

from support import (BIN, CHUNK_TIME, CHUNK_US, EPOCH, MEMORY_IS_OURS, TIMEOUT_S, WIDTH_US, Failure, Load, Place, Program,
                     Redis, RedisError, Sentinel, Server, compare, difference, environment, flushed, needs, now_us,
                     state_counts, sums, text_time, wait_until)
from support.authority import Authority, TlsRedis

__all__ = ["BIN", "CHUNK_TIME", "CHUNK_US", "EPOCH", "HERE", "MEMORY_IS_OURS", "TIMEOUT_S", "WIDTH_US", "Failure", "Load", "Place",
           "Program", "RedisError", "Run", "Sentinel", "Server", "Skipped", "checked", "difference", "environment", "flushed",
           "needs", "now_us", "row", "rows", "state_counts", "sums", "text_time", "wait_until"]

HERE = pathlib.Path(__file__).resolve().parent
CHECKED_US = 3 * 3600 * 1_000_000
SETTLE_S = 5
rows = {}


class Skipped(Exception):
    """This machine does not permit what the row needs."""


def row(name, promise):
    """Registers a row of the failure table under `name`."""
    def add(function):
        rows[name] = (function, promise)
        return function
    return add


class Run:
    """One row under way."""

    def __init__(self, seed, long):
        self.seed, self.long = seed, long
        self.random = random.Random(seed)
        self.place = Place()
        self.faults = self.sent = self.acked = self.counted = 0
        self.notes = []
        self.loads = []
        self.tls = None

    def speak_tls(self):
        """From now on each Redis speaks TLS alone, and the servers trust its CA."""
        authority = Authority(self.place)
        self.tls = authority, authority.issue("redis")

    def many(self, bounded, long):
        """How often: in the bounded pass, in the long one."""
        return long if self.long else bounded

    def server(self, *flags, **settings):
        trust = ("--redis-tls-ca", self.tls[0].cert) if self.tls else ()
        return self.place.server(*trust, *flags, **settings)

    def redis(self, *options, **settings):
        if self.tls:
            return TlsRedis(self.place, *self.tls, *options, clients="no", **settings)
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
        counted = 0
        for server in servers:
            own = [load for load in self.loads if load.server is server]
            server.conserved()
            for resolution in local:
                held = server.counts(resolution)
                compare(own, resolution, held, server.name)
            counted += sum(held.values())
        if redis is not None:
            for resolution, counts in redis.audit().items():
                compare(self.loads, resolution, counts, "Redis")
        self.tally(counted)

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
        if not isinstance(redis, Redis) or isinstance(redis, Sentinel) or not redis.running():
            continue
        def starts(redis=redis):
            try:
                return [[start for resolution in WIDTH_US for start in redis.counts(resolution)]]
            except (OSError, RedisError):  # a replica that is promoted late is loading
                return None
        oldest_us = min(wait_until(starts, f"{redis.url} can be read")[0], default=None)
        if oldest_us is None:
            continue
        since = text_time(max(oldest_us, now_us() - CHECKED_US), 3)  # it asks for each second of 10 ms
        trust = ("--redis-tls-ca", run.tls[0].cert) if run.tls else ()
        wait_checked([BIN / "aforo", "check", "--redis", redis.url, "--from", since, *trust])


def wait_checked(command):
    """Asked again for a while: a server that still flushes has sent the seconds of its last events, and their 10 ms follow."""
    done = None

    def agrees():
        nonlocal done
        done = subprocess.run(command, capture_output=True, text=True, timeout=4 * TIMEOUT_S, env=environment(), check=False)
        nothing = "nothing to check" in done.stderr or "no window that is over" in done.stderr  # all of it is too young
        return done.returncode == 0 or nothing
    wait_until(agrees, lambda: f"aforo check --redis: {done.stdout[-1500:]}{done.stderr}", SETTLE_S, 0.5)


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
