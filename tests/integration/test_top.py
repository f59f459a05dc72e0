"""`aforo top` on a pseudo-terminal, and where there is none."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from support import BIN, TIMEOUT_S, Case, environment, now_us, text_time, wait_until

SECOND = 1_000_000


class Terminal:
    """aforo top on a terminal of its own; `text` is the screen as it was drawn last."""

    def __init__(self, *words, size=(24, 90), **variables):
        self.drawn = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(BIN / "aforo", ["aforo", "top", *map(str, words)],
                      {**environment(), "TERM": "xterm", "LC_ALL": "C.UTF-8", **variables})
        self.resize(*size)

    def resize(self, lines, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self, seconds=0.05):
        try:
            while select.select([self.fd], [], [], seconds)[0]:
                self.drawn = (self.drawn + os.read(self.fd, 65536))[-200_000:]
                seconds = 0
        except OSError:
            pass  # it has ended
        return self.drawn

    @property
    def text(self):
        """The last screen that is whole."""
        screens = self.read().split(b"\x1b[H")
        last = screens[-1] if screens[-1].endswith(b"\x1b[J") or len(screens) < 3 else screens[-2]
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", last.decode()).replace("\r", "")

    def shows(self, pattern, timeout_s=15):
        return wait_until(lambda: re.search(pattern, self.text), lambda: f"{pattern}:\n{self.text}", timeout_s, 0.05)

    def press(self, keys):
        os.write(self.fd, keys.encode())

    def end(self, keys="q"):
        if keys:
            self.press(keys)
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError("aforo top does not end")


class Top(Case):
    def setUp(self):
        super().setUp()
        self.store = self.redis()
        self.node = self.server("--node-id", "node-1", redis=self.store)

    def test_bars_figures_and_keys(self):
        top = Terminal("--redis", self.store.url)
        top.shows(r"1 of 1 nodes +redis://127\.0\.0\.1")
        at = (now_us() // SECOND - 3) * SECOND
        self.send(self.node, [at] * 5)
        top.shows(r"late 5 ")
        self.assertRegex(top.text, r"(?m)^ +5 +█")
        self.assertRegex(top.text, r"(?m)^ +-+\*-*o+$")
        top.shows(r"(?m)^node-1 +here +5 +0 +0 ms")
        top.press("?")
        top.shows("narrower windows")
        top.press("?+")
        top.shows(r"(?m)^ +10ms \d\d:\d\d:\d\d\.\d\d")
        top.press("--")
        top.shows(r"(?m)^ +1min ")
        top.press("p")
        top.shows("paused")
        top.resize(12, 40)
        wait_until(lambda: len(top.text.split("\n")) == 12 and max(map(len, top.text.split("\n"))) <= 40, lambda: top.text)
        self.assertEqual(top.end(), 0)
        self.assertTrue(top.drawn.endswith(b"\x1b[?1049l"), top.drawn[-40:])  # as it was before

    def test_of_a_server(self):
        url = f"http://127.0.0.1:{self.node.port}"
        top = Terminal("--server", url)
        self.node.post_lines([text_time(now_us())] * 3 + ["yesterday"])
        top.shows(r"(?m)^node-1 +here +3 +1 +\d+ ms")
        os.kill(top.pid, signal.SIGTERM)
        self.assertEqual(top.end(""), 0)

    def test_away_and_back(self):
        top = Terminal("--redis", self.store.url, "--timeout", "200ms")
        top.shows("1 of 1 nodes")
        self.store.signal(signal.SIGSTOP)
        top.shows(r"away, and what is shown is of \d\d:\d\d:\d\d: redis 127")
        self.assertRegex(top.text, r"aforo top +-/s")
        self.store.signal(signal.SIGCONT)
        top.shows("1 of 1 nodes")
        self.assertEqual(top.end(), 0)

    def test_without_colour_and_without_utf8(self):
        self.send(self.node, [(now_us() // SECOND - 2) * SECOND] * 5)
        top = Terminal("--redis", self.store.url, NO_COLOR="1", LC_ALL="C")
        top.shows(r"(?m)^ +5 +#")
        self.assertEqual(top.end(), 0)
        self.assertNotRegex(top.drawn.decode(), r"\x1b\[[0-9;]*m|[^\x00-\x7f]")

    def test_names_are_shown_and_not_obeyed(self):
        self.store.do("HSET", "aforo:2:{nodes}", "\x1b]0;owned\x07\x1b[31mred", f"{now_us() // 1000} version=\x1b[5m received=1")
        turned = "\u202e\u2066gnirts\u200b"
        self.store.do("HSET", "aforo:2:{nodes}", f"a{turned}", f"{now_us() // 1000} version={turned} received=1")
        top = Terminal("--redis", self.store.url)
        top.shows(r"(?m)^\\x1b\]0;owned")
        top.shows(r"(?m)^a\\xe2\\x80\\xae\\xe2")
        self.assertEqual(top.end(), 0)
        self.assertNotIn(b"\x1b]0;", top.drawn)
        self.assertNotIn(b"\x1b[5m", top.drawn)
        for character in turned.replace("gnirts", ""):
            self.assertNotIn(character.encode(), top.drawn)

    def test_rows_where_there_is_no_terminal(self):
        self.send(self.node, [(now_us() // SECOND - 2) * SECOND] * 5)
        for variables in ({}, {"TERM": "dumb"}):
            process = subprocess.Popen([BIN / "aforo", "top", "--redis", self.store.url], stdout=subprocess.PIPE, text=True,
                                       env={**environment(), **variables})
            line = process.stdout.readline()
            process.terminate()
            process.communicate(timeout=TIMEOUT_S)
            self.assertRegex(line, r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.000, \d+\n\Z")
            self.assertEqual(process.returncode, 0)

    def test_wrong_usage(self):
        done = subprocess.run([BIN / "aforo", "top", "--last", "3"], capture_output=True, text=True, env=environment(),
                              timeout=TIMEOUT_S)
        self.assertEqual((done.returncode, done.stderr),
                         (2, "aforo: top: takes where from alone; + and - choose the windows (see --help-all)\n"))


if __name__ == "__main__":
    unittest.main()
