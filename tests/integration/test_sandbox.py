"""The filter of system calls is in force in every thread, unless it is switched off. All other tests of release builds run
inside it, too."""

import os
import pathlib
import re
import subprocess
import unittest

from support import BIN, Case, wait_until

ADMIN_NICE = 10


def seccomp_modes(server):
    """Of each thread: 0 none, 2 a filter."""
    return {int(re.search(r"^Seccomp:\s+(\d)", (task / "status").read_text(), re.M).group(1))
            for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir()}


def nice_values(server):
    """Of each thread, the smallest first."""
    return sorted(int((task / "stat").read_text().rpartition(")")[2].split()[16])
                  for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir())


class Sandbox(Case):
    def test_on_unless_switched_off(self):
        off = self.server("--sandbox", "off", name="off")
        on = self.server(name="on", redis=self.redis())
        sanitized = "runs without a filter" in on.log()
        self.assertEqual(seccomp_modes(on), seccomp_modes(off) if sanitized else {2})
        own = int(re.search(r"^Seccomp:\s+(\d)", pathlib.Path("/proc/self/status").read_text(), re.M).group(1))
        self.assertEqual(seccomp_modes(off), {own})
        for server in (on, off):
            self.assertEqual(server.post("").status, 204)
            self.assertEqual(server.stop(), 0)

    def test_the_thread_of_admin_listen_comes_after_the_workers(self):
        server = self.server("--threads", "2", "--admin-listen", "127.0.0.1:0")
        self.assertEqual(server.post("").status, 204)  # all threads are there
        own = os.getpriority(os.PRIO_PROCESS, 0)
        if own < ADMIN_NICE:
            wait_until(lambda: nice_values(server)[-1] != own, "it is lowered")
        nice = nice_values(server)
        self.assertEqual(nice, [own] * (len(nice) - 1) + [max(own, ADMIN_NICE)])
        self.assertEqual(server.stop(), 0)

    def test_neither_on_nor_off(self):
        done = subprocess.run([BIN / "aforod", "--sandbox", "maybe"], capture_output=True, text=True, timeout=30,
                              check=False, env=dict(os.environ))
        self.assertEqual((done.returncode, done.stderr), (2, "aforod: --sandbox: 'maybe' is neither on nor off\n"))


if __name__ == "__main__":
    unittest.main()
