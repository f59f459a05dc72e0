"""What nodes' bytes are made of, over several nodes: top and measures of one's own, merged by whoever reads, and the score boards
of top, which Redis itself can be asked for."""

import collections
import json
import os
import pathlib
import random
import signal
import unittest

from support import TIMEOUT_S, Case, now_us, text_time, wait_until
from support.console import aforo

MEASURES = pathlib.Path(os.environ["DEV_AFORO_BIN"]).parent / "measures"
MINUTE = 60_000_000
DEFINITIONS = f"""
measures: [{MEASURES}/fixed.so, {MEASURES}/ewma.so]
fields: {{x: {{type: int}}, k: , route: }}
reports:
  - {{name: own, by: [k], windows: [1min], show: [count, crashing(x), sum(x)]}}
  - {{name: rates, windows: [1min], show: [count, "ewma(60s)"]}}
  - {{name: routes, by: [k], windows: [1min], show: [top5(route), count]}}
"""


class Fleet(Case):
    def setUp(self):
        super().setUp()
        self.definitions = self.place.dir / "reports.yaml"
        self.definitions.write_text(DEFINITIONS)
        self.store = self.redis()
        self.nodes = [self.node("n-1"), self.node("n-2")]
        self.now = now_us() // MINUTE * MINUTE - 5 * MINUTE
        self.random = random.Random(17)
        self.routes = collections.Counter()  # (minute, k, route) -> events
        self.sums = collections.Counter()  # (minute, k) -> of x

    def node(self, name):
        return self.server("--reports", self.definitions, "--node-id", name, redis=self.store, name=name)

    def send_some(self, server, n, routes=20):
        lines = []
        for _ in range(n):
            us = self.now + self.random.randrange(2 * MINUTE)
            k, x, route = f"k{self.random.randrange(3)}", self.random.randrange(1000), f"/r{int(self.random.expovariate(1 / 4)) % routes}"
            lines.append(f"{text_time(us)} k={k} x={x} route={route}")
            self.routes[us // MINUTE, k, route] += 1
            self.sums[us // MINUTE, k] += x
        answer = server.post_lines(lines)
        self.assertEqual((answer.status, answer.json["accepted"]), (200, n), answer.text)

    def rows(self, report, *words):
        """{(minute, k): values}"""
        status, out, err = aforo("report", report, "--partial", "--from", text_time(self.now - MINUTE), "--format", "json", *words)
        if status == 1 and err.startswith("aforo: no report"):  # Redis has not been told of it yet
            return {}, err
        self.assertEqual(status, 0, err)
        return {(row["start"][:16], row["key"].get("k")): row["values"] for row in json.loads(out)["rows"]}, err

    def start(self, minute):
        return text_time(minute * MINUTE)[:16].replace(" ", "T")

    def boards(self):
        """{(minute, k): {route: score}} as Redis answers ZREVRANGE."""
        found = {}
        for key in self.store.do("KEYS", "aforo:2:r:{routes.*:top(route)*"):
            flat = self.store.do("ZREVRANGE", key, "0", "-1", "WITHSCORES")
            found[key.split(":1min:")[1][:16], key.split("\x1f")[1]] = dict(zip(flat[::2], map(int, flat[1::2])))
        return found

    def expected_boards(self):
        boards = collections.defaultdict(dict)
        for (minute, k, route), n in self.routes.items():
            boards[self.start(minute), k][route] = n
        return dict(boards)

    def wait_for_boards(self):
        wait_until(lambda: self.boards() == self.expected_boards(), lambda: f"{self.boards()}\n{self.expected_boards()}", TIMEOUT_S)

    def test_top_and_its_boards_are_those_of_all_nodes(self):
        for turn in range(6):
            self.send_some(self.nodes[turn % 2], 300)
        self.wait_for_boards()
        rows, _ = self.rows("routes", "--redis", self.store.url)
        for key, board in self.expected_boards().items():
            self.assertEqual(rows[key]["count"], sum(board.values()))
            shown = rows[key]["top5(route)"]
            self.assertEqual([(item["count"], item["error"]) for item in shown], [(n, 0) for n in sorted(board.values(), reverse=True)[:5]])
            self.assertTrue(all(board[item["value"]] == item["count"] for item in shown))
        # one node dies and comes again, and Redis loses everything, or boards alone
        self.nodes[0].signal(signal.SIGKILL)
        self.nodes[0].wait()
        self.send_some(self.nodes[1], 200)
        self.wait_for_boards()
        self.nodes[0].start()
        self.store.do("FLUSHALL")
        self.send_some(self.nodes[0], 200)
        self.wait_for_boards()
        for key in self.store.do("KEYS", "aforo:2:r:{routes.*:top(route)*"):
            self.store.do("DEL", key)
        self.send_some(self.nodes[1], 300)
        self.wait_for_boards()
        self.assertEqual(aforo("check", "--redis", self.store.url)[0], 0)

    def test_boards_are_bounds_where_there_are_more_values_than_counters(self):
        for turn in range(4):
            lines = []
            for _ in range(1000):
                us = self.now + self.random.randrange(MINUTE)
                route = f"/hot{self.random.randrange(3)}" if self.random.random() < 0.5 else f"/cold{self.random.randrange(400)}"
                lines.append(f"{text_time(us)} k=k route={route} x=1")
                self.routes[us // MINUTE, "k", route] += 1
            self.assertEqual(self.nodes[turn % 2].post_lines(lines).json["accepted"], 1000)
        wait_until(lambda: (self.rows("routes", "--redis", self.store.url)[0].get((self.start(self.now // MINUTE), "k")) or
                            {"count": 0})["count"] == 4000, "all of it is at Redis")
        (board,), (counts,) = self.boards().values(), self.expected_boards().values()
        for route, score in board.items():
            self.assertLessEqual(score, counts[route])
        self.assertEqual(sorted(board, key=board.get, reverse=True)[:3], sorted(counts, key=counts.get, reverse=True)[:3])
        for item in next(iter(self.rows("routes", "--redis", self.store.url)[0].values()))["top5(route)"][:3]:
            self.assertTrue(item["count"] - item["error"] <= counts[item["value"]] <= item["count"], item)
            self.assertLessEqual(board[item["value"]], counts[item["value"]])

    def test_measures_of_ones_own_are_merged_by_who_reads(self):
        for turn in range(4):
            self.send_some(self.nodes[turn % 2], 200)
        self.wait_for_boards()
        redis = ("--redis", self.store.url)
        own = ("--measure", MEASURES / "fixed.so")

        def rows_of_sums():
            return {(self.start(minute), k): total for (minute, k), total in self.sums.items()}
        wait_until(lambda: {key: row["sum(x)"] for key, row in self.rows("own", *redis, *own)[0].items()} == rows_of_sums(),
                   "all of it is at Redis")
        rows, err = self.rows("own", *redis, *own)
        self.assertEqual(err, "")
        self.assertEqual({key: row["crashing(x)"] for key, row in rows.items()}, rows_of_sums())
        rates = lambda: self.rows("rates", *redis, "--measure", MEASURES / "ewma.so")[0]
        wait_until(lambda: sum(row["count"] for row in rates().values()) == 800, rates)
        rows = rates()
        self.assertTrue(all(row["ewma(60s)"] > 0 for row in rows.values()))
        # each state has its node's
        states = [self.rows("own", "--state", node.state, *own)[0] for node in self.nodes]
        self.assertEqual({key: sum(state.get(key, {"crashing(x)": 0})["crashing(x)"] for state in states) for key in rows_of_sums()},
                         rows_of_sums())

    def test_without_its_code_the_other_figures_are_shown(self):
        self.send_some(self.nodes[0], 100)
        redis = ("--redis", self.store.url)
        wait_until(lambda: sum(row["count"] for row in self.rows("own", *redis)[0].values()) == 100, "all of it is at Redis")
        for source in (redis, ("--state", self.nodes[0].state)):
            for words in ((), ("--measure", MEASURES / "ewma.so")):
                rows, err = self.rows("own", *source, *words)
                self.assertEqual(err, "aforo: crashing(x) is left out: it is no measure of aforo's own; name the file that the server "
                                      "has it from: --measure FILE\n")
                self.assertEqual({key: (row["crashing(x)"], row["sum(x)"]) for key, row in rows.items()},
                                 {(self.start(minute), k): (None, total) for (minute, k), total in self.sums.items()})
            self.assertIn("own  ", aforo("reports", *source)[1])
        # another measure of that name
        wait_until(lambda: self.rows("rates", *redis)[0], "these rows are at Redis as well")
        rows, err = self.rows("rates", *redis, "--measure", MEASURES / "other-ewma.so")
        self.assertEqual(err, "aforo: ewma(60s) is left out: the file of --measure is another one than the server's, with another state\n")
        self.assertEqual([row["ewma(60s)"] for row in rows.values()], [None] * len(rows))

    def test_wrong_words(self):
        for words, said in ((("report", "own", "--redis", self.store.url, "--measure", "nothing.so"),
                             "--measure: nothing.so: cannot be opened: No such file or directory"),
                            (("report", "own", "--server", "http://127.0.0.1:1", "--measure", "a.so"),
                             "--measure: goes with --redis and --state; a server has its own loaded"),
                            (("1min", "--measure", "a.so"), "--measure ask about a report: aforo report NAME")):
            status, out, err = aforo(*words)
            self.assertEqual((status, out), (2, ""), words)
            self.assertIn(said, err)


if __name__ == "__main__":
    unittest.main()
