"""What reaches Redis: the keys, only summaries, absolute values, times to live; what is shown about it; and that it is exact
through the deaths, hangs and losses of either side."""

import collections
import re
import shutil
import signal
import time
import unittest

from support import STATE_FILE, Case, flushed, now_us, sums, text_time, wait_until

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
        store = self.aforod.health()["store"]
        self.assertEqual((store["connected"], store["errors"]), (True, 0))
        self.assertLess(store["lag_ms"], 2000)
        keys = self.store.do("KEYS", "*")
        self.assertLessEqual({"aforo:2:{node:n-1}", "aforo:2:{final}"}, set(keys))
        for key in keys:
            self.assertRegex(key, r"\Aaforo:2:\{(10ms:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d|1s:\d{4}-\d\d-\d\dT\d\d:\d\d"
                                  r"|1min:\d{4}-\d\d-\d\dT\d\d|node:n-1|nodes|final)\}\Z")
        chunks = [key for key in keys if "node" not in key and "final" not in key]
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
            """Commands a second of requests with `batch` events each."""
            before, begun = self.commands(), time.monotonic()
            for _ in range(20):
                self.aforod.post_lines([text_time(now_us())] * batch)
                time.sleep(0.05)
            spent, took = self.commands() - before, time.monotonic() - begun
            flushed([self.aforod], self.store)
            return spent / took
        few, many = cost(1), cost(20_000)
        self.assertLess(many, 3 * few + 100)
        self.assertLess(many, 20_000)

    def test_late_and_future_events_arrive_too(self):
        events = {self.now - HOUR + 20 * SECOND: 3, self.now - 30 * MINUTE: 2, self.now + 8 * SECOND: 1}
        self.aforod.post_lines([text_time(us) for us, n in events.items() for _ in range(n)])
        flushed([self.aforod], self.store)
        self.assert_counts(self.store, events)
        self.aforod.post(f"value={self.now - 30 * MINUTE}")
        events[self.now - 30 * MINUTE] += 1
        flushed([self.aforod], self.store)
        self.assert_counts(self.store, events)

    def test_other_nodes_add_up(self):
        """Also when Redis has lost all, and one of them came back from a kill meanwhile."""
        others = [self.server("--node-id", name, redis=self.store, name=name) for name in ("n-2", "n-3")]
        servers = [self.aforod, *others]
        for server in servers:
            server.post_lines([text_time(self.now)] * 10)
        flushed(servers, self.store)
        self.assert_counts(self.store, {self.now: 30})
        self.assertEqual(sum(self.store.counts("1s", "n-2").values()), 10)
        others[0].kill()
        self.store.do("FLUSHALL")
        others[0].start()
        self.wait_counts(self.store, {self.now: 30})

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
        store = self.redis("--requirepass", "s3cret")
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

    def test_from_a_file(self):
        store = self.redis("--requirepass", "s3cret")
        secret = self.place.dir / "secret"
        secret.write_text("s3cret\n")
        server = self.server(redis=store, env={"AFORO_REDIS_PASSWORD_FILE": str(secret)})
        wait_until(lambda: server.health()["store"]["connected"], lambda: server.log())
        self.assertNotIn("s3cret", server.log())


class Losses(Case):
    """Redis, or the server, is away for a while, forgets or is full; `all` is every event that was acknowledged."""

    def setUp(self):
        super().setUp()
        self.all = collections.Counter()

    def start(self, redis, *flags, **settings):
        return self.server("--flush-interval", "50ms", "--redis-timeout", "200ms", *flags, redis=redis, **settings)

    def count(self, server, n=3000):
        times = [now_us() - i * 9_973 for i in range(n)]
        self.send(server, times)
        self.all.update(times)

    def started(self, *options):
        """A Redis and a server that has counted, and flushed it."""
        redis = self.redis(*options)
        server = self.start(redis)
        self.count(server)
        self.wait_counts(redis, self.all)
        return redis, server

    def test_killed_under_way_nothing_is_lost_or_doubled(self):
        redis = self.redis()
        server = self.start(redis)
        for _ in range(5):
            for _ in range(4):
                self.count(server, 500)
            server.kill()
            server.start()
        self.wait_counts(redis, self.all)
        self.assert_counts(server, self.all)

    def test_redis_emptied(self):
        redis, server = self.started()
        redis.do("FLUSHALL")
        self.wait_counts(redis, self.all)  # with no new event: the flush asks
        redis.do("FLUSHALL")
        self.count(server, 100)
        self.wait_counts(redis, self.all)

    def test_redis_killed_and_back_empty(self):
        redis, server = self.started()
        redis.kill()
        self.count(server, 200)
        wait_until(lambda: not server.health()["store"]["connected"], "it notices")
        redis.start()
        self.wait_counts(redis, self.all)

    def test_redis_killed_and_back_with_its_data(self):
        redis, server = self.started("--appendonly", "yes", "--appendfsync", "always")
        redis.kill()
        self.count(server, 200)
        redis.start()
        self.wait_counts(redis, self.all)

    def test_redis_hangs(self):
        redis, server = self.started()
        redis.signal(signal.SIGSTOP)
        for _ in range(20):
            self.count(server, 50)
        wait_until(lambda: server.health()["store"]["errors"] > 0, "it notices")
        redis.signal(signal.SIGCONT)
        self.wait_counts(redis, self.all)

    def test_redis_full(self):
        redis = self.redis("--maxmemory", "1mb")
        server = self.start(redis)
        self.count(server)
        wait_until(lambda: "OOM" in server.health()["store"]["last_error"], "it says so")
        redis.do("CONFIG", "SET", "maxmemory", "0")
        self.wait_counts(redis, self.all)

    def test_a_redis_that_may_evict_is_warned_of(self):
        redis, server = self.started("--maxmemory-policy", "allkeys-lru")
        warnings = [line for line in server.log().splitlines() if "level=warn" in line and "may evict keys" in line]
        self.assertEqual(len(warnings), 1, server.log())
        self.assertIn("allkeys-lru", warnings[0])
        self.assertIn("maxmemory-policy noeviction", warnings[0])

    def test_state_lost_and_node_id_kept(self):
        """Also with Redis away at the start, events in between, and a kill before the read-back."""
        redis = self.redis("--appendonly", "yes", "--appendfsync", "always")
        first = self.start(redis, "--node-id", "n1", name="first")
        self.count(first)
        self.wait_counts(redis, self.all)
        first.kill()
        redis.kill()
        second = self.start(redis, "--node-id", "n1", name="second")
        for _ in range(2):
            self.count(second, 300)
            second.kill()
            second.start()
        redis.start()
        self.wait_counts(redis, self.all)
        self.wait_counts(second, self.all)
        second.stop()
        second.start()
        self.wait_counts(redis, self.all)

    def test_another_owner_and_chunks_from_before_the_horizon(self):
        """A reboot, or a file that was copied, makes another owner. What is older than the horizon is sent again, too: it must
        be taken as what it is, and not for somebody else's."""
        redis = self.redis()
        server = self.start(redis, "--node-id", "n1", "--horizon", "3s")
        first = [now_us()] * 3
        self.send(server, first)
        self.wait_counts(redis, collections.Counter(first))
        server.stop()
        time.sleep(4.5)  # past the horizon, and well within what the flush looks at
        state = server.state / STATE_FILE
        shutil.copy(state, state.with_name("copy"))
        state.with_name("copy").rename(state)
        server.start()
        more = [now_us()] * 2
        self.send(server, more)
        self.wait_counts(redis, collections.Counter(first + more))
        resends = server.stats()["store"]["resends"]
        time.sleep(1)
        self.assertLessEqual(server.stats()["store"]["resends"], resends + 1)
        wait_until(lambda: server.health()["store"]["lag_ms"] == 0, server.health)

    def test_what_is_too_late_is_counted_once(self):
        redis = self.redis()
        us = now_us() - 30_000_000
        redis.do("HSET", "aforo:2:{1s:%s}" % text_time(us)[:16].replace(" ", "T"), "until", "1", "final", "1")
        server = self.start(redis)
        self.send(server, [us] * 5)

        def store():
            return server.stats()["store"]
        wait_until(lambda: store()["too_late"] == 5, "it is told")
        for number in range(3):  # as when another node has found a loss: all is sent again
            resends = store()["resends"]
            redis.do("SET", "aforo:2:{lost}", 100 + number)
            wait_until(lambda before=resends: store()["resends"] > before, "it sends again")
            passes = store()["passes"]
            wait_until(lambda before=passes: store()["passes"] > before + 5, "all of it")
        self.assertEqual(store()["too_late"], 5)
        self.send(server, [us] * 2)  # more of the same
        wait_until(lambda: store()["too_late"] == 7, "it is told")


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
