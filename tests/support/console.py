"""What the tests of the console program share: running it, rows as it prints them, a Redis to read from."""

import datetime
import shutil
import subprocess

from programs import BIN, CHUNK_TIME, CHUNK_US, EPOCH, ROOT, TIMEOUT_S, WIDTH_US, Redis, environment, now_us, text_time


def aforo(*words, cwd=None, env=None, timeout=TIMEOUT_S, **kwargs):
    """Runs the console program to its end: (exit status, standard output, standard error)."""
    done = subprocess.run([str(BIN / "aforo"), *map(str, words)], capture_output=True, text=True, timeout=timeout,
                          cwd=cwd, env=env or environment(), stdin=subprocess.DEVNULL, check=False, **kwargs)
    return done.returncode, done.stdout, done.stderr


def shown_time(us):
    """As the console prints it, with milliseconds."""
    return text_time(us, 3)


def chunk_key(resolution, us):
    """The key at Redis that holds the window of this time."""
    start = EPOCH + datetime.timedelta(microseconds=us // CHUNK_US[resolution] * CHUNK_US[resolution])
    return f"aforo:2:{{{resolution}:{start.strftime(CHUNK_TIME[resolution])}}}"


def expected_text(events, resolution, first_us=None, last_us=None):
    """The rows of {event time in us: count}, from the first to the last window with events: the plain rule."""
    width = WIDTH_US[resolution]
    windows = {}
    for us, n in events.items():
        windows[us // width] = windows.get(us // width, 0) + n
    first = min(windows) if first_us is None else first_us // width
    last = max(windows) if last_us is None else last_us // width
    return "".join(f"{shown_time(w * width)}, {windows.get(w, 0)}\n" for w in range(first, last + 1))


class Followed:
    """What `--follow` of 10 ms windows must print of events that are counted while it runs. An event whose counting took longer than the
    program waits for a window may be missing, since its row was printed before."""

    def __init__(self, settle_us, events):
        self.settle_us, self.events, self.tardy = settle_us, dict(events), set()

    def add(self, us, n, count):
        """Counts n events of `us`, which is the time of now, by `count()`."""
        self.events[us] = self.events.get(us, 0) + n
        count()
        if now_us() - us > self.settle_us:
            self.tardy.add(us // 10_000)

    def is_after(self, line):
        """Whether a row is of a window after the last event."""
        return line[:23] > shown_time(max(self.events) // 10_000 * 10_000)

    def check(self, case, lines):
        """The rows are those of the events, and zeros after them."""
        case.assertLess(len(self.tardy), 0.5 * len(self.events), "too many were counted too late to tell anything")
        width, first, last = 10_000, min(self.events) // 10_000, max(self.events) // 10_000
        unsure = {shown_time(window * width) for window in self.tardy}
        sure = lambda rows: [row for row in rows if row[:23] not in unsure]
        case.assertEqual(sure(lines[:last - first + 1]), sure(expected_text(self.events, "10ms").splitlines(keepends=True)))
        rest = lines[last - first + 1:]
        case.assertTrue(all(line.endswith(", 0\n") for line in rest), rest)
        return rest


def installed(directory):
    """Copies the scripts and tsung/ beside the programs under test, as an installation has them."""
    for part in ("tools", "tsung"):
        (directory / part).mkdir(parents=True)
        for source in (ROOT / part).glob("print_reqs_per_*.sh" if part == "tools" else "*"):
            shutil.copy(source, directory / part)
    (directory / "bin").symlink_to(BIN)
    return directory


class FilledRedis(Redis):
    """A Redis that is filled as one node would have reported it."""

    def start(self):
        self.filled = {}  # (resolution, start of the chunk in us) -> {slot: count}
        return super().start()

    def fill(self, events):
        """Adds {event time in us: count} to all three resolutions."""
        for us, n in events.items():
            for resolution, width in WIDTH_US.items():
                slots = self.filled.setdefault((resolution, us // CHUNK_US[resolution] * CHUNK_US[resolution]), {})
                slot = us % CHUNK_US[resolution] // width
                slots[slot] = slots.get(slot, 0) + n
        commands = []
        for (resolution, base), slots in self.filled.items():
            totals = [word for slot, n in slots.items() for word in (f"{slot:02d}", n)]
            until = (base // 3_600_000_000 + 1 + 26) * 3600
            commands.append(("HSET", chunk_key(resolution, base), *totals, "n:node-1", part_of(slots), "until", until))
        self.pipeline(commands)


def part_of(slots):
    """{slot: count} as a node's part (redis/part.h)."""
    counts = [slots.get(slot, 0) for slot in range(max(slots) + 1)]
    return b"\x07" + bytes(4) + sum(counts).to_bytes(7, "little") + b"".join(n.to_bytes(7, "little") for n in counts)
