"""aforo check: finds each invariant that is broken by hand, in each kind of source, and never calls well what it could
not look at; a source that is written to meanwhile is no false alarm."""

import http.server
import threading
import time
import unittest

from support import Case, flushed, now_us, text_time
from support.console import FilledRedis, aforo, chunk_key, part_of

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
LATELY = ("--from", "-40min")  # all that is kept of 400 days, where it is not what the test is about, is most of its time


def start_of(us, width):
    return text_time(us // width * width, 3)


class CheckCase(Case):
    def well(self, *words):
        status, out, err = aforo("check", *words, timeout=60)
        self.assertEqual((status, err), (0, ""), out)
        self.assertRegex(out, r"\A[1-9]\d* windows compared, all agree\n\Z")

    def wrong(self, *words, named=(), why="", ends_with=1):
        status, out, err = aforo("check", *words, timeout=60)
        self.assertEqual(status, ends_with, out + err)
        self.assertRegex(err, r"\Aaforo: [^\n]+\n\Z")
        self.assertIn(why, err)
        self.assertNotIn("all agree", out)
        for sentence in named:
            self.assertIn(sentence, out)


class Redis(CheckCase):
    """Filled as the nodes fill it."""

    def setUp(self):
        super().setUp()
        self.redis = FilledRedis(self.place).start()
        self.us = now_us() - 30 * MINUTE
        self.events = {self.us: 5, self.us + 31_000: 1, self.us + 70 * SECOND: 3, now_us() - 10 * SECOND: 4}

    def test_each_sum_that_is_broken_is_named(self):
        self.redis.fill(self.events)
        self.well("--redis", self.redis.url)
        second = chunk_key("1s", self.us)
        field = f"{self.us // SECOND % 60:02d}"
        self.redis.do("HINCRBY", second, field, 1)
        in_second = 6 if (self.us + 31_000) // SECOND == self.us // SECOND else 5
        self.wrong("--redis", self.redis.url, why="2 windows disagree", named=(
            f"{second}: window {field}: its total is {in_second + 1}, and the nodes' parts sum to {in_second}",
            f"the 1s window {start_of(self.us, SECOND)} is {in_second + 1}, its 10ms windows sum to {in_second}",
            f"the 1min window {start_of(self.us, MINUTE)} is"))
        self.redis.do("HINCRBY", second, field, -1)
        self.well("--redis", self.redis.url, *LATELY)

    def test_what_lies_beside_the_counts_is_looked_at_too(self):
        self.redis.fill(self.events)
        minute = chunk_key("1min", self.us)
        for harm, mend, sentence in (
                (("HSET", minute, "n:node-2", part_of({1: 5})), ("HDEL", minute, "n:node-2"), "window 01: its total is"),
                (("HSET", minute, "n:node-2", b"\x01cut"), ("HDEL", minute, "n:node-2"), "the part of node node-2 is damaged"),
                (("HSET", minute, "why", "not"), ("HDEL", minute, "why"), "field 'why' is none of aforo's"),
                (("HINCRBY", minute, "until", 3600), ("HINCRBY", minute, "until", -3600), "until is")):
            self.redis.do(*harm)
            self.wrong("--redis", self.redis.url, *LATELY, why="wrong where it lies", named=(f"{minute}: {sentence}",))
            self.redis.do(*mend)
            self.well("--redis", self.redis.url, *LATELY)

    def test_a_resolution_that_is_gone_is_missed(self):
        self.redis.fill(self.events)
        for us in self.events:
            self.redis.do("DEL", chunk_key("10ms", us))
        self.wrong("--redis", self.redis.url, *LATELY, named=("its 10ms windows sum to 0",))

    def test_what_is_no_longer_kept_is_not_missed(self):
        old_us = now_us() - 9 * 24 * HOUR
        self.redis.fill({**self.events, old_us: 7})
        for resolution in ("10ms", "1s"):
            self.redis.do("DEL", chunk_key(resolution, old_us))
        self.well("--redis", self.redis.url)

    def test_nothing_is_never_well(self):
        self.wrong("--redis", self.redis.url, why="nothing to check: redis")
        self.wrong("--redis", "redis://127.0.0.1:1", why="127.0.0.1:1", ends_with=3)
        self.redis.fill(self.events)
        self.wrong("--redis", self.redis.url, "--from", "-5d", "--to", "-4d", why="nothing to check")
        self.wrong("--redis", self.redis.url, "--state", str(self.place.dir / "none"), why="none", ends_with=3)


class Fleet(CheckCase):
    def test_servers_their_states_and_redis_agree_under_load_and_losses_are_named(self):
        redis = self.redis()
        servers = [self.server("--flush-interval", "200ms", "--horizon", "20min", name=name, redis=redis) for name in ("a", "b")]
        sources = ["--redis", redis.url]
        for server in servers:
            sources += ["--server", f"http://127.0.0.1:{server.port}", "--state", server.state]
        self.wrong(*sources, *LATELY, why="nothing to check")
        lost_us = now_us() - 10 * MINUTE
        servers[0].post_lines([text_time(lost_us)] * 3)
        ending = threading.Event()

        def load():
            while not ending.is_set():
                for server in servers:
                    now = now_us()
                    server.post_lines([text_time(now - 7 * SECOND * i) for i in range(20)])
                time.sleep(0.05)
        thread = threading.Thread(target=load)
        thread.start()
        try:
            time.sleep(1)
            for since in (LATELY, LATELY, ()):
                self.well(*sources, *since)
        finally:
            ending.set()
            thread.join()
        flushed(servers, redis)
        self.well(*sources)
        self.wrong(*sources[:-4], *LATELY, why="disagree", named=("Redis holds",))  # b is left out: Redis has more than a
        minute = f"the 1min window {start_of(lost_us, MINUTE)}: the servers hold 3, the state directories hold 0"
        self.wrong("--server", f"http://127.0.0.1:{servers[0].port}", "--state", servers[1].state, *LATELY, named=(minute,))

    def test_no_window_in_common(self):
        redis = self.redis()
        first = self.server("--horizon", "10min", name="first", redis=redis)
        first.post_lines([text_time(now_us() - 20 * SECOND)] * 3)
        flushed([first], redis)
        url = f"http://127.0.0.1:{first.port}"
        self.well("--server", url, "--redis", redis.url)
        self.wrong("--server", url, "--redis", redis.url, "--from", "now", why="nothing to check")


class Far(http.server.BaseHTTPRequestHandler):
    """A server whose events are of long ago, before what Redis keeps of any resolution."""

    def do_GET(self):
        width = {"10ms": "00.000", "1s": "00.000", "1min": "00.000"}
        resolution = self.path.split("/")[-1].split("?")[0]
        body = "start (UTC),count,state\n" + f"2001-05-28T11:11:{width.get(resolution)}Z,4,final\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


class Apart(CheckCase):
    def test_sources_without_a_common_window_are_never_well(self):
        redis = FilledRedis(self.place).start()
        redis.fill({now_us() - MINUTE * 5: 2})
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Far) as far:
            thread = threading.Thread(target=far.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            url = f"http://127.0.0.1:{far.server_address[1]}"
            try:
                self.well("--server", url)
                status, out, err = aforo("check", "--server", url, "--redis", redis.url)
            finally:
                far.shutdown()
                thread.join()
        self.assertEqual(status, 1, out + err)
        self.assertNotIn("all agree", out)


if __name__ == "__main__":
    unittest.main()
