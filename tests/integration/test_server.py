"""What goes in, what is answered, and that it adds up: aforod alone, without Redis."""

import json
import os
import signal
import socket
import subprocess
import time

from server_support import BIN, Case, now_us, stamp, wait_for


class Ingest(Case):
    def setUp(self):
        super().setUp()
        self.s = self.server("--threads", 2)

    def post_value(self, body, **headers):
        return self.s.request("POST", "/", body, headers)

    def test_one_event_is_in_all_three_resolutions(self):
        t = now_us()
        self.assertEqual(self.post_value(f"value={stamp(t)}")[0], 204)
        self.assert_exact(self.s, [t])
        self.assertEqual(self.s.stats()["counted"], 1)

    def test_forms_of_a_time(self):
        t = now_us() // 1_000_000 * 1_000_000
        text = stamp(t)[:19]
        good = [text, text + ".5", text + ".123456789", text.replace(" ", "T") + "Z", text.replace(" ", "T") + "%2B00:00",
                text.replace(" ", "+"), text.replace(" ", "%20").replace(":", "%3A"), t // 1_000_000, t // 1000, t,
                t * 1000, f"{t // 1_000_000}.25"]
        for value in good:
            self.assertEqual(self.post_value(f"a=b&value={value}&c")[0], 204, value)
        self.assertEqual(sum(self.s.counts("1s").values()), len(good))
        self.assertEqual(self.s.stats()["counted"], len(good))

    def test_an_empty_body_counts_now(self):
        before = now_us()
        self.assertEqual(self.post_value("")[0], 204)
        (start,) = self.s.counts("10ms")
        self.assertTrue(before - 20_000 <= start <= now_us())

    def test_malformed_says_what_and_where_and_counts_nothing(self):
        for body, sentence in (("value=2016-13-28 11:11:11", "value: month 13 is out of range\n"),
                               ("value=2015-02-29 11:11:11", "value: day 29 is out of range for 2015-02\n"),
                               ("nothing=1", None), ("value=", None), ("value=1&value=2", None), ("value=x%zz", None)):
            status, _, text = self.post_value(body)
            self.assertEqual(status, 400, body)
            self.assertRegex(text, r"\A[^\n]+\n\Z")
            if sentence:
                self.assertEqual(text, sentence)
        stats = self.s.stats()
        self.assertEqual((stats["counted"], stats["refused"]["malformed"]), (0, 6))
        self.assertEqual(self.s.counts("1min"), {})

    def test_outside_the_span(self):
        self.assertEqual(self.post_value(f"value={stamp(now_us() - 3_601_000_000)}")[0], 422)
        self.assertEqual(self.post_value(f"value={stamp(now_us() + 12_000_000)}")[0], 422)
        self.assertEqual(self.post_value(f"value={stamp(now_us() - 3_590_000_000)}")[0], 204)
        self.assertEqual(self.post_value(f"value={stamp(now_us() + 9_000_000)}")[0], 204)
        self.assertEqual(self.post_value("value=1969-12-31 23:59:59")[0], 422)
        refused = self.s.stats()["refused"]
        self.assertEqual((refused["too_late"], refused["too_far_ahead"]), (2, 1))

    def test_a_batch_counts_the_good_lines_and_names_the_bad(self):
        t = now_us()
        lines = [stamp(t), "rubbish", stamp(t - 4_000_000_000), stamp(t + 1)] + ["bad"] * 20
        status, _, text = self.s.request("POST", "/events", "\r\n".join(lines))
        answer = json.loads(text)
        self.assertEqual((status, answer["accepted"], answer["rejected"]), (200, 2, 22))
        self.assertEqual([e["line"] for e in answer["errors"]], [2, 3, 5, 6, 7, 8, 9, 10, 11, 12])
        self.assert_exact(self.s, [t, t + 1])
        self.assertEqual(self.s.stats()["received"], 24)

    def test_a_large_batch_in_pieces_of_any_size(self):
        t = now_us()
        events = [t - i * 7_919 for i in range(50_000)]
        body = "".join(stamp(us) + "\n" for us in events).encode()

        def pieces():
            at = 0
            for i in range(10**9):
                size = 1 + i * 37 % 4999
                yield body[at:at + size]
                at += size
                if at >= len(body):
                    return

        c = self.s.connection()
        c.request("POST", "/events", pieces(), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        answer = json.loads(c.getresponse().read())
        c.close()
        self.assertEqual((answer["accepted"], answer["rejected"]), (len(events), 0))
        self.assert_exact(self.s, events)

    def test_methods_paths_and_lengths(self):
        self.assertEqual(self.s.request("GET", "/nothing")[0], 404)
        status, headers, _ = self.s.request("PUT", "/", "x")
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD, POST"))
        status, headers, _ = self.s.request("GET", "/events")
        self.assertEqual((status, headers["Allow"]), (405, "POST"))
        self.assertEqual(self.s.request("HEAD", "/healthz")[0], 200)
        self.assertIn("/counts/", self.s.request("GET", "/")[2])
        self.assertEqual(self.s.json("/healthz")["status"], "ok")
        with socket.create_connection(("127.0.0.1", self.s.port)) as raw:
            raw.sendall(b"POST /events HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b" 411 ", raw.recv(4096))

    def test_ambiguous_lengths_are_refused_and_closed(self):
        body = f"value={stamp(now_us())}".encode()
        for headers in (b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(body),
                        b"Content-Length: %d\r\nContent-Length: 1\r\n" % len(body),
                        b"Transfer-Encoding: gzip, chunked\r\n"):
            with socket.create_connection(("127.0.0.1", self.s.port)) as raw:
                raw.settimeout(10)
                raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n" + body)
                answer = b""
                try:
                    while part := raw.recv(4096):
                        answer += part
                except ConnectionResetError:
                    pass
                self.assertIn(b" 400 ", answer)
        self.assertEqual(self.s.stats()["counted"], 0)

    def test_counts_are_checked(self):
        for query in ("last=0", "last=x", "from=never", "format=xml", "from=20&to=10"):
            self.assertEqual(self.s.request("GET", "/counts/1s?" + query)[0], 400, query)

    def ready_at_once(self, n):
        """n keep-alive connections whose requests are all there when the worker looks."""
        s = self.server("--threads", 1, state=f"burst{n}")
        connections = [socket.create_connection(("127.0.0.1", s.port)) for _ in range(n)]
        wait_for("all are accepted", lambda: s.stats()["connections"] >= n)
        os.kill(s.process.pid, signal.SIGSTOP)
        for c in connections:
            c.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        os.kill(s.process.pid, signal.SIGCONT)
        start = time.monotonic()
        for c in connections:
            c.settimeout(10)
            self.assertIn(b" 204 ", c.recv(4096))
            c.close()
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(s.stats()["counted"], n)

    def test_a_burst_of_exactly_a_full_epoll_batch_is_answered(self):
        for n in (127, 128, 256, 384):
            with self.subTest(n):
                self.ready_at_once(n)


class Limits(Case):
    def test_too_large(self):
        s = self.server("--max-body", "1KiB")
        self.assertEqual(s.request("POST", "/", "value=" + "x" * 2000)[0], 413)
        c = s.connection()
        c.request("POST", "/events", iter([b"x" * 700] * 4), encode_chunked=True,
                  headers={"Transfer-Encoding": "chunked"})
        self.assertEqual(c.getresponse().status, 413)
        c.close()
        self.assertEqual(s.stats()["refused"]["too_large"], 2)


class Life(Case):
    def test_killed_and_started_again_it_has_every_event(self):
        t = now_us()
        events = [t - i * 10_007 for i in range(20_000)]
        s = self.server("--threads", 3)
        self.post(s, events)
        s.kill()
        s = self.server("--threads", 1)
        self.assert_exact(s, events)
        self.post(s, events)
        self.assert_exact(s, events * 2)
        self.assertEqual(s.stats()["counted"], 2 * len(events))

    def test_sigterm_under_load_ends_with_0_and_keeps_what_was_acknowledged(self):
        s = self.server("--threads", 2)
        c = s.connection()
        acknowledged = 0
        for i in range(500):
            c.request("POST", "/", "")
            acknowledged += c.getresponse().read() == b"" or 0
        s.process.send_signal(signal.SIGTERM)
        self.assertEqual(s.process.wait(15), 0)
        self.assertIn(f"received={acknowledged} counted={acknowledged} ", s.text())
        c.close()

    def test_a_second_server_on_the_directory_is_refused(self):
        self.server()
        done = subprocess.run([BIN / "aforod", "--listen", "127.0.0.1:0", "--state", self.directory / "state"],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Aaforod: .*another server uses this state directory[^\n]*\n\Z")

    def test_another_geometry_is_refused_with_both_named(self):
        self.server().kill(signal.SIGTERM)
        done = subprocess.run([BIN / "aforod", "--listen", "127.0.0.1:0", "--state", self.directory / "state",
                               "--horizon", "2h"], capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--horizon 3600s", done.stderr)
        self.assertIn("--horizon 7200s", done.stderr)

    def test_arrival_clock(self):
        s = self.server("--clock", "arrival")
        self.assertEqual(s.request("POST", "/", "value=2016-05-28 11:11:11.123456")[0], 204)
        (start,) = s.counts("1min")
        self.assertGreater(start, now_us() - 120_000_000)

    def test_systemd_is_told(self):
        path = str(self.directory / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind(path)
            told.settimeout(10)
            s = self.server(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000000"})
            self.assertEqual(told.recv(100), b"READY=1")
            self.assertEqual(told.recv(100), b"WATCHDOG=1")
            s.process.send_signal(signal.SIGTERM)
            self.assertEqual(told.recv(100).splitlines()[0], b"STOPPING=1")


class Flags(Case):
    def run_it(self, *words, **env):
        done = subprocess.run([BIN / "aforod", *words], capture_output=True, text=True, timeout=20,
                              env={**os.environ, **env}, cwd=self.directory)
        return done.returncode, done.stdout, done.stderr

    def test_help_shows_defaults_and_fits(self):
        code, out, _ = self.run_it("--help")
        self.assertEqual(code, 0)
        self.assertLessEqual(len(out.splitlines()), 24)
        self.assertLessEqual(max(map(len, out.splitlines())), 80)
        self.assertIn("[127.0.0.1:8080]", out)

    def test_bad_flags_are_named(self):
        for words, env, culprit in ((["--nonsense"], {}, "--nonsense"), (["--horizon", "80abc"], {}, "--horizon"),
                                    (["--threads", "-1"], {}, "--threads"), (["--listen"], {}, "--listen"),
                                    (["stray"], {}, "stray"), (["--clock", "sun"], {}, "--clock"),
                                    ([], {"AFORO_MAX_BODY": "big"}, "AFORO_MAX_BODY"),
                                    (["--log-level", "loud"], {}, "--log-level"),
                                    (["--redis", "http://x"], {}, "--redis"), (["--listen", "nowhere"], {}, "--listen"),
                                    (["--node-id", "a b"], {}, "--node-id")):
            code, out, err = self.run_it(*words, **env)
            self.assertEqual((code, out), (2, ""), words)
            self.assertRegex(err, r"\Aaforod: [^\n]*" + culprit + r"[^\n]*\n\Z")

    def test_what_cannot_start_says_why(self):
        code, _, err = self.run_it("--listen", "127.0.0.1:0", "--state", "/nonexistent/a/b")
        self.assertEqual(code, 1)
        self.assertIn("/nonexistent/a/b", err)
