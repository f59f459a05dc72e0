"""The console program against a real Redis, filled as the nodes fill it: far spans, errors, and following it while it
hangs, dies and comes back empty."""

import os
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

from support import BIN, TIMEOUT_S, WIDTH_US, Case, environment, now_us, wait_until
from support.console import FilledRedis, Followed, aforo, chunk_key, expected_text, shown_time

SECOND = 1_000_000
DAY = 86_400 * SECOND
SETTLE_US = 200_000  # less than the program waits for what a node has yet to send


class RedisCase(Case):
    options = ()

    def setUp(self):
        super().setUp()
        self.redis = FilledRedis(self.place, *self.options).start()
        self.now_us = now_us()

    def empty_because(self, reason, *words):
        status, out, err = aforo(*words, "--redis", self.redis.url)
        self.assertEqual((status, out), (0, ""))
        self.assertRegex(err, rf"\Aaforo: {reason}\n\Z")

    def rows(self, *words):
        status, out, err = aforo(*words, "--redis", self.redis.url)
        self.assertEqual((status, err), (0, ""))
        return out


class Rows(RedisCase):
    def test_every_resolution(self):
        base = self.now_us - 200 * SECOND
        events = {base: 5, base + 31_000: 1, base + 999_999: 2, base + 70 * SECOND: 3, base + 130 * SECOND: 900_000}
        self.redis.fill(events)
        for resolution in WIDTH_US:
            with self.subTest(resolution=resolution):
                # A minute that is still open would be missing.
                self.assertEqual(self.rows(resolution, "--from", shown_time(base // (60 * SECOND) * 60 * SECOND),
                                           "--partial"),
                                 expected_text(events, resolution))

    def test_as_far_back_as_it_is_kept(self):
        events = {self.now_us - 400 * DAY: 1, self.now_us - 200 * DAY: 2, self.now_us - 2 * 60 * SECOND: 3}
        self.redis.fill(events)
        before = self.asked()
        self.assertEqual(self.rows("1min", "--from", shown_time(self.now_us - 401 * DAY)), expected_text(events, "1min"))
        commands, reads = (now - then for now, then in zip(self.asked(), before))
        self.assertGreater(commands, 9000)  # a chunk is an hour
        self.assertLess(reads, commands / 10, "each chunk is asked for alone: a network would make that slow")

    def asked(self):
        """(commands, reads) of this Redis until now."""
        stats = self.redis.do("INFO", "stats")
        return [int(re.search(rf"{name}_processed:(\d+)", stats)[1]) for name in ("total_commands", "total_reads")]

    def test_older_than_the_usual_time_to_live_with_from(self):
        old_us = self.now_us - 3 * DAY
        self.redis.fill({old_us: 4})
        self.empty_because("no 10ms windows with events: [^\\n]+; ask for 1min", "10ms")
        self.assertEqual(self.rows("10ms", "--from", shown_time(old_us - SECOND)), expected_text({old_us: 4}, "10ms"))

    def test_nothing_is_no_error(self):
        for resolution in WIDTH_US:
            self.empty_because(rf"redis 127.0.0.1:{self.redis.port}, database 0, holds no counts of aforo; is it the right "
                               rf"Redis, and the right database of it\?", resolution)
        self.redis.fill({self.now_us - 7200 * SECOND: 1})
        self.assertEqual(aforo("1min", "--last", 1, "--redis", self.redis.url)[2], "")
        self.assertIn("database 3,", aforo("1min", "--redis", self.redis.url + "/3")[2])

    def test_last_is_so_many_rows_and_never_what_was_let_go(self):
        self.redis.fill({self.now_us - 200 * SECOND: 1})
        for resolution in WIDTH_US:
            self.assertEqual(self.rows(resolution, "--last", 100).count("\n"), 100)
            self.assertTrue(self.rows(resolution, "--last", 100).endswith(", 1\n"))
        rows = self.rows("10ms", "--last", 1_000_000).count("\n")
        self.assertTrue(6_000 * 100 <= rows <= 7_000 * 100 + 100, rows)  # 2 h less the time since the event

    def test_totals_of_all_that_is_kept(self):
        events = {self.now_us - 300 * DAY: 1, self.now_us - 3 * DAY: 2, self.now_us - 1800 * SECOND: 4,
                  self.now_us - 2 * SECOND: 8}
        self.redis.fill(events)
        self.assertEqual(self.rows("total"), "15\n")
        self.assertEqual(self.rows("total", "--from", "-7d"), "14\n")
        self.assertEqual(self.rows("total", "--from", "-1h", "--to", shown_time(self.now_us - SECOND)), "12\n")
        cut_us = self.now_us - 3 * DAY - SECOND // 2
        self.assertEqual(self.rows("total", "--to", shown_time(cut_us // SECOND * SECOND - 60 * SECOND)), "1\n")

    def test_states_by_the_horizon(self):
        self.redis.fill({self.now_us - 100 * SECOND: 1, self.now_us - 10 * SECOND: 1, self.now_us + 5 * SECOND: 1})
        words = ("1s", "--from", "-5m", "--partial", "--format", "csv")
        lines = self.rows(*words, "--horizon", "50s").splitlines()
        self.assertEqual(sorted({line.split(",")[2] for line in lines[1:]}), ["closed", "final", "open"])
        self.assertTrue(lines[1].endswith(",final") and lines[-1].endswith(",open"))
        self.assertNotIn("final", self.rows(*words))

    def test_what_is_not_ours_is_an_error(self):
        key = chunk_key("1s", self.now_us - 3600 * SECOND)
        for fill in (("SET", key, "x"), ("HSET", key, "07", "many"), ("HSET", key, "07", "-1"), ("HSET", key, "59", "")):
            with self.subTest(fill=fill):
                self.redis.pipeline([("DEL", key), fill])
                status, out, err = aforo("1s", "--redis", self.redis.url)
                self.assertEqual((status, out), (1, ""))
                self.assertRegex(err, rf"\Aaforo: redis 127.0.0.1:{self.redis.port}: aforo:[^\n]+\n\Z")

    def test_fields_that_are_no_windows_are_not_read(self):
        """Parts of nodes and until stand beside the totals; a second has no window 60."""
        us = self.now_us - 3600 * SECOND
        self.redis.fill({us: 3})
        self.redis.do("HSET", chunk_key("1s", us), "60", "1", "x", "1", "final", "1")
        self.assertEqual(self.rows("1s", "--from", "-6d"), expected_text({us: 3}, "1s"))

    def test_a_redis_that_hangs(self):
        self.redis.signal(signal.SIGSTOP)
        status, out, err = aforo("1s", "--redis", self.redis.url, "--timeout", "300ms")
        self.assertEqual((status, out), (3, ""))
        self.assertRegex(err, r"\Aaforo: redis [^\n]+\n\Z")  # it hangs for good: without --timeout this never ends


class Password(RedisCase):
    options = ("--requirepass", "s3cret")

    def test_taken_from_the_url_and_never_shown(self):
        place = f"127.0.0.1:{self.redis.port}"
        self.redis_is_empty = aforo("1s", "--redis", f"redis://:s3cret@{place}/0")
        self.assertEqual(self.redis_is_empty[:2], (0, ""))
        self.assertIn("holds no counts", self.redis_is_empty[2])
        for url in (f"redis://{place}", f"redis://:wr0ng@{place}"):
            status, out, err = aforo("1s", "--redis", url)
            self.assertEqual((status, out), (1, ""))
            self.assertRegex(err, r"\Aaforo: redis [^\n]+\n\Z")
            self.assertNotIn("wr0ng", err)
        self.assertIn(f"redis {place}: NOAUTH", aforo("1s", "--redis", f"redis://{place}")[2])
        self.assertIn("set AFORO_REDIS_PASSWORD or", aforo("1s", "--redis", f"redis://{place}")[2])

    def test_its_file_must_be_a_regular_one(self):
        fifo = self.redis.directory / "fifo"
        os.mkfifo(fifo)
        for path in (fifo, fifo.parent):
            env = environment(AFORO_REDIS_PASSWORD_FILE=str(path))
            status, out, err = aforo("1s", "--redis", f"redis://127.0.0.1:{self.redis.port}", env=env)
            self.assertEqual((status, out), (2, ""))
            self.assertRegex(err, rf"\Aaforo: --redis: [^\n]*{path}: it is not a regular file\n\Z")
            done = subprocess.run([BIN / "aforod", "--redis", self.redis.url, "--state", fifo.parent / "state"],
                                  env=env,
                                  capture_output=True, text=True, timeout=TIMEOUT_S)
            self.assertEqual(done.returncode, 2)
            self.assertIn("it is not a regular file", done.stderr)
        secret = fifo.parent / "secret"
        secret.write_text("s3cret\n")
        self.assertEqual(aforo("1s", "--redis", self.redis.url,
                               env=environment(AFORO_REDIS_PASSWORD_FILE=str(secret)))[0], 0)


class NoPassword(RedisCase):
    def test_one_that_was_given_is_refused_in_a_whole_sentence(self):
        status, out, err = aforo("1s", "--redis", f"redis://:s3cret@127.0.0.1:{self.redis.port}")
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(err,
                         r"\Aaforo: redis [^\n]+: AUTH: a password was given, and this Redis has none: leave it [^\n]+\)\n\Z")

    def test_a_bad_url_is_wrong_usage(self):
        for place in ("nonsense://x", "127.0.0.1:6379", "redis://a:b", "redis://"):
            for words, variable, named in ((("--redis", place), {}, "--redis"), ((), {"AFORO_REDIS": place},
                                                                                 "AFORO_REDIS")):
                status, out, err = aforo("1s", *words, env=environment(**variable))
                self.assertEqual((status, out), (2, ""))
                self.assertRegex(err, rf"\Aaforo: {named}: [^\n]+\n\Z")


class Hostile(unittest.TestCase):
    """What answers is no Redis, and wants the terminal."""

    def test_control_characters_of_replies_are_shown(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def answer():
                link, _ = listener.accept()
                with link:
                    link.recv(4096)
                    link.sendall(b"-ERR \x1b]0;title\x07\x1b[31mno\x9b\r\n")
            thread = threading.Thread(target=answer)
            thread.start()
            self.addCleanup(thread.join)
            status, out, err = aforo("1s", "--redis", f"redis://127.0.0.1:{listener.getsockname()[1]}")
        self.assertEqual((status, out), (1, ""))
        self.assertIn(r"ERR \x1b]0;title\x07\x1b[31mno\x9b", err)
        self.assertNotIn("\x1b", err)


class Follow(RedisCase):
    def setUp(self):
        super().setUp()
        first = {self.now_us - 3 * SECOND: 1}
        self.redis.fill(first)
        self.followed = Followed(SETTLE_US, first)
        self.process = subprocess.Popen(
            [BIN / "aforo", "10ms", "--follow", "--last", "1", "--redis", self.redis.url, "--timeout", "1s"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        self.addCleanup(self.process.kill)
        self.lines = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")))
        self.reader.start()
        wait_until(lambda: self.lines, "its first row")  # what is counted before that would not be shown: --last 1

    def count(self, seconds):
        """Counts an event every 50 ms, as a node would: with absolute times of now."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            us = now_us()
            self.followed.add(us, 1, lambda us=us: self.redis.fill({us: 1}))
            time.sleep(0.05)

    def finish(self):
        """Ends the program; returns what it said on standard error. What it printed must be right."""
        wait_until(lambda: self.followed.is_after(self.lines[-1]), "it shows windows after the last event")
        self.process.send_signal(signal.SIGTERM)
        self.reader.join(TIMEOUT_S)
        self.assertEqual(self.process.wait(TIMEOUT_S), 0)
        err = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        self.followed.check(self, self.lines)
        return err

    def test_a_running_redis(self):
        self.count(1)
        self.assertEqual(self.finish(), "")

    def test_one_that_hangs(self):
        self.count(0.5)
        self.redis.signal(signal.SIGSTOP)
        time.sleep(2)
        self.redis.signal(signal.SIGCONT)
        self.count(3)
        self.assertRegex(self.finish(), r"\Aaforo: redis [^\n]+; trying again\n\Z")

    def test_one_that_comes_back_empty(self):
        self.count(0.5)
        self.redis.kill()
        time.sleep(1)
        self.redis.start()
        time.sleep(0.7)  # the nodes find out
        self.redis.fill(self.followed.events)
        self.count(3)
        self.assertRegex(self.finish(), r"\Aaforo: redis [^\n]+; trying again\n\Z")


if __name__ == "__main__":
    unittest.main()
