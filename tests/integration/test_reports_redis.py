"""Rows of reports at Redis: each row of each report is what was sent, through the deaths and losses of either side."""

import collections
import http.client
import json
import random
import re
import shutil
import signal
import threading
import time
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

DAY = 86_400_000_000


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
        hour = lambda: sum(int(value) for fields in self.hashes("billing", "1h").values() for field, value in fields.items()
                           if field.endswith(US + b"count") and RS not in field)
        wait_until(lambda: hour() == 2100, hour)
        seen = lambda: sum(int(fields[US + b"count"]) for fields in self.hashes("seen").values())
        wait_until(lambda: seen() == 2100, seen)
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
        status, out, err = aforo("check", "--redis", self.store.url, "--from", "-20min")
        self.assertEqual(status, 0, out + err)
        key, fields = next(iter(self.hashes("billing").items()))
        field = next(field for field in fields if field.endswith(US + b"count") and RS not in field)
        self.store.do("HINCRBY", key, field, 1)
        status, out, err = aforo("check", "--redis", self.store.url, "--from", "-20min")
        self.assertEqual(status, 1, out + err)
        self.assertIn(key, out + err)
        self.assertIn("differs from the sum of its parts by 1", out + err)

    def test_a_window_of_many_rows_is_read(self):
        """More than go out to Redis at once."""
        rows, minute = 7000, (self.now // MINUTE - 1) * MINUTE
        lines = "".join(json.dumps({"time": text_time(minute + i), "route": f"/r{i}", "client": i % 7, "seconds": i}) + "\n"
                        for i in range(rows))
        answer = self.node("n-1", threads=1).request("POST", "/events", lines, {"Content-Type": "application/x-ndjson"})
        self.assertEqual((answer.status, answer.json["accepted"]), (200, rows), answer.text)

        def there():
            return [field for fields in self.hashes("billing").values() for field in fields
                    if field.endswith(US + b"count") and RS not in field]
        wait_until(lambda: len(there()) == rows, lambda: f"Redis has {rows} rows, not {len(there())}", TIMEOUT_S)
        status, out, err = aforo("report", "billing", "--window", "1min", "--redis", self.store.url, "--partial", "--format", "csv")
        self.assertEqual(status, 0, err)
        found = {tuple(line.split(",")[2:5]) for line in out.splitlines()[1:]}
        self.assertEqual(found, {(f"/r{i}", str(i % 7), str(i)) for i in range(rows)})

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

    def counted(self):
        """{NAME.DIGEST: events} of all windows of the report `billing`."""
        counts = collections.Counter()
        for key, fields in self.hashes("billing").items():
            counts[re.search(r"\{([^:]+):", key).group(1)] += sum(int(value) for field, value in fields.items()
                                                                  if field.endswith(US + b"count") and RS not in field)
        return counts

    def test_a_definition_that_is_edited_and_comes_back(self):
        one = self.node("n-1")
        self.send(one, 200)
        self.wait_for_ledger()
        first, = self.counted()
        self.definitions.write_text(DEFINITIONS.replace("by: [route, client]", "by: [client, route]"))
        one.signal(signal.SIGHUP)
        wait_until(lambda: len(self.store.do("HGETALL", "aforo:2:{reports}")) == 12, "Redis knows the new definition")
        self.send(one, 100)
        wait_until(lambda: sum(self.counted().values()) == 300, lambda: f"both have their events {self.counted()}")
        self.assertEqual(self.counted()[first], 200)
        self.definitions.write_text(DEFINITIONS)
        one.signal(signal.SIGHUP)
        wait_until(lambda: one.log().count("reports read again") == 2, lambda: one.log())
        self.send(one, 50)
        wait_until(lambda: self.counted()[first] == 250, lambda: f"the first goes on {self.counted()}")

    def batches(self, server, seed, stop):
        """Sends batches until it is told to stop; whether one that a death cut off was counted, the server knows."""
        pick = random.Random(seed).random
        while not stop.is_set():
            now = now_us()
            lines = "".join(f'{{"time":{now - int(pick() * 3 * MINUTE)},"route":"/r{int(pick() * 60)}","client":{int(pick() * 9)},'
                            f'"seconds":{int(pick() * 100)}}}\n' for _ in range(50))
            stop.wait(0.01)  # a hundred batches a second are as good as all that fit into a core
            try:
                server.request("POST", "/events", lines, {"Content-Type": "application/x-ndjson"})
            except (OSError, http.client.HTTPException):
                stop.wait(0.05)

    def held(self, servers):
        """{(minute, route, client): [count, sum]} of all states together."""
        rows = collections.defaultdict(lambda: [0, 0])
        for server in servers:
            status, out, err = aforo("report", "billing", "--window", "1min", "--state", server.state, "--partial", "--format", "json",
                                     "--from", text_time(self.now - 20 * MINUTE))
            self.assertEqual(status, 0, err)
            for row in json.loads(out)["rows"]:
                key = (row["start"][:16], row["key"]["route"], row["key"]["client"])
                rows[key][0] += row["values"]["count"]
                rows[key][1] += row["values"]["sum(seconds)"]
        return dict(rows)

    def test_under_load_either_side_dies_and_redis_is_emptied(self):
        servers, stop, rnd = [self.node("n-1"), self.node("n-2")], threading.Event(), random.Random(5)
        threads = [threading.Thread(target=self.batches, args=(server, seed, stop)) for seed, server in enumerate(servers * 2)]
        for thread in threads:
            thread.start()
        for turn in range(12):
            time.sleep(0.3 + rnd.random() * 0.5)
            if turn % 4 == 3:
                self.store.do("FLUSHALL")
            elif turn % 4 == 2:
                self.store.kill()
                self.store.start()
            else:
                servers[turn % 2].kill()
                servers[turn % 2].start()
        stop.set()
        for thread in threads:
            thread.join()
        held = self.held(servers)

        def differs():
            found = {key: row[:2] for key, row in self.totals().items()}
            return [(key, held.get(key), found.get(key)) for key in {*held, *found} if held.get(key) != found.get(key)]
        wait_until(lambda: not differs(), lambda: f"Redis has what the nodes have: {differs()[:3]}", TIMEOUT_S)
        status, out, err = aforo("check", "--redis", self.store.url, "--from", "-20min")
        self.assertEqual(status, 0, out + err)

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

    def send_form(self, server, us, route):
        self.assertEqual(server.request("POST", "/", f"value={text_time(us)}&route={route}",
                                        {"Content-Type": "application/x-www-form-urlencoded"}).status, 204)

    def test_events_at_the_edge_of_the_horizon(self):
        """The newest window is as far ahead as it may be: what is nearly too old has a pass all the same."""
        self.definitions.write_text("""
fields: {route: }
reports:
  - {name: edge, by: [route], windows: [10ms], show: [count], keys: {max: 4}}
  - {name: whole, windows: [10ms], show: [count]}
""")
        horizon_s, sent = 60, 0
        one = self.server("--reports", self.definitions, "--horizon", f"{horizon_s}s", redis=self.store)
        for _ in range(25):
            self.send_form(one, now_us() + 9_500_000, "ahead")
            sent += 1
            for left_ms in (100, 300, 1000):
                answer = one.request("POST", "/", f"value={text_time(now_us() - horizon_s * 1_000_000 + left_ms * 1000)}&route=late",
                                     {"Content-Type": "application/x-www-form-urlencoded"})
                sent += answer.status == 204  # a machine that is busy may be too late
            time.sleep(0.05)
        self.assertGreater(sent, 50)

        def counted(report):
            return sum(int(value) for fields in self.hashes(report, "10ms").values() for field, value in fields.items()
                       if field.endswith(US + b"count") and RS not in field)
        wait_until(lambda: counted("edge") == counted("whole") == sent, lambda: f"{sent}: {counted('edge')}, {counted('whole')}",
                   TIMEOUT_S)

    def top(self, *source):
        """The count, the values that came most often, and the last one, of the day."""
        status, out, err = aforo("report", "often", "--window", "1d", "--partial", "--format", "json", *source)
        rows = json.loads(out)["rows"] if status == 0 else []
        if not rows:
            return err  # Redis does not know it yet
        values = rows[-1]["values"]
        listed = values["top3(route)"]
        return values["count"], listed and {item["value"]: item["count"] for item in listed}, values["last(route)"]

    def wait_for_top(self, *expected):
        source = ("--redis", self.store.url)
        wait_until(lambda: self.top(*source) == expected, lambda: f"{self.top(*source)}, not {expected}", TIMEOUT_S)

    def often(self):
        self.definitions.write_text("""
fields: {route: }
reports: [{name: often, windows: [1d], show: [count, top3(route), last(route)]}]
""")
        self.at = now_us() - 60_000_000
        if (self.at + 30_000_000) // DAY != self.at // DAY:
            self.at -= 30_000_000  # all of it in one day
        return self.node("n-1")

    def send_often(self, server, n, route):
        for _ in range(n):
            self.at += 1_000_000
            self.send_form(server, self.at, route)

    def test_what_comes_most_often_is_read_back(self):
        one = self.often()
        self.send_often(one, 4, "a")
        self.wait_for_top(4, {"a": 4}, "a")
        one.stop()
        shutil.rmtree(one.state)
        one.start()
        self.send_often(one, 2, "b")
        self.wait_for_top(6, {"a": 4, "b": 2}, "b")
        one.kill()
        one.start()
        self.send_often(one, 1, "b")
        self.wait_for_top(7, {"a": 4, "b": 3}, "b")

    def test_what_comes_most_often_is_never_a_part_after_an_older_copy_of_the_state(self):
        one = self.often()
        self.send_often(one, 5, "a")
        self.wait_for_top(5, {"a": 5}, "a")
        one.stop()
        backup = self.place.dir / "backup-state"
        shutil.copytree(one.state, backup)
        one.start()
        self.send_often(one, 5, "a")
        self.wait_for_top(10, {"a": 10}, "a")
        one.kill()
        shutil.rmtree(one.state)
        shutil.move(backup, one.state)
        one.start()
        self.send_often(one, 3, "n")
        self.wait_for_top(13, None, "n")
        self.assertEqual(self.top("--server", f"http://127.0.0.1:{one.port}"), (13, None, "n"))
        self.store.do("FLUSHALL")
        self.send_often(one, 1, "n")
        self.wait_for_top(14, None, "n")

    def test_what_comes_most_often_is_never_a_part_after_a_copy(self):
        one = self.often()
        self.send_often(one, 6, "a")
        self.wait_for_top(6, {"a": 6}, "a")
        one.stop()
        copy = self.place.dir / "copy-state"
        shutil.copytree(one.state, copy)
        one.start()
        other = self.node("n-1", state=copy)
        wait_until(lambda: other.health()["store"].get("copy_of") or other.health().get("copy_of"), lambda: other.log(), 40)
        self.send_often(other, 10, "b")
        self.wait_for_top(16, None, "b")


if __name__ == "__main__":
    unittest.main()
