"""What goes in: one event a request, many events a request; which times are taken, what is said of those that are not."""

import collections
import re
import unittest

from support import MEMORY_IS_OURS, Case, now_us, text_time

SECOND, HOUR = 1_000_000, 3_600_000_000


class Single(Case):
    def setUp(self):
        super().setUp()
        self.aforod = self.server()
        self.now = now_us()
        self.s = self.now // SECOND

    def test_every_form_of_a_time(self):
        t = self.s * SECOND
        text = text_time(t)[:19]
        east, west = text_time(t + 5 * HOUR + 1_800_000_000)[:19], text_time(t - 8 * HOUR)[:19]
        rfc = text.replace(" ", "T")
        forms = {text: t, text + ".1": t + 100_000, text + ".123456": t + 123_456, text + ".123456789": t + 123_456,
                 text + ".999999999": t + 999_999, rfc + "Z": t, rfc + ".5Z": t + 500_000, rfc + "%2B00:00": t,
                 rfc + "%2B0000": t, rfc + ",654321987%2B00:00": t + 654_321, text + ",789": t + 789_000,
                 east.replace(" ", "T") + "%2B05:30": t, west.replace(" ", "T") + "-08:00": t,
                 text.replace(" ", "+"): t, text.replace(" ", "%20").replace(":", "%3A"): t, str(self.s): t,
                 f"{self.s}.25": t + 250_000, str(self.s * 1000 + 7): t + 7000, str(t + 42): t + 42,
                 str((t + 43) * 1000 + 999): t + 43}
        events = {}
        for form, us in forms.items():
            with self.subTest(form=form):
                self.assertEqual(self.aforod.post("value=" + form).status, 204)
            events[us] = events.get(us, 0) + 1
        self.assert_counts(self.aforod, events)

    def test_fields_before_and_after_and_any_content_type(self):
        stamp = text_time(self.now)
        bodies = (f"value={stamp}", f"a=1&value={stamp}", f"value={stamp}&b=2&c", f"&&value={stamp}&", f"v%61lue={stamp}",
                  f"value2=x&value={stamp}&xvalue=y", f"value={stamp}\n", f"value={stamp}\r\n")
        types = (None, "application/x-www-form-urlencoded", "text/plain", "text/json", "nonsense")
        n = 0
        for body in bodies:
            for kind in types:
                with self.subTest(body=body, kind=kind):
                    answer = self.aforod.post(body, {"Content-Type": kind} if kind else {})
                    self.assertEqual((answer.status, answer.body), (204, b""))
                n += 1
        self.assert_counts(self.aforod, {self.now: n})

    def test_an_empty_body_counts_at_arrival(self):
        before = now_us()
        self.assertEqual(self.aforod.post("").status, 204)
        after = now_us()
        (start, count), = self.aforod.counts("10ms").items()
        self.assertEqual(count, 1)
        self.assertTrue(before - 10_000 < start <= after)

    def test_malformed_is_400_with_one_line_that_says_what_and_where(self):
        sentences = {"value=2016-13-28 11:11:11": "value: month 13 is out of range",
                     "value=2016-00-28 11:11:11": "value: month 0 is out of range",
                     "value=2015-02-29 11:11:11": "value: day 29 is out of range for 2015-02",
                     "value=2016-02-30 11:11:11": "value: day 30 is out of range",
                     "value=2016-05-28 24:11:11": "value: hour 24 is out of range",
                     "value=2016-05-28 11:60:11": "value: minute 60 is out of range",
                     "value=2016-05-28 11:11:61": "value: second 61 is out of range", "value=": "value", "other=1": "value",
                     "value": "value", "value=tomorrow": "value", "value=2016-05-28": "value",
                     "value=2016-05-28 11:11:11.": "value", "value=2016-05-28 11:11:11.1234567890": "value",
                     "value=2016-05-28 11:11:11 ": "value", "value=-1": "value", "value=1&value=2": "value",
                     "value=%zz": "%", "x=%4": "%", "value=99999999999999999999": "value",
                     "value=" + "1" * 100: "value", "value=2016-05-28T11:11:11%2B24:00": "value"}
        for body, sentence in sentences.items():
            with self.subTest(body=body):
                answer = self.aforod.post(body)
                self.assertEqual(answer.status, 400)
                self.assertRegex(answer.text, r"\A[\x20-\x7e]+\n\Z")
                self.assertIn(sentence, answer.text)
        stats = self.aforod.conserved()
        self.assertEqual((stats["counted"], stats["refused"]["malformed"]), (0, len(sentences)))
        self.assert_counts(self.aforod, {})

    def test_leap_days_and_leap_seconds_are_times(self):
        for value in ("2016-02-29 11:11:11", "2000-02-29 00:00:00", "2016-12-31 23:59:60", "1970-01-01 00:00:00", "1969-12-31 23:59:59", "0"):
            with self.subTest(value=value):
                self.assertEqual(self.aforod.post("value=" + value).status, 422)  # well formed, and long ago
        self.assertEqual(self.aforod.post("value=1900-02-29 00:00:00").status, 400)
        minute = text_time(self.now // 60_000_000 * 60_000_000 - 60_000_000)[:17]
        self.assertEqual(self.aforod.post(f"value={minute}60").status, 204)
        self.assert_counts(self.aforod, {self.now // 60_000_000 * 60_000_000: 1})

    def test_outside_the_span_is_422(self):
        for us, word in ((self.now - HOUR - 2 * SECOND, "horizon"), (self.now + 13 * SECOND, "ahead")):
            answer = self.aforod.post("value=" + text_time(us))
            self.assertEqual(answer.status, 422)
            self.assertRegex(answer.text, r"\A[^\n]+\n\Z")
            self.assertIn(word, answer.text)
        for us in (self.now - HOUR + 20 * SECOND, self.now + 9 * SECOND):
            self.assertEqual(self.aforod.post("value=" + text_time(us)).status, 204)
        stats = self.aforod.conserved()
        self.assertEqual((stats["counted"], stats["refused"]["too_late"], stats["refused"]["too_far_ahead"]), (2, 1, 1))


class Batch(Case):
    def setUp(self):
        super().setUp()
        self.aforod = self.server("--max-body", "64MiB")
        self.now = now_us()

    def test_good_lines_count_even_when_others_do_not(self):
        lines = [text_time(self.now), "nonsense", str(self.now), "", text_time(self.now - 2 * HOUR),
                 text_time(self.now + 60 * SECOND), "2016-13-01 00:00:00", text_time(self.now + 10_000)]
        answer = self.aforod.post_lines(lines)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
        report = answer.json
        self.assertEqual((report["accepted"], report["rejected"]), (3, 4))
        self.assertEqual([error["line"] for error in report["errors"]], [2, 5, 6, 7])
        self.assertIn("month 13", report["errors"][3]["reason"])
        self.assertIn("horizon", report["errors"][1]["reason"])
        self.assertIn("ahead", report["errors"][2]["reason"])
        self.assert_counts(self.aforod, {self.now: 2, self.now + 10_000: 1})
        stats = self.aforod.conserved()
        self.assertEqual(stats["received"], 7)

    def test_only_the_first_ten_are_named(self):
        report = self.aforod.post_lines(["x"] * 25 + [text_time(self.now)]).json
        self.assertEqual((report["accepted"], report["rejected"]), (1, 25))
        self.assertEqual([error["line"] for error in report["errors"]], list(range(1, 11)))

    def test_line_ends(self):
        a, b = text_time(self.now), text_time(self.now + 20_000)
        for body in (f"{a}\n{b}\n", f"{a}\r\n{b}\r\n", f"{a}\n{b}", f"{a}\r\n{b}", f"\n\n{a}\n\r\n{b}\n\n", f"{a}\n{b}\r"):
            with self.subTest(body=body):
                self.assertEqual(self.aforod.post_lines(body).json, {"accepted": 2, "rejected": 0, "errors": []})
        self.assert_counts(self.aforod, {self.now: 6, self.now + 20_000: 6})

    def test_nothing_at_all(self):
        for body in ("", "\n", "\r\n\r\n"):
            self.assertEqual(self.aforod.post_lines(body).json, {"accepted": 0, "rejected": 0, "errors": []})
        self.assertEqual(self.aforod.conserved()["received"], 0)

    def test_hostile_lines_are_quoted_safely(self):
        report = self.aforod.post_lines(b'\x00\xff"\\\n2016-05-28 11:11:11\x07\n<script>\n' + b"9" * 100_000 + b"\n").json
        self.assertEqual((report["accepted"], report["rejected"]), (0, 4))
        for error in report["errors"]:
            self.assertRegex(error["reason"], r"\A[\x20-\x7e]+\Z")

    def test_split_anywhere_between_two_reads(self):
        body = f"{text_time(self.now)}\r\nbad\n{self.now}\n{text_time(self.now + SECOND)}".encode()
        for cut in range(1, len(body)):
            with self.aforod.connect() as link:
                link.sendall(b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                for part in (body[:cut], body[cut:]):
                    link.sendall(b"%x\r\n%s\r\n" % (len(part), part))
                link.sendall(b"0\r\n\r\n")
                received = b""
                while b"}\n" not in received:
                    received += link.recv(65536)
                self.assertIn(b'"accepted":3,"rejected":1', received, f"cut at {cut}")
        self.assert_counts(self.aforod, {self.now: 2 * (len(body) - 1), self.now + SECOND: len(body) - 1})

    def test_a_large_batch_in_pieces_of_any_size(self):
        events = [self.now - i * 7_919 for i in range(50_000)]
        body = "".join(text_time(us) + "\n" for us in events).encode()

        def pieces():
            at, i = 0, 0
            while at < len(body):
                size = 1 + i * 37 % 4999
                yield body[at:at + size]
                at, i = at + size, i + 1
        answer = self.aforod.request("POST", "/events", pieces(), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        self.assertEqual((answer.json["accepted"], answer.json["rejected"]), (len(events), 0))
        self.assert_counts(self.aforod, collections.Counter(events))

    def test_memory_does_not_grow_with_the_body(self):
        line = (text_time(self.now) + "\n").encode()
        self.aforod.post_lines(line * 1000)
        before = self.aforod.rss_kib()
        peak = self.aforod.stats()["memory"]["process_peak_bytes"]
        n = 50 * 1024 * 1024 // len(line)
        self.assertEqual(self.aforod.post_lines(line * n).json["accepted"], n)
        if MEMORY_IS_OURS:
            self.assertLess(self.aforod.rss_kib() - before, 1024)
            self.assertLess(self.aforod.stats()["memory"]["process_peak_bytes"] - peak, 4 << 20)

    def test_larger_than_max_body(self):
        small = self.server("--max-body", "1KiB", name="small")
        self.assertEqual(small.post_lines([text_time(self.now)] * 100).status, 413)
        stats = small.conserved()
        self.assertEqual((stats["counted"], stats["refused"]["too_large"]), (0, 1))
        self.assertEqual(small.post_lines([text_time(self.now)] * 20).json["accepted"], 20)

    def test_a_batch_without_a_body_is_a_mistake(self):
        with self.aforod.connect() as link:
            link.sendall(b"POST /events HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(re.match(rb"HTTP/1\.1 411 ", link.recv(65536)))


class ArrivalClock(Case):
    def test_times_are_read_and_not_used(self):
        aforod = self.server("--clock", "arrival")
        long_ago = now_us() - 20 * HOUR
        before = now_us()
        self.assertEqual(aforod.post("value=" + text_time(long_ago)).status, 204)
        self.assertEqual(aforod.post_lines([text_time(long_ago)] * 5).json["accepted"], 5)
        self.assertEqual(aforod.post("value=nonsense").status, 400)
        self.assertEqual(aforod.post("from=the+gate").status, 204)
        self.assertEqual(aforod.post(text_time(long_ago)).status, 400)
        self.assertEqual(aforod.post_lines(["from=gate"] * 2).json["accepted"], 2)
        after = now_us()
        counts = aforod.counts("10ms")
        self.assertEqual(sum(counts.values()), 9)
        self.assertTrue(all(before - 10_000 < start <= after for start in counts))

    def test_the_lag_is_measured(self):
        aforod = self.server(threads=1)
        aforod.post("value=" + text_time(now_us() - 5 * SECOND))
        worker = aforod.stats()["workers"][0]
        self.assertTrue(5 * SECOND <= worker["lag_us_max"] < 35 * SECOND, worker)


if __name__ == "__main__":
    unittest.main()
