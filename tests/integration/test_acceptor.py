"""The acceptor: silent connections, batches beside single events, more connections than descriptors."""

import os
import resource
import socket
import time
import unittest

from support import Case, now_us, text_time, wait_until


def batch(lines):
    body = f"{text_time(now_us())}\n".encode() * lines
    return b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def event():
    body = b"value=" + text_time(now_us()).encode()
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def status(link):
    received = b""
    while b"\r\n\r\n" not in received:
        part = link.recv(4096)
        if not part:
            break
        received += part
    return received[9:12].decode()


def summed(stats, name):
    return sum(worker[name] for worker in stats["workers"])


class Acceptor(Case):
    def link(self, server):
        link = server.connect()
        self.addCleanup(link.close)
        return link

    def test_single_events_and_batches_on_one_connection_in_any_order(self):
        server = self.server()
        for first, second in ((batch(5000), event()), (event(), batch(5000))):
            link = self.link(server)
            for request, wanted in ((first, None), (second, None), (first, None)):
                link.sendall(request)
                self.assertEqual(status(link), "204" if request.startswith(b"POST / ") else "200")
        self.assertEqual(server.conserved()["counted"], 2 + 1 + 3 * 5000)

    def test_more_batch_connections_than_have_large_pools(self):
        server = self.server(threads=1)
        links = [self.link(server) for _ in range(300)]
        request = batch(300)  # 8 KiB: more than a small pool reads at once
        for link in links:
            link.sendall(request)
        for link in links:
            self.assertEqual(status(link), "200")
        self.assertEqual(server.conserved()["counted"], 300 * 300)

    def test_who_says_nothing_is_closed_after_the_idle_time(self):
        server = self.server("--idle-timeout", "1s")
        links = [self.link(server) for _ in range(20)]
        wait_until(lambda: summed(server.stats(), "connections_opened") >= 20, "they are in")
        wait_until(lambda: server.stats()["connections"] < 20, "they are closed", 10)
        for link in links:
            self.assertEqual(link.recv(1), b"")

    def test_who_comes_and_goes_leaves_nothing(self):
        server = self.server()
        for i in range(200):
            link = server.connect()
            if i % 2:  # a reset instead of an orderly end
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            link.close()
        wait_until(lambda: server.stats()["connections"] <= 1, "they are gone")

        def add_up():  # the last question's connection may be closed by another worker while they are read
            stats = server.stats()
            return summed(stats, "connections_opened") - summed(stats, "connections_closed") == stats["connections"]
        wait_until(add_up, server.stats)

    def test_few_connections_are_shared_evenly(self):
        server = self.server()
        for n in (4, 16, 64):
            links = [self.link(server) for _ in range(n)]
            wait_until(lambda: server.stats()["connections"] >= n, "they are in")
            each = [worker["connections"] for worker in server.stats()["workers"]]
            self.assertLessEqual(abs(each[0] - each[1]), 3 + n // 8, each)  # who asks is a connection, too
            for link in links:
                link.close()
            wait_until(lambda: server.stats()["connections"] <= 1, "they are gone")

    def test_first_words_that_come_in_pieces(self):
        server = self.server()
        link = self.link(server)
        for piece in (b"P", b"OST /ev", b"ents HTTP/1.1\r\nHost: x\r\nContent-Length: 27\r\n\r\n"):
            link.sendall(piece)
            time.sleep(0.05)
        link.sendall(f"{text_time(now_us())}\n".encode().ljust(27, b"\n"))
        self.assertEqual(status(link), "200")


class Descriptors(Case):
    def test_without_any_left_it_refuses_and_does_not_spin(self):
        server = self.server("--max-connections", "1000")
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (64, 64))
        kept = server.connect()
        self.addCleanup(kept.close)
        kept.sendall(event())
        self.assertEqual(status(kept), "204")
        links = [server.connect() for _ in range(200)]
        for link in links:
            self.addCleanup(link.close)
        time.sleep(0.5)
        ticks = os.sysconf("SC_CLK_TCK")

        def cpu_s():
            with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as stat:
                return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13])) / ticks
        before = cpu_s()
        time.sleep(2)
        self.assertLess(cpu_s() - before, 0.5, "a busy loop")
        kept.sendall(event())
        self.assertEqual(status(kept), "204")  # who is in, is served
        for link in links:
            link.close()
        wait_until(lambda: server.post("").status == 204, "it recovers", 10)
        stats = server.conserved()
        self.assertGreater(summed(stats, "connections_refused"), 100)
        self.assertEqual(stats["counted"], 3)


if __name__ == "__main__":
    unittest.main()
