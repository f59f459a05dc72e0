"""A program under test or measurement, with its port, its log and its end; and the one way to wait for something."""

import datetime
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DEV_AFORO_BIN", ROOT / "build" / "release" / "bin"))
TIMEOUT_S = 30
TELLS_AT_ITS_END = bool(os.environ.get("DEV_AFORO_SANITIZE"))  # set for a sanitizer or for coverage
EPOCH = datetime.datetime(1970, 1, 1)


class Failure(AssertionError):
    """An expectation was not met."""


def needs(built, *programs):
    """Ends this program if something that it will start is missing, in BIN or on the machine. Says what, and how to get it."""
    place = BIN.relative_to(ROOT) if BIN.is_relative_to(ROOT) else BIN
    missing = [str(place / name) for name in built if not (BIN / name).exists()]
    missing += [name for name in programs if shutil.which(name) is None]
    if missing:
        sys.exit(f"{sys.argv[0]}: missing: {', '.join(missing)}; tools/setup release test installs and builds all that it needs")


def now_us():
    return time.time_ns() // 1000


def text_time(us, digits=6):
    """The form that Tsung sends: 2016-05-28 11:11:11.123456, in UTC."""
    text = (EPOCH + datetime.timedelta(microseconds=us)).isoformat(" ", "microseconds")  # strftime takes three times as long
    return text[:len(text) - 6 + digits]


def wait_until(holds, what, timeout_s=TIMEOUT_S, every_s=0.005):
    """Polls until `holds()` is true and returns its value; fails with `what` if it never is. The pause grows to an eighth of the time
    that has passed, up to 0.1 s, since most polls are in vain."""
    begin = time.monotonic()
    while True:
        value = holds()
        if value:
            return value
        waited_s = time.monotonic() - begin
        if waited_s > timeout_s:
            raise Failure(f"still not so after {timeout_s} s: {what() if callable(what) else what}")
        time.sleep(max(every_s, min(waited_s / 8, 0.1)))


def environment(**extra):
    """Our environment, without variables that would set a flag of the programs or make them talk to a service manager."""
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
        self.wrap = []  # a program that starts this one, with its arguments
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

    def end(self):
        """Ends it; in an orderly way if the build reports something only then (leaks, coverage). Kills it if that takes long."""
        if self.running() and TELLS_AT_ITS_END:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", status).group(1))
