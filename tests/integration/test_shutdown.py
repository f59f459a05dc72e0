"""The end of aforod: what it finishes, how long it takes, what it says last."""

import re
import signal
import time
import unittest

from support import Case, flushed, now_us, read_to_end, state_counts, text_time, wait_until

EVENT = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


def refused(server):
    try:
        server.connect().close()
    except ConnectionError:  # refused; reset, when it came while the socket was being closed
        return True
    return False


class Shutdown(Case):
    def last_line(self, server):
        return server.log().splitlines()[-1]

    def test_both_signals_end_it_with_0_and_the_tally(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                server = self.server(name=f"signal{int(number)}")
                server.post("")
                server.post("value=x")
                server.signal(number)
                self.assertEqual(server.wait(), 0)
                self.assertRegex(self.last_line(server), r'level=info msg="stopped" .*received=2 counted=1 '
                                                         r"refused_malformed=1 refused_too_late=0 refused_too_far_ahead=0 "
                                                         r"refused_unauthorised=0 refused_too_large=0 refused_throttled=0 "
                                                         r"refused_not_kept=0")

    def test_nobody_waits_for_idle_connections(self):
        server = self.server("--grace", "60s", "--idle-timeout", "60s")
        links = [server.connect() for _ in range(50)]
        for link in links:
            self.addCleanup(link.close)
            link.sendall(EVENT)
            self.assertTrue(link.recv(4096).startswith(b"HTTP/1.1 204"))
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(30), 0)  # half of what it would wait for
        self.assertIn("received=50 counted=50 ", self.last_line(server))
        for link in links:
            self.assertEqual(link.recv(1), b"")

    def test_a_request_in_flight_is_finished_and_its_connection_closed(self):
        server = self.server("--grace", "10s")
        body = b"value=" + text_time(now_us()).encode()
        with server.connect() as link:
            link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:9])
            wait_until(lambda: server.stats()["connections"] >= 2, "the half request is there")
            server.signal(signal.SIGTERM)
            wait_until(lambda: refused(server), "nobody gets in any more")
            link.sendall(body[9:])
            received = read_to_end(link)
            self.assertTrue(received.startswith(b"HTTP/1.1 204"), received)
            self.assertIn(b"\r\nConnection: close\r\n", received)
        self.assertEqual(server.wait(), 0)
        self.assertEqual(sum(state_counts(server.state, "1s").values()), 1)

    def test_who_has_connected_and_said_nothing_yet_is_answered(self):
        for attempt in range(10):  # it has a second for its first request, of which a busy machine may leave none
            server = self.server("--grace", "10s", name=f"server{attempt}")
            with server.connect() as link:
                signalled = time.monotonic()
                server.signal(signal.SIGTERM)
                wait_until(lambda server=server: 'msg="stopping"' in server.log(), "it stops")
                link.sendall(EVENT)
                in_time = time.monotonic() - signalled < 0.8
                received = read_to_end(link)
            if in_time:
                break
        self.assertTrue(in_time, "in ten tries the machine left no second for it")
        self.assertTrue(received.startswith(b"HTTP/1.1 204"), received)
        self.assertIn(b"\r\nConnection: close\r\n", received)
        self.assertEqual(server.wait(), 0)
        self.assertIn("received=1 counted=1 ", self.last_line(server))

    def test_no_new_connections_after_the_signal(self):
        server = self.server("--grace", "120s", "--body-timeout", "120s")
        with server.connect() as link:
            link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
            wait_until(lambda: server.stats()["connections"] >= 2, "the half request is there")
            server.signal(signal.SIGTERM)
            wait_until(lambda: refused(server), "nobody gets in any more")
            self.assertTrue(server.running())  # whoever sent the half request leaves, and it ends
        self.assertEqual(server.wait(), 0)

    def test_the_grace_time_is_kept(self):
        server = self.server("--grace", "1s", "--body-timeout", "60s")
        with server.connect() as link:
            link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
            wait_until(lambda: server.stats()["connections"] >= 2, "the half request is there")
            begin = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertTrue(0.5 < time.monotonic() - begin < 30, "not by the grace time, but at once or by --body-timeout")

    def test_everything_is_in_redis_afterwards(self):
        for waits in (True, False):  # it may end before it has spoken to Redis for the first time
            with self.subTest(waits=waits):
                store = self.redis(name=f"redis-{waits}")
                server = self.server("--flush-interval", "1h", redis=store, name=f"waits-{waits}")
                if waits:
                    wait_until(lambda one=server: one.health()["store"]["connected"], "connected")
                now = now_us()
                events = {now - i * 333_000: 2 for i in range(300)}
                server.post_lines([text_time(us) for us in events for _ in range(2)])
                self.assertEqual(server.stop(), 0)
                self.assert_counts(store, events)

    def test_redis_away_is_said_and_made_up_for(self):
        store = self.redis()
        server = self.server("--grace", "1s", redis=store)
        wait_until(lambda: server.health()["store"]["connected"], "connected")
        store.kill()
        server.post("")
        self.assertEqual(server.stop(), 0)  # Redis does not come back: a server that waits for it would never end
        self.assertTrue(re.search(r"level=warn .*state file has it", server.log()), server.log())
        store.start()
        server.start()
        flushed([server], store)

    def test_a_start_that_is_ended_at_once(self):
        for delay_s in (0, 0.002, 0.005, 0.01, 0.02):
            server = self.place.server(name=f"early{delay_s}")
            server.spawn()
            time.sleep(delay_s)
            server.signal(signal.SIGTERM)
            self.assertIn(server.wait(), (0, -signal.SIGTERM))
            server.start()
            self.assertEqual(server.post("").status, 204)
            server.conserved()


if __name__ == "__main__":
    unittest.main()
