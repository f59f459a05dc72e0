"""Rows that are large or many in one window, at Redis: read back whole, missed when a part of them vanishes, sums that are too large."""

import json
import shutil
import unittest

from support import Case, now_us, text_time, wait_until
from support.console import aforo

HOUR = 3_600_000_000


class Large(Case):
    def setUp(self):
        super().setUp()
        self.definitions = self.place.dir / "reports.yaml"
        self.store = self.redis()
        self.at = now_us()
        if self.at % HOUR < HOUR // 60:  # all of it in one hour, which the horizon still has
            self.at -= HOUR // 30

    def node(self, name):
        return self.server("--reports", self.definitions, "--node-id", name, redis=self.store, name=name)

    def send(self, server, events):
        lines = "".join(json.dumps({"time": text_time(self.at), **event}) + "\n" for event in events)
        answer = server.request("POST", "/events", lines, {"Content-Type": "application/x-ndjson"})
        self.assertEqual((answer.status, answer.json["accepted"]), (200, len(events)), answer.text)

    def rows(self):
        """{key: values} at Redis."""
        status, out, err = aforo("report", "large", "--window", "1h", "--partial", "--format", "json", "--redis", self.store.url)
        rows = json.loads(out)["rows"] if status == 0 and out else []
        return {(row.get("key") or {}).get("k"): row["values"] for row in rows} or err

    def wait_rows(self, holds):
        wait_until(lambda: isinstance(self.rows(), dict) and holds(self.rows()), self.rows)

    def test_a_row_that_is_more_than_one_transaction_is_read_back(self):
        self.definitions.write_text("fields: {a: , b: , c: , n: {type: int}}\nreports:\n"
                                    "  - {name: large, windows: [1h], show: [count, distinct(a), distinct(b), p50(n), distinct(c), digest]}\n")
        server = self.node("n-1")

        def events(first, last):
            return [{"a": f"a{i}", "b": f"b{i}", "c": f"c{i}", "n": i} for i in range(first, last)]
        for first in range(0, 6000, 2000):
            self.send(server, events(first, first + 2000))
        self.wait_rows(lambda rows: None in rows and rows[None]["count"] == 6000)
        before = self.rows()[None]
        server.stop()
        shutil.rmtree(server.state)
        server.start()
        self.send(server, events(6000, 6500))
        self.wait_rows(lambda rows: rows[None]["count"] == 6500)
        after = self.rows()[None]
        self.assertNotEqual(after["digest"], before["digest"])
        for name, share in (("distinct(a)", 0.03), ("distinct(b)", 0.03), ("distinct(c)", 0.03)):
            self.assertAlmostEqual(after[name], 6500, delta=6500 * share)
        self.assertAlmostEqual(after["p50(n)"], 3250, delta=3250 * 0.012)
        self.assertEqual(aforo("report", "large", "--window", "1h", "--partial", "--server", f"http://127.0.0.1:{server.port}")[1],
                         aforo("report", "large", "--window", "1h", "--partial", "--redis", self.store.url)[1])
        self.assertNotIn("cannot be read back", server.log())

    def test_what_vanished_of_a_late_row_of_a_window_is_sent_again_by_all(self):
        self.definitions.write_text("fields: {k: , c: }\nreports:\n"
                                    "  - {name: large, by: [k], windows: [1h], show: [count, distinct(c)], memory: 128MiB}\n")
        nodes = [self.node("n-1"), self.node("n-2")]
        keys = [f"k{i:06d}" for i in range(300)]
        for node, name, n in ((nodes[0], "a", 5), (nodes[1], "b", 7)):
            self.send(node, [{"k": key, "c": f"{name}{i}"} for key in keys for i in range(n)])
        self.wait_rows(lambda rows: len(rows) == 300 and all(row == {"count": 12, "distinct(c)": 12} for row in rows.values()))
        lost, = (name for name in self.store.do("KEYS", "aforo:2:r:{large.*") if keys[290] in name)
        self.store.do("DEL", lost)
        self.send(nodes[0], [{"k": key, "c": "a0"} for key in keys])
        self.wait_rows(lambda rows: all(row == {"count": 13, "distinct(c)": 12} for row in rows.values()))

    def test_a_sum_of_all_nodes_that_is_too_large_is_no_figure_and_hides_no_other(self):
        self.definitions.write_text("fields: {k: , n: {type: int}}\nreports:\n"
                                    "  - {name: large, by: [k], windows: [1h], show: [count, sum(n), avg(n), max(n)]}\n")
        huge = 9007199254740000
        for name in ("n-1", "n-2"):
            self.send(self.node(name), [{"k": "x", "n": huge}, {"k": "y", "n": 5}, {"k": "round", "n": 100_000_000}])
        self.wait_rows(lambda rows: [row["count"] for row in rows.values()] == [2] * 3)
        rows = self.rows()
        self.assertEqual(rows["x"], {"count": 2, "sum(n)": None, "avg(n)": None, "max(n)": huge})
        self.assertEqual(rows["y"], {"count": 2, "sum(n)": 10, "avg(n)": 5, "max(n)": 5})
        self.assertEqual(rows["round"]["sum(n)"], 200_000_000)


if __name__ == "__main__":
    unittest.main()
