"""The time-outs of a connection, each alone, and how many one address may have."""

import concurrent.futures
import socket
import time
import unittest

from support import Case, Failure, now_us, wait_until
from support.corpus import library

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\n"
EVENT = REQUEST + b"Content-Length: 0\r\n\r\n"


class PerAddress(Case):
    def test_one_address_takes_its_places_and_no_others(self):
        aforod = self.server("--max-connections-per-address", "10")
        wait_until(lambda: aforod.stats()["connections"] == 1, "the question itself is all there is")

        def let_in(source):
            link = socket.create_connection(("127.0.0.1", aforod.port), 5, (source, 0))
            self.addCleanup(link.close)
            try:
                link.sendall(EVENT)
                return link if link.recv(100).startswith(b"HTTP/1.1 204") else None
            except ConnectionError:
                return None
        links = [let_in("127.0.3.1") for _ in range(30)]
        self.assertEqual([link is not None for link in links], [True] * 10 + [False] * 20)
        self.assertTrue(all(let_in("127.0.3.2") for _ in range(10)), "another address is refused")
        self.assertEqual(sum(worker["connections_refused_of_address"] for worker in aforod.stats()["workers"]), 20)
        for link in links[:10]:
            link.close()
        wait_until(lambda: let_in("127.0.3.1"), "a place that is free again can be had")
        self.assertEqual(aforod.conserved()["counted"], 21)

    def test_thousands_come_and_go_and_leave_no_place_taken(self):
        aforod = self.server("--max-connections-per-address", "3")
        for i in range(3000):
            with socket.create_connection(("127.0.0.1", aforod.port), 5, ("127.0.3.1", 0)) as link:
                if i % 3:
                    try:
                        link.sendall(EVENT if i % 3 == 1 else b"garbage\r\n")
                        link.settimeout(5)
                        link.recv(100)
                    except ConnectionError:
                        pass  # the end of those before was not seen yet: no place was free
        wait_until(lambda: aforod.stats()["connections"] == 1, "they are gone")
        links = [socket.create_connection(("127.0.0.1", aforod.port), 5, ("127.0.3.1", 0)) for _ in range(3)]
        for link in links:
            with link:
                link.sendall(EVENT)
                self.assertTrue(link.recv(100).startswith(b"HTTP/1.1 204"))


class Deadlines(Case):
    """Each of the time-outs alone, on one connection."""

    def closed_after(self, aforod, first, drip, limit_s):
        begin = time.monotonic()
        with aforod.connect() as link:
            link.settimeout(0.3)
            link.sendall(first)
            while time.monotonic() - begin < limit_s:
                try:
                    if drip:
                        link.send(drip)
                    if link.recv(65536) == b"":
                        return time.monotonic() - begin
                except TimeoutError:
                    pass
                except ConnectionError:
                    return time.monotonic() - begin
        raise Failure(f"still open after {limit_s} s")

    def test_each(self):
        aforod = self.server("--header-timeout", "2s", "--body-timeout", "4s", "--idle-timeout", "6s")
        cases = (
            ("silent", b"", b"", 2, 5), ("a request line in drops", b"P", b"O", 2, 4), ("empty lines", b"\r\n", b"\r\n", 2 if library() == "0.9.75" else 0, 4),  # 1.0.1 passes over one
            ("headers in drops", REQUEST, b"X", 2, 4), ("half of the headers", REQUEST, b"", 2, 4),
            ("a body in drops", REQUEST + b"Content-Length: 1000\r\n\r\n", b"x", 4, 6.5),
            ("half a body", REQUEST + b"Content-Length: 1000\r\n\r\nx", b"", 4, 6.5),
            ("chunks in drops", REQUEST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 4, 6.5),
            ("idle after an answer", EVENT, b"", 5, 8.5),
            ("an answer, then drops", EVENT + b"P", b"O", 6, 12))
        with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:  # each connection has its own time
            waits = [(what, least_s, pool.submit(self.closed_after, aforod, first, drip, most_s))
                     for what, first, drip, least_s, most_s in cases]
        for what, least_s, took in waits:
            with self.subTest(what):
                self.assertGreater(took.result(), least_s - 0.5)

    def test_a_body_that_moves_has_its_time(self):
        aforod = self.server("--body-timeout", "1s")
        with aforod.connect() as link:
            link.sendall(REQUEST + b"Content-Length: 32768\r\n\r\n")
            for _ in range(16):  # 8 KiB a second, for 4 s
                link.sendall(b"x" * 2048)
                time.sleep(0.25)
            self.assertTrue(link.recv(100).startswith(b"HTTP/1.1 400"))

    def test_an_answer_that_is_taken_slowly_has_its_time(self):
        aforod = self.server("--body-timeout", "2s", "--horizon", "1h")
        now = now_us()
        aforod.post_lines([str(now), str(now - 200_000_000)])
        with socket.socket() as link:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.settimeout(10)
            link.connect(("127.0.0.1", aforod.port))
            link.sendall(b"GET /counts/10ms?from=2001-01-01T00:00:00Z&partial=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            received = b""
            begin = time.monotonic()
            while part := link.recv(4096):  # some 100 KiB a second
                received += part
                time.sleep(0.04)
        self.assertGreater(time.monotonic() - begin, 3)
        self.assertEqual(received.count(b", "), 20001)


if __name__ == "__main__":
    unittest.main()
