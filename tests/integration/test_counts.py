"""GET /counts: which rows, in which form, in which state; and that the three resolutions are what was sent, exactly."""

import json
import random
import unittest

from support import WIDTH_US, Case, now_us, sums, text_time, us_of, wait_until

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000


def iso(us):
    return text_time(us, 3).replace(" ", "T") + "Z"


class Model(Case):
    def test_a_random_hour_is_exact_in_all_resolutions(self):
        """Single events and batches, out of order and right at edges, over two threads, against plain arithmetic."""
        chance = random.Random(4711)
        aforod = self.server()
        now, events = now_us(), {}
        for _ in range(30):
            batch = []
            for _ in range(chance.randrange(1, 2000)):
                us = now + chance.randrange(-3_500 * SECOND, 8 * SECOND)
                if chance.random() < 0.3:
                    us = us // 10_000 * 10_000 - chance.randrange(2)
                batch.append(us)
            self.assertEqual(aforod.post_lines(map(text_time, batch)).json["accepted"], len(batch))
            batch.append(now + chance.randrange(-MINUTE, SECOND))
            self.assertEqual(aforod.post(f"value={batch[-1]}").status, 204)
            for us in batch:
                events[us] = events.get(us, 0) + 1
        self.assert_counts(aforod, events)
        self.assertEqual(aforod.conserved()["counted"], sum(events.values()))

    def test_the_edges_of_windows(self):
        aforod = self.server()
        edge = now_us() // HOUR * HOUR  # an edge of all three
        events = {}
        for edge_us in (edge, edge - MINUTE, edge - SECOND, edge - 10_000):
            if now_us() - edge_us < HOUR - 10 * SECOND:
                for us in (edge_us - 1, edge_us, edge_us + 1):
                    aforod.post("value=" + text_time(us))
                    events[us] = events.get(us, 0) + 1
        self.assert_counts(aforod, events)


class Live(Case):
    """GET /live: the same figures, for pages; an answer may be 100 ms old."""

    def test_it_says_what_counts_says(self):
        aforod, chance = self.server(), random.Random(5)
        now = now_us()
        for _ in range(5):
            aforod.post_lines(text_time(now - chance.randrange(100) ** 3 * 3000) for _ in range(200))
        wait_until(lambda: sum(aforod.request("GET", "/live?1min=121").json["1min"]["counts"]) == 1000, "all are shown", 5)
        for name, n in (("10ms", 4096), ("1s", 4096), ("1min", 121)):
            shown = aforod.request("GET", f"/live?{name}={n}").json
            width_us, first = WIDTH_US[name], shown[name]["from"] * 1000
            self.assertEqual(len(shown[name]["counts"]), n)
            self.assertTrue(0 <= shown["time_ms"] * 1000 - (first + (n - 1) * width_us) < width_us)
            counted = aforod.request("GET", f"/counts/{name}?format=json&partial=1&from={first}").json["windows"]
            held = {us_of(row["start"]): row["count"] for row in counted if row["count"]}
            self.assertEqual({first + i * width_us: events for i, events in enumerate(shown[name]["counts"]) if events}, held)

    def test_a_hundred_pages_are_answered_ten_times_a_second(self):
        aforod = self.server("--threads", "1")
        begun, made = now_us(), set()
        for i in range(100):
            aforod.post(f"value={text_time(now_us())}")
            made.add(aforod.request("GET", "/live?10ms=211&nodes=1").text)
        self.assertLessEqual(len(made), (now_us() - begun) / 100_000 + 1)
        # an acknowledged event shows at the latest then
        wait_until(lambda: '"counted":100,' in aforod.request("GET", "/live?10ms=211&nodes=1").text, "all are shown", 5)

    def test_many_pages_are_told_to_ask_less_often(self):
        aforod = self.server("--threads", "1")
        told = [aforod.request("GET", "/live?10ms=211").json["next_ms"] for _ in range(5)]
        self.assertEqual(set(told), {250})
        with aforod.connect() as link:
            link.settimeout(10)

            def ask_often():
                """As many pages in one round; True when they are told to come as seldom as can be."""
                link.sendall(b"GET /live?10ms=3 HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
                said = b""
                while said.count(b"]}}") < 500:
                    said += link.recv(1 << 20)
                return b'"next_ms":1000,' in said
            wait_until(ask_often, "many are told so", 10, 0.1)

    def test_a_wrong_question(self):
        aforod = self.server()
        for query, why in (("", "nothing is asked for: 10ms=N, 1s=N or 1min=N windows, nodes=1"),
                           ("10ms=5000", "10ms: must be a whole number from 1 to 4096"),
                           ("1h=1", "1h: no such argument; there are 10ms, 1s, 1min, nodes"),
                           ("1s=1&1s=2", "1s: given more than once")):
            answer = aforod.request("GET", f"/live?{query}")
            self.assertEqual((answer.status, answer.text), (400, why + "\n"))
        self.assertEqual(aforod.request("POST", "/live", "x").status, 405)


class Rows(Case):
    def setUp(self):
        super().setUp()
        self.aforod = self.server()
        self.base = now_us() // MINUTE * MINUTE - 5 * MINUTE
        self.events = {self.base + 120_000: 122, self.base + 150_000: 7, self.base + 3 * SECOND: 1,
                       self.base + MINUTE: 2}
        for us, n in self.events.items():
            self.aforod.post_lines([text_time(us)] * n)

    def get(self, resolution, query=""):
        answer = self.aforod.request("GET", f"/counts/{resolution}?{query}")
        self.assertEqual(answer.status, 200, answer.body)
        return answer

    def test_text_with_the_zeros_in_between(self):
        answer = self.get("10ms", f"from={iso(self.base)}&to={iso(self.base + SECOND)}")
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain"))
        self.assertEqual(answer.text, "".join(f"{text_time(self.base + us, 3)}, {n}\n" for us, n in (
            (120_000, 122), (130_000, 0), (140_000, 0), (150_000, 7))))

    def test_csv_and_json_carry_the_state(self):
        csv = self.get("1s", f"from={iso(self.base)}&to={iso(self.base + 5 * SECOND)}&format=csv")
        self.assertTrue(csv.headers["Content-Type"].startswith("text/csv"))
        lines = csv.text.splitlines()
        self.assertEqual(lines[:2], ["start (UTC),count,state", f"{iso(self.base)},129,closed"])
        answer = self.get("1s", f"from={iso(self.base)}&to={iso(self.base + 5 * SECOND)}&format=json")
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertEqual((answer.json["resolution"], answer.json["zone"]), ("1s", "UTC"))
        self.assertEqual([f"{w['start']},{w['count']},{w['state']}" for w in answer.json["windows"]], lines[1:])

    def test_states(self):
        short = self.server("--horizon", "2s", "--future", "5s", name="short")
        now = now_us()
        short.post_lines([text_time(now - SECOND), text_time(now + 4 * SECOND)])

        def states():
            rows = short.request("GET", "/counts/1s?from=0&partial=1&format=json").json["windows"]
            return [row["state"] for row in rows], rows
        seen, rows = states()
        self.assertEqual(seen[-1], "open")
        self.assertEqual(seen[0], "closed")
        self.assertEqual(us_of(rows[0]["start"]), (now - SECOND) // SECOND * SECOND)
        wait_until(lambda: states()[0][0] == "final", "past the horizon it is final", 10)

    def test_last_counts_back_from_the_newest_with_events(self):
        self.assertEqual(self.get("1min", "last=1").text, f"{text_time(self.base + MINUTE, 3)}, 2\n")
        self.assertEqual(self.get("1s", "last=2").text, f"{text_time(self.base + MINUTE - SECOND, 3)}, 0\n"
                                                        f"{text_time(self.base + MINUTE, 3)}, 2\n")
        self.assertEqual(self.get("1s", "last=58").text.count("\n"), 58)
        self.assertEqual(self.get("1s").text.count("\n"), 60)
        before = self.get("1s", "last=1000").text.splitlines()  # zeros before the first event, too
        self.assertEqual(len(before), 1000)
        self.assertEqual(before[0], f"{text_time(self.base + MINUTE - 999 * SECOND, 3)}, 0")
        self.assertEqual(self.get("1s", f"last=1000&from={iso(self.base - SECOND)}").text.count("\n"), 62)

    def test_last_never_reaches_further_back_than_what_is_kept(self):
        for resolution, kept_us in (("10ms", HOUR), ("1s", 24 * HOUR), ("1min", 30 * 24 * HOUR)):
            rows = self.get(resolution, "last=1000000").text.count("\n")
            kept = kept_us // WIDTH_US[resolution]
            self.assertTrue(kept <= rows <= 1.2 * kept, f"{resolution}: {rows} rows, {kept} are kept")

    def test_a_bound_before_1970_is_a_bound(self):
        self.aforod.post_lines([text_time(self.base - 50 * MINUTE)])
        for bound in ("0", "1970-01-01T00:00:00Z", "1960-01-01T00:00:00Z"):
            self.assertEqual(self.get("1s", "from=" + bound).text.count("\n"), 51 * 60 + 1, bound)
        self.assertEqual(self.get("1s", "to=1960-01-01T00:00:00Z").text, "")
        self.assertEqual(self.get("1s", f"last=2&to={iso(self.base + 5 * SECOND)}").text,
                         f"{text_time(self.base + 2 * SECOND, 3)}, 0\n"
                         f"{text_time(self.base + 3 * SECOND, 3)}, 1\n")

    def test_spans_that_touch_share_nothing_and_miss_nothing(self):
        cut = self.base + 3 * SECOND
        before = self.get("10ms", f"to={iso(cut)}").text
        after = self.get("10ms", f"from={iso(cut)}").text
        self.assertEqual(sum(int(line.split(", ")[1]) for line in (before + after).splitlines()),
                         sum(self.events.values()))
        self.assertTrue(after.startswith(text_time(cut, 3)))
        self.assertEqual(self.get("10ms", f"from={iso(cut)}&to={iso(cut)}").text, "")

    def test_times_in_every_form(self):
        for form in (iso(self.base), str(self.base), str(self.base // SECOND), text_time(self.base,
                                                                                         0)[:19].replace(" ", "%20")):
            self.assertTrue(self.get("1s", "from=" + form).text.startswith(text_time(self.base, 3)), form)

    def test_what_is_not_over_yet_only_with_partial(self):
        ahead = now_us() + 8 * SECOND
        self.aforod.post("value=" + text_time(ahead))
        self.assertNotIn(text_time(ahead // SECOND * SECOND, 3), self.get("1s", "last=100").text)
        for flag in ("partial=1", "partial=yes"):
            self.assertIn(text_time(ahead // SECOND * SECOND, 3), self.get("1s", "last=100&" + flag).text)
        self.assertNotIn(text_time(ahead // SECOND * SECOND, 3), self.get("1s", "last=100&partial=0").text)

    def test_nothing_is_no_error(self):
        query = "to=2001-01-01T00:00:00Z"
        self.assertEqual(self.get("1s", query).body, b"")
        self.assertEqual(self.get("1s", query + "&format=csv").text, "start (UTC),count,state\n")
        self.assertEqual(self.get("1s", query + "&format=json").json, {"resolution": "1s", "zone": "UTC",
                                                                       "windows": []})

    def test_wrong_arguments_are_named(self):
        for query, name in (("from=x", "from"), ("from=never", "from"), ("last=x", "last"), ("to=2016-13-01T00:00:00Z", "to"), ("last=0", "last"), ("last=-1",
                                                                                                        "last"),
                            ("last=1e3", "last"), ("last=", "last"), ("format=xml", "format"), ("from=20&to=10", "to")):
            with self.subTest(query=query):
                answer = self.aforod.request("GET", "/counts/1s?" + query)
                self.assertEqual(answer.status, 400)
                self.assertRegex(answer.text, rf"\A{name}: [^\n]+\n\Z")

    def test_a_long_answer_is_whole(self):
        self.aforod.post_lines([text_time(self.base - 50 * MINUTE)])
        answer = self.get("10ms", "from=0&format=json")
        windows = json.loads(answer.body)["windows"]
        self.assertEqual(len(windows), 51 * MINUTE // 10_000 + 1)
        self.assertEqual(sum(w["count"] for w in windows), sum(self.events.values()) + 1)
        starts = [us_of(w["start"]) for w in windows]
        self.assertEqual(starts, list(range(starts[0], starts[-1] + 1, 10_000)))

    def test_resolutions_agree(self):
        expected = sums(self.events)
        for resolution in WIDTH_US:
            self.assertEqual(self.aforod.counts(resolution), expected[resolution])


if __name__ == "__main__":
    unittest.main()
