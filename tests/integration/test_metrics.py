"""GET /metrics: one snapshot a scrape, in both formats, for those who may read; and what promtool says of it."""

import re
import shutil
import subprocess
import threading
import time
import unittest

from support import ROOT, TIMEOUT_S, Case, now_us, text_time, wait_until

PAGE = ROOT / "docs" / "seeing.md"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
TYPES = {None: "text/plain; version=0.0.4; charset=utf-8", OPENMETRICS: "application/openmetrics-text; version=1.0.0; charset=utf-8"}
SAMPLE = re.compile(r'([a-z_]+)(\{[^}]*\})? (\S+)')


def scrape(server, path="/metrics", accept=None, **headers):
    answer = server.request("GET", path, headers={**({"Accept": accept} if accept else {}), **headers})
    return answer


def samples(text):
    """{name with its labels: value} of a scrape in either format; each sample is there once."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            name = match[1] + (match[2] or "")
            assert name not in found, f"{name} twice"
            found[name] = float(match[3])
    return found


def refused(found):
    return sum(value for name, value in found.items() if name.startswith("aforo_events_refused_total"))


class Metrics(Case):
    def test_every_scrape_under_load_is_one_snapshot(self):
        server = self.server(threads=2)
        ending = threading.Event()

        def load(body):
            while not ending.is_set():
                server.post_lines([body() if i % 3 else "nonsense" for i in range(50)])
        threads = [threading.Thread(target=load, args=(lambda: text_time(now_us()),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            seen = []
            for i in range(200):
                found = samples(scrape(server, accept=OPENMETRICS if i % 2 else None).text)
                self.assertEqual(found["aforo_events_received_total"], found["aforo_events_counted_total"] + refused(found))
                seen.append(found["aforo_events_received_total"])
        finally:
            ending.set()
            for thread in threads:
                thread.join(TIMEOUT_S)
        self.assertEqual(seen, sorted(seen))
        self.assertGreater(seen[-1], seen[0], "events came meanwhile")

    def test_the_numbers_are_those_of_stats(self):
        server = self.server()
        for body in (f"value={text_time(now_us() - 3_000_000)}", "value=x", "value=2016-05-28 11:11:11"):
            server.post(body)
        server.post_lines(["nonsense"])
        stats, found = server.stats(), samples(scrape(server).text)
        self.assertEqual(found["aforo_events_received_total"], stats["received"])
        self.assertEqual(found["aforo_events_counted_total"], 1)
        for reason, n in stats["refused"].items():
            self.assertEqual(found[f'aforo_events_refused_total{{reason="{reason}"}}'], n)
        self.assertEqual(found['aforo_http_responses_total{class="4xx",listener="events"}'], 2)
        self.assertEqual(found['aforo_batches_refused_total{listener="events"}'], 1)
        self.assertEqual(found["aforo_event_lag_seconds_count"], sum(worker["lag_events"] for worker in stats["workers"]))
        self.assertEqual((found['aforo_event_lag_seconds_bucket{le="2.5"}'], found['aforo_event_lag_seconds_bucket{le="5.0"}']), (0, 1))
        self.assertGreater(found["aforo_request_seconds_count"], 0)
        self.assertGreater(found["process_open_fds"], 5)
        self.assertLess(abs(found["process_start_time_seconds"] - time.time()), 60)
        self.assertIn(f'aforo_node_info{{node="{stats["node"]}"}}', found)

    def test_it_has_the_formats_form(self):
        server = self.server()
        for accept, form in TYPES.items():
            answer = scrape(server, accept=accept)
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, form))
            self.assertEqual(answer.text.endswith("# EOF\n"), accept is not None)
            families = re.findall(r"^# TYPE (\S+)", answer.text, re.M)
            self.assertEqual(len(families), len(set(families)))
        self.assertEqual(samples(scrape(server).text).keys(), samples(scrape(server, accept=OPENMETRICS).text).keys())
        self.assertEqual(server.request("HEAD", "/metrics").status, 200)
        self.assertEqual(server.request("GET", "/metrics?format=text").status, 400)
        self.assertEqual(server.request("POST", "/metrics").status, 405)

    def test_who_may_read_it(self):
        tokens = self.place.dir / "readers"
        tokens.write_text("reader-0123456789\n")
        tokens.chmod(0o600)
        port = self.place.port()
        server = self.server("--read-token-file", tokens, "--admin-listen", f"127.0.0.1:{port}")
        token = {"Authorization": "Bearer reader-0123456789"}
        self.assertEqual(scrape(server, **token).status, 404)
        server.port = port
        self.assertEqual(scrape(server).status, 401)
        answer = scrape(server, **token)
        self.assertEqual(answer.status, 200)
        self.assertIn('aforo_connections{listener="admin"} 1\n', answer.text)
        server.kill()

    def test_how_long_until_redis_has_an_event(self):
        redis = self.redis()
        server = self.server("--flush-interval", "50ms", redis=redis)
        for _ in range(20):
            server.post("")
            server.post_lines([text_time(now_us())])
            time.sleep(0.013)
        found = wait_until(lambda: (lambda s: s["aforo_visible_seconds_count"] >= 40 and s)(samples(scrape(server).text)),
                           "40 events are visible")
        self.assertGreater(found["aforo_visible_seconds_sum"], 0)
        self.assertGreater(found["aforo_flush_seconds_count"], 0)
        self.assertEqual((found["aforo_store_connected"], found["aforo_store_may_evict"]), (1, 0))
        redis.kill()
        wait_until(lambda: samples(scrape(server).text)["aforo_store_connected"] == 0, "Redis is away")
        server.post("")
        self.assertEqual(samples(scrape(server).text)["aforo_visible_seconds_count"], found["aforo_visible_seconds_count"])
        time.sleep(0.5)
        redis.start()
        late = wait_until(lambda: (lambda s: s["aforo_visible_seconds_count"] > found["aforo_visible_seconds_count"] and s)(
            samples(scrape(server).text)), "the one that waited is visible, too")
        self.assertGreater(late["aforo_visible_seconds_sum"] - found["aforo_visible_seconds_sum"], 0.5)

    def test_reports_have_their_own(self):
        definitions = self.place.dir / "reports.yaml"
        definitions.write_text("fields: {client: {type: int}}\nreports: [{name: visits, by: [client], windows: [1s], show: [count]}]\n")
        server = self.server("--reports", definitions)
        server.post(f"value={text_time(now_us())}&client=7")
        server.post(f"value={text_time(now_us())}&client=x")
        found = samples(scrape(server).text)
        self.assertEqual(found['aforo_report_rows{report="visits"}'], 1)
        self.assertEqual(found['aforo_report_unfit_events_total{report="visits",field="client"}'], 1)
        self.assertEqual(found["aforo_reports_not_read_again"], 0)
        definitions.write_text("reports: nonsense\n")
        server.signal(1)  # SIGHUP
        wait_until(lambda: samples(scrape(server).text)["aforo_reports_not_read_again"] == 1, "the mistake is told")

    def test_the_page_lists_every_family(self):
        definitions = self.place.dir / "reports.yaml"
        definitions.write_text("fields: {client: {type: int}}\nreports: [{name: visits, by: [client], windows: [1s], show: [count]}]\n")
        server = self.server("--reports", definitions, redis=self.redis())
        wait_until(lambda: "aforo_store_last_flush_age_seconds" in scrape(server).text, "it has flushed")
        told = dict(re.findall(r"^# HELP (\S+) (.*)\.$", scrape(server).text, re.M))
        self.assertEqual(dict(re.findall(r"^\| `((?:aforo|process)_\w+)` \| [^|]*\| (.*) \|$", PAGE.read_text(), re.M)), told)

    def test_what_the_redis_is_like(self):
        server = self.server(redis=self.redis("--maxmemory-policy", "allkeys-lru"))
        wait_until(lambda: samples(scrape(server).text)["aforo_store_may_evict"] == 1, "it may evict")


@unittest.skipUnless(shutil.which("promtool"), "promtool is not installed (package prometheus)")
class Promtool(Case):
    def test_it_finds_nothing(self):
        definitions = self.place.dir / "reports.yaml"
        definitions.write_text("reports: [{name: all, windows: [1s], show: [count]}]\n")
        server = self.server("--reports", definitions, "--admin-listen", f"127.0.0.1:{self.place.port()}", redis=self.redis())
        server.port = int(str(server.flags[-1]).rsplit(":", 1)[1])
        wait_until(lambda: "aforo_store_last_flush_age_seconds" in scrape(server).text, "it has flushed")
        done = subprocess.run(["promtool", "check", "metrics"], input=scrape(server).text, capture_output=True, text=True,
                              timeout=TIMEOUT_S, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
