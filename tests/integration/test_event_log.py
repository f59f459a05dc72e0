"""The event log: what is acknowledged is in it, and it has exactly what was counted, whatever ends the server."""

import collections
import http.client
import json
import os
import resource
import shutil
import subprocess
import threading
import time
import unittest

from support import BIN, Case, environment, now_us, text_time, us_of, wait_until

REPORTS = """
fields: {route: ~, ms: {type: int}}
reports:
  - {name: slow, by: [route], windows: [1s], show: [count, sum(ms), max(ms)]}
"""


def aforo_log(*words):
    return subprocess.run([BIN / "aforo", "log", *map(str, words)], capture_output=True, text=True, timeout=60,
                          env=environment(), check=False)


KILLS = 50 if os.environ.get("DEV_AFORO_LONG") else 3


class Load(threading.Thread):
    """Sends events over one connection, of one kind, until it is cut; counts what was acknowledged."""

    def __init__(self, server, kind):
        super().__init__()
        self.server, self.kind = server, kind
        self.counted = self.refused = 0
        self.start()

    def body(self, turn):
        now = text_time(now_us())
        if self.kind == "form":
            return "/", {}, f"value={now}" if turn % 3 else f"value={now}&route=%2Fpay&ms={turn}"
        if self.kind == "late":
            return "/", {}, "value=2016-05-28 11:11:11" if turn % 2 else "value=x"
        if self.kind == "lines":
            return "/events", {}, "".join(f"{text_time(now_us())}\n" for _ in range(200)) + "none\n"
        if self.kind == "fields":
            return "/events", {}, "".join(f"{text_time(now_us())} route=/a ms={i}\n" for i in range(50))
        return ("/events", {"Content-Type": "application/x-ndjson"},
                "".join(json.dumps({"value": text_time(now_us()), "route": "/é", "ms": i}) + "\n" for i in range(100)))

    def run(self):
        link = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            for turn in range(100_000):
                time.sleep(0.002)  # the log is read again after each kill
                path, headers, body = self.body(turn)
                link.request("POST", path, body.encode(), headers)
                answer = link.getresponse()
                text = answer.read()
                if path == "/":
                    self.counted += answer.status < 300
                    self.refused += answer.status >= 400
                else:
                    told = json.loads(text)
                    self.counted += told["accepted"]
                    self.refused += told["rejected"]
        except (OSError, http.client.HTTPException):
            pass  # the server was killed
        finally:
            link.close()


class EventLog(Case):
    def setUp(self):
        super().setUp()
        self.dir = self.place.dir / "log"

    def records(self, *flags):
        done = aforo_log("cat", self.dir, *flags)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def assert_log_is_what_was_counted(self, server):
        """By 10 ms windows: the beginning of a record's time, as text, names its window."""
        done = aforo_log("cat", self.dir)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        kept = collections.Counter(line[9:31] for line in done.stdout.splitlines())
        counted = {text_time(us, 2).replace(" ", "T"): n for us, n in server.counts("10ms").items()}
        self.assertEqual(kept, counted)
        return kept.total()

    def whole(self):
        done = aforo_log("check", self.dir)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def kill_under_load(self, *flags):
        server = self.server("--event-log", self.dir, *flags)
        counted = refused = 0
        for turn in range(KILLS):
            loads = [Load(server, kind) for kind in ("form", "form", "late", "lines", "fields", "ndjson")]
            wait_until(lambda: all(load.counted + load.refused for load in loads), "every connection had an answer")
            time.sleep(0.1 + 0.013 * (turn % 11))
            server.kill()
            for load in loads:
                load.join()
                counted += load.counted
                refused += load.refused
            server.start()
            self.assertGreaterEqual(self.assert_log_is_what_was_counted(server), counted)
            self.assertGreaterEqual(aforo_log("cat", self.dir, "--refused").stdout.count("\n"), refused)
            self.whole()
        self.assertEqual(server.stop(), 0)
        self.assertEqual(list(self.dir.glob("*/*/*.ndjson")), [], "all is sealed")
        self.assertIn("counted", self.whole())
        server.start()
        self.assert_log_is_what_was_counted(server)

    def test_killed_under_load(self):
        self.kill_under_load()

    def test_killed_under_load_with_reports(self):
        path = self.place.dir / "reports.yaml"
        path.write_text(REPORTS)
        self.kill_under_load("--reports", path)

    def test_killed_under_load_by_arrival(self):
        self.kill_under_load("--clock", "arrival")

    def test_each_kind_of_event_is_kept_as_it_came(self):
        server = self.server("--event-log", self.dir, threads=1)
        now = now_us()
        text = text_time(now)
        server.post(f"value={text}")
        server.request("POST", "/?a=1%20", f"value={text}&route=/x")
        server.post("")
        server.post("value=never")
        server.post("value=2016-05-28 11:11:11&b=2")
        server.post_lines([text, f'{text} a="b c"', "x\\", "2016-05-28 11:11:11"])
        server.request("POST", "/events?b=50%", text)
        server.request("POST", "/events", f'[{{"value":"{text}",\n"n":[1, 2]}}, {{"value":1}}]', {"Content-Type": "application/json"})
        records = self.records("--all")
        for record in records:
            self.assertLess(abs(record.pop("lag_us", 0)), 10**17)
        arrival = records.pop(2)
        self.assertEqual(list(arrival), ["time"])
        self.assertLess(abs(us_of(arrival["time"]) - now), 10**7)
        for record in records:
            record.pop("arrival", None)
        time_text = text.replace(" ", "T") + "Z"
        self.assertEqual(us_of(records[0]["time"]), now)
        self.assertEqual(records, [
            {"time": time_text},
            {"time": time_text, "query": "a=1%20", "form": f"value={text}&route=/x"},
            {"refused": "malformed", "why": "value: expected a digit at character 1, found 'n'", "form": "value=never"},
            {"time": "2016-05-28T11:11:11.000000Z", "refused": "too_late", "form": "value=2016-05-28 11:11:11&b=2"},
            {"time": time_text},
            {"time": time_text, "line": f'{text} a="b c"'},
            {"refused": "malformed", "text": "x\\",
             "why": "expected a digit at character 1, found 'x'; a line begins with its timestamp"},
            {"time": "2016-05-28T11:11:11.000000Z", "refused": "too_late"},
            {"refused": "malformed", "why": "query: % at byte 5 is not followed by two hexadecimal digits", "query": "b=50%"},
            {"time": time_text, "json": {"value": text, "n": [1, 2]}},
            {"time": "1970-01-01T00:00:01.000000Z", "refused": "too_late", "json": {"value": 1}},
        ])
        self.assertEqual(len(self.records()), 6)
        self.assertEqual(len(self.records("--refused")), 6)
        stats = server.conserved()
        self.assertEqual((stats["counted"], sum(stats["refused"].values())), (6, 6))

    def test_sealed_files_are_read_without_us(self):
        server = self.server("--event-log", self.dir, threads=1)
        now = now_us()
        times = [now - i * 1000 for i in range(300_000)]
        for i in range(0, len(times), 50_000):
            self.send(server, times[i:i + 50_000])
        self.assertEqual(server.stop(), 0)
        files = sorted(self.dir.glob("*/1/[0-9]*.ndjson.zst"))
        text = subprocess.run(["zstdcat", *files], capture_output=True, check=True).stdout
        texts = [text_time(us).replace(" ", "T") + "Z" for us in times]
        self.assertEqual([record["time"] for record in json.loads(b"[" + b",".join(text.splitlines()) + b"]")], texts)
        if shutil.which("jq"):
            done = subprocess.run(["bash", "-o", "pipefail", "-c", f"zstdcat {files[0]} | jq -r .time"], capture_output=True, text=True,
                                  check=True)
            self.assertEqual(done.stdout.splitlines(), texts[:done.stdout.count("\n")])
        some = self.records("--from", text_time(now - 2_000_000), "--to", text_time(now - 1_000_000))
        self.assertEqual(len(some), 1000)
        flipped = bytearray(files[0].read_bytes())
        flipped[len(flipped) // 2] ^= 1
        files[0].write_bytes(flipped)
        done = aforo_log("check", self.dir)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"records \d+ to \d+ of node \w+, shard 1 cannot be read: its checksum is another")
        self.assertIn("DAMAGED", done.stdout)

    def test_the_oldest_files_go_when_there_are_too_many(self):
        server = self.server("--event-log", self.dir, "--event-log-size", "1MiB", threads=1)
        now = now_us()
        lines = "".join(f"{text_time(now - i)}\n" for i in range(100_000)).encode()
        for _ in range(15):  # four full files; the last one stays
            self.assertEqual(server.post_lines(lines).json["accepted"], 100_000)
        wait_until(lambda: "removed the oldest file" in server.log(), server.log, 20)
        self.assertGreater(int(self.whole().split("records ")[1].split()[0]), 1)

    def limited(self):
        """A server whose files may not grow to the size of a tail, as on a disk that is full."""
        path = self.place.dir / "limited"
        path.write_text(f'#!/bin/bash\nulimit -S -f 12000\nexec {BIN / "aforod"} "$@"\n')
        path.chmod(0o755)
        return path

    def free(self, server):
        hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_until(lambda: "there is room for the event log again" in server.log(), "it has found the room")

    def test_no_room_and_events_are_counted_all_the_same(self):
        server = self.server("--event-log", self.dir, threads=1, program=self.limited())
        now = now_us()
        self.send(server, [now] * 10)
        self.assertEqual(server.post("").status, 204)
        wait_until(lambda: "events are counted and not kept" in server.log(), server.log)
        self.assertEqual(server.stats()["event_log"]["dropped"], 11)
        self.free(server)
        self.send(server, [now] * 5)
        self.assertEqual(self.records()[0]["time"], text_time(now).replace(" ", "T") + "Z")
        self.assertEqual(server.stats()["event_log"]["records"], 5)
        self.assertIn("records 12 to 16: 5 counted", self.whole())

    def test_what_was_dropped_at_the_end_is_missed(self):
        server = self.server("--event-log", self.dir, "--node-id", "n1", threads=1, program=self.limited())
        self.send(server, [now_us()] * 10)
        self.assertEqual(server.stop(), 0)
        shutil.rmtree(server.state)
        status, said = server.refuses_to_start()
        self.assertEqual(status, 1)
        self.assertIn("begins with record 11", said)

    def test_no_room_and_events_are_refused(self):
        server = self.server("--event-log", self.dir, "--event-log-when-full", "refuse", threads=1, program=self.limited())
        now = text_time(now_us())
        answer = server.post(f"value={now}")
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "1"))
        told = server.post_lines([now, now]).json
        self.assertEqual((told["accepted"], told["rejected"]), (0, 2))
        self.assertEqual(told["errors"][0]["reason"], "the event log has no room; send it again later")
        self.assertEqual(server.stats()["refused"]["not_kept"], 3)
        self.assertIn('\naforo_http_responses_total{class="5xx",listener="events"} 1\n', server.request("GET", "/metrics").text)
        self.free(server)
        self.assertEqual(server.post(f"value={now}").status, 204)
        self.assertEqual(len(self.records()), 1)
        self.assertIn("records 1 to 1: 1 counted", self.whole())

    def test_a_second_server_is_refused(self):
        self.server("--event-log", self.dir, "--node-id", "one")
        other = self.place.server("--event-log", self.dir, "--node-id", "one", name="other")
        status, said = other.refuses_to_start()
        self.assertEqual(status, 1)
        self.assertIn("another process writes this event log", said)

    def test_nothing_there_is_said(self):
        for words, status, said in (
                (["cat"], 2, "needs one directory"), (["check", self.dir], 3, "cannot read the event log"),
                (["cat", self.place.dir / "nothing"], 3, "cannot read"), (["cut", self.dir], 2, "did you mean cat?"),
                (["cat", self.dir, "--all", "--refused"], 2, "one of them at a time"),
                (["cat", self.dir, "--from", "today", "--to", "2016-05-28"], 2, "--to: is before --from"),
                (["cat", self.dir, "--from", "nonsense"], 2, "--from: 'nonsense'")):
            done = aforo_log(*words)
            self.assertEqual((done.returncode, said in done.stderr), (status, True), done.stderr)
        self.server("--event-log", self.dir).post("value=x")
        done = aforo_log("cat", self.dir)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertIn("no counted events there; 1 refused ones (--all)", done.stderr)
        done = aforo_log("check", next(self.dir.iterdir()))
        self.assertEqual(done.returncode, 1)
        self.assertIn("is the folder of one node; name the one above it", done.stderr)
        self.assertIn("Usage: aforo log cat DIR", aforo_log("--help").stdout)

    def test_settings_of_no_event_log_are_told(self):
        server = self.server("--event-log-when-full", "refuse")
        self.assertIn("settings of the event log have no meaning: no event is kept", server.log())


if __name__ == "__main__":
    unittest.main()
