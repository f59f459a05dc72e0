"""What is refused rather than counted or ignored, what is said of it, and that the answer arrives."""

import http.client
import re
import shutil
import socket
import ssl
import subprocess
import time
import unittest

from support import TIMEOUT_S, Case, now_us, read_to_end, text_time, wait_until
from support.corpus import receive, statuses

SECOND, HOUR = 1_000_000, 3_600_000_000
TOKEN = "ingest-0123456789abcdef"
DEBUG = ("--log-level", "debug")


def log_of(server, pattern, timeout_s=TIMEOUT_S):
    """The first line of the log that matches, once it is there."""
    return wait_until(lambda: re.search(f"^.*{pattern}.*$", server.log(), re.MULTILINE),
                      lambda: f"{pattern} in the log\n{server.log()[-2000:]}", timeout_s)[0]


class Query(Case):
    def setUp(self):
        super().setUp()
        self.aforod = self.server()
        self.now = now_us()
        self.past = self.now - 30 * SECOND
        self.stamp = text_time(self.past).replace(" ", "+")

    def refused(self, method, path, status, *words, body=None):
        answer = self.aforod.request(method, path, body)
        self.assertEqual(answer.status, status, answer.text)
        self.assertRegex(answer.text, r"\A[\x20-\x7e]+\n\Z")
        for word in words:
            self.assertIn(word, answer.text)
        return answer

    def test_a_time_in_the_query_is_the_time_of_the_event(self):
        for path in (f"/?value={self.stamp}", f"/?a=1&value={self.stamp}&b", f"/?v%61lue={self.stamp}"):
            for body in (None, "", "a=1", "a=1&b&", "\n"):
                with self.subTest(path=path, body=body):
                    self.assertEqual(self.aforod.request("POST", path, body).status, 204)
        self.assert_counts(self.aforod, {self.past: 15})

    def test_other_fields_in_the_query_leave_the_body_its_say(self):
        self.assertEqual(self.aforod.request("POST", "/?a=1&b", f"value={self.stamp}").status, 204)
        self.assert_counts(self.aforod, {self.past: 1})

    def test_what_is_not_clear_is_refused_and_counted_as_such(self):
        value = f"value={self.stamp}"
        self.refused("POST", f"/?{value}", 400, "value: ", "query", "body", body=value)
        self.refused("POST", f"/?{value}&{value}", 400, "value: given more than once")
        self.refused("POST", "/?value=30s", 400, "value: ", "character 3")
        self.refused("POST", "/?a=%zz", 400, "query: % at byte 3")
        self.refused("POST", f"/?{value}", 400, "body: JSON", body="{}")
        self.refused("POST", f"/?value={text_time(self.now - 2 * HOUR).replace(' ', 'T')}", 422, "too late by 1 h")
        self.refused("POST", f"/events?{value}", 400, "value: POST /events", "POST / ", body=text_time(self.now))
        stats = self.aforod.conserved()
        self.assertEqual((stats["counted"], stats["refused"]["malformed"], stats["refused"]["too_late"]), (0, 6, 1))

    def test_a_query_that_cannot_be_read_is_refused_with_its_batch(self):
        stamp = text_time(self.now)
        for body in (stamp, "", f"{stamp}\n" * 1000):
            answers = [self.refused("POST", path + "?q=ok&other=50%", 400, "query: % at byte 14", body=body) for path in ("/", "/events")]
            self.assertEqual(answers[0].text, answers[1].text)
        self.assertEqual(self.aforod.request("POST", "/events?q=ok&other=50%25", stamp).json["accepted"], 1)
        stats = self.aforod.conserved()
        self.assertEqual((stats["counted"], stats["refused"]["malformed"]), (1, 6))

    def test_an_event_by_get_is_not_a_page(self):
        for path in (f"/?value={self.stamp}", "/?value", "/?a=1&value="):
            answer = self.refused("GET", path, 405, "value: ", "POST")
            self.assertEqual(answer.headers["Allow"], "GET, HEAD, POST")
        self.assertEqual(self.aforod.request("HEAD", f"/?value={self.stamp}").status, 405)
        self.assertEqual(self.aforod.request("GET", "/").status, 200)
        self.assertEqual(self.aforod.conserved()["received"], 0)

    def test_arguments_that_nobody_knows(self):
        self.refused("GET", "/counts/1s?fromat=csv", 400, "fromat: ", "last, from, to, partial, format")
        self.refused("GET", "/counts/1s?last=3&Last=3", 400, "Last: ")
        self.refused("GET", "/counts/10ms?value=1", 400, "value: ")
        self.refused("GET", "/counts/1s?last=3&last=4", 400, "last: given more than once")
        self.refused("GET", "/counts/1s?partial", 400, "partial: needs a value")
        self.refused("GET", "/counts/1s?%0a%1b[31m=1", 400, "??[31m: ")
        self.refused("GET", "/counts/1s?" + "x" * 2000, 400, "x" * 40 + ": ")
        self.refused("GET", "/counts/1s?from=2026-01-01T00:00:00+01:00", 400, "from: ", "%2B")
        for path in ("/", "/stats", "/healthz"):
            self.refused("GET", path + "?pretty=1", 400, "pretty: ", "takes none")
        for path in ("/?", "/counts/1s?", "/counts/1s?&last=3&", "/counts/1s?from=2026-01-01T00:00:00%2B01:00&partial=0"):
            self.assertEqual(self.aforod.request("GET", path).status, 200, path)

    def test_with_a_listener_for_reading(self):
        port = self.place.port()
        aforod = self.server("--admin-listen", f"127.0.0.1:{port}", name="two")
        self.assertEqual(aforod.request("POST", f"/?value={self.stamp}").status, 204)
        self.assertEqual(aforod.request("GET", f"/?value={self.stamp}").status, 405)
        aforod.port = port
        self.assertEqual(aforod.request("GET", f"/?value={self.stamp}").status, 400)
        self.assertEqual(aforod.request("GET", "/counts/1s?x=1").status, 400)
        self.assertEqual(aforod.request("GET", "/counts/1s?last=1").status, 200)


class Sentences(Case):
    def setUp(self):
        super().setUp()
        self.aforod = self.server()
        self.now = now_us()

    def test_times_outside_the_span_say_by_how_much(self):
        for off, words in ((-HOUR - 1000 * SECOND, ["too late by 16 min", "1 h 16 min ago", "horizon is 1 h"]),
                           (-2 * HOUR, ["too late by 1 h", "times are UTC"]), (60 * SECOND, ["too far ahead by", "10 s"]),
                           (5 * HOUR + HOUR // 2, ["too far ahead by 5 h 29 min", "times are UTC"])):
            with self.subTest(off=off):
                answer = self.aforod.post("value=" + text_time(self.now + off))
                self.assertEqual(answer.status, 422)
                reason = self.aforod.post_lines([text_time(self.now + off)]).json["errors"][0]["reason"]
                for text in (answer.text, reason):
                    for word in words:
                        self.assertIn(word, text)
                    self.assertEqual("UTC" in text, "times are UTC" in words)

    def test_what_is_no_form_or_no_line(self):
        stamp = text_time(self.now)
        for body, word in (('{"value": "%s"}' % stamp, "JSON"), (f"{stamp}\n{stamp}\n", "--data-binary @FILE"),
                           (f"value={stamp.replace(' ', 'T')}+01:00", "%2B")):
            answer = self.aforod.post(body)
            self.assertEqual(answer.status, 400)
            self.assertIn(word, answer.text)
        reasons = [error["reason"] for error in self.aforod.post_lines(f"value={stamp}\n" + stamp * 3).json["errors"]]
        self.assertIn("a line begins with its timestamp", reasons[0])
        self.assertIn("--data-binary", reasons[1])

    def test_as_curl_sends_it(self):
        if not shutil.which("curl"):
            self.skipTest("no curl")
        times = self.place.dir / "times"
        times.write_text("".join(text_time(self.now) + "\n" for _ in range(5)))

        def curl(path, *words):
            done = subprocess.run(["curl", "-sS", "--max-time", str(TIMEOUT_S), "--noproxy", "*", *words,
                                   f"http://127.0.0.1:{self.aforod.port}{path}"], capture_output=True, text=True, check=True)
            return done.stdout
        self.assertIn("curl --data value=", curl("/", "-F", "value=" + text_time(self.now)))
        self.assertIn("--data-binary", curl("/", "--data", f"@{times}"))
        self.assertIn("--data-binary", curl("/events", "--data", f"@{times}"))
        self.assertIn('"accepted":5', curl("/events", "--data-binary", f"@{times}"))
        stamp = text_time(self.now)
        self.assertIn("--json", curl("/", "--data", '{"value": "%s"}' % stamp))
        self.assertEqual(curl("/", "--json", '{"value": "%s"}' % stamp), "")
        self.assertEqual(self.aforod.conserved()["counted"], 6)

    def test_a_coded_body(self):
        for path in ("/", "/events"):
            for coding in ("gzip", "deflate", "br", "identity, gzip"):
                with self.subTest(path=path, coding=coding):
                    answer = self.aforod.request("POST", path, text_time(self.now), {"Content-Encoding": coding})
                    self.assertEqual((answer.status, answer.headers["Accept-Encoding"]), (415, "identity"))
                    self.assertIn("Content-Encoding", answer.text)
        answer = self.aforod.request("POST", "/events", text_time(self.now), {"Content-Encoding": "identity"})
        self.assertEqual(answer.json["accepted"], 1)
        stats = self.aforod.conserved()
        self.assertEqual((stats["counted"], stats["refused"]["malformed"]), (1, 8))

    def test_two_authorizations(self):
        tokens = self.place.dir / "tokens"
        tokens.write_text(TOKEN + "\n")
        tokens.chmod(0o600)
        guarded = self.server("--ingest-token-file", tokens, name="guarded")
        both = f"Authorization: Bearer {TOKEN}\r\nAuthorization: Bearer {TOKEN}\r\n"
        for server in (self.aforod, guarded):
            with server.connect() as link:
                link.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{both}Content-Length: 0\r\n\r\n".encode())
                answer = link.recv(65536)
            self.assertRegex(answer, rb"\AHTTP/1.1 400 ")
            self.assertIn(b"Authorization: given more than once", answer)
            self.assertEqual(server.conserved()["counted"], 0)
        self.assertEqual(guarded.post("", {"Authorization": "Bearer " + TOKEN}).status, 204)


class Log(Case):
    def test_a_batch_of_which_nothing_is_counted_is_told_once_a_minute(self):
        aforod = self.server()
        for _ in range(5):
            self.assertEqual(aforod.post_lines(["", "value=1", "x"]).json["accepted"], 0)
        self.assertEqual(aforod.post_lines(["x", text_time(now_us())]).json["accepted"], 1)
        self.assertEqual(aforod.post_lines("").status, 200)
        line = log_of(aforod, "every line of a batch was refused")
        self.assertIn("level=warn", line)
        self.assertRegex(line, r'client=127\.0\.0\.1:\d+ lines=2 first_line=2 reason="expected .*" batches=1')
        time.sleep(1.5)
        self.assertEqual(aforod.log().count("every line of a batch"), 1)
        self.assertNotIn("level=debug", aforod.log())

    def test_the_most_connections_are_told_once_a_minute(self):
        aforod = self.server("--max-connections", "5")
        links = []
        self.addCleanup(lambda: [link.close() for link in links])
        for _ in range(12):
            links.append(aforod.connect())
        line = log_of(aforod, "--max-connections is reached")
        self.assertRegex(line, r"level=warn .* open=5 most=5 refused=1 remedy=")
        time.sleep(2.5)
        self.assertEqual(aforod.log().count("--max-connections is reached"), 1)
        for link in links:
            link.close()
        wait_until(lambda: self.answers(aforod), "there is room again")

    @staticmethod
    def answers(server):
        try:
            return server.health()
        except OSError:
            return None

    def test_debug_shows_each_refusal(self):
        aforod = self.server(*DEBUG)
        aforod.post("value=x")
        aforod.request("GET", "/nowhere")
        aforod.request("GET", "/counts/1s?a=1")
        aforod.post("value=" + text_time(now_us() - 2 * HOUR))
        aforod.post_lines(["x", text_time(now_us())])
        for status, text in ((400, "value: expected a digit"), (404, "no such page"), (400, "a: no such argument"),
                             (422, "value: too late by"), (422, "1 of 2 lines, the first is line 1: expected")):
            self.assertRegex(log_of(aforod, text),
                             rf'level=debug msg="refused" worker=\d client=127\.0\.0\.1:\d+ status={status} text="{text}')

    def test_a_flood_of_refusals_does_not_fill_the_log(self):
        aforod = self.server(*DEBUG, threads=1)
        with aforod.connect() as link:
            link.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
            receive(link, lambda data: len(statuses(data)) >= 500)
        more = log_of(aforod, 'msg="more was refused"', 10)
        self.assertLessEqual(aforod.log().count('msg="refused"'), 60)  # 20 a second
        self.assertGreater(int(re.search(r"n=(\d+)", more)[1]), 300)

    def test_debug_shows_why_each_connection_is_closed(self):
        aforod = self.server(*DEBUG, "--header-timeout", "1s", "--body-timeout", "1s", "--idle-timeout", "3s", threads=1)
        event = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        for data, half, why in ((event, False, "the client closed it"), (event, True, "silent for --idle-timeout"),
                                (b"", False, "the client left without a word"),
                                (b"", True, "said nothing for --header-timeout or --idle-timeout"),
                                (event[:20], True, "its headers took longer than --header-timeout"),
                                (event[:-5] + b"9\r\n\r\n1", True, "its body took longer than --body-timeout"),
                                (event[:-5] + b"9\r\n\r\n1", False, "the client left within a request"),
                                (event.replace(b"\r\n", b"\r\nHost: y\r\n", 1), True, "it was not clear where a request ends"),
                                (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", True,
                                 "a request in chunks is the last one")):
            with self.subTest(why=why):
                with aforod.connect() as link:
                    port = link.getsockname()[1]
                    link.sendall(data)
                    if half:  # the server is to close it
                        receive(link)
                    elif data == event:
                        receive(link, lambda received: b"\r\n\r\n" in received)
                    else:
                        time.sleep(0.2)
                line = log_of(aforod, f'msg="connection closed" worker=0 client=127.0.0.1:{port}')
                self.assertIn(f'why="{why}', line)
        aforod.stop()
        self.assertNotIn("why=\"(null)", aforod.log())


class Farewell(Case):
    """An answer before the end of a body arrives, whatever the client still sends."""

    def setUp(self):
        super().setUp()
        tokens = self.place.dir / "tokens"
        tokens.write_text(TOKEN + "\n")
        tokens.chmod(0o600)
        self.tokens = tokens
        self.base = now_us() // SECOND * SECOND - 1800 * SECOND

    @staticmethod
    def chunks(body, size):
        return b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + size]), body[i:i + size]) for i in range(0, len(body), size)) + b"0\r\n\r\n"

    def send_all_then_read(self, server, head, data, link=None):
        """As simple clients do; any error on the way is the test's."""
        with link or server.connect() as link:
            link.settimeout(TIMEOUT_S)
            link.sendall(head + data)
            received = read_to_end(link)
        head, _, body = received.partition(b"\r\n\r\n")
        self.assertIn(b"Connection: close", head)
        self.assertEqual(int(re.search(rb"Content-Length: (\d+)", head)[1]), len(body))
        return int(received[9:12]), body

    def lines(self, n):
        return b"".join(text_time(self.base + i * 1000).encode() + b"\n" for i in range(n))

    def test_a_batch_beyond_max_body_is_answered_with_what_was_counted(self):
        server = self.server("--max-body", "1MiB")
        lines, fit = self.lines(77_000), (1 << 20) // 27  # 2.1 MB
        head = b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        for turn, size in enumerate((4096, 65536, 27, 1_000_000, len(lines)), 1):
            with self.subTest(size=size):
                status, body = self.send_all_then_read(server, head, self.chunks(lines, size))
                self.assertEqual(status, 200)
                self.assertEqual(body.decode(), '{"accepted":%d,"rejected":0,"errors":[],"truncated":{"from_line":%d,"reason":'
                                 '"the body is larger than --max-body"}}\n' % (fit, fit + 1))
                stats = server.conserved()
                self.assertEqual((stats["counted"], stats["refused"]["too_large"]), (turn * fit, turn))
        self.assert_counts(server, {self.base + i * 1000: turn for i in range(fit)})
        self.assertEqual(server.post_lines(lines[27 * fit:]).json["accepted"], 77_000 - fit)  # where it says to go on

    def test_just_beyond(self):
        server = self.server("--max-body", "1KiB", *DEBUG)
        head = b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        for n in (38, 100, 2000, 3000):  # to its end, and before it
            status, body = self.send_all_then_read(server, head, self.chunks(self.lines(n), 500))
            self.assertEqual(status, 200)
            self.assertIn(b'"accepted":37,"rejected":0,"errors":[],"truncated":{"from_line":38,', body)
        self.assertIn('status=413 text="the body is larger than --max-body: not counted from line 38 on"',
                      log_of(server, 'msg="refused"'))
        status, body = self.send_all_then_read(server, head, self.chunks(b"x\n" * 2000, 500))
        self.assertEqual(status, 413)  # nothing of it counts
        self.assertIn(b'"accepted":0,"rejected":512,', body)
        stats = server.conserved()
        self.assertEqual((stats["counted"], stats["refused"]["too_large"], stats["refused"]["malformed"]), (148, 5, 512))

    def test_whoever_is_refused_gets_the_answer(self):
        guarded = self.server("--ingest-token-file", self.tokens, name="guarded")
        throttled = self.server("--limit-per-client", "1/s", name="throttled", threads=1)
        small = self.server("--max-body", "1KiB", name="small")
        body = b"a=" + b"x" * 3_000_000
        for server, path, status in ((guarded, b"/events", 401), (guarded, b"/", 401), (throttled, b"/events", 429),
                                     (small, b"/", 413), (small, b"/nowhere", 404), (small, b"/stats", 405)):
            for length in (False, True):
                kind = b"Content-Length: %d" % len(body) if length else b"Transfer-Encoding: chunked"
                head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + kind + b"\r\n\r\n"
                while server is throttled and server.post("").status != 429:
                    pass  # this second's request has been admitted
                with self.subTest(status=status, path=path, length=length):
                    found, text = self.send_all_then_read(server, head, body if length else self.chunks(body, 30_000))
                    self.assertIn(found, (status, 413) if length and server is small else (status,))
                    self.assertRegex(text, rb"\A[^\n]+\n\Z")
        self.assertEqual(guarded.conserved()["refused"]["unauthorised"], 4)
        stats = wait_until(lambda: self.admitted(throttled), "it answers again")  # reading is limited, too
        self.assertGreaterEqual(stats["refused"]["throttled"], 2)
        self.assertEqual(stats["received"], stats["counted"] + sum(stats["refused"].values()))
        self.place.programs.remove(throttled)
        throttled.kill()
        self.assertEqual(small.conserved()["refused"]["too_large"], 2)
        wait_until(lambda: guarded.stats()["connections"] <= 2, "their connections are closed")

    @staticmethod
    def admitted(server):
        time.sleep(1)
        answer = server.request("GET", "/stats")
        return answer.json if answer.status == 200 else None

    def test_a_library_reads_it_too(self):
        server = self.server("--ingest-token-file", self.tokens)
        link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
        link.request("POST", "/events", iter([self.lines(1000)] * 100), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        answer = link.getresponse()
        self.assertEqual((answer.status, answer.headers["WWW-Authenticate"]), (401, "Bearer"))
        self.assertIn(b"token", answer.read())

    def test_through_tls(self):
        cert, key = self.place.dir / "cert.pem", self.place.dir / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
        server = self.place.server("--tls-cert", cert, "--tls-key", key, "--max-body", "1MiB", "--admin-listen",
                                   f"127.0.0.1:{self.place.port()}")
        server.spawn()
        wait_until(lambda: 'msg="listening"' in server.log(), server.log)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context.minimum_version = context.maximum_version = version
            link = context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S))
            status, body = self.send_all_then_read(
                server, b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                self.chunks(self.lines(80_000), 16_000), link)
            self.assertEqual(status, 200)
            self.assertIn(b'"accepted":38836,', body)
        self.assertEqual(server.stop(), 0)
        self.place.programs.remove(server)

    def test_whoever_never_stops_is_closed_after_a_while(self):
        server = self.server("--ingest-token-file", self.tokens, "--idle-timeout", "60s")
        before = time.monotonic()
        with server.connect() as link:
            link.sendall(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
            self.assertEqual(statuses(receive(link, lambda data: b"\n" in data.partition(b"\r\n\r\n")[2])[0]), [401])
            with self.assertRaises(OSError):
                while time.monotonic() - before < 20:
                    link.sendall(b"x")
                    time.sleep(0.05)
        self.assertLess(time.monotonic() - before, 10)
        self.assertEqual(sum(worker["connections_too_slow"] for worker in server.stats()["workers"]), 0)

    def test_a_stop_does_not_wait_for_it_longer_than_that(self):
        server = self.server("--ingest-token-file", self.tokens)
        with server.connect() as link:
            link.sendall(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
            receive(link, lambda data: b"401" in data)
            before = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - before, 6)


if __name__ == "__main__":
    unittest.main()
