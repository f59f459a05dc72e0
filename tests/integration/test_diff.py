"""aforo diff: two sources that have the same are the same; an event that one of them lacks is named by its window."""

import os
import re
import subprocess
import time
import unittest

from support import now_us, text_time, wait_until
from support.console import aforo, chunk_key, shown_time
from support.log_case import LogCase

KILLS = 50 if os.environ.get("DEV_AFORO_LONG") else 2


class Diff(LogCase):
    def sources(self, server, redis):
        return f"server:http://127.0.0.1:{server.port}", f"redis:{redis.url}", f"state:{server.state}", f"log:{self.dir}"

    def test_all_that_is_counted_is_the_same_everywhere(self):
        redis = self.redis()
        server = self.logging(redis=redis)
        self.run_load([server], KILLS)
        self.flushed([server], redis)
        passes = server.health()["store"]["passes"]  # rows of reports leave after the counts
        wait_until(lambda: server.health()["store"]["passes"] >= passes + 2, server.health)
        time.sleep(1.1)  # what is over for a second is compared
        now = text_time(now_us())
        names = self.sources(server, redis)
        for left in names:
            for right in names:
                if left < right:
                    self.assert_same(left, right, "--to", now, *(["--reports", self.reports] if "log:" in left + right else []))
        out, said = self.diff(names[0], names[3])
        self.assertEqual(out, "")
        self.assertIn(" 0 differ", said)

    def take_out(self, path, number):
        """Takes line `number` out of a sealed file, as a tail; returns when its event was."""
        lines = subprocess.run(["zstdcat", path], capture_output=True, check=True).stdout.splitlines(keepends=True)
        path.with_suffix("").write_bytes(b"".join(lines[:number] + lines[number + 1:]))
        path.unlink()
        return lines[number].split(b'"')[3].decode().rstrip("Z").replace("T", " ")

    def test_an_event_taken_out_of_the_log_is_named(self):
        server = self.logging(threads=1)
        now = now_us()
        times = [now - i * 3000 for i in range(2000)]
        lines = [f'{text_time(us)} route=r{i % 3} ms={i % 50}' for i, us in enumerate(times)]
        self.assertEqual(server.post_lines(lines).json["accepted"], 2000)
        server.stop()
        state, log = f"state:{server.state}", f"log:{self.dir}"
        self.assert_same(state, log, "--reports", self.reports)
        gone = self.take_out(next(self.dir.glob("*/1/[0-9]*.zst")), 1000)
        out, said = self.diff(state, log, status=1)
        window = gone[:22] + "0"
        self.assertRegex(out, rf"\A{re.escape(window)}, 10ms: (\d) \| (\d)\n\Z")
        self.assertIn(" 1 differ", said)
        out, _ = self.diff(log, state, "--reports", self.reports, "--report", "routes", status=1)
        route = f"r{1000 % 3}"
        self.assertRegex(out.splitlines()[1], rf"\A{gone[:19]}\.000, route={route}: count=\d+ .* \| count=\d+ .*\Z")
        self.assertEqual(len(out.splitlines()), 2)
        out, _ = self.diff(state, log, "--reports", self.reports, "--report", "proof", status=1)
        self.assertRegex(out.splitlines()[1], rf"\A{gone[:19]}\.000: count=\d+ digest=\w+ \| count=\d+ digest=\w+\Z")

    def test_a_bound_within_a_window(self):
        server = self.logging(threads=1)
        now = now_us()
        hour = now - 30 * 60_000_000
        minute = hour // 60_000_000 * 60_000_000
        self.assertEqual(server.post_lines([f"{text_time(minute + i * 5_001_000)} route=r{i % 3} ms={i}" for i in range(40)]).json["accepted"], 40)
        server.stop()
        state, log = f"state:{server.state}", f"log:{self.dir}"
        for at in (minute + 90_000_000, minute + 93_456_789):
            for flag in ("--to", "--from"):
                for words in ((), ("--window", "1min")):
                    out, _ = self.diff(state, log, "--reports", self.reports, "--report", "routes", *words, flag, text_time(at))
                    self.assertEqual(out, "")

    def test_a_row_that_one_lacks_is_one_difference_whatever_its_key(self):
        server = self.logging(threads=1)
        second = now_us() // 1_000_000 * 1_000_000 - 5_000_000
        keys = ["a[w", "b", "[c", "d]", "e"]
        self.assertEqual(server.post_lines([f'{text_time(second)} route="{key}" ms=1' for key in keys]).json["accepted"], 5)
        server.stop()
        gone = "a[w"
        path = next(self.dir.glob("*/1/[0-9]*.zst"))
        lines = subprocess.run(["zstdcat", path], capture_output=True, check=True).stdout.splitlines()
        self.take_out(path, next(i for i, line in enumerate(lines) if gone.encode() in line))
        out, _ = self.diff(f"state:{server.state}", f"log:{self.dir}", "--reports", self.reports, "--report", "routes", status=1)
        rows = [line for line in out.splitlines() if "route=" in line]
        self.assertEqual(len(rows), 1, out)
        self.assertRegex(rows[0], r"route=a\[w: count=1 .* \| -\Z")

    def test_an_event_taken_out_of_redis_is_named(self):
        redis = self.redis()
        server = self.logging(redis=redis)
        now = now_us() - 2_000_000
        self.send(server, [now - i * 10_000 for i in range(500)])
        self.flushed([server], redis)
        server.stop()
        gone = now - 250 * 10_000
        redis.do("HINCRBY", chunk_key("10ms", gone), f"{gone // 10_000 % 100:02}", -1)
        out, _ = self.diff(f"redis:{redis.url}", f"log:{self.dir}", status=1)
        self.assertEqual(out, f"{shown_time(gone // 10_000 * 10_000)}, 10ms: 0 | 1\n")
        redis.do("HINCRBY", chunk_key("1min", gone), f"{gone // 60_000_000 % 60:02}", 5)
        minute = gone // 60_000_000 * 60_000_000
        out, _ = self.diff(f"redis:{redis.url}", f"log:{self.dir}", "--to", text_time(now_us()), status=1)
        self.assertIn(f"{shown_time(gone // 10_000 * 10_000)}, 10ms: 0 | 1\n", out)
        redis.do("HINCRBY", chunk_key("10ms", gone), f"{gone // 10_000 % 100:02}", 1)
        out, _ = self.diff(f"redis:{redis.url}", f"log:{self.dir}", "--to", text_time(now_us()), status=1)
        self.assertRegex(out, rf"\A{shown_time(minute)}, 1min: \d+ \| \d+\n\Z")

    def test_what_came_too_late_is_in_neither(self):
        server = self.logging()
        self.run_load([server])
        server.stop()
        self.assertEqual(self.diff(f"state:{server.state}", f"log:{self.dir}")[0], "")
        self.assertGreater(int(self.replay("--total")), int(self.replay("--total", "--counted")))

    def test_what_cannot_be_compared_is_told(self):
        server = self.logging(threads=1)
        log, state = f"log:{self.dir}", f"state:{server.state}"
        for words, said in (
                ([], "needs two sources"), ([log], "needs two sources"), ([log, "x"], "they are server:URL, redis:URL"),
                ([log, "lag:x"], "is no source"), ([log, "state:"], "is no source"), ([log, "server:ftp://x"], "diff: "),
                ([log, state, "--window", "1s"], "--report NAME"), ([log, state, "--report", "routes"], "--reports FILE"),
                ([state, state, "--reports", "x"], "log:DIR"), ([log, "state:/none"], "/none"),
                ([log, state, "--from", "today", "--to", "2016-05-28"], "--to: is before --from"),
                ([log, state, "--from", "x"], "--from: 'x'"), (["log:/none", state], "cannot read the event log"),
                ([log, "server:http://127.0.0.1:1"], "127.0.0.1:1"), ([log, "redis:redis://127.0.0.1:1"], "127.0.0.1:1"),
                ([log, state], "nothing to compare"), ([log, state, "--nothing"], "--nothing")):
            done = aforo("diff", *words)
            away = said in ("/none", "cannot read the event log", "127.0.0.1:1")
            self.assertEqual((done[0], done[1], said in done[2]), (3 if away else 2, "", True), (words, done))
        self.send(server, [now_us() - i for i in range(30_000)])
        done = aforo("diff", log, state, "--reports", self.reports, "--report", "nothing")
        self.assertEqual((done[0], "no report nothing" in done[2]), (2, True), done)
        server.stop()
        path = next(self.dir.glob("*/1/[0-9]*.zst"))
        whole = path.read_bytes()
        path.write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:])
        done = aforo("diff", log, state)
        self.assertEqual((done[0], "what is damaged there cannot be compared" in done[2]), (2, True), done)


if __name__ == "__main__":
    unittest.main()
