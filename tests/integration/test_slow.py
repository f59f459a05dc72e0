"""Slow and many: thousands of connections that send a byte a second, say nothing, read nothing, or come too many, beside a
client that behaves. It must not notice: no errors, and p99 at most five times what it is undisturbed."""

import os
import re
import resource
import socket
import statistics
import time
import unittest

from support import Case, Failure, Load, wait_until

MANY = 5000
RATE = 5000
PHASES = 5
PHASE_S = 1
FACTOR = 5
# DEV_AFORO_STRICT=1 judges by these alone, for a machine that is ours, and shows what the same crowd does to the load from a second
# aforod: that part is the machine's, which plays the crowd, too. In a suite others take the cores for a slice of the scheduler
# at a time: there the bound is for a server that stalls, and what was measured is printed.
STRICT = os.environ.get("DEV_AFORO_STRICT", "") != ""
STALL_US = 0 if STRICT else 20_000
RATE_SHARE = 0.95 if STRICT else 0.8
REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\n"
EVENT = REQUEST + b"Content-Length: 0\r\n\r\n"


def phases(load, meanwhile=lambda: None):
    """Medians over some phases: what other programs of this machine do for a moment is not held against the server."""
    found = []
    load.phase()
    for _ in range(PHASES):
        end = time.monotonic() + PHASE_S
        while (left := end - time.monotonic()) > 0:
            meanwhile()
            time.sleep(min(0.01, max(0, left)))
        found.append(load.phase())
    return {name: statistics.median(phase[name] for phase in found) for name in ("rate", "p50_us", "p99_us", "max_us")}


class Crowd:
    """Connections that do not behave. Who is cut off comes again."""

    def __init__(self, port, first):
        self.port, self.first = port, first
        self.links, self.opened, self.cut, self.begin_s, self.acted = [], 0, 0, 0, 0

    def open(self, small_buffer=False):
        link = socket.socket()
        if small_buffer:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.bind((f"127.0.2.{1 + self.opened % 5}", 0))
        link.settimeout(5)
        self.opened += 1
        try:
            link.connect(("127.0.0.1", self.port))
            link.setblocking(False)
            link.send(self.first)
        except (BlockingIOError, ConnectionError):
            pass
        except TimeoutError:
            raise Failure("a connection hangs: neither let in nor refused") from None
        return link

    def fill(self, n, **settings):
        while len(self.links) < n:
            self.links += [self.open(**settings) for _ in range(min(100, n - len(self.links)))]
        self.begin_s, self.acted = time.monotonic(), 0

    def act(self, act):
        """All act once a second, a part of them each time this is called. Who was cut off is replaced."""
        due = min(int((time.monotonic() - self.begin_s) * len(self.links)), self.acted + len(self.links))
        for i in range(self.acted, due):
            i, link = i % len(self.links), self.links[i % len(self.links)]
            try:
                act(link)
            except BlockingIOError:
                pass
            except OSError:
                link.close()
                self.cut += 1
                self.links[i] = self.open()
        self.acted = due

    def close(self):
        for link in self.links:
            link.close()


def send_byte(link):
    link.send(b"x")


class Slow(Case):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.assertGreaterEqual(hard, 2 * MANY, "too few files may be open for this test: ulimit -Hn")

    def disturbed(self, what, flags, first, disturb, settle=lambda load, crowd: None, **settings):
        """Runs the load alone, then beside the crowd; the crowd, the server and its statistics."""
        aforod = self.server(*flags)
        elsewhere = self.server(*flags, name="elsewhere") if STRICT else None
        load = Load(self.place, aforod, "load", 1, connections=16, arrival=1, rate=RATE)
        self.step_back()
        phases(load)
        alone = phases(load)
        if elsewhere:
            crowd = self.crowd(elsewhere, first, load, settle, **settings)
            beside = phases(load, lambda: disturb(crowd))
            crowd.close()
            print(f"{what}: the same crowd at another server: p99 {beside['p99_us']:.0f} us, "
                  f"{beside['p99_us'] / alone['p99_us']:.2f} times", flush=True)
            elsewhere.stop()
        crowd = self.crowd(aforod, first, load, settle, **settings)
        beside = phases(load, lambda: disturb(crowd))
        tally = load.stop()
        print(f"{what}: alone {alone['rate']:.0f}/s p50 {alone['p50_us']:.0f} us p99 {alone['p99_us']:.0f} us max {alone['max_us']:.0f} us; "
              f"beside {len(crowd.links)}: {beside['rate']:.0f}/s p50 {beside['p50_us']:.0f} us p99 {beside['p99_us']:.0f} us "
              f"max {beside['max_us']:.0f} us, {beside['p99_us'] / alone['p99_us']:.2f} times; {crowd.cut} cut off and back", flush=True)
        self.assertEqual((tally["lost"], tally["other"], tally["acked"]), (0, 0, tally["sent"]), tally)
        self.assertGreater(beside["rate"], RATE_SHARE * RATE)
        self.assertLessEqual(beside["p99_us"], max(FACTOR * alone["p99_us"], STALL_US))
        return crowd, aforod, tally

    def crowd(self, aforod, first, load, settle, **settings):
        crowd = Crowd(aforod.port, first)
        self.addCleanup(crowd.close)
        crowd.fill(MANY, **settings)
        settle(load, crowd)
        return crowd

    def step_back(self):
        """The crowd would be on other machines: what it costs to play it must not take the cores from those who are measured."""
        before = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, 19)

        def step_forward():
            try:
                os.setpriority(os.PRIO_PROCESS, 0, before)
            except PermissionError:  # not root: then the next server and load step back, too
                pass
        self.addCleanup(step_forward)

    def finish(self, crowd, aforod, tally):
        """The crowd goes; its statistics, summed over the workers."""
        crowd.close()

        def stats():
            try:
                return aforod.conserved()
            except OSError:
                return None
        found = wait_until(stats, "a place is free for the question")
        self.assertEqual(found["counted"], tally["acked"])
        return {name: sum(worker[name] for worker in found["workers"]) for name in found["workers"][0]}

    def test_a_byte_a_second_of_headers(self):
        found = self.disturbed("headers, a byte a second", ["--header-timeout", "3s"], REQUEST + b"X: ",
                               lambda crowd: crowd.act(send_byte))
        self.all_are_cut_off(found[0], send_byte)
        self.assertGreater(self.finish(*found)["connections_too_slow"], MANY // 2)

    def test_a_byte_a_second_of_a_body(self):
        found = self.disturbed("body, a byte a second", ["--body-timeout", "3s"], REQUEST + b"Content-Length: 10000\r\n\r\n",
                               lambda crowd: crowd.act(send_byte))
        self.all_are_cut_off(found[0], send_byte)
        self.assertGreater(self.finish(*found)["connections_too_slow"], MANY // 2)

    def test_nothing_is_said(self):
        def look(link):
            if link.recv(100) == b"":
                raise ConnectionError
        found = self.disturbed("silent", ["--header-timeout", "3s"], b"", lambda crowd: crowd.act(look))
        self.all_are_cut_off(found[0], look)
        self.finish(*found)

    def test_nothing_is_read(self):
        """Each asks until there is no more room for answers. Once that is done, nobody must feel that they are there."""
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 200
        before = tcp_pages()

        def settle(load, crowd):
            crowd.first = b""
            wait_until(lambda: self.quiet(load), "the answers are made", 30)

        def more(link):
            link.send(request)
        found = self.disturbed("nothing is read", ["--body-timeout", "20s"], request, lambda crowd: crowd.act(more), settle,
                               small_buffer=True)
        crowd, aforod, _ = found
        grown = (tcp_pages() - before) * 4096 >> 20
        print(f"nothing is read: {grown} MiB of the kernel's memory, {aforod.rss_kib() >> 10} MiB of the server's", flush=True)
        self.assertLess(aforod.rss_kib(), 256 << 10)
        self.assertLess(grown, 1500)

        self.all_are_cut_off(crowd, more)
        self.finish(*found)

    @staticmethod
    def all_are_cut_off(crowd, act):
        def all_cut():
            crowd.act(act)
            return crowd.cut >= MANY
        wait_until(all_cut, lambda: f"all are cut off: {crowd.cut} were", 60, 0.01)

    @staticmethod
    def quiet(load):
        load.phase()
        time.sleep(0.5)
        return load.phase()["rate"] > 0.99 * RATE

    def test_more_than_may_come(self):
        def again(crowd):  # called some 100 times a second
            for _ in range(2):
                crowd.open().close()
        found = self.disturbed("too many, and 200 more a second", ["--max-connections", str(MANY // 2), "--header-timeout", "60s"], b"POST", again)
        self.assertGreater(self.finish(*found)["connections_refused"], MANY // 2)


def tcp_pages():
    with open("/proc/net/sockstat", encoding="ascii") as stat:
        return int(re.search(r"TCP:.* mem (\d+)", stat.read())[1])


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
        for what, first, drip, least_s, most_s in (
                ("silent", b"", b"", 2, 4), ("a request line in drops", b"P", b"O", 2, 4), ("empty lines", b"\r\n", b"\r\n", 2, 4),
                ("headers in drops", REQUEST, b"X", 2, 4), ("half of the headers", REQUEST, b"", 2, 4),
                ("a body in drops", REQUEST + b"Content-Length: 1000\r\n\r\n", b"x", 4, 6.5),
                ("half a body", REQUEST + b"Content-Length: 1000\r\n\r\nx", b"", 4, 6.5),
                ("chunks in drops", REQUEST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 4, 6.5),
                ("idle after an answer", EVENT, b"", 5, 8.5),
                ("an answer, then drops", EVENT + b"P", b"O", 6, 12)):
            with self.subTest(what):
                self.assertGreater(self.closed_after(aforod, first, drip, most_s), least_s - 0.5)

    def test_a_body_that_moves_has_its_time(self):
        aforod = self.server("--body-timeout", "1s")
        with aforod.connect() as link:
            link.sendall(REQUEST + b"Content-Length: 32768\r\n\r\n")
            for _ in range(16):  # 8 KiB a second, for 4 s
                link.sendall(b"x" * 2048)
                time.sleep(0.25)
            self.assertTrue(link.recv(100).startswith(b"HTTP/1.1 400"))

    def test_an_answer_that_is_taken_slowly_has_its_time(self):
        aforod = self.server("--body-timeout", "1s", "--horizon", "1h")
        now = time.time_ns() // 1000
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
