"""The console program against servers that answer well, badly, half or not at all. What it asks of a real aforod is
tested with the real one; here the far side is ours, so that it can misbehave."""

import http.server
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from support import BIN, TIMEOUT_S, Case, environment, now_us, text_time, wait_until
from support.console import aforo

ROWS = "start (UTC),count,state\n2016-05-28T11:11:11.120Z,122,final\n2016-05-28T11:11:11.130Z,0,closed\n"


class Fake(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body, self.length = 200, ROWS, None
        self.stall_s = 0
        self.drip = None  # where an answer begins to come byte by byte
        self.pages = {"/healthz": "{}"}
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        fake = self.server
        if self.path in fake.pages:
            status, body, length = 200, fake.pages[self.path], None
        else:
            fake.asked.append((self.path, self.headers.get("Authorization")))
            time.sleep(fake.stall_s)
            status, body, length = fake.status, fake.body, fake.length
        if fake.drip and self.path not in fake.pages:
            if fake.drip == "body":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            try:
                for byte in b"X" * TIMEOUT_S * 2:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.4)
            except OSError:
                return
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        try:
            self.wfile.write(body.encode())
        except BrokenPipeError:
            pass

    def log_message(self, *_):
        pass


class ServerCase(unittest.TestCase):
    def setUp(self):
        self.fake = Fake()
        thread = threading.Thread(target=self.fake.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.fake.server_close)
        self.addCleanup(self.fake.shutdown)


class Server(ServerCase):
    def fails(self, *words, named, ends_with=1):
        status, out, err = aforo("10ms", "--server", self.fake.url, *words)
        self.assertEqual(status, ends_with)
        self.assertRegex(err, r"\Aaforo: [^\n]+\n\Z")
        self.assertIn(named, err)
        return out

    def test_rows_and_their_states_are_the_servers(self):
        self.assertEqual(aforo("10ms", "--server", self.fake.url, "--format", "csv"), (0, ROWS, ""))
        self.assertEqual(aforo("10ms", "--server", self.fake.url + "/"),
                         (0, "2016-05-28 11:11:11.120, 122\n2016-05-28 11:11:11.130, 0\n", ""))

    def test_what_is_asked(self):
        aforo("10ms", "--server", self.fake.url)
        aforo("1min", "--server", self.fake.url, "--from", "2016-05-28 11:11:11.5", "--to", "2016-05-28T11:12:00Z",
              "--partial", env=environment(AFORO_READ_TOKEN="secret"))
        self.assertEqual(self.fake.asked, [
            ("/counts/10ms?format=csv&last=60", None),
            ("/counts/1min?format=csv&from=2016-05-28T11:11:11.500000Z&to=2016-05-28T11:12:00.000000Z&partial=1",
             "Bearer secret")])

    def test_a_bound_before_1970_is_a_bound(self):
        """Else the server takes its default, the last 60."""
        for bound in ("0", "1970-01-01", "1969-12-31 23:59:59", "-40000d"):
            self.fake.asked.clear()
            aforo("1s", "--server", self.fake.url, "--from", bound)
            self.assertEqual(self.fake.asked[0][0], "/counts/1s?format=csv&from=1970-01-01T00:00:00.000000Z", bound)

    def test_no_rows_is_no_error(self):
        self.fake.body = "start (UTC),count,state\n"
        self.assertEqual(aforo("10ms", "--server", self.fake.url),
                         (0, "", f"aforo: server {self.fake.url} holds no events\n"))

    def test_the_servers_sentence_is_shown(self):
        self.fake.status, self.fake.body = 400, "from: month 13 is out of range\n"
        self.assertEqual(self.fails(named="HTTP 400: from: month 13 is out of range"), "")

    def test_not_an_aforod(self):
        for body in ("<html>\n", "", "start (UTC),count,state\nnonsense\n",
                     "start (UTC),count,state\n2016-05-28T11:11:11.120Z,1\n",
                     "start (UTC),count,state\n2016-05-28T11:11:11.121Z,1,closed\n",  # between two windows
                     "start (UTC),count,state\n2016-05-28T11:11:11.120Z,1,ajar\n", "x" * 100_000,
                     *(f"start (UTC),count,state\n2016-05-28T11:11:11.120Z,{count},closed\n"
                       for count in ("-1", "+1", " 1", "", "1e3", "0x1", "18446744073709551616")),
                     "start (UTC),count,state\n2016-05-28T11:11:11.120Z,1\0,closed\n"):
            with self.subTest(body=body[:60]):
                self.fake.body = body
                self.assertEqual(self.fails(named="not an aforod"), "")

    def test_rows_that_were_not_asked_for(self):
        head, row = "start (UTC),count,state\n", "2016-05-28T11:11:11.{}0Z,1,closed\n"
        for body in (head + row.format(12) + row.format(14),  # a gap, which --follow would fill
                     head + row.format(12) + row.format(12), head + row.format(12) + row.format(11)):
            self.fake.body = body
            self.fails(named="not an aforod")
        self.fake.body = head + "9999-05-28T11:11:11.120Z,1,closed\n"
        self.assertEqual(self.fails("--to", "now", named="not an aforod"), "")

    def test_follow_never_counts_up_to_a_row_from_the_future(self):
        self.fake.body = "start (UTC),count,state\n9999-05-28T11:11:11.120Z,1,closed\n"
        process = subprocess.Popen([BIN / "aforo", "10ms", "--follow", "--server", self.fake.url],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        self.addCleanup(process.kill)
        said = process.stderr.readline()
        time.sleep(0.7)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual((process.returncode, out), (0, ""))
        self.assertRegex(said + err, r"\Aaforo: server [^\n]+ is not an aforod; trying again\n\Z")

    def test_control_characters_are_shown_and_not_obeyed(self):
        self.fake.status, self.fake.body = 403, "\x1b]0;title\x07\x1b[2Jno\x9b31m\n"
        self.fails(named=r"HTTP 403: \x1b]0;title\x07\x1b[2Jno\xc2\x9b31m")

    def test_one_byte_at_a_time_does_not_hang_it(self):
        for where in ("head", "body"):
            with self.subTest(where=where):
                self.fake.drip = where
                begin = time.monotonic()
                self.fails("--timeout", "1s", named=self.fake.url)
                self.assertLess(time.monotonic() - begin, 10)

    def test_an_answer_cut_short_is_an_error(self):
        self.fake.length = len(ROWS) + 100
        self.assertTrue(self.fails(named=self.fake.url))
        self.fake.body, self.fake.length = ROWS[:-3], len(ROWS) - 3  # in the middle of a row
        self.assertTrue(self.fails(named="not an aforod"))

    def test_a_server_that_stands_still(self):
        self.fake.stall_s = 60
        begin = time.monotonic()
        self.fails("--timeout", "1s", named=self.fake.url, ends_with=3)
        self.assertLess(time.monotonic() - begin, 30)  # half of what it would take without a time-out

    def test_follow_is_patient_and_says_so_once(self):
        self.fake.status, self.fake.body = 503, "starting\n"
        process = subprocess.Popen([BIN / "aforo", "10ms", "--follow", "--server", self.fake.url],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        self.addCleanup(process.kill)
        said = process.stderr.readline()
        time.sleep(0.7)
        self.fake.status, self.fake.body = 200, ROWS
        self.assertEqual(process.stdout.readline(), "2016-05-28 11:11:11.120, 122\n")
        process.kill()
        _, err = process.communicate(timeout=TIMEOUT_S)
        self.assertRegex(said + err, r"\Aaforo: [^\n]+HTTP 503: starting; trying again\n\Z")


class Places(unittest.TestCase):
    def test_a_bad_url_is_wrong_usage(self):
        for place in ("127.0.0.1:8080", "localhost:8080", "ftp://127.0.0.1:1", "http://", "http://[::1", "http://a b",
                      "http://127.0.0.1:99999", "http://127.0.0.1:1/?x", "nonsense"):
            with self.subTest(place=place):
                for words, variable, named in ((("--server", place), {}, "--server"),
                                               ((), {"AFORO_SERVER": place}, "AFORO_SERVER")):
                    status, out, err = aforo("1s", *words, env=environment(**variable))
                    self.assertEqual((status, out), (2, ""))
                    self.assertRegex(err, rf"\Aaforo: {named}: '[^\n]+\n\Z")

    def test_secrets_are_read_of_regular_files_only(self):
        with tempfile.TemporaryDirectory() as scratch:
            fifo = str(pathlib.Path(scratch) / "fifo")
            os.mkfifo(fifo)
            for words, variable in ((("--token-file", fifo), {}), ((), {"AFORO_READ_TOKEN_FILE": fifo}),
                                    (("--ca-file", fifo), {})):
                status, out, err = aforo("1s", "--server", "http://127.0.0.1:1", *words, env=environment(**variable))
                self.assertEqual((status, out), (1, ""))
                self.assertRegex(err, r"\Aaforo: [^\n]*fifo: is not a regular file\n\Z")


class Real(Case):
    """A real aforod: the two programs say the same."""

    def test_a_state_directory_of_any_name_is_one_value_in_the_log(self):
        server = self.place.server(state=self.place.dir / 'a b" level=error\x1b[2J')
        server.start()
        wait_until(lambda: 'msg="listening"' in server.log(), "it says where it listens")
        self.assertIn(r'/a b\" level=error\x1b[2J" socket=', server.log())
        self.assertNotIn("\x1b", server.log())

    def test_bounds_last_and_totals(self):
        server = self.server("--horizon", "2h")
        url, now = f"http://127.0.0.1:{server.port}", now_us()
        server.post_lines([text_time(now - 5_400_000_000)] * 3 + [text_time(now - 2_000_000)] * 4 + [text_time(now)] * 5)
        for words, query in ((("1s", "--from", "0"), "1s?from=0"),
                             (("1s", "--from", "1960-01-01"), "1s?from=1970-01-01T00:00:00Z"),
                             (("10ms", "--last", "77"), "10ms?last=77"), (("1min", "--last", "9"), "1min?last=9")):
            end = text_time(now - 1_000_000)
            out, expected = self.between_equal_answers(
                lambda: server.request("GET", f"/counts/{query}&to={end.replace(' ', 'T')}").text,
                lambda: aforo(*words, "--to", end, "--server", url))
            self.assertEqual(out, (0, expected, ""))
            self.assertTrue(expected)
        self.assertEqual(aforo("total", "--server", url), (0, "12\n", ""))
        self.assertEqual(aforo("total", "--server", url, "--from", "-1h"), (0, "9\n", ""))
        self.assertEqual(aforo("total", "--state", server.state, "--to", end), (0, "7\n", ""))
        status, out, err = aforo("status", "--server", url)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out.splitlines()[1].split()[4:7], ["12", "12", "0"])


class Status(ServerCase):
    HEALTH = {"status": "ok", "node": "n1", "store": {"configured": True, "connected": True, "lag_ms": 5,
                                                      "last_error": ""}}
    STATS = {"node": "n1", "uptime_ms": 11_045_000, "received": 12, "counted": 10, "refused": {"x": 2},
             "connections": 3}

    def setUp(self):
        super().setUp()
        self.say(self.HEALTH, self.STATS)

    def say(self, health, stats):
        self.fake.pages = {"/healthz": json.dumps(health), "/stats": json.dumps(stats)}

    def cells(self, out):
        return [line.split() for line in out.splitlines()]

    def test_a_short_table(self):
        status, out, err = aforo("status", "--server", self.fake.url)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(self.cells(out), [
            ["SERVER", "NODE", "STATUS", "UP", "RECEIVED", "COUNTED", "REFUSED", "CONNECTIONS", "STORE"],
            [self.fake.url, "n1", "ok", "3h04m", "12", "10", "2", "3", "connected,", "lag", "5", "ms"]])

    def test_many_have_a_sum_and_one_that_is_away_is_an_error(self):
        status, out, err = aforo("status", "--server", self.fake.url, "--server", "http://127.0.0.1:1", "--server",
                                 self.fake.url)
        self.assertEqual(status, 3)
        self.assertRegex(err, r"\Aaforo: server http://127.0.0.1:1: [^\n]+\n\Z")
        self.assertEqual(self.cells(out)[2], ["http://127.0.0.1:1", "-", "away", "-", "-", "-", "-", "-", "-"])
        self.assertEqual(self.cells(out)[4], ["3", "servers", "24", "20", "4", "6"])

    def test_a_store_that_is_away_is_an_error(self):
        self.say({**self.HEALTH, "store": {"configured": True, "connected": False, "last_error": "no\x1b[2J"}},
                 self.STATS)
        status, out, err = aforo("status", "--server", self.fake.url)
        self.assertEqual((status, err), (1, ""))
        self.assertIn("away: no", out)
        self.assertNotIn("\x1b", out)
        self.say({**self.HEALTH, "store": {"configured": False, "connected": False}}, self.STATS)
        self.assertEqual(aforo("status", "--server", self.fake.url)[0], 0)  # there is none to be away

    def test_what_is_no_aforod(self):
        for health, stats, named in (({}, self.STATS, "not an aforod"), (self.HEALTH, {}, "/stats"),
                                     ([1], [2], "not an aforod")):
            self.say(health, stats)
            status, out, err = aforo("status", "--server", self.fake.url)
            self.assertEqual(status, 1)
            self.assertIn(named, err)
            self.assertEqual(len(out.splitlines()), 2)


if __name__ == "__main__":
    unittest.main()
