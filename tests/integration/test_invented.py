"""What the event log is for: Tsung's load with the log on; then a report is invented, and the log has its answer: the same rows,
digest and all, as a server gives that was asked from the beginning. DEV_AFORO_LONG=1: 5,000 requests a second for ten minutes."""

import os
import re
import resource
import subprocess
import time
import unittest

from support import Case, environment
from support.console import aforo, installed

USERS, SECONDS = (500, 600) if os.environ.get("DEV_AFORO_LONG") else (20, 3)
HITS = 10
REPORTS = "reports: [{name: pace, windows: [1s, 1min], show: [count, first, last, digest]}]\n"
WINDOWS = ("1s", "1min")


def timed(*words):
    """What it printed and said; and on a line of the test's own what it took."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    status, out, said = aforo(*words, timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"aforo {words[0]}: {time.monotonic() - begin:.2f} s, {cpu:.2f} s of CPU", flush=True)
    if status:
        raise AssertionError(f"aforo {words[0]}: {status}: {out[:1000]}{said}")
    return out, said


class Invented(Case):
    def test_a_report_that_was_invented_afterwards(self):
        log, live = self.place.dir / "log", self.place.dir / "live.yaml"
        live.write_text(REPORTS)
        server = self.server("--event-log", log, "--reports", live)
        tsung = installed(self.place.dir / "installed") / "tsung" / "run"
        done = subprocess.run([tsung, str(USERS), str(HITS), str(SECONDS)], capture_output=True, text=True, timeout=SECONDS + 150,
                              check=False, env=environment(THESERVER=f"127.0.0.1:{server.port}"))
        self.assertIn((done.returncode, done.stderr), ((0, ""), (3, "")), done.stdout)  # 3: Tsung was slower; what it sent counts
        requests = int(re.search(r"^  requests +(\d+) ", done.stdout, re.M).group(1))
        print(done.stdout[done.stdout.index("Tsung's report"):], flush=True)
        source = f"http://127.0.0.1:{server.port}"
        rows = {window: aforo("report", "pace", "--window", window, "--partial", "--from", "-50m", "--server", source)[1]
                for window in WINDOWS}
        invented = self.place.dir / "invented.yaml"  # nobody knew of it until now
        invented.write_text(REPORTS)
        self.assertEqual(int(timed("replay", log, "--total")[0]), requests)
        for window in WINDOWS:
            self.assertIn("digest=", rows[window])
            self.assertEqual(timed("replay", log, "--reports", invented, "--report", "pace", "--window", window)[0], rows[window])
        time.sleep(1.1)  # with a server, diff compares windows that have been over for a second
        out, said = timed("diff", f"server:{source}", f"log:{log}", "--reports", invented, "--report", "pace")
        self.assertEqual(out, "")
        self.assertRegex(said, r"[1-9]\d* windows and rows compared, 0 differ")
        print(said, flush=True)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
