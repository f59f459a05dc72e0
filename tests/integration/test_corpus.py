"""The hostile requests of tests/corpus: whole, byte by byte, cut at every position; and what never ends."""

import itertools
import os
import resource
import select
import time
import unittest

from support import Case, Failure, wait_until
from support.corpus import acknowledged, answers_to, connect, read_corpus, receive, send, statuses

FLAGS = ("--max-body", "64KiB")
PROBE = b"GET /healthz HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
WAVE = 3000
HEAD, TAIL = 400, 100  # of a long request: only these bytes are sent one by one, and cut between


# In CI every other cut, those one time and the others the next; all around what is an event, and at both ends.
STRIDE = 1 if os.environ.get("DEV_AFORO_LONG") else 2
FIRST = int(time.time()) % STRIDE
NEAR = 3


def cuts_of(request):
    """Where a request is cut."""
    near = {mark + by for mark in (0, len(request.data), *request.counts, *request.refuses) for by in range(-NEAR, NEAR + 1)}
    return (at for at in positions(request.data) if at % STRIDE == FIRST or at in near)


def positions(data):
    """Where to cut: everywhere, but for the long middle of what is long."""
    if len(data) <= HEAD + TAIL:
        return range(len(data))
    return itertools.chain(range(HEAD), range(HEAD, len(data) - TAIL, 7919), range(len(data) - TAIL, len(data)))


class Corpus(Case):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.aforod = self.server(*FLAGS, "--header-timeout", "60s")
        self.requests = read_corpus()

    def tallies(self):
        stats = self.aforod.conserved()
        return stats["counted"], sum(stats["refused"].values())

    def test_there_are_enough(self):
        self.assertGreaterEqual(len(self.requests), 300)
        self.assertEqual(len({request.data for request in self.requests}), len(self.requests), "one is there twice")

    def exchange(self, request):
        """Sends it whole; what was wrong with the answers, or None."""
        with connect(self.aforod.port) as link:
            send(link, request.data)
            if request.ends:
                received, closed = receive(link)
                if not closed:
                    return f"the connection is still open after {statuses(received)}"
            elif request.waits:
                received, closed = receive(link, lambda data: len(answers_to(request, data)) >= len(request.answers))
                link.settimeout(0.02)
                more, closed = receive(link)
                received += more
                if closed:
                    return f"closed after {statuses(received)}"
            else:
                received, _ = receive(link, lambda data: len(answers_to(request, data)) >= len(request.answers))
                send(link, PROBE)
                more, closed = receive(link)
                received += more
                if statuses(received)[-1:] != [200] or b"probe" in received or not closed:
                    return f"the connection did not live on: {statuses(received)}"
                return self.compare(request, answers_to(request, received)[:-1])
            return self.compare(request, answers_to(request, received))

    @staticmethod
    def compare(request, found):
        if request.twice and found[len(request.answers):] == request.answers[-1:]:
            found = found[:-1]
        return None if found == request.answers else f"answered {found}, not {request.answers}"

    def test_whole(self):
        for request in self.requests:
            with self.subTest(request.name):
                before = self.tallies()
                wrong = self.exchange(request)
                expected = (before[0] + len(request.counts), before[1] + len(request.refuses))
                try:
                    wait_until(lambda: self.tallies() == expected, "", 2)
                except Failure:
                    now = self.tallies()
                    wrong = f"{wrong or ''} counted {now[0] - before[0]}, refused {now[1] - before[1]}; " \
                            f"not {len(request.counts)}, {len(request.refuses)}"
                self.assertIsNone(wrong)

    def test_byte_by_byte(self):
        before = self.tallies()
        running = []
        for request in self.requests:
            cuts = [*positions(request.data), len(request.data)]
            running.append((request, connect(self.aforod.port), [request.data[a:b] for a, b in zip(cuts, cuts[1:])], [b""]))
        for step in range(max(len(pieces) for _, _, pieces, _ in running)):
            for request, link, pieces, received in running:
                if step < len(pieces):
                    if select.select([link], [], [], 0)[0]:
                        link.settimeout(0.0001)
                        received[0] += receive(link, bool)[0]
                        link.settimeout(10)
                    if not send(link, pieces[step]):
                        pieces.clear()
        for request, link, _, received in running:
            with self.subTest(request.name), link:
                received[0] += receive(link, lambda data: len(answers_to(request, received[0] + data)) >= len(request.answers))[0]
                self.assertIsNone(self.compare(request, answers_to(request, received[0])))
        self.assert_grown(before, self.requests)

    def assert_grown(self, before, requests):
        expected = (before[0] + sum(len(request.counts) for request in requests),
                    before[1] + sum(len(request.refuses) for request in requests))
        wait_until(lambda: self.tallies() == expected, lambda: f"{self.tallies()} is {expected}", 5)

    def test_cut_at_every_position(self):
        cuts = ((request, at) for request in self.requests for at in cuts_of(request))
        n = 0
        while wave := list(itertools.islice(cuts, WAVE)):
            self.cut(wave, f"127.0.1.{1 + n // WAVE % 200}")
            n += len(wave)
        self.assertGreater(n, 30_000 // STRIDE)
        self.assertTrue(self.aforod.running())

    def cut(self, wave, source):
        """At most what was complete is counted, and at least what was acknowledged."""
        before = self.tallies()
        links = [connect(self.aforod.port, source) for _ in wave]
        for link, (request, at) in zip(links, wave):
            send(link, request.data[:at])
        for link in links:
            try:
                link.shutdown(1)
            except OSError:  # closed by the server
                pass
        acked = 0
        for link in links:
            with link:
                received, closed = receive(link)
                self.assertTrue(closed, "a connection that ended is still open")
                acked += acknowledged(received)
        counted, refused = (now - then for now, then in zip(self.tallies(), before))
        most = sum(1 for request, at in wave for mark in request.counts if mark <= at)
        most_refused = sum(1 for request, at in wave for mark in request.refuses if mark <= at)
        names = f"{wave[0][0].name} to {wave[-1][0].name}"
        self.assertLessEqual(acked, counted, names)
        self.assertLessEqual(counted, most, names)
        self.assertLessEqual(refused, most_refused, names)


class Endless(Case):
    """What never ends is ended by the server."""

    def setUp(self):
        super().setUp()
        self.aforod = self.server(*FLAGS, "--idle-timeout", "2s", threads=1)

    def sent_until_closed(self, first, piece, most=64 << 20):
        sent = 0
        with connect(self.aforod.port) as link:
            link.settimeout(0.05)
            begin = time.monotonic()
            send(link, first)
            while sent < most and time.monotonic() - begin < 20:
                if not send(link, piece):
                    if receive(link)[1]:
                        return sent
                sent += len(piece)
        self.fail(f"{sent} bytes were taken")

    def test_body(self):
        for path in (b"/", b"/events"):
            self.sent_until_closed(b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % path,
                                   b"1000\r\n" + b"x" * 4096 + b"\r\n")

    def test_body_of_one_chunk(self):
        self.sent_until_closed(b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\n", b"x" * 4096)

    def test_body_nobody_wants(self):
        self.sent_until_closed(b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n")

    def test_chunk_extension(self):
        self.sent_until_closed(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;", b"x" * 4096)

    def test_trailers(self):
        self.sent_until_closed(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 100)

    def test_headers(self):
        self.sent_until_closed(b"POST / HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n" * 100)

    def test_request_line(self):
        self.sent_until_closed(b"GET /", b"x" * 4096)

    def tearDown(self):
        self.assertTrue(self.aforod.running())
        self.assertEqual(self.aforod.conserved()["counted"], 0)


if __name__ == "__main__":
    unittest.main()
