"""What the tests of the console program share: running it, times as it prints them, a Redis to read from."""

import datetime
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from harness import Port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DEV_AFORO_BIN", ROOT / "build" / "release" / "bin"))
TIMEOUT_S = 20
WIDTH_US = {"10ms": 10_000, "1s": 1_000_000, "1min": 60_000_000}
CHUNK_US = {"10ms": 1_000_000, "1s": 60_000_000, "1min": 3_600_000_000}
CHUNK_TIME = {"10ms": "%Y-%m-%dT%H:%M:%S", "1s": "%Y-%m-%dT%H:%M", "1min": "%Y-%m-%dT%H"}


def environment(**extra):
    """Ours, without what would choose a source."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AFORO_")}
    return {**kept, **extra}


def aforo(*words, cwd=None, env=None, timeout=TIMEOUT_S, **kwargs):
    """Runs the console program to its end: (exit status, standard output, standard error)."""
    done = subprocess.run([str(BIN / "aforo"), *map(str, words)], capture_output=True, text=True, timeout=timeout,
                          cwd=cwd, env=env or environment(), stdin=subprocess.DEVNULL, **kwargs)
    return done.returncode, done.stdout, done.stderr


def text_time(us):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=us)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def expected_text(events, resolution, first_us=None, last_us=None):
    """The rows of {event time in us: count}, from the first to the last window with events: the plain rule."""
    width = WIDTH_US[resolution]
    windows = {}
    for us, n in events.items():
        windows[us // width] = windows.get(us // width, 0) + n
    first = min(windows) if first_us is None else first_us // width
    last = max(windows) if last_us is None else last_us // width
    return "".join(f"{text_time(w * width)}, {windows.get(w, 0)}\n" for w in range(first, last + 1))


def installed(directory):
    """Copies the scripts and tsung/ beside the programs under test, as an installation has them."""
    for part in ("tools", "tsung"):
        (directory / part).mkdir(parents=True)
        for source in (ROOT / part).glob("print_reqs_per_*.sh" if part == "tools" else "*"):
            shutil.copy(source, directory / part)
    (directory / "bin").symlink_to(BIN)
    return directory


class Redis:
    """A redis-server of our own, and as much of its protocol as filling it needs."""

    def __init__(self, directory, *options):
        self.options = options
        self.directory = directory
        self.held = Port()
        self.port = self.held.number
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        self.filled = {}  # (resolution, start of the chunk in us) -> {slot: count}
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.directory,
             *self.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("redis-server does not start")
            time.sleep(0.02)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(TIMEOUT_S)

    def do(self, *commands):
        """Sends commands in one go; none may fail."""
        wire = b""
        for words in commands:
            wire += b"*%d\r\n" % len(words)
            for word in words:
                word = word if isinstance(word, bytes) else str(word).encode()
                wire += b"$%d\r\n%s\r\n" % (len(word), word)
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S) as link, link.makefile("rb") as replies:
            link.sendall(wire)
            for words in commands:
                reply = replies.readline()
                if not reply or reply.startswith(b"-"):
                    raise RuntimeError(f"{words}: {reply!r}")

    def fill(self, events):
        """Adds {event time in us: count} to all three resolutions, as one node would have reported it."""
        for us, n in events.items():
            for resolution, width in WIDTH_US.items():
                slots = self.filled.setdefault((resolution, us // CHUNK_US[resolution] * CHUNK_US[resolution]), {})
                slot = us % CHUNK_US[resolution] // width
                slots[slot] = slots.get(slot, 0) + n
        commands = []
        for (resolution, base), slots in self.filled.items():
            start = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=base)
            key = f"aforo:2:{{{resolution}:{start.strftime(CHUNK_TIME[resolution])}}}"
            totals = [word for slot, n in slots.items() for word in (f"{slot:02d}", n)]
            until = (base // 3_600_000_000 + 1 + 26) * 3600
            commands.append(("HSET", key, *totals, "n:node-1", part_of(slots), "until", until))
        self.do(*commands)


def part_of(slots):
    """{slot: count} as a node's part (redis/part.h)."""
    counts = [slots.get(slot, 0) for slot in range(max(slots) + 1)]
    return b"\x07" + bytes(4) + sum(counts).to_bytes(7, "little") + b"".join(n.to_bytes(7, "little") for n in counts)
