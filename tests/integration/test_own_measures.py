"""A measure of one's own that crashes: named at the next start, set aside after two crashes, and no event of the others is lost
or counted twice."""

import collections
import http.client
import json
import os
import pathlib
import shutil
import signal
import threading
import time
import unittest

from support import TIMEOUT_S, Case, flushed, now_us, text_time, wait_until
from support.console import aforo

MEASURES = pathlib.Path(os.environ["DEV_AFORO_BIN"]).parent / "measures"
FAULTS = {"SIGSEGV": 1001, "SIGABRT": 1002, "SIGFPE": 1003, "stack": 1004, "exit": 1005, "SIGILL": 1006}
ENDLESS = 1007
DEFINITIONS = """
measures: [./mine.so]
fields: {x: {type: int}, k: }
reports:
  - {name: boom, by: [k], windows: [1s, 1min], show: [count, crashing(x)]}
  - {name: all, by: [k], windows: [1s, 1min], show: [count, sum(x)]}
"""


class Sender(threading.Thread):
    """Sends single events until it is told to stop; what was not answered may have been counted or not."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.server, self.number = server, number
        self.going = True
        self.acknowledged, self.doubtful = 0, 0

    def run(self):
        link, n = None, self.number
        while self.going:
            n += 1
            try:
                link = link or http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT_S)
                self.doubtful += 1
                link.request("POST", "/", f"value={text_time(now_us())}&x={n % 100}&k=k{n % 7}")
                if link.getresponse().read() == b"":
                    self.doubtful -= 1
                    self.acknowledged += 1
            except (OSError, http.client.HTTPException):
                link.close()
                link = None
                time.sleep(0.01)
        if link:
            link.close()


class OwnMeasures(Case):
    def setUp(self):
        super().setUp()
        self.definitions = self.place.dir / "own.yaml"
        self.definitions.write_text(DEFINITIONS)
        self.use("crashing.so")

    def use(self, file):
        shutil.copy(MEASURES / file, self.place.dir / "new.so")
        (self.place.dir / "new.so").rename(self.place.dir / "mine.so")

    def node(self, **settings):
        return self.server("--reports", self.definitions, **settings)

    def crash(self, server, value):
        """One event that ends it; True when it ended by itself."""
        try:
            server.post(f"value={text_time(now_us())}&x={value}&k=a")
        except (OSError, http.client.HTTPException):
            pass
        return server.wait()

    def restart(self, server):
        """Starts it again; what it says then."""
        before = len(server.log())
        server.start()
        return server.log()[before:]

    def rows(self, report, *source):
        """{(start, k): values} of the report's seconds."""
        status, out, err = aforo("report", report, "--window", "1s", "--partial", "--from", "2001-09-09 01:46:40", "--format",
                                 "json", *source)
        self.assertEqual(status, 0, err)
        return {(row["start"], row["key"]["k"]): row["values"] for row in json.loads(out)["rows"]}

    def test_each_fault_is_named(self):
        server = self.node(state=self.place.dir / "state")
        for name, value in FAULTS.items():
            with self.subTest(name):
                self.assertEqual(server.post(f"value={text_time(now_us())}&x=1&k=a").status, 204)
                self.crash(server, value)
                expected = "SIG(SEGV|BUS)" if name == "stack" else "SIG(ILL|TRAP)" if name == "SIGILL" else name
                said = self.restart(server)
                self.assertRegex(said, f'level=error msg="a measure of your own ended the last run of this server" '
                                       f'measure="crashing" signal={expected} crashes=1 ')
                self.assertNotIn("set aside:", said)
                server.stop()
                (self.place.dir / "state" / "measures.aforo").unlink()  # forgotten: it crashes once again
                self.assertNotIn("ended the last run", self.restart(server))
        self.assertEqual({key: row["count"] for key, row in self.rows("all", "--state", server.state).items()},
                         {key: row["count"] for key, row in self.rows("boom", "--state", server.state,
                                                                      "--measure", self.place.dir / "mine.so").items()})

    def test_who_is_killed_from_outside_blames_nobody(self):
        server = self.node()
        for _ in range(3):
            sender = threading.Thread(target=self.crash, args=(server, ENDLESS))
            sender.start()
            time.sleep(0.3)  # it is within the measure, or not yet: nobody is blamed either way
            server.signal(signal.SIGKILL)
            sender.join()
            said = self.restart(server)
            self.assertNotIn("ended the last run", said)
            self.assertNotIn("set aside", said)
        sender = threading.Thread(target=self.crash, args=(server, ENDLESS))
        sender.start()
        wait_until(lambda: self.inside(server), "a thread is within the measure")
        server.signal(signal.SIGABRT)  # as systemd's watchdog does
        sender.join()
        said = self.restart(server)
        self.assertIn("the last run ended while a measure of your own ran, by no fault that was seen", said)
        self.assertNotIn("ended the last run", said)

    def inside(self, server):
        marks = (server.state / "measures.aforo").read_bytes()[4096:]
        return any(marks[at] for at in range(0, len(marks), 64))

    def test_set_aside_after_two_crashes_under_load(self):
        store = self.redis()
        server = self.node(redis=store)
        senders = [Sender(server, number) for number in range(4)]
        for sender in senders:
            sender.start()
        crashes = []
        for value in (FAULTS["SIGSEGV"], FAULTS["SIGFPE"]):
            wait_until(lambda: all(sender.acknowledged > 50 * (len(crashes) + 1) for sender in senders), "the load goes on")
            crashes.append(self.crash(server, value))
            said = self.restart(server)
            self.assertIn(f'measure="crashing" signal={"SIGSEGV" if len(crashes) == 1 else "SIGFPE"} crashes={len(crashes)} ', said)
        self.assertRegex(said, r'level=error msg="a report is set aside: it counts nothing" report=boom why="its measure `crashing` '
                               r'has ended the server 2 times, at last by SIGFPE; put a mended file in the place of ')
        self.assertEqual(server.post(f"value={text_time(now_us())}&x={FAULTS['SIGSEGV']}&k=a").status, 204)
        wait_until(lambda: all(sender.acknowledged > 150 for sender in senders), "the load goes on")
        for sender in senders:
            sender.going = False
        for sender in senders:
            sender.join()
        acknowledged, doubtful = sum(each.acknowledged for each in senders) + 1, sum(each.doubtful for each in senders) + 2
        counted = sum(server.counts("1s").values())
        self.assertTrue(acknowledged <= counted <= acknowledged + doubtful, (acknowledged, counted, doubtful))
        flushed([server], store)
        rows = self.rows("all", "--server", f"http://127.0.0.1:{server.port}")
        per_second = collections.Counter()
        for (start, _), values in rows.items():
            per_second[start] += values["count"]
        self.assertEqual(sorted(per_second.values()), sorted(server.counts("1s").values()))
        wait_until(lambda: self.rows("all", "--redis", store.url) == rows, "Redis has the same rows")
        # what the report had counted reaches Redis without the code of its measure
        counts = {key: row["count"] for key, row in self.rows("boom", "--state", server.state).items()}
        wait_until(lambda: {key: row["count"] for key, row in self.rows("boom", "--redis", store.url).items()} == counts,
                   "Redis has the rows of what is set aside")
        self.assert_is_set_aside(server)
        self.bring_back(server, rows)

    def assert_is_set_aside(self, server):
        url = f"http://127.0.0.1:{server.port}"
        listed = server.request("GET", "/reports").json
        self.assertEqual([report["name"] for report in listed["reports"]], ["all"])
        self.assertEqual([report["name"] for report in listed["set_aside"]], ["boom"])
        self.assertIn("its measure `crashing` has ended the server 2 times", listed["set_aside"][0]["why"])
        self.assertEqual(server.stats()["reports_set_aside"], 1)
        answer = server.request("GET", "/reports/boom/1s")
        self.assertEqual(answer.status, 503)
        self.assertRegex(answer.text, "^report boom is set aside: its measure `crashing` .* start the server again\n$")
        self.assertRegex(aforo("reports", "--server", url)[1], "\nboom is set aside: its measure `crashing` has ended")
        self.assertRegex(aforo("report", "boom", "--server", url)[2], "report boom is set aside: its measure")
        # what it counted before is there yet
        self.assertTrue(self.rows("boom", "--state", server.state, "--measure", self.place.dir / "mine.so"))

    def bring_back(self, server, rows):
        """SIGHUP loads nothing; a mended file and a start do."""
        self.use("fixed.so")
        before = len(server.log())
        server.signal(signal.SIGHUP)
        wait_until(lambda: "reports read again" in server.log()[before:], lambda: server.log()[before:])
        self.assertIn("a report is set aside", server.log()[before:])
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("set aside", self.restart(server))
        self.assertEqual(server.post(f"value={text_time(now_us())}&x={FAULTS['SIGSEGV']}&k=mended").status, 204)
        url = f"http://127.0.0.1:{server.port}"
        found = self.rows("boom", "--server", url)
        self.assertIn({"count": 1, "crashing(x)": FAULTS["SIGSEGV"]}, found.values())
        self.assertEqual({key: row for key, row in self.rows("all", "--server", url).items() if key[1] != "mended"}, rows)

    def test_a_fault_before_the_first_event(self):
        self.definitions.write_text(DEFINITIONS.replace("crashing(x)", '"crashing(x,0)"'))
        server = self.place.server("--reports", self.definitions)
        for _ in range(2):
            self.assertNotIn(server.refuses_to_start()[0], (0, 2))  # a sanitizer has a status of its own
        said = self.restart(server)
        self.assertIn('measure="crashing" signal=SIGSEGV crashes=2 ', said)
        self.assertIn('a report is set aside: it counts nothing" report=boom ', said)
        self.assertEqual(server.post(f"value={text_time(now_us())}&x=1&k=a").status, 204)
        self.assertEqual(self.rows("all", "--state", server.state).popitem()[1], {"count": 1, "sum(x)": 1})

    def test_a_fault_while_it_is_loaded(self):
        """Nobody knows what it is called, and which reports use it."""
        server = self.place.server("--reports", self.definitions, env={"CRASH_AT_LOAD": "1"})
        for _ in range(2):
            self.assertNotIn(server.refuses_to_start()[0], (0, 2))
        status, said = server.refuses_to_start()
        self.assertEqual(status, 2)
        self.assertRegex(said, "mine.so: has ended the server 2 times while it was loaded, at last by SIGABRT; put a mended file "
                               "there, or take it out\n$")
        self.use("fixed.so")
        server.start()

    def test_a_file_that_another_server_has(self):
        server = self.node()
        second = self.place.server("--reports", self.definitions, state=server.state, name="second")
        status, said = second.refuses_to_start()
        self.assertEqual(status, 1)
        self.assertRegex(said, "another server uses this state directory; give each its own --state\n$")

    def test_a_damaged_list_begins_anew(self):
        server = self.node()
        self.crash(server, FAULTS["SIGSEGV"])
        self.assertIn("crashes=1 ", self.restart(server))
        server.stop()
        file = server.state / "measures.aforo"
        data = bytearray(file.read_bytes())
        data[40] ^= 1
        file.write_bytes(data)
        self.restart(server)
        self.crash(server, FAULTS["SIGSEGV"])
        self.assertIn("crashes=1 ", self.restart(server))
        server.stop()
        data = bytearray(file.read_bytes())
        data[8] = 9
        file.write_bytes(data)
        status, said = server.refuses_to_start()
        self.assertEqual(status, 1)
        self.assertIn("measures.aforo: is of another version of this program; remove it", said)


if __name__ == "__main__":
    unittest.main()
