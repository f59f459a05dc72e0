"""The console program against servers that answer well, badly, half or not at all. What it asks of a real aforod is
tested with the real one; here the far side is ours, so that it can misbehave."""

import http.server
import subprocess
import threading
import time
import unittest

from console_support import BIN, TIMEOUT_S, aforo, environment

ROWS = "start,count,state\n2016-05-28T11:11:11.120Z,122,final\n2016-05-28T11:11:11.130Z,0,closed\n"


class Fake(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body, self.length = 200, ROWS, None
        self.stall_s = 0
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        fake = self.server
        if self.path == "/healthz":
            status, body, length = 200, "{}", None
        else:
            fake.asked.append((self.path, self.headers.get("Authorization")))
            time.sleep(fake.stall_s)
            status, body, length = fake.status, fake.body, fake.length
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        try:
            self.wfile.write(body.encode())
        except BrokenPipeError:
            pass

    def log_message(self, *_):
        pass


class Server(unittest.TestCase):
    def setUp(self):
        self.fake = Fake()
        thread = threading.Thread(target=self.fake.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.fake.server_close)
        self.addCleanup(self.fake.shutdown)

    def fails(self, *words, named):
        status, out, err = aforo("10ms", "--server", self.fake.url, *words)
        self.assertEqual(status, 1)
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

    def test_no_rows_is_no_error(self):
        self.fake.body = "start,count,state\n"
        self.assertEqual(aforo("10ms", "--server", self.fake.url), (0, "", ""))

    def test_the_servers_sentence_is_shown(self):
        self.fake.status, self.fake.body = 400, "from: month 13 is out of range\n"
        self.assertEqual(self.fails(named="HTTP 400: from: month 13 is out of range"), "")

    def test_not_an_aforod(self):
        for body in ("<html>\n", "", "start,count,state\nnonsense\n", "start,count,state\n2016-05-28T11:11:11.120Z,1\n",
                     "start,count,state\n2016-05-28T11:11:11.121Z,1,closed\n",  # between two windows
                     "start,count,state\n2016-05-28T11:11:11.120Z,1,ajar\n", "x" * 100_000):
            with self.subTest(body=body[:60]):
                self.fake.body = body
                self.assertEqual(self.fails(named="not an aforod"), "")

    def test_an_answer_cut_short_is_an_error(self):
        self.fake.length = len(ROWS) + 100
        self.assertTrue(self.fails(named=self.fake.url))
        self.fake.body, self.fake.length = ROWS[:-3], len(ROWS) - 3  # in the middle of a row
        self.assertTrue(self.fails(named="not an aforod"))

    def test_a_server_that_stands_still(self):
        self.fake.stall_s = 3
        begin = time.monotonic()
        self.fails("--timeout", "1s", named=self.fake.url)
        self.assertLess(time.monotonic() - begin, 2.9)

    def test_follow_is_patient_and_says_so_once(self):
        self.fake.status, self.fake.body = 503, "starting\n"
        process = subprocess.Popen([BIN / "aforo", "10ms", "--follow", "--server", self.fake.url],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        self.addCleanup(process.kill)
        time.sleep(0.7)
        self.fake.status, self.fake.body = 200, ROWS
        self.assertEqual(process.stdout.readline(), "2016-05-28 11:11:11.120, 122\n")
        process.kill()
        _, err = process.communicate(timeout=TIMEOUT_S)
        self.assertRegex(err, r"\Aaforo: [^\n]+HTTP 503: starting; trying again\n\Z")


if __name__ == "__main__":
    unittest.main()
