"""The main job, end to end, short: a real Tsung load on a real aforod with a real Redis; every request counted once,
in all three resolutions, at the server and in Redis."""

import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import unittest
import urllib.request

from console_support import BIN, TIMEOUT_S, Redis, environment, installed

TSUNG_TIMEOUT_S = 90


class Tsung(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)
        self.redis = Redis(scratch.name)
        self.addCleanup(self.redis.stop)

    def start_server(self):
        server = subprocess.Popen([BIN / "aforod", "--listen", "127.0.0.1:0", "--state", self.scratch / "state",
                                   "--redis", self.redis.url], stderr=subprocess.PIPE, text=True, env=environment())
        self.addCleanup(server.wait, TIMEOUT_S)
        self.addCleanup(server.stderr.close)
        log = []
        for line in iter(server.stderr.readline, ""):
            log.append(line)
            found = re.search(r'msg="?listening"? .*address=(\S+)', line)
            if found:
                break
        else:
            server.kill()
            self.fail("aforod did not start: " + "".join(log))
        rest = threading.Thread(target=lambda: log.extend(server.stderr))
        rest.start()
        self.addCleanup(rest.join)
        self.addCleanup(server.kill)  # done first: the thread ends with the server's log
        return server, rest, log, found.group(1)

    def test_every_request_is_counted_once(self):
        server, rest, log, address = self.start_server()
        run = installed(self.scratch / "installed") / "tsung" / "run"
        done = subprocess.run([run, "50", "10", "5"], capture_output=True, text=True, timeout=TSUNG_TIMEOUT_S,
                              env=environment(THESERVER=address, AFORO_REDIS=self.redis.url))
        # Whether Tsung manages to send all in time is the machine's matter; what was sent is counted.
        self.assertIn((done.returncode, done.stderr), ((0, ""), (3, "")), done.stdout)
        requests = int(re.search(r"^  requests +(\d+) ", done.stdout, re.M).group(1))
        last = "EQUAL: 2500 requests, each counted once" if requests == 2500 else f"EQUAL, but {requests:,} of 2,500 asked for were sent"
        self.assertEqual((done.stdout.splitlines()[-1], done.returncode), (last, 0 if requests == 2500 else 3))
        self.assertGreater(requests, 1000)
        self.assertEqual(len(re.findall(rf"print_reqs_per_\w+ --(?:server|redis) +{requests}\n", done.stdout)), 6)
        server.send_signal(signal.SIGTERM)
        self.assertEqual(server.wait(TIMEOUT_S), 0)
        rest.join(TIMEOUT_S)
        self.assertRegex("".join(log), rf"msg=\"?stopped\"? .*counted={requests}\b")

    def test_fewer_than_asked_for(self):
        _, _, _, address = self.start_server()
        run = installed(self.scratch / "installed") / "tsung" / "run"
        scenario = run.parent / "tsung.xml"
        scenario.write_text(scenario.read_text().replace('maxnumber="&RATE;"', 'maxnumber="3"'))
        done = subprocess.run([run, "80", "10", "2"], capture_output=True, text=True, timeout=TSUNG_TIMEOUT_S,
                              env=environment(THESERVER=address))
        self.assertEqual((done.returncode, done.stderr), (3, ""), done.stdout)
        requests = int(re.search(r"^  requests +(\d+) ", done.stdout, re.M).group(1))
        self.assertEqual(done.stdout.splitlines()[-1], f"EQUAL, but {requests:,} of 1,600 asked for were sent")

    def test_a_difference_is_found(self):
        _, _, _, address = self.start_server()
        run = installed(self.scratch / "installed") / "tsung" / "run"
        # One event that Tsung did not send, while it runs.
        meddler = threading.Timer(3, lambda: urllib.request.urlopen(
            f"http://{address}/", data=b"", timeout=TIMEOUT_S).close())
        meddler.start()
        self.addCleanup(meddler.join)
        done = subprocess.run([run, "10", "10", "5"], capture_output=True, text=True, timeout=TSUNG_TIMEOUT_S,
                              env=environment(THESERVER=address))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("DIFFERENT: print_reqs_per_10ms --server", done.stdout)


if __name__ == "__main__":
    unittest.main()
