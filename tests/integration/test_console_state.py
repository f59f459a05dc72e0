"""The console program against a state file: rows, formats, spans, following, and how it ends when it cannot."""

import json
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from support import BIN, TIMEOUT_S, environment, now_us
from support.console import Followed, aforo, expected_text, installed, shown_time

T = 1_464_433_871_120_000  # 2016-05-28 11:11:11.120
EVENTS = {T: 122, T + 9_999: 1, T + 30_000: 7, T + 1_000_000: 5, T + 59_000_000: 2, T + 180_000_000: 9}


class Filler:
    """A process that has a state file open and counts into it."""

    def __init__(self, directory):
        self.process = subprocess.Popen([str(BIN / "fill_state"), str(directory)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.add(now_us(), 0)  # it answers when the file is there

    def add(self, us, n=1):
        self.process.stdin.write(f"{us} {n}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(TIMEOUT_S) == 0


class StateCase(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)
        self.state = self.scratch / "aforo-state"
        self.filler = Filler(self.state)
        self.addCleanup(self.filler.close)

    def fill(self, events):
        for us, n in sorted(events.items()):
            self.filler.add(us, n)


class Rows(StateCase):
    def setUp(self):
        super().setUp()
        self.fill(EVENTS)

    def rows(self, *words, empty=False):
        status, out, err = aforo(*words, "--state", self.state)
        self.assertEqual((status, err != ""), (0, empty))
        return out

    def test_every_resolution_in_text(self):
        for resolution in ("10ms", "1s", "1min"):
            with self.subTest(resolution=resolution):
                self.assertEqual(self.rows(resolution, "--from", 0), expected_text(EVENTS, resolution))

    def test_first_line_is_the_one_of_the_specification(self):
        self.assertEqual(self.rows("10ms", "--from", "2016-05-28 11:11:11.120", "--to", "2016-05-28 11:11:11.130"),
                         "2016-05-28 11:11:11.120, 123\n")

    def test_last(self):
        self.assertEqual(self.rows("1min", "--last", 1), "2016-05-28 11:14:00.000, 9\n")
        self.assertEqual(self.rows("1min", "--last", 3), "2016-05-28 11:12:00.000, 2\n2016-05-28 11:13:00.000, 0\n"
                                                         "2016-05-28 11:14:00.000, 9\n")
        self.assertEqual(self.rows("1s"), expected_text(EVENTS, "1s", T + 121_000_000))  # sixty, whatever is in them
        self.assertEqual(self.rows("1min", "--last", 60), expected_text(EVENTS, "1min", T - 56 * 60_000_000))

    def test_span_excludes_its_end_and_is_cut_to_events(self):
        out = self.rows("1s", "--from", "2016-05-28T11:11:00Z", "--to", "2016-05-28T11:12:10Z")
        self.assertEqual(out, "2016-05-28 11:11:11.000, 130\n2016-05-28 11:11:12.000, 5\n")
        self.assertEqual(self.rows("1s", "--to", "2016-05-28T11:11:11Z", empty=True), "")
        self.assertEqual(self.rows("1s", "--from", "2016-05-28T11:12:11Z", "--to", "2016-05-28T11:12:11Z", empty=True),
                         "")

    def rows_are(self, expected, *words, **settings):
        status, out, err = aforo(*words, "--state", self.state, **settings)
        self.assertEqual((status, out, err), (0, expected, ""))

    def test_times_of_people(self):
        second = "2016-05-28 11:11:11.000, 130\n"
        self.rows_are(second + "2016-05-28 11:11:12.000, 5\n", "1s", "--from", "2016-05-28", "--to", "2016-05-28 11:12")
        self.rows_are("2016-05-28 11:14:00.000, 9\n", "1min", "--from", "2016-05-28T11:13")
        berlin = {"env": environment(TZ="CET-1CEST,M3.5.0,M10.5.0/3")}
        span = ("--local", "--from", "2016-05-28 13:11", "--to", "2016-05-28 11:11:12Z")
        self.rows_are("2016-05-28 13:11:11.000+02:00, 130\n", "1s", *span, **berlin)
        self.rows_are("start (CET/CEST),count,state\n2016-05-28T13:11:11.000+02:00,130,final\n", "1s", "--format",
                      "csv",
                      *span, **berlin)
        self.assertEqual(json.loads(aforo("1s", "--format", "json", *span, "--state", self.state, **berlin)[1]),
                         {"resolution": "1s", "zone": "CET/CEST", "windows": [
                             {"start": "2016-05-28T13:11:11.000+02:00", "count": 130, "state": "final"}]})
        self.rows_are(second, "1s", "--from", "2016-05-28", "--to", "2016-05-28 11:11:12",
                      **berlin)  # UTC is the default

    def test_totals(self):
        everything = sum(EVENTS.values())
        self.rows_are(f"{everything}\n", "total")
        self.rows_are(f"{everything}\n", "1s", "--from", 0, "--total")
        self.rows_are("11\n", "1min", "--last", 4, "--total", "--from", "2016-05-28 11:11:30")
        self.rows_are("123\n", "total", "--from", "2016-05-28 11:11:11.12", "--to", "2016-05-28 11:11:11.13")
        self.rows_are("12\n", "total", "--from", "2016-05-28 11:11:11.13", "--to", "2016-05-28 11:11:30")
        self.rows_are("16\n", "total", "--from", "2016-05-28 11:11:12")

    def empty_because(self, reason, *words):
        status, out, err = aforo(*words, "--state", self.state)
        self.assertEqual((status, out), (0, ""))
        self.assertRegex(err, rf"\Aaforo: {reason}\n\Z")

    def test_nothing_says_why(self):
        newest = r"the newest are in the minute 2016-05-28 11:14:00\.000"
        self.empty_because(rf"no events from \d{{4}}-[^\n]*; {newest}", "1s", "--from", "-1h")
        self.empty_because(rf"no events to 2016-05-28 00:00:00.000; {newest}", "10ms", "--to", "2016-05-28")
        self.empty_because(rf"no events from 2016-05-29 00:00:00.000 to 2016-05-30 00:00:00.000; {newest}", "1min",
                           "--from",
                           "2016-05-29", "--to", "2016-05-30")
        status, out, err = aforo("total", "--from", "-1h", "--state", self.state)
        self.assertEqual((status, out), (0, "0\n"))
        self.assertRegex(err, rf"\Aaforo: no events from [^\n]*; {newest}\n\Z")

    def test_csv_and_json_say_the_same_and_the_state(self):
        lines = self.rows("1s", "--from", 0, "--format", "csv").splitlines()
        self.assertEqual(lines[0], "start (UTC),count,state")
        self.assertEqual(lines[1], "2016-05-28T11:11:11.000Z,130,final")
        answer = json.loads(self.rows("1s", "--from", 0, "--format", "json"))
        self.assertEqual(answer["resolution"], "1s")
        self.assertEqual([f"{w['start']},{w['count']},{w['state']}" for w in answer["windows"]], lines[1:])
        self.assertEqual(len(lines) - 1, 181)
        nothing = json.loads(self.rows("1s", "--to", "2010-01-01T00:00:00Z", "--format", "json", empty=True))
        self.assertEqual(nothing, {"resolution": "1s", "zone": "UTC", "windows": []})

    def test_found_by_default_when_no_server_answers(self):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", 8080)) == 0:
                self.skipTest("something listens on the default port of this machine, and is asked first")
        expected = "2016-05-28 11:14:00.000, 9\n"
        for env in (environment(), environment(AFORO_STATE=str(self.state))):
            self.assertEqual(aforo("1min", "--last", 1, cwd=self.scratch, env=env), (0, expected, ""))

    def test_scripts_print_the_same_and_pass_flags_on(self):
        home = installed(self.scratch / "installed")
        for script, resolution in (("10ms", "10ms"), ("sec", "1s"), ("min", "1min")):
            with self.subTest(script=script):
                done = subprocess.run([home / "tools" / f"print_reqs_per_{script}.sh", "--state", self.state, "--last",
                                       "2"],
                                      capture_output=True, text=True, timeout=TIMEOUT_S, env=environment(), cwd="/")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(done.stdout, aforo(resolution, "--state", self.state, "--last", 2)[1])
                self.assertTrue(done.stdout)

    def test_a_reader_that_leaves_is_no_error(self):
        command = f"'{BIN}/aforo' 10ms --from 0 --state '{self.state}' | head -n 1; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=TIMEOUT_S,
                              env=environment())
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, "2016-05-28 11:11:11.120, 123\n")

    def test_a_full_disk_is_one(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([BIN / "aforo", "10ms", "--state", self.state], stdout=full, stderr=subprocess.PIPE,
                                  text=True, timeout=TIMEOUT_S, env=environment())
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "aforo: standard output: No space left on device\n")

    def test_closed_standard_output_is_one(self):
        done = subprocess.run(["sh", "-c", f"'{BIN}/aforo' 1s --state '{self.state}' >&-"], stderr=subprocess.PIPE,
                              text=True, timeout=TIMEOUT_S, env=environment())
        self.assertEqual((done.returncode, done.stderr), (1, "aforo: standard output is closed\n"))


class OpenWindow(StateCase):
    def test_only_with_partial(self):
        now = now_us()
        self.filler.add(now - 60_000_000, 3)
        self.filler.add(now + 5_000_000, 4)  # in a window that is not over for four seconds at least
        out = aforo("1s", "--state", self.state, "--last", 1)[1]
        self.assertEqual(out, f"{shown_time((now - 60_000_000) // 1_000_000 * 1_000_000)}, 3\n")
        lines = aforo("1s", "--state", self.state, "--from", 0, "--partial", "--format", "csv")[1].splitlines()
        self.assertTrue(lines[1].endswith(",3,closed"), lines[1])
        self.assertTrue(lines[-1].endswith(",4,open"), lines[-1])
        self.assertEqual(len(lines) - 1, 66)


    def test_that_it_is_open_is_said(self):
        self.assertEqual(aforo("1min", "--state", self.state),
                         (0, "", f"aforo: state {self.state} holds no events\n"))
        self.filler.add(now_us() + 120_000_000, 3)
        status, out, err = aforo("1min", "--state", self.state)
        self.assertEqual((status, out), (0, ""))
        self.assertRegex(err, r"\Aaforo: nothing to show yet: the window with events, [-0-9]+ [:0-9]+\.000, is over in "
                              r"1\d\d s; --partial shows it now\n\Z")
        self.assertEqual(aforo("total", "--state", self.state), (0, "3\n", ""))  # open ones, too


class Follow(StateCase):
    def test_it_says_what_it_waits_for(self):
        process = subprocess.Popen([BIN / "aforo", "1min", "--follow", "--state", self.state], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=environment())
        self.addCleanup(process.kill)
        self.assertEqual(process.stderr.readline(), "aforo: no window with events is over yet: waiting for the first\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=TIMEOUT_S), ("", ""))
        self.assertEqual(process.returncode, 0)

    def test_each_window_once_with_zeros_until_interrupted(self):
        start_us = now_us()
        self.filler.add(start_us - 2_000_000, 1)
        process = subprocess.Popen([BIN / "aforo", "10ms", "--follow", "--last", "1", "--state", self.state],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        self.addCleanup(process.kill)
        followed = Followed(50_000, {start_us - 2_000_000: 1})  # it waits for twice as long
        lines = [process.stdout.readline()]  # what is counted before that would not be shown: --last 1
        for _ in range(10):
            us = now_us()
            followed.add(us, 3, lambda us=us: self.filler.add(us, 3))
            time.sleep(0.05)
        while not followed.is_after(lines[-1]):
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        with process.stdout, process.stderr:
            lines += process.stdout.readlines()
            err = process.stderr.read()
        self.assertEqual((process.wait(TIMEOUT_S), err), (0, ""))
        self.assertTrue(followed.check(self, lines))

    def test_json_is_whole_when_ended(self):
        self.filler.add(now_us() - 3_000_000, 2)
        process = subprocess.Popen([BIN / "aforo", "1s", "--follow", "--last", "1", "--format", "json", "--state",
                                    self.state],
                                   stdout=subprocess.PIPE, text=True, env=environment())
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), '{"resolution":"1s","zone":"UTC","windows":[\n')
        self.assertIn('"count":2', process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        process.stdout.close()
        self.assertEqual(process.wait(TIMEOUT_S), 0)
        self.assertTrue(rest.endswith("\n]}\n"), rest)


class NoSource(unittest.TestCase):
    def test_one_line_and_nothing_on_standard_output(self):
        with tempfile.TemporaryDirectory() as empty:
            for expected, words in ((1, ["--state", empty]), (3, ["--state", empty + "/none"]), (3, ["--server", "http://127.0.0.1:1"]),
                                    (3, ["--redis", "redis://127.0.0.1:1"])):
                with self.subTest(words=words):
                    status, out, err = aforo("1s", "--format", "json", *words)
                    self.assertEqual((status, out), (expected, ""))
                    self.assertRegex(err, r"\Aaforo: [^\n]+\n\Z")

    def test_a_named_redis_is_not_passed_over(self):
        for variable, place in (("AFORO_REDIS", "redis://127.0.0.1:1"), ("AFORO_SERVER", "http://127.0.0.1:1")):
            with self.subTest(variable=variable):
                status, out, err = aforo("1s", env=environment(**{variable: place}))
                self.assertEqual((status, out), (3, ""))
                self.assertIn("127.0.0.1:1", err)
                self.assertNotIn("aforo-state", err)

    def test_control_characters_are_shown(self):
        status, out, err = aforo("1s", "--state", "/nowhere/\x1b[31m")
        self.assertEqual((status, out), (3, ""))
        self.assertIn(r"\x1b[31m", err)
        self.assertNotIn("\x1b", err)

    def test_help(self):
        status, short, err = aforo("--help")
        self.assertEqual((status, err), (0, ""))
        status, long, err = aforo("--help-all")
        self.assertEqual((status, err), (0, ""))
        self.assertTrue(long.startswith(short))
        for flag in ("--timeout", "--horizon", "--token-file", "--ca-file"):
            self.assertIn(f"  {flag} ", long)

    def test_bad_flags(self):
        for words in ([], ["2s"], ["1s", "--last", "x"], ["1s", "--colour"], ["1s", "--from"]):
            with self.subTest(words=words):
                status, out, err = aforo(*words)
                self.assertEqual((status, out), (2, ""))
                self.assertRegex(err, r"\Aaforo: [^\n]+\n\Z")


if __name__ == "__main__":
    unittest.main()
