"""--limit-per-client: how much one client may send, what it is answered, and that the statistics still add up."""

import pathlib
import socket
import threading
import time
import unittest

from support import Case, now_us, text_time, wait_until
from support.corpus import answers

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


def statuses(link, n, source=POST):
    """Sends n requests at once on one connection; the statuses of their answers."""
    link.sendall(source * n)
    return answers(link, n)


class Throttle(Case):
    def check_conservation(self):
        """Reading is limited, too: wait for the next second's worth."""
        time.sleep(1.1)
        super().check_conservation()

    def test_a_client_gets_its_limit_and_hears_when_to_come_again(self):
        server = self.server("--limit-per-client", "50/s", threads=3)
        time.sleep(1.1)
        begun = time.monotonic()
        answers = []
        for _ in range(4):  # connections of any worker share one limit
            with server.connect() as link:
                answers += statuses(link, 50)
        took = time.monotonic() - begun
        self.assertLessEqual(set(answers), {204, 429})
        if took < 2.9:  # a machine that takes longer than the 150 beyond the first second's worth need asks too slowly
            self.assertIn(429, answers)
        self.assertGreaterEqual(answers.count(204), 50)
        self.assertLessEqual(answers.count(204), 50 + 50 * took + 1)
        answer = server.post("")
        if answer.status == 429:  # unless this machine was very slow
            self.assertEqual((answer.headers["Retry-After"], answer.headers["Content-Type"].split(";")[0]),
                             ("1", "text/plain"))
        refused = answers.count(429) + (answer.status == 429)
        time.sleep(1.1)
        self.assertEqual(server.post("").status, 204)
        stats = server.conserved()
        self.assertEqual(stats["refused"]["throttled"], refused)
        self.assertEqual(stats["received"], 202)

    def test_the_rate_over_some_seconds(self):
        server = self.server("--limit-per-client", "200/s")
        for _ in range(5):
            time.sleep(1.1)
            begun, counted, longest = time.monotonic(), 0, 0
            with server.connect() as link:
                while (asked := time.monotonic()) - begun < 3:
                    counted += statuses(link, 20).count(204)
                    time.sleep(0.002)
                    longest = max(longest, time.monotonic() - asked)
            took = time.monotonic() - begun
            self.assertLessEqual(counted, 200 * (took + 1) + 1)
            if longest < 20 / 200:  # more than 200 a second were asked for all the time, whatever else this machine did
                self.assertGreaterEqual(counted, 200 * 3)
                return
        self.skipTest(f"this machine stands still for {longest:.1f} s at a time")

    def test_a_batch_is_one_request_and_health_is_none(self):
        server = self.server("--limit-per-client", "3/s")
        for _ in range(20):
            self.assertEqual(server.request("GET", "/healthz").status, 200)
        lines = [text_time(now_us())] * 1000
        answers = [server.post_lines(lines).status for _ in range(3)]
        while 429 not in answers and len(answers) < 50:  # unless a second has passed meanwhile
            answers.append(server.post_lines(lines).status)
        self.assertEqual(answers[:3], [200] * 3)
        self.assertIn(429, answers)
        time.sleep(1.1)
        stats = server.conserved()
        self.assertEqual(stats["refused"]["throttled"], answers.count(429))
        self.assertEqual(stats["counted"], 1000 * answers.count(200))

    def test_reading_is_limited_and_is_no_event(self):
        server = self.server("--limit-per-client", "5/s")
        time.sleep(1.1)
        answers = [server.request("GET", "/" if i % 2 else "/nothing").status for i in range(30)]
        self.assertEqual(set(answers), {200, 404, 429})
        time.sleep(1.1)
        stats = server.conserved()
        self.assertEqual(stats["received"], 0)
        self.assertEqual(sum(worker["reads_refused"] for worker in stats["workers"]), answers.count(429))

    def test_others_are_not_touched(self):
        server = self.server("--limit-per-client", "10/s")

        def connect(source):
            return socket.create_connection(("127.0.0.1", server.port), 30, (source, 0))
        time.sleep(1.1)
        with connect("127.0.0.2") as greedy, connect("127.0.0.3") as modest:
            self.assertIn(429, statuses(greedy, 100))
            self.assertEqual(statuses(modest, 10), [204] * 10)

    def test_guesses_of_tokens_are_limited(self):
        tokens = self.place.dir / "tokens"
        tokens.write_text("0123456789abcdef\n")
        server = self.server("--limit-per-client", "10/s", "--ingest-token-file", tokens)
        time.sleep(1.1)
        with server.connect() as link:
            answers = statuses(link, 100)
        self.assertEqual(set(answers), {401, 429})
        time.sleep(1.1)
        refused = server.conserved()["refused"]
        self.assertEqual((refused["unauthorised"], refused["throttled"]), (answers.count(401), answers.count(429)))

    def test_memory_does_not_grow_with_addresses(self):
        server = self.server("--limit-per-client", "1000/s")
        if "san.so" in pathlib.Path(f"/proc/{server.process.pid}/maps").read_text():
            self.skipTest("a sanitizer keeps what was freed")

        def from_many(first, n):
            for i in range(first, first + n):
                source = f"127.{1 + i % 7}.{i // 250 % 250}.{1 + i % 250}"
                with socket.create_connection(("127.0.0.1", server.port), 30, (source, 0)) as link:
                    self.assertEqual(statuses(link, 1), [204])
        from_many(0, 500)
        before = server.rss_kib()
        from_many(500, 3000)
        self.assertLess(server.rss_kib(), before + 1024)

    def test_the_sum_holds_at_every_moment(self):
        server = self.server("--limit-per-client", "500/s")
        end = time.monotonic() + 2

        def load():  # from another address: who looks has a limit of his own
            with socket.create_connection(("127.0.0.1", server.port), 30, ("127.0.0.9", 0)) as link:
                while time.monotonic() < end:
                    statuses(link, 32)
        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        looks = 0
        while time.monotonic() < end:
            answer = server.request("GET", "/stats")
            if answer.status == 200:
                stats = answer.json
                self.assertEqual(stats["received"], stats["counted"] + sum(stats["refused"].values()))
                looks += 1
            time.sleep(0.003)
        for thread in threads:
            thread.join(30)
        stats = wait_until(lambda: (lambda a: a.status == 200 and a.json)(server.request("GET", "/stats")), "it answers")
        self.assertGreater(min(looks, stats["counted"], stats["refused"]["throttled"]), 0)


if __name__ == "__main__":
    unittest.main()
