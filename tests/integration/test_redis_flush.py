"""What reaches Redis: the keys, only summaries, absolute values, times to live; and what is shown about it."""

import re
import signal
import time
import unittest

from harness import Case, RedisError, flushed, now_us, sums, text_time, wait_until

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000


class Flush(Case):
    def setUp(self):
        super().setUp()
        self.store = self.redis()
        self.aforod = self.server("--node-id", "n-1", redis=self.store)
        self.now = now_us()

    def events(self):
        events = {self.now - i * 137_000: 1 + i % 5 for i in range(500)}
        self.aforod.post_lines([text_time(us) for us, n in events.items() for _ in range(n)])
        return events

    def test_the_same_windows_in_the_keys_of_the_contract(self):
        events = self.events()
        flushed([self.aforod], self.store)
        self.assert_counts(self.store, events)
        for resolution, expected in sums(events).items():
            self.assertEqual(self.store.counts(resolution, "n-1"), expected)  # the node's own
        keys = self.store.do("KEYS", "*")
        for key in keys:
            self.assertRegex(key, r"\Aaforo:2:\{(10ms:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d|1s:\d{4}-\d\d-\d\dT\d\d:\d\d"
                                  r"|1min:\d{4}-\d\d-\d\dT\d\d|node:n-1|final)\}\Z")
        chunks = [key for key in keys if "node:" not in key and "final" not in key]
        self.assertGreater(len(chunks), 60)
        for key in chunks:
            fields = self.store.do("HKEYS", key)
            self.assertTrue(all(re.fullmatch(r"\d\d|until|n:n-1", field) for field in fields), fields)
            self.assertIn("n:n-1", fields)

    def test_times_to_live(self):
        self.events()
        flushed([self.aforod], self.store)
        longest = {"10ms": 2 * 3600, "1s": 7 * 86400, "1min": 400 * 86400}
        for resolution, ttl in longest.items():
            keys = self.store.do("KEYS", f"aforo:2:{{{resolution}:*")
            self.assertTrue(keys)
            for key in keys:
                self.assertLess(abs(ttl - self.store.do("TTL", key)), 60, key)
        self.assertLessEqual(self.store.do("PTTL", "aforo:2:{node:n-1}"), 10_000)  # the lease, renewed as long as it lives

    def test_times_to_live_are_settings(self):
        other = self.server("--redis-ttl-10ms", "5h", "--redis-ttl-1s", "9d", "--redis-ttl-1min", "401d", "--node-id", "n-2",
                            redis=self.store, name="other")
        other.post("")
        flushed([other], self.store)
        for resolution, ttl in (("10ms", 5 * 3600), ("1s", 9 * 86400), ("1min", 401 * 86400)):
            key, = self.store.do("KEYS", f"aforo:2:{{{resolution}:*")
            self.assertLess(abs(ttl - self.store.do("TTL", key)), 60, key)

    def commands(self):
        return int(re.search(r"total_commands_processed:(\d+)", self.store.do("INFO", "stats")).group(1))

    def test_the_cost_at_redis_does_not_depend_on_the_rate(self):
        def cost(batch):
            """Commands for a second of requests with `batch` events each."""
            before = self.commands()
            for _ in range(20):
                self.aforod.post_lines([text_time(now_us())] * batch)
                time.sleep(0.05)
            flushed([self.aforod], self.store)
            return self.commands() - before
        few, many = cost(1), cost(20_000)
        self.assertLess(many, 3 * few + 100)
        self.assertLess(many, 20_000)

    def test_late_and_future_events_arrive_too(self):
        events = {self.now - HOUR + 20 * SECOND: 3, self.now - 30 * MINUTE: 2, self.now + 8 * SECOND: 1}
        self.aforod.post_lines([text_time(us) for us, n in events.items() for _ in range(n)])
        flushed([self.aforod], self.store, 5)
        self.assert_counts(self.store, events)
        self.aforod.post(f"value={self.now - 30 * MINUTE}")
        events[self.now - 30 * MINUTE] += 1
        flushed([self.aforod], self.store, 5)
        self.assert_counts(self.store, events)

    def test_another_node_adds_up(self):
        other = self.server("--node-id", "n-2", redis=self.store, name="other")
        for server in (self.aforod, other):
            server.post_lines([text_time(self.now)] * 10)
        flushed([self.aforod, other], self.store)
        self.assert_counts(self.store, {self.now: 20})
        self.assertEqual(sum(self.store.counts("1s", "n-2").values()), 10)

    def test_large_counts_are_whole_numbers(self):
        """Lua's own text form of a number would be 1e+15."""
        key = "aforo:2:{1min:%s}" % text_time(self.now)[:13].replace(" ", "T")
        self.aforod.post(f"value={self.now}")
        flushed([self.aforod], self.store)
        field, = [field for field in self.store.do("HKEYS", key) if field.isdigit()]
        self.store.do("HINCRBY", key, field, 10 ** 15)
        self.aforod.post(f"value={self.now}")
        wait_until(lambda: self.store.do("HGET", key, field) == str(10 ** 15 + 2), lambda: self.store.do("HGET", key, field))

    def test_healthz_follows_what_happens(self):
        store = wait_until(lambda: self.aforod.health()["store"]["connected"] and self.aforod.health()["store"], "connected")
        self.assertEqual((store["configured"], store["errors"]), (True, 0))
        self.aforod.post("")
        flushed([self.aforod], self.store)
        self.assertLess(self.aforod.health()["store"]["last_flush_age_ms"], 1000)
        self.store.kill()
        store = wait_until(lambda: not self.aforod.health()["store"]["connected"] and self.aforod.health()["store"], "away")
        self.assertIn(str(self.store.port), store["last_error"])
        wait_until(lambda: self.aforod.health()["store"]["lag_ms"] > 500, "the lag is shown")
        self.assertEqual(self.aforod.request("GET", "/healthz").status, 200)  # it serves: that is what a balancer asks
        self.store.start()
        wait_until(lambda: self.aforod.health()["store"]["connected"], "connected again")
        wait_until(lambda: self.aforod.health()["store"]["lag_ms"] == 0, "no lag any more")
        warnings = [line for line in self.aforod.log().splitlines() if "level=warn" in line]
        self.assertTrue(1 <= len(warnings) <= 6, warnings)  # said once for what is the same, not ten times a second

    def test_what_others_put_into_redis_stays(self):
        self.store.do("SET", "other:key", "1")
        self.store.do("HSET", "aforo-other", "x", "1")
        self.events()
        flushed([self.aforod], self.store)
        self.assertEqual((self.store.do("GET", "other:key"), self.store.do("HGET", "aforo-other", "x")), ("1", "1"))

    def test_back_off_while_redis_is_away(self):
        self.store.kill()
        errors = self.aforod.health()["store"]["errors"]
        wait_until(lambda: self.aforod.health()["store"]["errors"] >= errors + 4, "it tries again")
        before = self.aforod.health()["store"]["errors"]
        time.sleep(3)
        self.assertLessEqual(self.aforod.health()["store"]["errors"] - before, 8)


class Password(Case):
    def test_from_url_and_environment_and_never_shown(self):
        store = self.redis_with_password()
        place = f"127.0.0.1:{store.port}"
        for name, url, env in (("url", f"redis://:s3cret@{place}", {}), ("env", f"redis://{place}",
                                                                       {"AFORO_REDIS_PASSWORD": "s3cret"})):
            server = self.server(redis=url, env=env, name=name)
            wait_until(lambda one=server: one.health()["store"]["connected"], lambda one=server: one.log())
            self.assertNotIn("s3cret", server.log() + str(server.health()) + str(server.stats()))
        wrong = self.server("--log-level", "debug", redis=f"redis://:wr0ng@{place}", name="wrong")
        wait_until(lambda: wrong.health()["store"]["errors"], "refused")
        self.assertNotIn("wr0ng", wrong.log() + str(wrong.health()))
        self.assertRegex(wrong.health()["store"]["last_error"], "WRONGPASS|NOAUTH|invalid")

    def redis_with_password(self):
        store = self.place.redis("--requirepass", "s3cret")
        store.spawn()

        def listens():
            try:
                store.do("PING")
            except RedisError as error:
                return "NOAUTH" in str(error)
            except OSError:
                return False
            return False
        wait_until(listens, "redis-server answers")
        return store


class WithoutRedis(Case):
    def test_nothing_of_it_runs(self):
        aforod = self.server()
        health = aforod.health()["store"]
        self.assertFalse(health["configured"])
        aforod.signal(signal.SIGTERM)
        self.assertEqual(aforod.wait(), 0)
        self.assertNotIn("redis", aforod.log().lower())


if __name__ == "__main__":
    unittest.main()
