"""The main job, end to end, short: a real Tsung load on a real aforod with a real Redis; every request counted once,
in all three resolutions, at the server and in Redis."""

import re
import shutil
import subprocess
import threading
import unittest
import urllib.request

from support import TIMEOUT_S, Case, environment
from support.console import installed

TSUNG_TIMEOUT_S = 90


@unittest.skipUnless(shutil.which("tsung"), "no package tsung on this system; deploy/compose starts that of its container")
class Tsung(Case):
    def setUp(self):
        super().setUp()
        self.store = self.redis()
        self.aforod = self.server(redis=self.store)
        self.address = f"127.0.0.1:{self.aforod.port}"
        self.script = installed(self.place.dir / "installed") / "tsung" / "run"

    def tsung(self, *words, **variables):
        return subprocess.run([self.script, *words], capture_output=True, text=True, timeout=TSUNG_TIMEOUT_S, check=False,
                              env=environment(THESERVER=self.address, **variables))

    def test_every_request_is_counted_once(self):
        done = self.tsung("50", "10", "5", AFORO_REDIS=self.store.url)
        # Whether Tsung manages to send all in time is the machine's matter; what was sent is counted.
        self.assertIn((done.returncode, done.stderr), ((0, ""), (3, "")), done.stdout)
        requests = int(re.search(r"^  requests +(\d+) ", done.stdout, re.M).group(1))
        last = "EQUAL: 2500 requests, each counted once" if requests == 2500 else f"EQUAL, but {requests:,} of 2,500 asked for were sent"
        self.assertEqual((done.stdout.splitlines()[-1], done.returncode), (last, 0 if requests == 2500 else 3))
        self.assertGreater(requests, 1000)
        self.assertEqual(len(re.findall(rf"print_reqs_per_\w+ --(?:server|redis) +{requests}\n", done.stdout)), 6)
        self.assertEqual(self.aforod.stop(), 0)
        self.assertRegex(self.aforod.log(), rf"msg=\"?stopped\"? .*counted={requests}\b")

    def test_fewer_than_asked_for(self):
        scenario = self.script.parent / "tsung.xml"
        scenario.write_text(scenario.read_text().replace('maxnumber="&RATE;"', 'maxnumber="3"'))
        done = self.tsung("80", "10", "2")
        self.assertEqual((done.returncode, done.stderr), (3, ""), done.stdout)
        requests = int(re.search(r"^  requests +(\d+) ", done.stdout, re.M).group(1))
        self.assertEqual(done.stdout.splitlines()[-1], f"EQUAL, but {requests:,} of 1,600 asked for were sent")

    def test_a_difference_is_found(self):
        # One event that Tsung did not send, while it runs.
        meddler = threading.Timer(3, lambda: urllib.request.urlopen(
            f"http://{self.address}/", data=b"", timeout=TIMEOUT_S).close())
        meddler.start()
        self.addCleanup(meddler.join)
        done = self.tsung("10", "10", "5")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("DIFFERENT: print_reqs_per_10ms --server", done.stdout)


if __name__ == "__main__":
    unittest.main()
