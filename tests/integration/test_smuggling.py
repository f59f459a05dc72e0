"""Request smuggling: a request that the proxy in front does not see, because it and we disagree where one ends.

The proxy lets nobody ask for /events. Each attack hides a POST /events with a timestamp of its own in another request: it
must never be counted, and whoever comes after the attacker on the same connection to aforod must get his own answers.
In front stand a real haproxy, as it is and as lax as it can be made, and proxies of our own that make the classical
mistakes: they pass on bytes as they came, and find the end of a request in their own way."""

import re
import socket
import threading
import unittest

from support import Case, Haproxy, now_us, text_time, wait_until
from support.corpus import receive, send, statuses

SECOND_US = 1_000_000
HAPROXY = """
global
    maxconn 500
defaults
    mode http
    timeout connect 2s
    timeout client 3s
    timeout server 3s
    timeout http-request 3s
    http-reuse always
{frontends}
backend counter
    {lax_backend}
    server aforod 127.0.0.1:{port}
"""
FRONTEND = """
frontend {name}
    bind 127.0.0.1:{port}
    {option}
    http-request deny deny_status 403 if {{ path -i /events }}
    default_backend counter
"""


def attacks(hidden):
    """name -> bytes; `hidden` is what is smuggled."""
    n = len(hidden)
    post = b"POST / HTTP/1.1\r\nHost: x\r\n"
    end = b"0\r\n\r\n" + hidden
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (n, hidden)
    short = b"%x\r\n" % n  # Content-Length of the size line only: what follows is "the next request"
    found = {
        "CL.TE": post + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(end) + end,
        "TE.CL": post + b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n" % len(short) + chunk,
        "CL.CL, the short one first": post + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % n + hidden,
        "CL.CL, the long one first": post + b"Content-Length: %d\r\nContent-Length: 0\r\n\r\n" % n + hidden,
        "CL list": post + b"Content-Length: 0, %d\r\n\r\n" % n + hidden,
        "CL with a plus": post + b"Content-Length: +%d\r\n\r\n" % n + hidden,
        "CL with a NUL": post + b"Content-Length: 0\0%d\r\n\r\n" % n + hidden,
        "CL that overflows 64 bits": post + b"Content-Length: %d\r\n\r\n" % (2 ** 64 + n) + hidden,
        "CL behind a bare LF": post + b"X: y\nContent-Length: %d\r\n\r\n" % n + hidden,
        "CL behind a CR": post + b"X: y\rContent-Length: %d\r\n\r\n" % n + hidden,
        "CL with a blank before the colon": post + b"Content-Length : %d\r\n\r\n" % n + hidden,
        "CL that a fold completes": post + b"Content: %d\r\n -Length\r\n\r\n" % n + hidden,
        "CL that is folded": post + b"Content-Length: 0\r\n %d\r\n\r\n" % n + hidden,
        "CL in a trailer": post + b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: %d\r\n\r\n" % n + hidden,
        "GET with a body": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % n + hidden,
        "HEAD with a body": b"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % n + hidden,
        "expect, and the body at once": post + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % n + hidden,
        "expect, obfuscated": post + b"Expect: y 100-continue\r\nContent-Length: %d\r\n\r\n" % n + hidden,
        "headers that end in bare LF": post + b"X: y\n\n" + hidden,
        "an empty line of bare LF": post + b"Content-Length: 0\r\n\n" + hidden,
        "a line without a name": post + b"Content-Length: 0\r\n: y\r\n" + hidden,
        "a line that begins with NUL": post + b"Content-Length: 0\r\n\0y\r\n" + hidden,
        "a NUL for the empty line": post + b"Content-Length: 0\r\n\0\r\n" + hidden,
        "a line of blanks": post + b"Content-Length: 0\r\n \r\n" + hidden,
        "HTTP/1.0 in chunks": b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + end,
        "HTTP/0.9": b"POST /\r\n" + hidden,
        "an upgrade": post + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n" + hidden,
        "hop by hop Content-Length": post + b"Connection: Content-Length\r\nContent-Length: %d\r\n\r\n" % n + hidden,
        "another path behind NUL": b"POST /\0 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % n + hidden,
        "a chunk size with a bare LF": post + b"Transfer-Encoding: chunked\r\n\r\n0\n\r\n" + hidden,
        "chunks with bare LF": post + b"Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n" + hidden,
        "an extension with a bare LF": post + b"Transfer-Encoding: chunked\r\n\r\n1;\nx\r\n0\r\n\r\n" + hidden,
        "an extension that hides the end": post + b"Transfer-Encoding: chunked\r\n\r\n5;a\nhello\r\n0;\n\r\n" + hidden,
        "a chunk size with 0x": post + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n" + end,
        "a chunk size that overflows": post + b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n" + hidden,
        "a chunk longer than it says": post + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n" + end,
    }
    for name, coding in {"twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "x first": b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
                         "list": b"Transfer-Encoding: x, chunked", "list, chunked first": b"Transfer-Encoding: chunked, x",
                         "xchunked": b"Transfer-Encoding: xchunked", "blank before the colon": b"Transfer-Encoding : chunked",
                         "tab": b"Transfer-Encoding:\tchunked", "vertical tab": b"Transfer-Encoding: \x0bchunked",
                         "blank at the end": b"Transfer-Encoding: chunked ", "quotes": b'Transfer-Encoding: "chunked"',
                         "NUL at the end": b"Transfer-Encoding: chunked\0", "folded": b"Transfer-Encoding:\r\n chunked",
                         "behind bare LF": b"X: y\nTransfer-Encoding: chunked", "behind CR": b"X: y\rTransfer-Encoding: chunked",
                         "completed by a fold": b"Transfer: chunked\r\n -Encoding", "an underscore": b"Transfer_Encoding: chunked",
                         "identity": b"Transfer-Encoding: identity", "nothing": b"Transfer-Encoding:"}.items():
        found[f"TE.TE, {name}"] = post + coding + b"\r\nContent-Length: %d\r\n\r\n" % len(end) + end
        found[f"TE.TE, {name}, short length"] = post + coding + b"\r\nContent-Length: %d\r\n\r\n" % len(short) + chunk
        found[f"TE.TE, {name}, no length"] = post + coding + b"\r\n\r\n" + end
    return found


class Naive(threading.Thread):
    """A proxy with the mistakes of old: one connection to the server for all clients, bytes passed on as they came. `rule`
    says how it finds the end of a body."""

    def __init__(self, port, rule):
        super().__init__(daemon=True)
        self.server_port, self.rule = port, rule
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.server, self.denied, self.passed = None, 0, 0
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(0.05)
                try:
                    self.serve(client)
                except OSError:
                    pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join(5)
        if self.server:
            self.server.close()

    def serve(self, client):
        data, _ = receive(client)
        for _ in range(10):
            head, found, rest = data.partition(b"\r\n\r\n")
            if not found:
                return
            if re.match(rb"\S+ /events", head):
                self.denied += 1
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            size = self.body(head, rest)
            answer, lives = self.ask(head + found + rest[:size])
            self.passed += 1
            client.sendall(answer)
            if not lives:
                return
            data = rest[size:]

    def body(self, head, rest):
        """How many bytes of what follows belong to this request."""
        lengths = [int(n) for n in re.findall(rb"\r\nContent-Length: *\+?(\d+)", head, re.I)] or [0]
        chunked = re.search(rb"\nTransfer-Encoding[^\r]*chunked", head, re.I)
        if "chunked" in self.rule and chunked:
            at = rest.find(b"0\r\n\r\n")
            return at + 5 if at >= 0 else len(rest)
        return min(lengths[-1 if "last" in self.rule else 0], len(rest))

    def ask(self, request):
        """One answer, and whether the connection to the server lives on."""
        if self.server is None:
            self.server = socket.create_connection(("127.0.0.1", self.server_port), 5)
            self.server.settimeout(0.3)
        send(self.server, request)

        def whole(received):
            head, found, rest = received.partition(b"\r\n\r\n")
            while found and b" 100 " in head.split(b"\r\n")[0]:
                head, found, rest = rest.partition(b"\r\n\r\n")
            length = re.search(rb"\r\nContent-Length: *(\d+)", head, re.I)
            return found and (request.startswith(b"HEAD") or len(rest) >= (int(length[1]) if length else 0))
        answer, closed = receive(self.server, whole)
        lives = not closed and b"Connection: close" not in answer and whole(answer)
        if not lives:
            self.server.close()
            self.server = None
        return answer, lives


class Smuggling(Case):
    def setUp(self):
        super().setUp()
        self.aforod = self.server()
        self.moment = now_us() // SECOND_US * SECOND_US - 600 * SECOND_US  # all that is hidden is of this second

    def attack(self, port, name, request):
        with socket.create_connection(("127.0.0.1", port), 5) as link:
            link.settimeout(0.08)
            send(link, request)
            answer, _ = receive(link)
            victims = [self.victim(port, request) for request in
                       (b"GET /healthz", b"POST /", b"GET /healthz")]
        for said, wanted in zip(victims, (b'"status"', b"HTTP/1.1 204", b'"status"')):
            self.assertIn(wanted, said, f"{name}: {answer[:80]}")
            self.assertEqual(len(statuses(said)), 1, f"{name}: {said}")
        counts = self.aforod.counts("1s")
        self.assertEqual(counts.get(self.moment, 0), 0, f"{name}: what was hidden is counted; answered {answer[:200]}")
        return statuses(answer)

    @staticmethod
    def victim(port, what):
        """Somebody else; a proxy may have to try again when the server closed, but never answers with what is not his."""
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port), 5) as link:
                link.settimeout(3)
                send(link, what + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                said, _ = receive(link)
            if said and statuses(said)[:1] != [502]:
                return said
        return b""

    def hidden(self):
        line = text_time(self.moment).encode()
        return b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(line) + line

    def all_attacks(self, port):
        seen = {}
        for name, request in attacks(self.hidden()).items():
            with self.subTest(name):
                seen[name] = self.attack(port, name, request)
        self.assertGreaterEqual(len(seen), 80)
        return seen

    def test_what_is_hidden_would_count(self):
        with self.aforod.connect() as link:
            link.sendall(self.hidden())
            self.assertEqual(statuses(receive(link, bool)[0]), [200])
        self.assertEqual(self.aforod.counts("1s"), {self.moment: 1})

    def haproxy(self, option):
        port = self.place.port()
        lax = "option accept-invalid-http-request" if option else ""
        proxy = Haproxy(self.place, port, HAPROXY.format(
            frontends=FRONTEND.format(name="front", port=port, option=lax), port=self.aforod.port,
            lax_backend="option accept-invalid-http-response" if option else "")).start()

        def answers():
            self.assertTrue(proxy.running(), proxy.log())
            try:
                return b"200" in self.victim(port, b"GET /healthz")
            except OSError:
                return False
        wait_until(answers, "haproxy answers")
        return port

    def test_haproxy(self):
        self.all_attacks(self.haproxy(False))

    def test_lax_haproxy(self):
        self.all_attacks(self.haproxy(True))

    def naive(self, rule):
        proxy = Naive(self.aforod.port, rule)
        self.addCleanup(proxy.stop)
        self.all_attacks(proxy.port)
        self.assertGreater(proxy.passed, 80)

    def test_proxy_that_takes_the_first_length(self):
        self.naive("first length")

    def test_proxy_that_takes_the_last_length(self):
        self.naive("last length")

    def test_proxy_that_prefers_chunks(self):
        self.naive("chunked, first length")

    def tearDown(self):
        self.assertTrue(self.aforod.running())


if __name__ == "__main__":
    unittest.main()
