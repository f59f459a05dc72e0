"""deploy/prometheus: every row of "What to watch" has its alert, each alert says what a person needs, and each fires when it should
and not when all is well (promtool test rules)."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "aforo.rules.yml"
TIMEOUT_S = 60
NODE = 'instance="a:8080",job="aforo"'

# What /metrics tells of a server that is well, and is up for long: family with its labels -> a series as promtool writes them.
WELL = {
    "up": "1x60", "aforo_store_configured": "1x60", "aforo_store_connected": "1x60", "aforo_store_may_evict": "0x60",
    "aforo_store_node_copy": "0x60", "aforo_store_lease_elsewhere": "0x60", "aforo_store_lag_seconds": "0x60",
    "aforo_horizon_seconds": "3600x60", "aforo_store_errors_total": "0x60", "aforo_store_losses_total": "0x60",
    "aforo_store_resends_total": "1x60", "aforo_store_too_late_events_total": "0x60", "process_start_time_seconds": "-100000x60",
    "aforo_event_log_dropped_total": "0x60", "aforo_event_log_waiting_files": "0 1 0 0 2 0x55", "aforo_state_file_gone": "0x60",
    "aforo_state_file_unwritten": "0x60", "aforo_start_repaired": "1x60", "aforo_start_rebuilt": "1x60", "aforo_start_measure_crashed": "1x60",
    "aforo_clock_counts_ahead_seconds": "0x60", 'aforo_clock_steps_total{direction="back",listener="events"}': "0x60",
    'aforo_connections_refused_total{limit="max_connections",listener="events"}': "3x60",
    'aforo_connections_too_slow_total{listener="events"}': "3x60", "aforo_events_received_total": "0+1000x60",
    'aforo_events_refused_total{reason="too_late"}': "4x60", 'aforo_events_refused_total{reason="malformed"}': "4x60",
    'aforo_events_refused_total{reason="too_large"}': "4x60", 'aforo_events_refused_total{reason="not_kept"}': "0x60",
    'aforo_batches_refused_total{listener="events"}': "1x60", 'aforo_event_lag_seconds_bucket{le="0.1"}': "0+1000x60",
    'aforo_event_lag_seconds_bucket{le="100.0"}': "0+1000x60", 'aforo_event_lag_seconds_bucket{le="+Inf"}': "0+1000x60",
    'aforo_report_unfit_events_total{report="r",field="f"}': "2x60", 'aforo_report_other_events_total{report="r"}': "2x60",
    'aforo_report_gone_events_total{report="r"}': "0x60", "aforo_reports_not_read_again": "0x60", "aforo_reports_set_aside": "0x60",
}
GROWS = "0x20 0+1x40"
BEGINS = "0x20 1x40"
NEW = "-100000x20 1200x40"
# What is different when each alert has to fire, which it does after half an hour at the latest.
ILL = {
    "AforoStoreAway": {"aforo_store_connected": "1x20 0x40"},
    "AforoStoreLags": {"aforo_store_lag_seconds": "0x20 11x40"},
    "AforoStoreLagsUrgently": {"aforo_store_lag_seconds": "0x20 1801x40"},
    "AforoStoreErrors": {"aforo_store_errors_total": GROWS},
    "AforoStoreMayEvict": {"aforo_store_may_evict": BEGINS},
    "AforoStoreLosses": {"aforo_store_losses_total": BEGINS},
    "AforoStoreResends": {"aforo_store_resends_total": "1x20 2x40"},
    "AforoStoreTooLate": {"aforo_store_too_late_events_total": "0x20 5x40"},
    "AforoNodeCopied": {"aforo_store_node_copy": BEGINS},
    "AforoLeaseElsewhere": {"aforo_store_lease_elsewhere": BEGINS},
    "AforoDown": {"up": "1x20 0x40"},
    "AforoRestarts": {"process_start_time_seconds": "0x20 1200 1260 1320 1380 1380x36"},
    "AforoEventLogDrops": {"aforo_event_log_dropped_total": GROWS},
    "AforoEventLogWaits": {"aforo_event_log_waiting_files": "0x15 0+1x45"},
    "AforoStateFileGone": {"aforo_state_file_gone": BEGINS},
    "AforoStateFileUnwritten": {"aforo_state_file_unwritten": BEGINS},
    "AforoDownUnsent": {"up": "1x20 0x40", "aforo_store_lag_seconds": "0x15 40x5"},
    "AforoKilled": {"process_start_time_seconds": NEW}, "AforoStateRebuilt": {"process_start_time_seconds": NEW},
    "AforoCountsAhead": {"aforo_clock_counts_ahead_seconds": "0x20 3600x40"},
    "AforoConnectionsRefused": {'aforo_connections_refused_total{limit="max_connections",listener="events"}': GROWS},
    "AforoConnectionsTooSlow": {'aforo_connections_too_slow_total{listener="events"}': GROWS},
    "AforoNoServer": {"up": "1x20 0x40"},
    "AforoTimesRefused": {'aforo_events_refused_total{reason="too_late"}': GROWS},
    "AforoMalformed": {'aforo_events_refused_total{reason="malformed"}': GROWS},
    "AforoTooLarge": {'aforo_events_refused_total{reason="too_large"}': GROWS},
    "AforoBatchesRefused": {'aforo_batches_refused_total{listener="events"}': GROWS},
    "AforoEventsLate": {'aforo_event_lag_seconds_bucket{le="0.1"}': "0+1000x20 20000+900x40"},
    "AforoReportUnfit": {'aforo_report_unfit_events_total{report="r",field="f"}': GROWS},
    "AforoReportOther": {'aforo_report_other_events_total{report="r"}': GROWS},
    "AforoReportGone": {'aforo_report_gone_events_total{report="r"}': BEGINS},
    "AforoReportsNotRead": {"aforo_reports_not_read_again": BEGINS},
    "AforoMeasureCrashed": {"process_start_time_seconds": NEW},
    "AforoReportsSetAside": {"aforo_reports_set_aside": BEGINS},
}


def alerts():
    """{name: {what is said of it}} of the rules."""
    found = {}
    for part in RULES.read_text().split("- alert: ")[1:]:
        name, rest = part.split("\n", 1)
        found[name] = dict(re.findall(r"^ +(\w+): (.*)$", rest, re.M))
    return found


def rows():
    """[(heading, alarm, [alerts])] of "What to watch"."""
    part = (ROOT / "docs" / "operate.md").read_text().split("\n## What to watch\n")[1].split("\n## ")[0]
    found = []
    for section in part.split("\n### ")[1:]:
        heading = section.split("\n")[0].lower().replace(" ", "-")
        for line in re.findall(r"^\| (.*) \|$", section, re.M)[2:]:
            cells = line.split(" | ")
            found.append((heading, cells[0], re.findall(r"`(Aforo\w+)`", cells[-1])))
    return found


def series(changed=None):
    """promtool's input series of a server that is well, but for what changed."""
    found = []
    for name, values in {**WELL, **(changed or {})}.items():
        family, _, labels = name.partition("{")
        labels = f"{NODE},{labels[:-1]}" if labels else NODE
        found.append({"series": f"{family}{{{labels}}}", "values": values})
    return found


class Rules(unittest.TestCase):
    def test_each_row_of_what_to_watch_has_its_alert(self):
        known, named = alerts(), set()
        self.assertGreater(len(rows()), 30)
        for heading, alarm, names in rows():
            self.assertTrue(names, f"{alarm}: without an alert")
            for name in names:
                self.assertIn(name, known, alarm)
                self.assertEqual(known[name]["runbook_url"], f"docs/operate.md#{heading}" if name != "AforoKilled"
                                 else "docs/operate.md#the-server", alarm)
            named |= set(names)
        self.assertEqual(set(known) - named, set(), "alerts without a row")

    def test_each_says_what_a_person_needs(self):
        for name, said in alerts().items():
            for word in ("expr", "for", "labels", "summary", "description", "runbook_url"):
                self.assertIn(word, said, name)
            self.assertRegex(said["labels"], r"^\{severity: (critical|warning)\}$", name)

    def test_each_runbook_is_there(self):
        for name, said in alerts().items():
            page, _, anchor = said["runbook_url"].partition("#")
            headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.M)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            self.assertIn(anchor, anchors, f"{name}: {page}")

    def test_each_looks_at_families_that_there_are(self):
        page = (ROOT / "docs" / "seeing.md").read_text()
        families = set(re.findall(r"^\| `(\w+)`", page, re.M))
        families |= {"up"} | {f"{name}_bucket" for name in families}
        for name, said in alerts().items():
            for family in re.findall(r"\b((?:aforo|process)_\w+|up)\b(?=[{\[ )])", said["expr"]):
                self.assertIn(family, families, name)


class Dashboard(unittest.TestCase):
    def test_its_panels_look_at_families_that_there_are(self):
        page = (ROOT / "docs" / "seeing.md").read_text()
        families = set(re.findall(r"^\| `(\w+)`", page, re.M))
        families |= {"up", "ALERTS"} | {f"{name}_bucket" for name in families}
        board = json.loads((ROOT / "deploy" / "grafana" / "aforo.json").read_text())
        asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
        self.assertGreater(len(asked), 20)
        for expr in asked:
            for family in re.findall(r"\b(\w+)\{", expr):
                self.assertIn(family, families, expr)
        self.assertEqual(len({panel["id"] for panel in board["panels"]}), len(board["panels"]))


@unittest.skipUnless(shutil.which("promtool"), "promtool is not installed (package prometheus)")
class Promtool(unittest.TestCase):
    def promtool(self, *words):
        done = subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_it_finds_the_rules_sound(self):
        self.assertIn(f"SUCCESS: {len(alerts())} rules found", self.promtool("check", "rules", RULES))

    def test_it_finds_the_configuration_sound(self):
        self.promtool("check", "config", "--syntax-only", RULES.parent / "prometheus.yml")

    def test_each_fires_when_it_should_and_only_then(self):
        self.assertEqual(set(ILL), set(alerts()))
        well = {"name": "all is well", "interval": "1m", "input_series": series(),
                "promql_expr_test": [{"expr": 'ALERTS{alertstate="firing"}', "eval_time": "40m", "exp_samples": []}]}
        cases = [well]
        for name, changed in ILL.items():
            fires = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) >= bool 1'
            cases.append({"name": name, "interval": "1m", "input_series": series(changed), "promql_expr_test": [
                {"expr": fires, "eval_time": "19m", "exp_samples": []},
                {"expr": fires, "eval_time": "30m", "exp_samples": [{"labels": "{}", "value": 1}]}]})
        with tempfile.TemporaryDirectory(prefix="aforo-rules-") as scratch:
            path = pathlib.Path(scratch) / "test.json"
            path.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": cases}))
            self.promtool("test", "rules", path)


if __name__ == "__main__":
    unittest.main()
