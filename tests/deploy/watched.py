"""A real Prometheus scrapes three nodes of aforo, with the rules that are shipped: their alerts fire when Redis is killed, a node dies
and events come late, and end after. Its intervals, and those of a copy of the rules, are short, so that it takes seconds."""

import json
import pathlib
import re
import shutil
import sys
import unittest
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from programs import Place, Program, now_us, text_time, wait_until  # noqa: E402

RULES = ROOT / "deploy" / "prometheus" / "aforo.rules.yml"
SCRAPE = "250ms"
LOOKS_BACK = "3s"
TIMEOUT_S = 60


class Prometheus(Program):
    def __init__(self, place, targets):
        self.port = place.port()
        home = place.dir / "prometheus"
        home.mkdir()
        rules = re.sub(r"\[\d+[mh]\]", f"[{LOOKS_BACK}]", RULES.read_text())
        (home / "aforo.rules.yml").write_text(re.sub(r"for: \d+[sm]", "for: 0s", rules))
        (home / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE},
            "rule_files": ["aforo.rules.yml"],
            "scrape_configs": [{"job_name": "aforo", "static_configs": [{"targets": targets}]}]}))
        super().__init__(place, "prometheus", [
            "prometheus", f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={home}/data",
            f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn", "--query.lookback-delta=2s"])

    def ask(self, path, **arguments):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            return json.load(answer)["data"]

    def answers(self):
        try:
            return self.ask("status/buildinfo")
        except OSError:
            return False

    def value(self, query):
        """Of a query with one sample; None: it has none."""
        found = self.ask("query", query=query)["result"]
        return float(found[0]["value"][1]) if found else None

    def firing(self):
        return {(alert["labels"]["alertname"], alert["labels"].get("instance")) for alert in self.ask("alerts")["alerts"]
                if alert["state"] == "firing"}


@unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed (package prometheus)")
class Watched(unittest.TestCase):
    def setUp(self):
        self.place = Place()
        self.addCleanup(self.place.close)
        self.redis = self.place.redis("--appendonly", "yes").start()
        self.nodes = [self.place.server("--flush-interval", "50ms", name=f"node{i}", redis=self.redis, threads=1).start()
                      for i in range(3)]
        self.at = [f"127.0.0.1:{node.port}" for node in self.nodes]
        self.prometheus = Prometheus(self.place, self.at)
        self.prometheus.spawn()
        wait_until(self.prometheus.answers, lambda: f"Prometheus answers\n{self.prometheus.log()}", TIMEOUT_S, 0.1)
        self.wait_value("sum(aforo_store_connected)", 3)

    def wait_value(self, query, wanted):
        wait_until(lambda: self.prometheus.value(query) == wanted, lambda: f"{query} is {self.prometheus.value(query)}, not {wanted}",
                   TIMEOUT_S, 0.1)

    def wait_alerts(self, alert, instances):
        """Until that alert fires for these nodes alone."""
        def those():
            return {at for name, at in self.prometheus.firing() if name == alert} == set(instances)
        wait_until(those, lambda: f"{alert} fires of {instances}: {self.prometheus.firing()}", TIMEOUT_S, 0.1)
        print(f"  {alert:<20} {'fires: ' + ', '.join(sorted(instances)) if instances else 'ends'}", flush=True)

    def late(self, node, by_us):
        for _ in range(20):
            self.assertEqual(node.post(f"value={text_time(now_us() - by_us)}").status, 204)

    def test_alerts_fire_and_end(self):
        for node in self.nodes:
            node.post_lines([text_time(now_us())] * 100)
        self.wait_value("sum(aforo_events_counted_total)", 300)
        self.wait_value("sum(aforo_events_received_total) - sum(aforo_events_counted_total) - sum(aforo_events_refused_total)", 0)
        self.wait_value("min(aforo_visible_seconds_count) > bool 0", 1)
        wait_until(lambda: not self.prometheus.firing(), lambda: f"nothing fires: {self.prometheus.firing()}", TIMEOUT_S, 0.1)

        self.redis.kill()
        self.wait_alerts("AforoStoreAway", self.at)
        self.redis.start()
        self.wait_alerts("AforoStoreAway", [])

        self.nodes[1].kill()
        self.wait_alerts("AforoDown", self.at[1:2])
        self.nodes[1].start()
        self.wait_alerts("AforoDown", [])

        def late_fires():
            self.late(self.nodes[2], 600_000_000)
            return ("AforoEventsLate", self.at[2]) in self.prometheus.firing()
        wait_until(late_fires, lambda: f"AforoEventsLate fires: {self.prometheus.firing()}", TIMEOUT_S, 0.2)
        self.wait_alerts("AforoEventsLate", self.at[2:])
        self.wait_alerts("AforoEventsLate", [])
        wait_until(lambda: not self.prometheus.firing(), lambda: f"all has ended: {self.prometheus.firing()}", TIMEOUT_S, 0.1)


if __name__ == "__main__":
    unittest.main()
