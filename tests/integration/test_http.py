"""The HTTP face of aforod: routes, methods, lengths, connections, and the pages about itself."""

import re
import signal
import subprocess
import unittest

from support import BIN, MEMORY_IS_OURS, ROOT, Case, environment, now_us, text_time, wait_until
from support.corpus import answers

METRICS = ROOT / "server" / "metrics.def"
EVENT = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


def until_closed(link):
    received = b""
    try:
        while part := link.recv(65536):
            received += part
    except ConnectionError:
        pass
    return received


class Routes(Case):
    def setUp(self):
        super().setUp()
        self.aforod = self.server()

    def test_the_page_says_what_this_is_and_names_the_rest(self):
        answer = self.aforod.request("GET", "/")
        self.assertEqual(answer.status, 200)
        for word in ("aforo", "/events", "/counts/10ms", "/counts/1s", "/counts/1min", "/stats", "/healthz"):
            self.assertIn(word, answer.text)

    def test_unknown_paths(self):
        for path in ("/nowhere", "/counts", "/counts/", "/counts/2s", "/events/", "/stats/x", "//"):
            for method in ("GET", "POST", "DELETE"):
                with self.subTest(path=path, method=method):
                    self.assertEqual(self.aforod.request(method, path).status, 404)

    def test_methods_that_are_not_allowed_and_those_that_are(self):
        for path, method, allowed in (("/", "PUT", "GET, HEAD, POST"), ("/", "DELETE", "GET, HEAD, POST"),
                                      ("/events", "GET", "POST"), ("/events", "PATCH", "POST"),
                                      ("/stats", "POST", "GET, HEAD"), ("/healthz", "PUT", "GET, HEAD"),
                                      ("/counts/1s", "POST", "GET, HEAD"), ("/", "BREW", "GET, HEAD, POST")):
            with self.subTest(path=path, method=method):
                answer = self.aforod.request(method, path, b"" if method in ("POST", "PUT", "PATCH") else None)
                self.assertEqual((answer.status, answer.headers["Allow"]), (405, allowed))
        self.assertEqual(self.aforod.stats()["received"], 0)

    def test_head_is_get_without_the_body(self):
        for path in ("/", "/healthz", "/stats", "/counts/1s"):
            with self.subTest(path=path):
                answer = self.aforod.request("HEAD", path)
                self.assertEqual((answer.status, answer.body), (200, b""))

    def test_healthz(self):
        answer = self.aforod.request("GET", "/healthz")
        self.assertIn("application/json", answer.headers["Content-Type"])
        health = answer.json
        self.assertEqual(health["status"], "ok")
        self.assertRegex(health["node"], r"\A[A-Za-z0-9._-]{1,63}\Z")
        self.assertEqual((health["store"]["configured"], health["store"]["connected"]), (False, False))
        for number in ("last_flush_age_ms", "lag_ms", "errors"):
            self.assertIsInstance(health["store"][number], int)
        self.assertIsInstance(health["store"]["last_error"], str)

    def test_one_version(self):
        version = self.aforod.health()["version"]
        self.assertRegex(version, r"\A\d+\.\d+\.\d+\Z")
        for program in ("aforod", "aforo"):
            said = subprocess.run([BIN / program, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
            self.assertEqual(said, f"{program} {version}\n")
        wait_until(lambda: 'msg="listening"' in self.aforod.log(), self.aforod.log)
        self.assertRegex(self.aforod.log(), rf'level=info msg="listening" .* version={re.escape(version)}\b')

    def test_stats_and_healthz_hold_what_the_list_says_in_its_order(self):
        """Of each object: its own numbers in the order of metrics.def, and nothing that the list does not know but words."""
        rows = re.findall(r'^(NODE|STORE|WORKER)_METRIC\((\w+), (?:"(\w*)", )?(\w+), "', METRICS.read_text(), re.M)
        self.assertGreater(len(rows), 30)
        self.aforod.post("")
        stats = self.aforod.stats()
        for group, holder in (("STORE", stats["store"]), ("STORE", self.aforod.health()["store"]), ("WORKER", stats["workers"][0])):
            numbers = [name for name, value in holder.items() if type(value) is int]
            self.assertEqual(numbers, (["connections"] if group == "WORKER" else []) +
                             [name for of, _, _, name in rows if of == group])
        for inside in ("", "clock", "memory", "cpu_us", "event_log"):
            holder = stats[inside] if inside else stats
            self.assertEqual([name for name, value in holder.items() if type(value) is int],
                             [name for of, _, at, name in rows if of == "NODE" and at == inside])
        self.assertEqual(list(stats), ["node", "uptime_ms", "clock", "received", "counted", "refused", "store", "memory", "cpu_us",
                                       "event_log", "workers", "connections", "reports_set_aside"])

    def test_counters_only_grow(self):
        rows = re.findall(r'^(NODE|STORE|WORKER)_METRIC\(COUNTER, (?:"(\w*)", )?(\w+), "', METRICS.read_text(), re.M)
        before = self.aforod.stats()
        for body in ("", "value=x", f"value={text_time(now_us())}"):
            self.aforod.post(body)
        after = self.aforod.stats()
        for group, inside, name in rows:
            was, now = ((stats["workers"][0] if group == "WORKER" else stats["store"] if group == "STORE" else
                         stats[inside] if inside else stats)[name] for stats in (before, after))
            self.assertGreaterEqual(now, was, name)
        self.assertEqual((after["received"] - before["received"], after["counted"] - before["counted"]), (3, 2))

    def test_stats(self):
        stats = self.aforod.stats()
        self.assertEqual(stats["node"], self.aforod.health()["node"])
        self.assertEqual(set(stats["refused"]), {"malformed", "too_late", "too_far_ahead", "unauthorised", "too_large",
                                                 "throttled", "not_kept"})
        self.assertEqual((stats["received"], stats["counted"], sum(stats["refused"].values())), (0, 0, 0))
        if MEMORY_IS_OURS:
            self.assertGreater(stats["memory"]["allocated_bytes"], 0)

    def test_every_number_of_stats_by_reason(self):
        now = now_us()
        self.aforod.post("value=" + text_time(now))
        self.aforod.post("value=yesterday")
        self.aforod.post("value=" + text_time(now - 2 * 3_600_000_000))
        self.aforod.post("value=" + text_time(now + 60_000_000))
        self.aforod.post_lines(["x", text_time(now), text_time(now - 2 * 3_600_000_000), text_time(now + 60_000_000)])
        stats = self.aforod.conserved()
        self.assertEqual((stats["received"], stats["counted"]), (8, 2))
        self.assertEqual(stats["refused"], {"malformed": 2, "too_late": 2, "too_far_ahead": 2, "unauthorised": 0,
                                            "too_large": 0, "throttled": 0, "not_kept": 0})


class Framing(Case):
    def setUp(self):
        super().setUp()
        self.aforod = self.server("--max-body", "1KiB")
        self.link = self.aforod.connect()
        self.addCleanup(self.link.close)

    def say(self, data):
        """What is answered to `data`, up to the end of the connection."""
        with self.aforod.connect() as link:
            link.settimeout(10)
            link.sendall(data)
            return until_closed(link)

    def test_ten_requests_on_one_connection(self):
        for _ in range(10):
            body = b"value=" + text_time(now_us()).encode()
            self.link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            self.assertEqual(answers(self.link, 1), [204])
        stats = self.aforod.conserved()
        self.assertEqual(stats["counted"], 10)

    def test_pipelined(self):
        self.link.sendall(EVENT * 50)
        self.assertEqual(answers(self.link, 50), [204] * 50)

    def test_sent_byte_by_byte(self):
        body = b"a=1&value=" + text_time(now_us()).encode()
        for byte in b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body:
            self.link.sendall(bytes([byte]))
        self.assertEqual(answers(self.link, 1), [204])

    def test_chunked(self):
        stamp = text_time(now_us()).encode()
        for path, parts in ((b"/", [b"val", b"ue=" + stamp[:5], stamp[5:]]), (b"/events", [stamp[:7], stamp[7:], b"\n"])):
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
            with self.aforod.connect() as link:
                link.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % path + chunks + EVENT)
                received = until_closed(link)
            self.assertRegex(received, rb"\AHTTP/1\.1 20[04] ")
            self.assertIn(b"Connection: close", received, "the library shows no bytes of chunks, so nothing may follow them")
            self.assertEqual(received.count(b"HTTP/1.1"), 1)
        self.assertEqual(self.aforod.conserved()["counted"], 2)

    def test_expect_continue(self):
        self.link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n")
        self.assertEqual(answers(self.link, 1), [100])
        self.link.sendall(b"value=")
        self.assertEqual(answers(self.link, 1), [400])

    def test_http_1_0(self):
        received = self.say(b"POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
        self.assertRegex(received, rb"\AHTTP/1\.[01] 204 ")

    def test_connection_close_is_honoured(self):
        self.assertTrue(self.say(EVENT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 204"))

    def test_no_length_at_all(self):
        self.link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(answers(self.link, 1), [204])  # an empty body: counted at arrival
        self.link.sendall(b"POST /events HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(answers(self.link, 1), [411])

    def test_ambiguous_lengths_are_refused_and_the_connection_closed(self):
        for headers in (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Content-Length: 5\r\nContent-Length: 5",
                        b"Content-Length: 5\r\nContent-Length: 6", b"Transfer-Encoding: gzip",
                        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked, gzip",
                        b"Transfer-Encoding: gzip, chunked", b"Content-Length: +5", b"Content-Length: 5 5", b"Content-Length: 0x5", b"Content-Length : 5"):
            with self.subTest(headers=headers):
                received = self.say(b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\nhello" + EVENT)
                self.assertRegex(received, rb"\AHTTP/1\.1 400 ")
                self.assertEqual(received.count(b"HTTP/1.1 204"), 0, "what follows was taken for a request")
        self.assertEqual(self.aforod.conserved()["counted"], 0)

    def test_too_large(self):
        for headers, body in ((b"Content-Length: 1025", b""), (b"Content-Length: 99999999999", b""),
                              (b"Content-Length: 2000", b"value=" + b"x" * 1994),
                              (b"Transfer-Encoding: chunked", b"801\r\n" + b"x" * 0x801 + b"\r\n0\r\n\r\n"),
                              (b"Transfer-Encoding: chunked", (b"2bc\r\n" + b"x" * 0x2bc + b"\r\n") * 4 + b"0\r\n\r\n")):
            for path in (b"/", b"/events"):
                with self.subTest(headers=headers, path=path), self.aforod.connect() as link:
                    link.settimeout(10)
                    link.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n" + body)
                    self.assertRegex(link.recv(65536), rb"\AHTTP/1\.1 413 ")
        stats = self.aforod.conserved()
        self.assertEqual((stats["counted"], stats["refused"]["too_large"]), (0, 10))

    def test_just_not_too_large(self):
        body = b"other=" + b"x" * (1024 - 13) + b"&value="
        body = body[:1024 - 26] + text_time(now_us()).encode()
        body = b"value=" + text_time(now_us()).encode() + b"&o="
        body += b"x" * (1024 - len(body))
        self.assertEqual(self.aforod.post(body).status, 204)
        self.assertEqual(self.aforod.post(body + b"x").status, 413)

    def test_a_body_nobody_wants_does_not_harm_the_next_request(self):
        body = b"x" * 1000
        self.link.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + body + EVENT)
        self.assertEqual(answers(self.link, 2), [404, 204])

    def test_a_client_that_leaves_half_way_counts_nothing(self):
        for data in (b"PO", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 32\r\n\r\nvalue=2016",
                     b"POST / HTTP/1.1\r\nHost: x\r\n"):
            with self.aforod.connect() as link:
                link.sendall(data)
        wait_until(lambda: self.aforod.stats()["connections"] <= 2, "they are gone")
        stats = self.aforod.conserved()
        self.assertEqual((stats["counted"], stats["received"]), (0, 0))


class Arguments(Case):
    def test_no_number_of_them_is_left_without_an_answer(self):
        """The library keeps a record of each; without room for that it closes the connection in silence."""
        aforod = self.server()
        for request in ("GET /counts/1s", "POST /", "POST /events"):
            for n, status in ((40, b"400"), (60, b"400"), (75, b"400"), (200, b"400"), (1000, b"400"), (9000, b"431 414"), (30000, b"431 414")):
                with self.subTest(request=request, n=n), aforod.connect() as link:
                    link.sendall(f"{request}?x=1{'&' * n} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
                    self.assertIn(link.recv(4096)[9:12], status.split())
        stats = aforod.conserved()
        self.assertEqual(stats["counted"], 0)
        aforod.post(f"value={text_time(now_us())}")
        self.assertEqual(aforod.conserved()["counted"], 1)


class ReadyAtOnce(Case):
    """libmicrohttpd's own loop waits again when an epoll batch of 128 is full: then none is answered."""

    def burst(self, n):
        aforod = self.server(threads=1, name=f"aforod{n}")
        links = [aforod.connect() for _ in range(n)]
        for link in links:
            self.addCleanup(link.close)
        wait_until(lambda: aforod.stats()["connections"] >= n, "all are accepted")
        for turn in range(4):  # after the first each was served: nothing but the next request is to be done
            aforod.signal(signal.SIGSTOP)
            for link in links:
                link.sendall(EVENT)
            aforod.signal(signal.SIGCONT)
            for link in links:
                link.settimeout(2)
                self.assertEqual(answers(link, 1), [204], f"turn {turn}")
        stats = aforod.conserved()
        self.assertEqual(stats["counted"], 4 * n)

    def test_where_the_wait_changes(self):
        """With fewer than 120 the worker waits inside the library, from there on outside."""
        for n in (118, 119, 120, 121):
            self.burst(n)

    def test_127(self):
        self.burst(127)

    def test_128(self):
        self.burst(128)

    def test_129(self):
        self.burst(129)

    def test_256(self):
        self.burst(256)

    def test_384(self):
        self.burst(384)


class Connections(Case):
    def test_one_too_many_is_closed_at_once_and_counted(self):
        aforod = self.server("--max-connections", "20", threads=2)
        links = []

        def one_more():
            link = aforod.connect()
            self.addCleanup(link.close)
            link.sendall(EVENT)
            if answers(link, 1) == [204]:
                links.append(link)
            return len(links) == 20
        wait_until(one_more, "20 are served")  # what asked for its health at the start may still have a place
        for _ in range(5):
            with aforod.connect() as link:
                link.settimeout(30)
                self.assertEqual(until_closed(link), b"")
        links.pop().close()

        def stats():
            try:
                return aforod.stats()
            except OSError:
                return None
        found = wait_until(stats, "a place that is free again can be had")
        self.assertGreaterEqual(sum(worker["connections_refused"] for worker in found["workers"]), 5)
        for link in links:
            link.close()
        wait_until(lambda: (stats() or found)["connections"] <= 2, "there is room again")

    def test_idle_ones_are_closed(self):
        aforod = self.server("--idle-timeout", "1s")
        with aforod.connect() as link:
            link.sendall(EVENT)
            self.assertEqual(answers(link, 1), [204])
            link.settimeout(5)
            self.assertEqual(link.recv(1), b"")

    def test_listening_on_ipv6(self):
        aforod = self.place.server()
        aforod.flags = ["--listen", f"[::1]:{aforod.port}"]
        try:
            with open("/proc/net/if_inet6", encoding="ascii") as known:
                if not known.read():
                    self.skipTest("no IPv6 here")
        except OSError:
            self.skipTest("no IPv6 here")
        aforod.spawn()
        wait_until(lambda: f'address=[::1]:{aforod.port}' in aforod.log(), lambda: aforod.log())
        self.assertEqual(aforod.stop(), 0)

    def test_nothing_is_open_to_a_network_by_accident(self):
        aforod = self.place.server()
        self.assertEqual(environment().get("AFORO_LISTEN"), None)
        self.assertIn("127.0.0.1:8080", help_of(aforod))


def help_of(aforod):
    aforod.flags = ["--help"]
    aforod.spawn()
    aforod.wait()
    return aforod.log()


if __name__ == "__main__":
    unittest.main()
