"""aforo replay: a kept log, counted again, is what was counted; and the state that is rebuilt from it is the one that was lost."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from support import BIN, environment, now_us, text_time, wait_until
from support.console import aforo
from support.log_case import REPORTS, LogCase

KILLS = 50 if os.environ.get("DEV_AFORO_LONG") else 3


class Replay(LogCase):
    def rows_of(self, *source):
        """All that is there, by whatever reads it."""
        return {(report, window): aforo("report", report, "--window", window, "--partial", "--from", "-50m", *source)[1]
                for report, window in (("routes", "1s"), ("routes", "1min"), ("slow", "1min"), ("proof", "1s"))}

    def replayed(self, *words):
        return {(report, window): self.replay("--reports", self.reports, "--report", report, "--window", window, *words)
                for report, window in (("routes", "1s"), ("routes", "1min"), ("slow", "1min"), ("proof", "1s"))}

    def test_live_is_replay_is_redis_after_kills(self):
        redis = self.redis()
        server = self.logging(redis=redis)
        counted = self.run_load([server], KILLS, late=False)
        self.assertGreater(counted, 100)
        self.flushed([server], redis)
        live = self.rows_of("--server", f"http://127.0.0.1:{server.port}")
        self.assertTrue(all(live.values()), live)
        self.assertEqual(self.replayed(), live)
        stored = lambda: self.rows_of("--redis", redis.url)
        wait_until(lambda: stored() == live, lambda: f"{stored()}\nis\n{live}")
        self.assertEqual(int(self.replay("--total")), self.counted(server))
        for window in ("10ms", "1s", "1min"):
            status, out, _ = aforo(window, "--state", server.state, "--partial", "--from", "-50m")
            self.assertEqual((status, self.replay("--window", window)), (0, out))
        self.assertEqual(server.stop(), 0)  # all is sealed now
        self.assertEqual(self.replayed("--threads", "1"), live)
        self.assertEqual(self.replay("--window", "1min", "--format", "csv").splitlines()[0], "start (UTC),count,state")

    def test_reports_that_were_written_afterwards(self):
        server = self.logging()
        self.run_load([server])
        server.stop()
        afterwards = REPORTS + "  - {name: invented, by: [client], windows: [1min], show: [count, sum(ms)], when: ms}\n"
        self.reports.write_text(afterwards)
        rows = json.loads(self.replay("--reports", self.reports, "--report", "invented", "--format", "json"))["rows"]
        records = [json.loads(line) for line in aforo("log", "cat", self.dir)[1].splitlines()]
        lines = [r for r in records if "line" in r]
        mine = [row for row in rows if row["key"]["client"] == "lines"]
        self.assertEqual(sum(row["values"]["count"] for row in mine), len(lines))
        self.assertEqual(sum(row["values"]["sum(ms)"] for row in mine),
                         sum(int(r["line"].rpartition("ms=")[2]) for r in lines))

    def test_the_text_of_the_time_as_a_field(self):
        """A form that has the time alone is kept as it came only while a report reads its `value`."""
        fields = "fields: {at: form.value, value: }\nreports:\n  - {name: times, by: [at, value], windows: [1min], show: [count]}\n"
        plain = self.reports.read_text()
        now = text_time(now_us())
        server = self.logging()
        server.post(f"value={now}")
        self.reports.write_text(fields)
        server.stop()
        server.start()
        self.assertEqual(server.post(f"value={now}").status, 204)
        row = f'at="{now}" value="{now}", count=1'
        live = aforo("report", "times", "--state", server.state, "--partial")[1]
        self.assertIn(row, live)
        self.assertEqual(self.replay("--reports", self.reports, "--report", "times"), live)
        self.assertEqual(self.replay("--total"), "2\n")
        self.reports.write_text(plain)

    def test_headers_of_as_many_names_as_definitions_may_have(self):
        """64 fields with 8 places each; a request has a few of them."""
        names = [f"{{f{i}: {{from: [{', '.join(f'header.X-{i}-{k}' for k in range(8))}]}}}}"[1:-1] for i in range(64)]
        self.reports.write_text("fields: {" + ", ".join(names) + "}\nreports:\n"
                                "  - {name: far, by: [f63, f8], windows: [1min], show: [count]}\n")
        server = self.logging("--node-id", "n1")
        sent = {"X-63-7": "last", "X-8-0": "65th", "X-0-0": "first"}
        self.assertEqual(server.request("POST", "/", f"value={text_time(now_us())}", sent).status, 204)
        batch = f"{text_time(now_us())}\n" * 2
        self.assertEqual(server.request("POST", "/events", batch, {"Content-Type": "text/plain", **sent}).json["accepted"], 2)
        rows = self.replay("--reports", self.reports, "--report", "far")
        spelled = self.place.dir / "spelled.yaml"  # case does not matter in names of headers
        spelled.write_text(self.reports.read_text().replace("header.X-", "header.x-"))
        self.assertEqual(self.replay("--reports", spelled, "--report", "far"), rows)
        self.assertEqual(sum(int(n) for n in re.findall(r"f63=last f8=65th, count=(\d)", rows)), 3, rows)  # a minute may end between
        server.kill()
        shutil.rmtree(server.state)
        server.start()  # rebuilt from the log
        self.assertEqual(self.diff(f"state:{server.state}", f"log:{self.dir}", "--reports", self.reports, "--report", "far")[0], "")
        self.assertEqual(aforo("report", "far", "--state", server.state, "--partial")[1], rows)

    def test_whatever_the_time_was_called(self):
        server = self.logging("--time-field", "ts")
        now = text_time(now_us())
        sent = server.request("POST", "/events", json.dumps([
            {"ts": now, "date": "tomorrow", "time": [1], "web": {"route": "/x"}, "ms": 7},
            {"web": {"route": "/y"}, "ms": 8, "value": now}]), {"Content-Type": "application/json"})
        self.assertEqual(sent.json["accepted"], 2)
        live = self.rows_of("--state", server.state)
        self.assertIn("route=/x", live["routes", "1s"])
        self.assertEqual(self.replayed(), live)

    def test_events_that_were_counted_as_they_arrived(self):
        server = self.logging("--clock", "arrival")
        self.run_load([server])
        self.assert_same(f"state:{server.state}", f"log:{self.dir}", "--reports", self.reports)

    def test_what_came_too_late_is_counted_now(self):
        server = self.logging()
        day = "2016-05-28 11:11:11"
        for _ in range(3):
            self.assertEqual(server.post(f"value={day}&route=late&ms=30").status, 422)
        server.post(f"value={text_time(now_us())}")
        self.assertEqual(self.replay("--to", "2016-05-29"), f"{day}.000, 3\n")
        self.assertEqual(int(self.replay("--total")), 4)
        self.assertEqual(int(self.replay("--total", "--counted")), 1)
        text = self.replay("--reports", self.reports, "--report", "routes", "--window", "1min", "--to", "2017-01-01")
        self.assertRegex(text, r"^2016-05-28 11:11:00\.000, route=late, count=3 sum\(ms\)=90 ")
        rows = json.loads(self.replay("--reports", self.reports, "--report", "routes", "--format", "json"))["rows"]
        self.assertEqual(len(rows), 1, "years in between are no rows")

    def test_a_window_that_the_span_cuts_has_what_is_within(self):
        server = self.logging()
        server.post_lines([f"2016-05-28 11:11:{second:02}.{ms:03} route=r ms=1" for second in (10, 20, 30, 40) for ms in (1, 5)])
        span = ("--from", "2016-05-28 11:11:20.003", "--to", "2016-05-28 11:11:40.003")
        self.assertEqual(self.replay("--total", *span), "4\n")
        self.assertEqual(self.replay("--window", "1min", *span), "2016-05-28 11:11:00.000, 4\n")
        counts = {20: 1, 30: 2, 40: 1}
        self.assertEqual(self.replay(*span), "".join(f"2016-05-28 11:11:{second}.000, {counts.get(second, 0)}\n"
                                                     for second in range(20, 41)))
        self.assertRegex(self.replay("--reports", self.reports, "--report", "routes", "--window", "1min", *span),
                         r"\A2016-05-28 11:11:00\.000, route=r, count=4 sum\(ms\)=4 .*\n\Z")
        done = aforo("replay", self.dir, "--total", *span)
        self.assertEqual(done[2], "")

    def test_keys_that_found_no_room_are_named_with_the_remedy(self):
        server = self.logging()
        now = text_time(now_us())
        server.post_lines([f"{now} route=/{i}" for i in range(30)])
        server.stop()
        self.reports.write_text("fields: {route: }\nreports:\n"
                                "  - {name: few, by: route, windows: 1min, show: count, keys: {max: 20}}\n"
                                "  - {name: fewer, by: route, windows: 1min, show: count, keys: {max: 10}}\n"
                                "  - {name: enough, by: route, windows: 1min, show: count}\n")
        told = lambda *words: aforo("replay", self.dir, "--reports", self.reports, "--threads", "1", *words)[2]
        said = (rf"aforo: report few: the keys of 10 events found no room and are in \(other\): raise its memory: or keys: "
                rf"\(aforo reports check {re.escape(str(self.reports))}\)\n")
        self.assertRegex(told("--report", "few"), rf"\A{said}\Z")
        self.assertEqual(told("--report", "enough"), "")
        self.assertRegex(told("--into", self.place.dir / "into"),
                         rf"\Aaforo: 30 events were counted into .*\n{said}aforo: report fewer: the keys of 20 events .*\n\Z")

    def test_several_nodes_in_one_folder(self):
        redis = self.redis()
        servers = [self.logging("--node-id", f"n{i}", name=f"server{i}", redis=redis) for i in range(3)]
        self.run_load(servers, 3, late=False)
        self.flushed(servers, redis)
        replayed = self.replayed()
        stored = lambda: self.rows_of("--redis", redis.url)
        wait_until(lambda: stored() == replayed, lambda: f"{stored()}\nis\n{replayed}")
        for i, server in enumerate(servers):
            self.assertEqual(int(self.replay("--total", "--node", f"n{i}")), self.counted(server))
        self.assertEqual(self.replay("--into", self.place.dir / "one", status=1), "")
        self.replay("--into", self.place.dir / "one", "--node", "n1", "--reports", self.reports)
        self.assert_same(f"state:{self.place.dir / 'one'}", f"state:{servers[1].state}")

    def test_a_server_goes_on_with_a_state_that_was_counted_into(self):
        redis = self.redis()
        server = self.logging("--node-id", "n1", "--horizon", "3h", redis=redis)
        self.run_load([server], late=False)
        counted = server.stats()["counted"]
        self.flushed([server], redis)
        self.assertEqual(server.stop(), 0)  # rows of reports leave after the counts, all of them now
        before = self.rows_of("--redis", redis.url)
        status, _, said = aforo("replay", self.dir, "--reports", self.reports, "--into", server.state)
        self.assertEqual(status, 1)
        self.assertIn("is there, and is not empty; name another directory", said)
        server.state = self.place.dir / "into"
        self.replay("--reports", self.reports, "--into", server.state, "--horizon", "3h")
        server.start()
        wait_until(lambda: server.stats()["store"]["connected"], "it is connected", 30)
        self.send(server, [now_us()])
        wait_until(lambda: sum(redis.counts("1min").values()) == counted + 1, "what is new has arrived", 30)
        after = self.rows_of("--redis", redis.url)
        for of, rows in before.items():
            if of[0] != "proof":
                self.assertEqual(after[of], rows)

    def test_mistakes_are_told(self):
        server = self.logging()
        server.post("value=x")
        empty = self.place.dir / "empty"
        empty.mkdir()
        for words, status, said in (
                ([], 2, "needs a directory"),
                ([self.place.dir / "none"], 3, "cannot read the event log: No such file"),
                ([self.dir, self.dir], 1, "they would be counted twice"),
                ([empty], 1, "there is no event log (aforod --event-log DIR makes one)"),
                ([self.dir, "--node", "nobody"], 1, "the event log has no node nobody"),
                ([self.dir, "--from", "today", "--to", "2016-05-28"], 2, "--to: is before --from"),
                ([self.dir, "--report", "routes"], 2, "goes with --reports FILE"),
                ([self.dir, "--reports", self.reports, "--report", "nothing"], 1, "no report nothing; there are: routes"),
                ([self.dir, "--reports", empty], 2, "empty"),
                ([self.dir, "--window", "5s"], 2, "10ms, 1s or 1min"),
                ([self.dir, "--top", "3"], 2, "--report NAME"),
                ([self.dir, "--total", "--format", "csv"], 2, "exclude each other"),
                ([self.dir, "--into", empty, "--total"], 2, "--into"),
                ([self.dir, "--into", empty], 1, "there are no events to be counted"),
                ([self.dir, "--rports", "x"], 2, "--reports"),
                ([self.dir], 0, "no counted events there")):
            done = aforo("replay", *words)
            self.assertEqual((done[0], said in done[2]), (status, True), (words, done))
        self.send(server, [now_us()] * 5)
        done = aforo("replay", self.dir, "--to", "2016-05-28")
        self.assertEqual((done[0], done[1]), (0, ""))
        self.assertIn("no counted events there between --from and --to", done[2])

    def test_damage_is_named(self):
        server = self.logging(threads=1)
        now = now_us()
        self.send(server, [now - i for i in range(30_000)])
        server.stop()
        path = next(self.dir.glob("*/1/[0-9]*.zst"))
        whole = path.read_bytes()
        path.write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:])
        status, out, said = aforo("replay", self.dir, "--total")
        self.assertEqual(status, 1)
        self.assertRegex(said, r"records 1 to \d+ of node \w+, shard 1 cannot be read: its checksum is another")
        self.assertLess(int(out), 30_000)
        self.assertGreater(int(out), 0)

    def test_a_file_that_cannot_be_read_is_named(self):
        """By all who count, and not passed over for want of a time."""
        server = self.logging("--node-id", "n1", threads=1)
        for _ in range(2):  # two files
            self.send(server, [now_us()] * 1000)
            server.stop()
            server.start()
        server.stop()
        path = sorted(self.dir.glob("*/1/[0-9]*.zst"))[0]
        path.write_bytes(b"")
        for words in (["--total"], ["--window", "1min"], ["--total", "--from", "2030-01-01"]):
            status, _, said = aforo("replay", self.dir, *words)
            self.assertEqual(status, 1, words)
            self.assertIn("records 1 to 1000 of node n1, shard 1 cannot be read", said)
        self.assertIn("what is damaged there cannot be compared", self.diff(f"log:{self.dir}", f"log:{self.dir}", status=2)[1])
        shutil.rmtree(server.state)
        status, said = server.refuses_to_start()
        self.assertEqual(status, 1)
        self.assertRegex(said, "cannot be rebuilt from the event log as it was: .*records from 1 on cannot be read")

    def test_nothing_stays_behind_when_it_is_stopped(self):
        server = self.logging()
        self.send(server, [now_us()] * 1000)
        folder = self.place.dir / "tmp"
        folder.mkdir()
        for number, words in ((signal.SIGINT, ["--window", "10ms"]), (signal.SIGTERM, ["--into", folder / "state"])):
            with subprocess.Popen([BIN / "aforo", "replay", self.dir, *words], env={**environment(), "TMPDIR": str(folder)},
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                process.send_signal(number)
            self.assertNotIn(True, ["aforo-replay" in path.name or "counting" in path.name for path in folder.iterdir()])


class Rebuild(LogCase):
    """A state directory that is lost while the log is kept."""

    def lose(self, server):
        server.kill()
        shutil.rmtree(server.state)

    def test_a_lost_state_is_rebuilt_and_redis_is_left_with_the_same(self):
        redis = self.redis()
        server = self.logging("--node-id", "n1", redis=redis)
        counted = 0
        for _ in range(2 if KILLS < 10 else 6):
            counted += self.run_load([server], 1)
            self.lose(server)
            server.start()
            self.assertIn("the state was rebuilt from the event log", server.log())
            self.assert_same(f"state:{server.state}", f"log:{self.dir}", "--reports", self.reports)
        counted += self.run_load([server])
        self.assertGreaterEqual(self.counted(server), counted)
        self.flushed([server], redis)
        total = int(self.replay("--total", "--counted"))
        self.assertEqual(sum(redis.counts("1min").values()), total)
        time.sleep(1.1)  # what was flushed a moment ago is compared, too
        self.assert_same(f"redis:{redis.url}", f"log:{self.dir}", "--reports", self.reports, "--to", text_time(now_us()))
        redis.audit()
        self.assertEqual(aforo("check", "--redis", redis.url, "--from", "-20min")[0], 0)

    def test_what_was_not_flushed_is_not_lost(self):
        redis = self.redis()
        server = self.logging("--node-id", "n1", redis=redis)
        self.run_load([server])
        self.flushed([server], redis)
        redis.kill()
        self.run_load([server])
        counted = server.stats()["counted"]
        self.lose(server)
        redis.start()  # empty: it kept nothing
        server.start()
        wait_until(lambda: sum(redis.counts("1min").values()) == counted, lambda: f"{redis.counts('1min')} are {counted}", 30)

    def test_the_log_knows_its_state_without_a_name(self):
        server = self.logging()
        self.send(server, [now_us()] * 100)
        node = server.stats()["node"]
        other = self.logging(name="other")
        self.send(other, [now_us()] * 7)
        self.lose(server)
        server.start()
        self.assertEqual((server.stats()["node"], server.stats()["counted"]), (node, 100))
        third = self.logging(name="third")
        self.assertEqual(third.stats()["counted"], 0)

    def test_a_rebuild_that_is_cut_off_begins_anew(self):
        server = self.logging("--node-id", "n1")
        self.run_load([server])
        counted = server.stats()["counted"]
        self.lose(server)
        half = server.state / "rebuilding"
        (half / "reports").mkdir(parents=True)
        (half / "counters.aforo").write_bytes(b"half")
        server.start()
        self.assertEqual(server.stats()["counted"], counted)
        self.assertFalse(half.exists())
        # killed between the moves: the rows are in their place, the counts are not
        self.assertEqual(server.stop(), 0)
        half.mkdir()
        (half / "done").touch()
        (server.state / "counters.aforo").rename(half / "counters.aforo")
        server.start()
        self.assert_same(f"state:{server.state}", f"log:{self.dir}", "--reports", self.reports)

    def test_what_cannot_be_had_again_is_refused(self):
        server = self.logging("--node-id", "n1", threads=1)
        now = now_us()
        self.send(server, [now - i for i in range(30_000)])
        server.stop()
        path = next(self.dir.glob("*/1/[0-9]*.zst"))
        whole = path.read_bytes()
        path.write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:])
        shutil.rmtree(server.state)
        status, said = server.refuses_to_start()
        self.assertEqual(status, 1)
        self.assertRegex(said, r"cannot be rebuilt from the event log as it was: .*its checksum is another; bring the state back, or begin "
                               r"anew by moving .*/n1 away")
        self.assertFalse((server.state / "counters.aforo").exists())
        self.assertFalse((server.state / "rebuilding").exists())
        shutil.move(self.dir / "n1", self.place.dir / "away")
        server.start()
        self.assertEqual(server.stats()["counted"], 0)
        # retention has taken what the horizon needs
        server.stop()
        shutil.rmtree(self.dir / "n1")
        shutil.move(self.place.dir / "away", self.dir / "n1")
        path = next(self.dir.glob("*/1/[0-9]*.zst"))
        path.write_bytes(whole)
        text = subprocess.run(["zstdcat", path], capture_output=True, check=True).stdout
        path.unlink()
        (path.parent / "00000000000000000002.ndjson").write_bytes(text[text.index(b"\n") + 1:])
        shutil.rmtree(server.state)
        status, said = server.refuses_to_start()
        self.assertEqual(status, 1)
        self.assertIn("begins with record 2: older ones of the horizon were removed", said)

    def without_log(self, server, events):
        """The same server, without its log for a while."""
        flags, server.flags = server.flags, server.flags[2:]
        server.start()
        self.send(server, [now_us()] * events)
        self.assertEqual(server.stop(), 0)
        server.flags = flags

    def refuses_for(self, server, span):
        """The state is lost, and not rebuilt: events of that span were counted without the log."""
        shutil.rmtree(server.state)
        status, said = server.refuses_to_start()
        self.assertEqual(status, 1)
        self.assertRegex(said, r"cannot be rebuilt from the event log as it was: events were counted without it " + span +
                         r" \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ; bring the state back, or begin anew by moving .*/n1 away")
        self.assertFalse((server.state / "counters.aforo").exists())

    def test_events_that_were_counted_without_the_log_are_not_left_out(self):
        server = self.logging("--node-id", "n1")
        self.send(server, [now_us()] * 100)
        server.stop()
        self.without_log(server, 7)
        kept = shutil.copytree(server.state, self.place.dir / "kept")
        self.refuses_for(server, "from")
        # with the state, they go together again; from then on the log has all
        shutil.copytree(kept, server.state, dirs_exist_ok=True)
        server.start()
        self.send(server, [now_us()] * 5)
        self.assertEqual(server.stats()["counted"], 112)
        server.stop()
        self.refuses_for(server, "until")
        # and once the horizon is past, nothing of what it lacks is needed
        (self.dir / "n1" / ".apart").write_text(f"until {now_us() - 2 * 86_400_000_000}\n")
        server.start()
        self.assertEqual(server.stats()["counted"], 105)
        server.kill()
        shutil.rmtree(server.state)
        server.start()
        self.assertEqual(server.stats()["counted"], 105)

    def test_a_log_that_is_begun_later_does_not_have_what_came_before(self):
        server = self.logging("--node-id", "n1")
        server.stop()
        shutil.rmtree(self.dir)
        shutil.rmtree(server.state)
        self.without_log(server, 3)
        server.start()
        self.send(server, [now_us()] * 4)
        # another log is another
        server.stop()
        first, server.flags[1] = server.flags[1], self.place.dir / "second"
        server.start()
        self.assertIn("without the event log that the state went with", server.log())
        self.send(server, [now_us()] * 4)
        server.stop()
        self.refuses_for(server, "until")
        server.flags[1] = first
        self.refuses_for(server, "from")

    def test_a_log_that_cannot_be_told_keeps_the_server_from_starting(self):
        server = self.logging("--node-id", "n1")
        self.send(server, [now_us()])
        server.stop()
        (self.dir / "n1" / ".apart").mkdir()
        server.flags = server.flags[2:]
        status, said = server.refuses_to_start()
        self.assertEqual(status, 1)
        self.assertRegex(said, r"/n1 cannot be written: .*Remove event-log from the state directory if it is never to be used again")
        (server.state / "event-log").unlink()
        server.start()
        self.assertEqual(server.stats()["counted"], 1)
        # one that is gone is no reason
        server.stop()
        (server.state / "event-log").write_text(f"{self.dir}/away\n")
        server.start()
        self.assertIn("is not there: if it comes back, no state can be rebuilt from it as it was", server.log())
        self.assertFalse((server.state / "event-log").exists())


if __name__ == "__main__":
    unittest.main()
