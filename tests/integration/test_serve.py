"""`aforo serve`: what several servers count, over HTTP; Redis, nodes and itself going away; tokens, limits, TLS's flags."""

import re
import shutil
import signal
import subprocess
import time
import unittest

from support import BIN, TIMEOUT_S, Case, environment, now_us, text_time, wait_until
from programs import Sentinel
from programs.aforod import Server, rows_of

SECOND = 1_000_000


class Serve(Server):
    """aforo serve; it has no statistics."""

    def spawn(self):
        self.command = [str(word) for word in (BIN / "aforo", "serve", "--listen", f"127.0.0.1:{self.port}", "--redis",
                                               self.redis.url, *self.flags)]
        super(Server, self).spawn()

    def conserved(self):
        return None

    def nodes(self):
        answer = self.request("GET", "/nodes")
        return {node["node"]: node for node in answer.json} if answer.status == 200 else {}


class AdminListen(Case):
    def test_cookies_are_no_obstacle_where_pages_are_read(self):
        admin = self.place.port()
        server = self.server("--admin-listen", f"127.0.0.1:{admin}", "--threads", "1")
        cookie = "Cookie: " + "; ".join(f"c{i}={'x' * 100}" for i in range(80))  # 8 KiB
        for path, accept in (("/counts/1s", "*/*"), ("/", "text/html"), ("/stats", "*/*")):
            done = subprocess.run(["curl", "-s", "--compressed", "-o", "/dev/null", "-w", "%{http_code}", "-H", cookie, "-H",
                                   f"Accept: {accept}", f"http://127.0.0.1:{admin}{path}"], capture_output=True, text=True,
                                  timeout=TIMEOUT_S)
            self.assertEqual(done.stdout, "200", path)
        for coding, status in (("gzip", "200"), ("br, gzip; q=0.5", "200"), ("gzip;q=0", "406"), ("gzip;q=0.0, br", "406"), ("br", "406")):
            done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Accept-Encoding: {coding}",
                                   f"http://127.0.0.1:{admin}/page/page.js"], capture_output=True, text=True, timeout=TIMEOUT_S)
            self.assertEqual(done.stdout, status, coding)
        server.port, counting = admin, server.port
        self.place.programs.remove(server)
        answer = subprocess.run(["curl", "-s", "-H", cookie, f"http://127.0.0.1:{counting}/"], capture_output=True, text=True,
                                timeout=TIMEOUT_S).stdout
        self.assertRegex(answer, r"\Athe request line and its headers are larger than --max-header; a browser with cookies reads at "
                                 r"--admin-listen, or at aforo serve, which take 16 KiB\n\Z")
        server.kill()


class OtherStores(Case):
    """complete_through where Redis is found by Sentinel, and where keys lie on several servers."""

    def assert_complete_through(self, stores, url):
        node = self.server("--node-id", "n-1", name="n-1", redis=At(url))
        serve = Serve(self.place, name="serve", redis=At(url))
        serve.spawn()
        wait_until(lambda: "listening" in serve.log() and "n-1" in serve.nodes(), serve.log, 30)
        for _ in range(5):
            self.send(node, [now_us(), now_us() - 600 * SECOND, now_us() - 1800 * SECOND])
        acknowledged = text_time(now_us(), 3).replace(" ", "T") + "Z"
        wait_until(lambda: (serve.nodes()["n-1"]["complete_through"] or "") > acknowledged, serve.nodes, 30)
        self.assertEqual([sum(server_counts(serve, resolution).values()) for resolution in ("10ms", "1s", "1min")], [15] * 3)
        for store in stores:  # nothing more is complete from now on
            store.kill()
        before = node.request("GET", "/nodes").json[0]["complete_through"]
        self.send(node, [now_us()] * 3)
        time.sleep(1.5)
        self.assertLess(node.request("GET", "/nodes").json[0]["complete_through"], text_time(now_us() - SECOND, 3).replace(" ", "T") + "Z")
        self.assertGreaterEqual(node.request("GET", "/nodes").json[0]["complete_through"], before)

    @unittest.skipUnless(shutil.which("redis-sentinel"), "redis-sentinel is not installed")
    def test_found_by_sentinel(self):
        master = self.redis()
        sentinel = Sentinel(self.place, master).start()
        wait_until(lambda: "num-other-sentinels" in str(sentinel.do("SENTINEL", "MASTER", "counts")), "sentinel knows")
        self.assert_complete_through([master], f"redis+sentinel://127.0.0.1:{sentinel.port}/counts")

    def test_in_a_cluster(self):
        nodes = [self.place.redis("--cluster-enabled", "yes", "--cluster-port", str(self.place.port()), name=f"redis{i}").start()
                 for i in range(3)]
        for i, node in enumerate(nodes):
            node.do("CLUSTER", "ADDSLOTSRANGE", i * 16384 // 3, (i + 1) * 16384 // 3 - 1)
            node.do("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for node in nodes[1:]:
            nodes[0].do("CLUSTER", "MEET", "127.0.0.1", node.port, node.options[node.options.index("--cluster-port") + 1])
        wait_until(lambda: all("cluster_state:ok" in node.do("CLUSTER", "INFO") for node in nodes), "the cluster is whole", 30, 0.05)
        self.assert_complete_through(nodes, "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes))


class At:
    """A store by its URL alone."""

    def __init__(self, url):
        self.url = url


def server_counts(serve, resolution):
    return rows_of(serve.request("GET", f"/counts/{resolution}?format=csv&partial=1&from={now_us() - 7200 * SECOND}").text)


class Fleet(Case):
    def setUp(self):
        super().setUp()
        self.store = self.redis()

    def serve(self, *flags, **settings):
        return Serve(self.place, *flags, name="serve", redis=self.store, **settings).start()

    def node(self, name, *flags):
        return self.server("--node-id", name, *flags, name=name, redis=self.store)

    def commands(self):
        return int(re.search(r"total_commands_processed:(\d+)", self.store.do("INFO", "stats"))[1])

    def test_the_sum_of_all_and_late_corrections(self):
        nodes = [self.node(f"n-{i}") for i in range(3)]
        serve = self.serve()
        events = {}
        now = now_us()
        for i in range(300):
            at = (now - i * 37_000) // 10_000 * 10_000
            events[at] = events.get(at, 0) + 1
            nodes[i % 3].post_lines([text_time(at)])
        self.wait_counts(serve, events)
        late = (now - 1800 * SECOND) // 10_000 * 10_000
        self.send(nodes[1], [late] * 2)
        events[late] = 2
        self.wait_counts(serve, events)
        for form in ("text", "csv", "json"):  # the same words as of a server
            question = f"/counts/1min?last=3&partial=1&format={form}"
            words = [BIN / "aforo", "1min", "--last", "3", "--partial", "--format", form, "--redis", self.store.url]
            alone, answered = self.between_equal_answers(
                lambda: serve.request("GET", question).text,
                lambda: subprocess.run(words, capture_output=True, text=True, env=environment(), timeout=TIMEOUT_S).stdout)
            self.assertEqual(answered, alone)
        again = subprocess.run([BIN / "aforo", "total", "--server", f"http://127.0.0.1:{serve.port}"], capture_output=True, text=True,
                               env=environment(), timeout=TIMEOUT_S)
        self.assertEqual((again.stdout, again.stderr), ("302\n", ""))

    def test_a_long_span_is_read_whole(self):
        node, serve = self.node("n-1", "--horizon", "2h"), self.serve()
        self.send(node, [now_us() - i * 60 * SECOND for i in range(68)])  # a minute is what Redis has in one key
        wait_until(lambda: sum(self.store.counts("1s").values()) == 68, "Redis has them")
        self.assertEqual(sum(serve.request("GET", "/live?1s=4096").json["1s"]["counts"]), 68)

    def test_nodes_that_come_stop_die_and_come_back(self):
        first, second = self.node("n-1"), self.node("n-2")
        serve = self.serve()
        first.post_lines([text_time(now_us())] * 3 + ["yesterday"])
        wait_until(lambda: serve.nodes().get("n-1", {}).get("received") == 4, serve.nodes)
        node = serve.nodes()["n-1"]
        self.assertEqual((node["counted"], node["refused"]["malformed"], sum(node["refused"].values()), node["state"]),
                         (3, 1, 1, "here"))
        self.assertRegex(node["version"], r"\A\d+\.\d+\.\d+\Z")
        wait_until(lambda: "n-2" in serve.nodes(), serve.nodes)
        self.assertEqual(first.stop(), 0)
        wait_until(lambda: serve.nodes()["n-1"]["state"] == "gone", serve.nodes, 4.5)  # it has said so
        second.kill()
        wait_until(lambda: serve.nodes()["n-2"]["state"] == "gone", serve.nodes, 15)
        when = serve.nodes()["n-2"]["last_seen"]
        second.start()
        wait_until(lambda: serve.nodes()["n-2"]["state"] == "here", serve.nodes)
        self.assertGreater(serve.nodes()["n-2"]["last_seen"], when)

    def test_complete_through_is_never_ahead_of_what_redis_has(self):
        node, serve = self.node("n-1"), self.serve()
        for _ in range(20):
            before = now_us()
            node.post_lines([text_time(before - 1800 * SECOND)])  # late: only a look at the whole horizon finds it
            acknowledged = text_time(now_us(), 3).replace(" ", "T") + "Z"
            held = node.stats()["counted"]
            known = serve.nodes().get("n-1", {}).get("complete_through") or ""
            if known > acknowledged:
                self.assertEqual(sum(rows_of(serve.request(
                    "GET", f"/counts/1min?format=csv&partial=1&from={(before - 7200 * SECOND)}").text).values()), held)
            time.sleep(0.05)
        wait_until(lambda: (serve.nodes()["n-1"]["complete_through"] or "") > acknowledged, serve.nodes)
        self.assertEqual(sum(serve.counts("1min").values()), 20)

    def test_redis_away_is_said_and_over_when_it_is_back(self):
        node, serve = self.node("n-1"), self.serve("--redis-timeout", "300ms")
        self.send(node, [now_us() - 3 * SECOND] * 4)
        wait_until(lambda: sum(serve.counts("1s").values()) == 4, "the counts are there")
        for away, back in ((lambda: self.store.signal(signal.SIGSTOP), lambda: self.store.signal(signal.SIGCONT)),
                           (self.store.kill, self.store.start)):
            time.sleep(0.15)  # what was just answered is kept
            away()
            for path in ("/counts/1s", "/counts/10ms?last=3", "/live?10ms=3&nodes=1", "/nodes", "/reports", "/reports/x/1min"):
                answer = serve.request("GET", path)
                self.assertEqual(answer.status, 503, path)
                self.assertRegex(answer.text, rf"\Aredis 127\.0\.0\.1:{self.store.port}: .+\n\Z")
            health = serve.request("GET", "/healthz")
            self.assertEqual((health.status, health.json["status"]), (503, "redis away"))
            begun = time.monotonic()
            for _ in range(20):
                serve.request("GET", "/counts/1s")
            self.assertLess(time.monotonic() - begun, 20 * 0.3)  # nobody waits for it again
            back()
            wait_until(lambda: serve.request("GET", "/healthz").status == 200, serve.log)
            wait_until(lambda: serve.request("GET", "/counts/1s").status == 200, serve.log)
        wait_until(lambda: sum(serve.counts("1s").values()) == 4, "the node has sent all of it again")

    def test_a_wrong_password_is_said_before_anybody_asks(self):
        self.store.do("CONFIG", "SET", "requirepass", "right")
        serve = Serve(self.place, name="serve", redis=self.store, env={"AFORO_REDIS_PASSWORD": "wrong"})
        serve.spawn()
        why = f'level=warn msg="Redis cannot be read" error="redis 127.0.0.1:{self.store.port}: '
        wait_until(lambda: why in serve.log(), serve.log)
        time.sleep(1)  # it tries on, and says it once
        self.assertEqual(serve.log().count("Redis cannot be read"), 1, serve.log())
        self.assertNotIn("wrong", serve.log().replace("WRONGPASS", ""))
        self.store.pipeline([("AUTH", "right"), ("CONFIG", "SET", "requirepass", "wrong")])
        wait_until(lambda: serve.request("GET", "/nodes").status == 200, serve.log)

    def test_it_starts_before_redis_does(self):
        self.store.kill()
        serve = Serve(self.place, name="serve", redis=self.store)
        serve.spawn()
        wait_until(lambda: "listening" in serve.log(), serve.log)
        self.assertEqual(serve.request("GET", "/nodes").status, 503)
        self.store.start()
        wait_until(lambda: serve.request("GET", "/nodes").status == 200, serve.log)

    def test_a_hundred_viewers_cost_redis_no_more_than_a_hundred_milliseconds_allow(self):
        node, serve = self.node("n-1"), self.serve()
        self.send(node, [now_us()] * 3)
        now = now_us() // SECOND * 1000 + 500

        def view():
            for path in (f"/counts/10ms?from={now - 9000}&to={now + 1000}&partial=1&format=csv", "/nodes"):
                self.assertEqual(serve.request("GET", path).status, 200)
        wait_until(lambda: "n-1" in serve.nodes(), serve.nodes)  # Redis looks through all nodes for a new one
        time.sleep(0.25)  # what was read before is not kept any more
        self.store.do("CONFIG", "RESETSTAT")
        begun = time.monotonic()
        for _ in range(100):
            view()
        rounds = (time.monotonic() - begun) / 0.1 + 1
        reads = sum(int(n) for n in re.findall(r"cmdstat_(?:exists|hgetall):calls=(\d+)", self.store.do("INFO", "commandstats")))
        # of eleven seconds an EXISTS each, and one HGETALL for the nodes; the nodes themselves ask for neither
        self.assertLessEqual(reads, rounds * (11 + 1))
        self.assertGreaterEqual(reads, 12)

    def test_a_hundred_pages_cost_redis_no_more_than_one(self):
        """A round of a page is one question; of those that ask it within 100 ms one is read for."""
        node, serve = self.node("n-1"), self.serve()
        self.send(node, [now_us()] * 3)
        paths = ("/live?10ms=211&1s=76&1min=121&nodes=1", "/live?10ms=211")

        def cost(pages):
            """Commands of so many pages, a round each, and how many rounds' time that took."""
            time.sleep(0.25)  # what was read before is not kept any more
            self.store.do("CONFIG", "RESETSTAT")
            begun, made = time.monotonic(), set()
            for path in paths:
                for _ in range(pages):
                    answer = serve.request("GET", path)
                    self.assertEqual(answer.status, 200)
                    made.add((path, answer.json["time_ms"]))
            took = (time.monotonic() - begun) / 0.1
            calls = re.findall(r"cmdstat_(?:exists|hgetall):calls=(\d+)", self.store.do("INFO", "commandstats"))
            return sum(map(int, calls)), len(made), took

        one, made, _ = cost(1)
        self.assertEqual(made, 2)
        self.assertGreater(one, 0)
        hundred, made, took = cost(100)
        # as many answers as there were tenths of a second, and one more a question
        self.assertLessEqual(made, took + len(paths))
        self.assertLessEqual(hundred, one * (took + 1))

    def test_metrics_are_one_snapshot_of_each_node(self):
        node, serve = self.node("n-1"), self.serve("--redis-timeout", "300ms")
        node.post_lines([text_time(now_us())] * 3 + ["yesterday"])
        wait_until(lambda: serve.nodes().get("n-1", {}).get("received") == 4, serve.nodes)
        text = wait_until(lambda: "\naforo_fleet_redis_up 1\n" in (text := serve.request("GET", "/metrics").text) and text, serve.log)
        for line in ("aforo_fleet_redis_up 1", 'aforo_fleet_node_up{node="n-1"} 1',
                     'aforo_fleet_events_received_total{node="n-1"} 4', 'aforo_fleet_events_counted_total{node="n-1"} 3',
                     'aforo_fleet_events_refused_total{node="n-1",reason="malformed"} 1'):
            self.assertIn(f"\n{line}\n", text)
        if shutil.which("promtool"):
            checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=TIMEOUT_S)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""))
        self.store.kill()
        wait_until(lambda: "\naforo_fleet_redis_up 0\n" in serve.request("GET", "/metrics").text, serve.log)
        self.assertNotIn("node=", serve.request("GET", "/metrics").text)

    def test_reports_are_those_of_all(self):
        reports = self.place.dir / "reports.yaml"
        reports.write_text("fields: {route: {from: [line.route]}}\n"
                           "reports: [{name: routes, by: [route], windows: [1min], show: [count]}]\n")
        nodes = [self.node(f"n-{i}", "--reports", reports) for i in range(2)]
        serve = self.serve()
        for node in nodes:
            node.post_lines([text_time(now_us()) + " route=/a"] * 2)
        path = "/reports/routes/1min?partial=1&where=route%3D/a"
        wait_until(lambda: sum(int(n) for n in re.findall(r"count=(\d+)", serve.request("GET", path).text)) == 4,
                   lambda: serve.request("GET", path).text)
        self.assertEqual([report["name"] for report in serve.request("GET", "/reports").json["reports"]], ["routes"])
        for path, status in (("/reports/no/1min", 404), ("/reports/routes/1h", 404), ("/reports/routes/1min?top=x", 400),
                             ("/reports/routes/1min?by=count", 400), ("/reports/routes/1min?where=a%3Db", 400),
                             ("/reports?format=csv", 400), ("/nodes?x=1", 400), ("/nowhere", 404), ("/events", 404),
                             ("/stats", 404)):
            self.assertEqual(serve.request("GET", path).status, status, path)
        self.assertEqual(serve.request("POST", "/", "value=1").status, 405)

    def test_a_report_costs_redis_once_in_a_hundred_milliseconds(self):
        reports = self.place.dir / "reports.yaml"
        reports.write_text("fields: {route: {from: [line.route]}}\n"
                           "reports: [{name: routes, by: [route], windows: [1min], show: [count]}]\n")
        node, serve = self.node("n-1", "--reports", reports), self.serve()
        node.post_lines([text_time(now_us()) + " route=/a"] * 2)
        path = "/reports/routes/1min?last=1&partial=1"
        wait_until(lambda: "count=2" in serve.request("GET", path).text, lambda: serve.request("GET", path).text)
        time.sleep(0.15)  # what was just answered is kept
        node.signal(signal.SIGSTOP)  # once a second it compares with Redis, which takes HMGET, too
        self.addCleanup(node.signal, signal.SIGCONT)
        commands = self.commands_of(lambda: serve.request("GET", path))
        self.assertGreater(commands, 0)
        begun = time.monotonic()
        read = self.commands_of(lambda: [serve.request("GET", path) for _ in range(100)])
        self.assertLessEqual(read, commands * ((time.monotonic() - begun) / 0.1 + 1))
        # another question is not answered with this one's answer
        self.assertIn("count=2", serve.request("GET", path + "&where=route%3D/a").text)
        self.assertNotIn("count=2", serve.request("GET", path + "&where=route%3D/b").text)

    def commands_of(self, act):
        """How many commands that read rows of reports Redis gets meanwhile; nodes send some of these as well."""
        self.store.do("CONFIG", "RESETSTAT")
        act()
        return sum(int(n) for n in re.findall(r"cmdstat_(?:hmget|hscan):calls=(\d+)", self.store.do("INFO", "commandstats")))

    def test_measures_of_ones_own_show_where_the_definitions_are_named(self):
        reports = self.place.dir / "reports.yaml"
        reports.write_text(f"measures: [{BIN.parent}/measures/fixed.so]\nfields: {{x: {{type: int}}}}\n"
                           "reports: [{name: own, windows: [1min], show: [count, crashing(x)]}]\n")
        node, path = self.node("n-1", "--reports", reports), "/reports/own/1min?last=1&partial=1&format=json"
        serve = self.serve("--reports", reports)
        node.post_lines([text_time(now_us()) + f" x={x}" for x in (3, 4)])

        def values(server):
            answer = server.request("GET", path)
            return answer.json["rows"][0]["values"] if answer.status == 200 and answer.json["rows"] else None
        wait_until(lambda: values(serve) == {"count": 2, "crashing(x)": 7}, lambda: values(serve))
        self.assertEqual(serve.stop(), 0)
        without = Serve(self.place, name="serve2", redis=self.store).start()
        wait_until(lambda: values(without) == {"count": 2, "crashing(x)": None}, lambda: values(without))

    def test_tokens_headers_and_rates(self):
        tokens = self.place.dir / "tokens"
        tokens.write_text("reader-0123456789\n")
        tokens.chmod(0o600)
        serve = self.serve("--read-token-file", tokens, "--limit-per-client", "30/s")
        bearer = {"Authorization": "Bearer reader-0123456789"}
        self.assertEqual(serve.request("GET", "/nodes").status, 401)
        self.assertEqual(serve.request("GET", "/nodes", headers=bearer).status, 200)
        cookies = {**bearer, "Cookie": "; ".join(f"c{i}={'x' * 100}" for i in range(80))}  # 8 KiB
        self.assertEqual(serve.request("GET", "/nodes", headers=cookies).status, 200)
        answers, took = set(), 2
        while took > 1 and 429 not in answers:  # 60 in a second are more than 30 a second and those of a second before
            begun = time.monotonic()
            answers = {serve.request("GET", "/nodes", headers=bearer).status for _ in range(62)}
            took = time.monotonic() - begun
        self.assertIn(429, answers)

    def test_wrong_usage(self):
        for words, why in ((["serve"], "serve: which Redis? --redis URL, or AFORO_REDIS"),
                           (["serve", "--redis", "nowhere"], r"serve: --redis: .+"),
                           (["serve", "--redis", "redis://h", "--listen", "x"], r"serve: --listen: .+"),
                           (["serve", "--redis", "redis://h", "--reports", "/nowhere"],
                            "serve: --reports: /nowhere: No such file or directory"),
                           (["serve", "--redis", "redis://h", "x"], "serve: x: unexpected argument; see --help"),
                           (["--last", "3", "serve"], "serve: comes before all else: aforo serve --redis URL")):
            done = subprocess.run([BIN / "aforo", *words], capture_output=True, text=True, env=environment(), timeout=TIMEOUT_S)
            self.assertEqual(done.returncode, 2, words)
            self.assertRegex(done.stderr, rf"\Aaforo: {why}\n\Z".replace("?", r"\?") if "which" in why else rf"\Aaforo: {why}\n\Z")


if __name__ == "__main__":
    unittest.main()
