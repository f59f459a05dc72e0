"""What the sections of the bench measure with: cores, CPU and memory from /proc, the load programs, medians."""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

from programs import (BIN, Failure, Place, Program, Redis, Server, haproxy_command, needs, now_us, text_time,  # noqa: E402
                      wait_until)

__all__ = ["BIN", "CLIENT_CORE", "HERE", "MARGIN_S", "SERVER_CORE", "Failure", "Machine", "Place", "Program", "Redis", "Server",
           "Usage", "client", "haproxy_command", "load", "median", "memory_kib", "needs", "now_us", "on_core", "ratio", "read", "text_time",
           "usage", "wait_until", "waited_s", "written_bytes", "wrk"]

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MARGIN_S = 60


def median(values):
    return statistics.median(values)


def ratio(above, below):
    """The median of the ratios of two lists measured in turn: what drifted between the rounds falls out."""
    return median([a / b for a, b in zip(above, below)])


@contextlib.contextmanager
def on_core(*cores):
    """What is started inside runs on these cores, and stays there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Usage:
    """CPU seconds of some processes; subtract an earlier one from a later one."""

    def __init__(self, user_s, system_s):
        self.user_s, self.system_s = user_s, system_s

    @property
    def total_s(self):
        return self.user_s + self.system_s

    def __sub__(self, earlier):
        return Usage(self.user_s - earlier.user_s, self.system_s - earlier.system_s)


def read(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_text()


def usage(*pids):
    """The sum is exact to the nanosecond (schedstat); how it is shared between user and system follows stat."""
    user_s = system_s = 0.0
    for pid in pids:
        run_s = sum(int(read(pid, f"task/{task}/schedstat").split()[0]) for task in os.listdir(f"/proc/{pid}/task")) / 1e9
        user, system = (int(ticks) for ticks in read(pid, "stat").rpartition(")")[2].split()[11:13])
        share = user / (user + system) if user + system else 0.5
        user_s += run_s * share
        system_s += run_s * (1 - share)
    return Usage(user_s, system_s)


class Machine:
    """What others take of this machine meanwhile: all that it does, less what this program and its children do."""

    def __init__(self):
        self.begin = self.seconds()

    @staticmethod
    def seconds():
        """Of the clock, of all cores' work, and of ours (of children that have ended)."""
        times = [int(ticks) for ticks in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        busy = sum(times) - times[3] - times[4]  # idle, waiting for a disk
        return time.monotonic(), busy / TICKS_PER_S, sum(os.times()[:4])

    def others(self):
        """Their share of one core."""
        clock, busy, ours = (now - then for now, then in zip(self.seconds(), self.begin))
        return max(busy - ours, 0) / clock


def waited_s(*pids):
    """How long the threads of some processes have been ready to run without a core to run on."""
    return sum(int(read(pid, f"task/{task}/schedstat").split()[1]) for pid in pids
               for task in os.listdir(f"/proc/{pid}/task")) / 1e9


def memory_kib(pid):
    """{VmHWM, Pss, RssAnon: KiB}."""
    found = {}
    for name in ("status", "smaps_rollup"):
        for line in read(pid, name).splitlines():
            key, _, value = line.partition(":")
            if key in ("VmHWM", "Pss", "RssAnon"):
                found[key] = int(value.split()[0])
    return found


def written_bytes(pid):
    """What the process has made the kernel write to the disk."""
    return int(dict(line.split(": ") for line in read(pid, "io").splitlines())["write_bytes"])


def client(words, seconds):
    with on_core(CLIENT_CORE):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=seconds + MARGIN_S,
                              check=False)
    results = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not results:
        raise Failure(f"{words[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    return json.loads(results[-1][len("RESULT "):])


def wrk(port, script, *arguments, seconds, connections=64):
    """wrk with one thread on the client's core; {requests, seconds, p50_us, p99_us, p999_us, max_us, errors}."""
    found = client(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", HERE / script, f"http://127.0.0.1:{port}/",
                    "--", seconds, *arguments], seconds)
    if found["errors"]:
        raise Failure(f"wrk: {found['errors']} requests were not answered well")
    return found


def load(port, seconds, **settings):
    """bench/openloop.c on the client's core; the numbers it prints."""
    words = [f"{key}={value}" for key, value in settings.items()]
    found = client([BIN / "bench-openloop", port, f"seconds={seconds}", *words], seconds)
    if found["errors"]:
        raise Failure(f"openloop: {found['errors']} requests were not answered well")
    return found
