"""Rows of reports at Redis: each row of each report is what was sent, through the deaths and losses of either side."""

import collections
import json
import random
import re
import shutil
import unittest

from support import TIMEOUT_S, Case, now_us, text_time, wait_until
from support.console import aforo

US, RS = b"\x1f", b"\x1e"
MINUTE = 60_000_000
DEFINITIONS = """
fields:
  flight:  form.flight
  client:  {from: [form.client, json.client], type: int}
  seconds: {from: [form.seconds, json.seconds], type: int}
  route:   json.route
reports:
  - name: billing
    by: [route, client]
    windows: [1min, 1h]
    show: [sum(seconds), first, last, count]
  - name: seen
    windows: 1min
    show: [distinct(client), digest, max(seconds), min(seconds)]
"""


class ReportsAtRedis(Case):
    def setUp(self):
        super().setUp()
        self.definitions = self.place.dir / "reports.yaml"
        self.definitions.write_text(DEFINITIONS)
        self.store = self.redis("--appendonly", "yes")
        self.now = now_us()
        self.ledger = collections.defaultdict(lambda: [0, 0, 1 << 60, 0])  # (minute, route, client) -> count, sum, first, last
        self.random = random.Random(13)

    def node(self, name, **settings):
        return self.server("--reports", self.definitions, "--node-id", name, redis=self.store, name=name, **settings)

    def send(self, server, n):
        """A batch of events over ten minutes, in the ledger once it is acknowledged."""
        events = [(self.now - self.random.randrange(10 * MINUTE), f"/r{self.random.randrange(40)}", self.random.randrange(9),
                   self.random.randrange(100)) for _ in range(n)]
        lines = "".join(json.dumps({"time": text_time(us), "route": route, "client": client, "seconds": seconds}) + "\n"
                        for us, route, client, seconds in events)
        answer = server.request("POST", "/events", lines, {"Content-Type": "application/x-ndjson"})
        self.assertEqual((answer.status, answer.json["accepted"]), (200, n), answer.text)
        for us, route, client, seconds in events:
            row = self.ledger[us // MINUTE, route, client]
            row[0] += 1
            row[1] += seconds
            row[2] = min(row[2], us)
            row[3] = max(row[3], us)

    def hashes(self, report, width="1min"):
        """{key: {field: value}} of all windows."""
        keys = [key for key in self.store.do("KEYS", f"aforo:2:r:{{{report}.*:{width}:*") if key.endswith("}")]
        return {key: dict(zip(fields[::2], fields[1::2]))
                for key, fields in zip(keys, self.store.pipeline([("HGETALL", key) for key in keys], as_bytes=True))}

    def totals(self):
        """The same as the ledger, of what Redis has."""
        found = collections.defaultdict(lambda: [0, 0, 1 << 60, 0])
        for key, fields in self.hashes("billing").items():
            start = re.search(r":1min:([^}#]+)", key).group(1)
            for field, value in fields.items():
                if US not in field or RS in field:
                    continue
                route, client, component = field.decode().split("\x1f")
                place = {"count": 0, "sum(seconds)": 1, "first": 2, "last": 3}[component]
                found[start, route, int(client)][place] = int(value)
        return dict(found)

    def expected(self):
        return {(text_time(minute * MINUTE)[:16].replace(" ", "T"), route, client): row
                for (minute, route, client), row in self.ledger.items()}

    def wait_for_ledger(self):
        expected = self.expected()

        def differs():
            found = self.totals()
            return [(key, expected.get(key), found.get(key)) for key in {*expected, *found} if expected.get(key) != found.get(key)]
        wait_until(lambda: not differs(), lambda: f"Redis has what was sent: {differs()[:3]}", TIMEOUT_S)

    def test_each_row_of_two_nodes_is_what_was_sent(self):
        one, two = self.node("n-1"), self.node("n-2")
        for server in (one, two, one):
            self.send(server, 700)
            self.wait_for_ledger()
        # the hour and the events agree
        hour = sum(int(value) for fields in self.hashes("billing", "1h").values() for field, value in fields.items()
                   if field.endswith(US + b"count") and RS not in field)
        self.assertEqual(hour, 2100)
        seen = self.hashes("seen")
        for key, fields in seen.items():
            start = re.search(r":1min:([^}]+)", key).group(1)
            rows = [row for (minute, _, _), row in self.expected().items() if minute == start]
            self.assertEqual(int(fields[US + b"count"]), sum(row[0] for row in rows))
            clients = {client for (minute, _, client) in self.expected() if minute == start}
            self.assertEqual(self.store.do("PFCOUNT", f"{key}:distinct(client)"), len(clients))
        # any reader can make sense of it
        texts = self.store.do("HGETALL", "aforo:2:{reports}")
        self.assertTrue(any(re.fullmatch(r"billing\.[0-9a-f]{16}", name) for name in texts[::2]), texts)
        self.assertTrue(all(0 < self.store.do("TTL", key) <= 86400 for key in seen))

    def test_the_console_reads_the_same_rows(self):
        self.send(self.node("n-1"), 500)
        self.send(self.node("n-2"), 500)
        self.wait_for_ledger()
        status, out, err = aforo("report", "billing", "--window", "1min", "--redis", self.store.url, "--partial", "--format", "json",
                                 "--from", text_time(self.now - 20 * MINUTE))
        self.assertEqual(status, 0, err)
        found = {(row["start"][:16], row["key"]["route"], row["key"]["client"]): (row["values"]["count"],
                                                                                 row["values"]["sum(seconds)"])
                 for row in json.loads(out)["rows"]}
        self.assertEqual(found, {key: (row[0], row[1]) for key, row in self.expected().items()})

    def test_the_check_finds_a_total_that_is_not_the_sum_of_its_parts(self):
        self.send(self.node("n-1"), 100)
        self.send(self.node("n-2"), 100)
        self.wait_for_ledger()
        status, out, err = aforo("check", "--redis", self.store.url)
        self.assertEqual(status, 0, out + err)
        key, fields = next(iter(self.hashes("billing").items()))
        field = next(field for field in fields if field.endswith(US + b"count") and RS not in field)
        self.store.do("HINCRBY", key, field, 1)
        status, out, err = aforo("check", "--redis", self.store.url)
        self.assertEqual(status, 1, out + err)
        self.assertIn(key, out + err)
        self.assertIn("differs from the sum of its parts by 1", out + err)

    def test_nodes_that_are_killed_and_a_redis_that_is(self):
        one, two = self.node("n-1"), self.node("n-2")
        for turn in range(6):
            victim = (one, two)[turn % 2]
            self.send(one, 200)
            self.send(two, 200)
            victim.kill()
            if turn == 2:
                self.store.kill()
                self.send((two, one)[turn % 2], 100)
                self.store.start()
            victim.start()
        self.send(one, 50)
        self.wait_for_ledger()

    def test_a_redis_that_is_emptied(self):
        one, two = self.node("n-1"), self.node("n-2")
        self.send(one, 300)
        self.send(two, 300)
        self.wait_for_ledger()
        self.store.do("FLUSHALL")
        self.wait_for_ledger()  # nobody has sent anything since
        key = next(iter(self.hashes("billing")))
        self.store.do("DEL", key)
        self.send(one, 300)
        self.send(two, 300)
        self.wait_for_ledger()

    def test_a_state_that_is_lost_is_read_back(self):
        one = self.node("n-1")
        self.send(one, 300)
        self.wait_for_ledger()
        one.stop()
        shutil.rmtree(one.state)
        one.start()
        self.send(one, 300)
        self.wait_for_ledger()

    def test_an_older_copy_of_the_state_and_redis_away_at_first(self):
        one = self.node("n-1")
        self.send(one, 300)
        self.wait_for_ledger()
        one.stop()
        copy = self.place.dir / "older"
        shutil.copytree(one.state, copy)
        one.start()
        self.send(one, 300)
        self.wait_for_ledger()
        one.stop()
        self.store.kill()
        shutil.rmtree(one.state)
        shutil.copytree(copy, one.state)
        for _ in range(3):
            one.start()
            self.send(one, 100)
            one.kill()
        self.store.start()
        one.start()
        self.send(one, 50)
        self.wait_for_ledger()

    def test_a_copy_takes_a_name_of_its_own(self):
        one = self.node("n-1")
        self.send(one, 300)
        self.wait_for_ledger()
        one.stop()
        copy = self.place.dir / "copy-state"
        shutil.copytree(one.state, copy)
        one.start()
        self.send(one, 100)
        other = self.node("n-1", state=copy)
        self.send(other, 200)
        wait_until(lambda: other.health()["store"].get("copy_of") or other.health().get("copy_of"), lambda: other.log(), 40)
        self.send(other, 100)
        self.send(one, 100)
        self.wait_for_ledger()


if __name__ == "__main__":
    unittest.main()
