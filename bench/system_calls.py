"""What a process asks of the kernel: system calls by name (perf trace), and how often it slept and was woken up."""

import os
import re
import shutil
import signal
import subprocess
import time

from measure import CLIENT_CORE, MARGIN_S, Failure, on_core, read
from peers import Missing

DRAIN_S = 1  # perf, once interrupted, does not read what has come meanwhile
LINE = re.compile(r"^\s+(\w+)\s+(\d+)\s+(\d+)\s+[\d.]+\s", re.M)


class Trace:
    """System calls of some processes while it is entered; afterwards `calls` and `failed`, {name: how many}."""

    def __init__(self, place, pids):
        if shutil.which("perf") is None:
            raise Missing("no perf (package linux-perf)")
        self.path, self.pids, self.process = place.dir / "trace", pids, None
        self.calls, self.failed = {}, {}

    def __enter__(self):
        with on_core(CLIENT_CORE):
            self.process = subprocess.Popen(["perf", "trace", "--summary", "--mmap-pages", "4096", "--output", self.path, "--pid",
                                             ",".join(map(str, self.pids))], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        if self.process.poll() is not None:
            raise Missing(f"perf trace is not permitted here: {' '.join(self.process.stderr.read().split())[:200]}")
        return self

    def __exit__(self, *_):
        time.sleep(DRAIN_S)
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=MARGIN_S)
        text = self.path.read_text() if self.path.exists() else ""
        for name, calls, failed in LINE.findall(text):
            self.calls[name] = self.calls.get(name, 0) + int(calls)
            self.failed[name] = self.failed.get(name, 0) + int(failed)
        if "LOST" in text or "LOST" in said:
            raise Failure("perf trace lost events: fewer requests, or more --mmap-pages")


def switches(*pids):
    """(how often threads of these processes went to sleep and were woken up again, how often they lost the core to others)."""
    slept = lost = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            found = dict(re.findall(r"^(\w*voluntary_ctxt_switches):\s+(\d+)", read(pid, f"task/{task}/status"), re.M))
            slept += int(found["voluntary_ctxt_switches"])
            lost += int(found["nonvoluntary_ctxt_switches"])
    return slept, lost
