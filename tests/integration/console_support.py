"""What the tests of the console program share: running it, and times as it prints them."""

import datetime
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("AFORO_BIN", ROOT / "build" / "release" / "bin"))
TIMEOUT_S = 20
WIDTH_US = {"10ms": 10_000, "1s": 1_000_000, "1min": 60_000_000}


def environment(**extra):
    """Ours, without what would choose a source."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AFORO_")}
    return {**kept, **extra}


def aforo(*words, cwd=None, env=None, **kwargs):
    """Runs the console program to its end: (exit status, standard output, standard error)."""
    done = subprocess.run([str(BIN / "aforo"), *map(str, words)], capture_output=True, text=True, timeout=TIMEOUT_S,
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
