"""Summaries in Redis: exact through the deaths, hangs and losses of either side."""

import shutil
import signal
import time

from server_support import Case, now_us, stamp, wait_for


class Flush(Case):
    def start(self, redis, *flags, state="state"):
        return self.server("--threads", 2, "--redis", redis.url, "--flush-interval", "50ms", "--redis-timeout", "200ms",
                           *flags, state=state)

    def events(self, n=3000, step_us=9_973):
        t = now_us()
        return [t - i * step_us for i in range(n)]

    def test_redis_has_the_same_windows_and_only_summaries(self):
        redis = self.redis()
        s = self.start(redis)
        events = self.events()
        self.post(s, events)
        self.wait_exact(redis, events)
        node = s.stats()["node"]
        keys = redis.cli("KEYS", "*").splitlines()
        self.assertTrue(all(k.startswith("aforo:2:{") for k in keys))
        chunks = [k for k in keys if not k.startswith(("aforo:2:{node:", "aforo:2:{final}"))]
        self.assertEqual(set(keys) - set(chunks), {"aforo:2:{node:%s}" % node, "aforo:2:{final}"})
        self.assertTrue(all(redis.cli("HEXISTS", k, "n:" + node) == "1" for k in chunks[:5]))
        self.assertTrue(all(int(redis.cli("TTL", k)) > 3600 for k in chunks[:5]))
        health = s.json("/healthz")["store"]
        self.assertTrue(health["connected"])
        self.assertLess(health["lag_ms"], 2000)
        self.assertEqual(health["errors"], 0)

    def test_late_events_reach_redis(self):
        redis = self.redis()
        s = self.start(redis)
        events = self.events(10)
        self.post(s, events)
        self.wait_exact(redis, events)
        late = [now_us() - 1_800_000_000]
        self.post(s, late)
        self.wait_exact(redis, events + late)

    def test_killed_under_way_nothing_is_lost_or_doubled(self):
        redis = self.redis()
        events = []
        for round_ in range(5):
            s = self.start(redis)
            for _ in range(4):
                some = self.events(500)
                self.post(s, some)
                events += some
            s.kill()
        s = self.start(redis)
        self.wait_exact(redis, events)
        self.assert_exact(s, events)

    def test_redis_emptied(self):
        redis = self.redis()
        s = self.start(redis)
        events = self.events()
        self.post(s, events)
        self.wait_exact(redis, events)
        redis.cli("FLUSHALL")
        self.wait_exact(redis, events)  # with no new event: the flush asks
        redis.cli("FLUSHALL")
        more = self.events(100)
        self.post(s, more)
        self.wait_exact(redis, events + more)

    def test_redis_killed_and_back_empty(self):
        redis = self.redis()
        s = self.start(redis)
        events = self.events()
        self.post(s, events)
        self.wait_exact(redis, events)
        redis.kill()
        more = self.events(200)
        self.post(s, more)
        wait_for("it notices", lambda: not s.json("/healthz")["store"]["connected"])
        redis.start()
        self.wait_exact(redis, events + more)

    def test_redis_killed_and_back_with_its_data(self):
        redis = self.redis("--appendonly", "yes", "--appendfsync", "always")
        s = self.start(redis)
        events = self.events()
        self.post(s, events)
        self.wait_exact(redis, events)
        redis.kill()
        more = self.events(200)
        self.post(s, more)
        redis.start()
        self.wait_exact(redis, events + more)

    def test_redis_hangs(self):
        redis = self.redis()
        s = self.start(redis)
        events = self.events()
        self.post(s, events)
        self.wait_exact(redis, events)
        redis.process.send_signal(signal.SIGSTOP)
        for _ in range(20):
            some = self.events(50)
            self.post(s, some)
            events += some
        wait_for("it notices", lambda: s.json("/healthz")["store"]["errors"] > 0)
        redis.process.send_signal(signal.SIGCONT)
        self.wait_exact(redis, events)

    def test_redis_full(self):
        redis = self.redis("--maxmemory", "1mb")
        s = self.start(redis)
        events = self.events()
        self.post(s, events)
        wait_for("it says so", lambda: "OOM" in s.json("/healthz")["store"]["last_error"])
        redis.cli("CONFIG", "SET", "maxmemory", "0")
        self.wait_exact(redis, events)

    def test_a_redis_that_may_evict_is_warned_of(self):
        redis = self.redis("--maxmemory-policy", "allkeys-lru")
        s = self.start(redis)
        events = self.events(10)
        self.post(s, events)
        self.wait_exact(redis, events)
        warnings = [line for line in s.text().splitlines() if "level=warn" in line and "may evict keys" in line]
        self.assertEqual(len(warnings), 1, s.text())
        self.assertIn("allkeys-lru", warnings[0])
        self.assertIn("maxmemory-policy noeviction", warnings[0])

    def test_state_lost_and_node_id_kept(self):
        """Also with Redis away at the start, events in between, and a kill before the read-back."""
        redis = self.redis("--appendonly", "yes", "--appendfsync", "always")
        s = self.start(redis, "--node-id", "n1", state="first")
        events = self.events()
        self.post(s, events)
        self.wait_exact(redis, events)
        s.kill()
        redis.kill()
        for _ in range(2):
            s = self.start(redis, "--node-id", "n1", state="second")
            more = self.events(300)
            self.post(s, more)
            events += more
            s.kill()
        s = self.start(redis, "--node-id", "n1", state="second")
        redis.start()
        self.wait_exact(redis, events)
        self.wait_exact(s, events)
        s.kill(signal.SIGTERM)
        s = self.start(redis, "--node-id", "n1", state="second")
        self.wait_exact(redis, events)

    def test_another_owner_and_chunks_from_before_the_horizon(self):
        """A reboot, or a file that was copied, makes another owner. What is older than the horizon is sent again, too: it must
        be taken as what it is, and not for somebody else's."""
        redis = self.redis()
        s = self.start(redis, "--node-id", "n1", "--horizon", "1s")
        events = [now_us()] * 3
        self.post(s, events)
        self.wait_exact(redis, events)
        s.kill(signal.SIGTERM)
        time.sleep(2.5)  # past the horizon, and well within what the flush looks at
        state = self.directory / "state" / "counters.aforo"
        shutil.copy(state, state.with_name("copy"))
        state.with_name("copy").rename(state)
        s = self.start(redis, "--node-id", "n1", "--horizon", "1s")
        more = [now_us()] * 2
        self.post(s, more)
        self.wait_exact(redis, events + more)
        resends = s.json("/stats")["store"]["resends"]
        time.sleep(1)
        self.assertLessEqual(s.json("/stats")["store"]["resends"], resends + 1)
        self.assertEqual(s.json("/healthz")["store"]["lag_ms"], 0)

    def test_what_is_too_late_is_counted_once(self):
        redis = self.redis()
        us = now_us() - 30_000_000
        redis.cli("HSET", "aforo:2:{1s:%s}" % stamp(us)[:16].replace(" ", "T"), "until", "1", "final", "1")
        s = self.start(redis)
        self.post(s, [us] * 5)
        wait_for("it is told", lambda: s.json("/stats")["store"]["too_late"] == 5)
        for number in range(3):  # as when another node has found a loss: all is sent again
            resends = s.json("/stats")["store"]["resends"]
            redis.cli("SET", "aforo:2:{lost}", 100 + number)
            wait_for("it sends again", lambda: s.json("/stats")["store"]["resends"] > resends)
            passes = s.json("/stats")["store"]["passes"]
            wait_for("all of it", lambda: s.json("/stats")["store"]["passes"] > passes + 5)
        self.assertEqual(s.json("/stats")["store"]["too_late"], 5)
        self.post(s, [us] * 2)  # more of the same
        wait_for("it is told", lambda: s.json("/stats")["store"]["too_late"] == 7)

    def test_three_nodes_add_up(self):
        redis = self.redis()
        servers = [self.start(redis, state=f"node{i}") for i in range(3)]
        events = []
        for s in servers:
            some = self.events(1000)
            self.post(s, some)
            events += some
        self.wait_exact(redis, events)
        servers[1].kill()
        redis.cli("FLUSHALL")
        self.start(redis, state="node1")
        self.wait_exact(redis, events)

    def test_sigterm_flushes_what_is_left(self):
        redis = self.redis()
        s = self.server("--redis", redis.url, "--flush-interval", "60s")
        events = self.events(100)
        self.post(s, events)
        self.assertEqual(s.kill(signal.SIGTERM), 0)
        self.assert_exact(redis, events)

    def test_the_password_comes_from_a_file_and_is_not_shown(self):
        redis = self.redis("--requirepass", "geheim")
        secret = self.directory / "secret"
        secret.write_text("geheim\n")
        s = self.server("--redis", redis.url, env={"AFORO_REDIS_PASSWORD_FILE": str(secret)})
        wait_for("it flushes", lambda: s.json("/healthz")["store"]["connected"])
        self.assertNotIn("geheim", s.text())

