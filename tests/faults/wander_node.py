"""A server of tests/faults/wander, behind a proxy and a clock of its own, and what the world knows of it."""

import proxy
from faults import Failure
from support import CHUNK_US, Program, Server

__all__ = ["HOUR", "MINUTE", "SECOND", "Node"]

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
TTL_S = {"10ms": 2 * 3600, "1s": 7 * 86400, "1min": 400 * 86400}  # the server's own


class Shell(Program):
    """A program with some of its first descriptors closed."""

    closed = ""

    def spawn(self):
        if self.closed:
            closing = " ".join({"0": "<&-", "1": ">&-", "2": "2>&-"}[number] for number in self.closed)
            self.command = ["sh", "-c", f'exec "$@" {closing}', "sh", *self.command]
        super().spawn()


class ShellServer(Server, Shell):
    """aforod, as a shell starts it."""


class Node:
    """One server, and what is known of it."""

    def __init__(self, world, number, setting, state=None):
        self.world, self.number, self.setting = world, number, setting
        self.clock = world.clock(f"node{number}")
        self.skew_us = 0
        self.between = proxy.Proxy(world.place, world.redis.port, world.random)
        self.server = ShellServer(
            world.place, "--horizon", setting["horizon"], "--node-id", setting["id"], "--redis-timeout", "200ms", "--grace", "1s",
            "--flush-interval", setting["interval"], name=f"node{number}", state=state or world.states / f"node{number}",
            redis=self.between.url, threads=setting["threads"], env=world.steered(f"node{number}"))
        self.paused = False
        self.agreed = False      # Redis was read back, as far as we know
        self.only_redis = False  # what it counted is nowhere but at Redis
        self.dirty = False       # counted something since the last quiet point
        self.pure = True         # nobody else ever had its counts in his file
        self.own = {}            # 10 ms window -> acknowledged by it
        self.backup = None       # (directory, name of the node, its own ledger then)

    def running(self):
        return self.server.running()

    def up(self):
        return self.running() and not self.paused

    def horizon_us(self):
        number, unit = int(self.setting["horizon"].rstrip("hmin")), self.setting["horizon"].lstrip("0123456789")
        return number * (HOUR if unit == "h" else MINUTE)

    def ttl_us(self, resolution):
        return max(TTL_S[resolution] * SECOND, self.horizon_us() + CHUNK_US[resolution] + HOUR)

    def set_clock(self, skew_us):
        self.skew_us = skew_us
        self.clock.offset(self.world.base_us + skew_us)

    def start(self, closed="", threads=None):
        self.server.closed = closed
        self.server.threads = threads or self.server.threads
        self.server.start()
        self.paused = False

    def kill(self):
        self.alive()
        self.server.kill()
        self.paused = False

    def stop(self):
        self.alive()
        self.resume()
        status = self.server.stop()
        if status < 0:
            raise Failure(f"{self.server.name} was ended by signal {-status} while it stopped:\n{self.server.log()[-1500:]}")

    def pause(self):
        self.server.signal(19)  # SIGSTOP
        self.paused = True

    def resume(self):
        if self.paused:
            self.server.signal(18)  # SIGCONT
        self.paused = False

    def alive(self):
        """It was started, and nobody ended it."""
        if self.server.process is not None and not self.running() and self.server.process.returncode not in (0, -9):
            raise Failure(f"{self.server.name} ended by itself, with {self.server.process.returncode}:\n"
                          f"{self.server.log()[-1500:]}")

    def name(self):
        return self.server.health()["node"]
