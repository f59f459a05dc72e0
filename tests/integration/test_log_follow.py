"""aforo log cat --follow: each record once and in order, whatever ends the server, the consumer, or what it writes to."""

import collections
import json
import os
import signal
import subprocess
import threading
import time
import unittest

from support import BIN, Case, environment, now_us, text_time, wait_until

REPORTS = """
fields: {route: ~, agent: header.User-Agent}
reports:
  - {name: routes, by: [route, agent], windows: [1s], show: [count]}
"""
KILLS = 50 if os.environ.get("DEV_AFORO_LONG") else 8


def key_of(line):
    record = json.loads(line)
    return record["node"], record["shard"], record["sequence"]


class Follower:
    """aforo log cat, and the lines that it has printed."""

    def __init__(self, case, *words):
        self.lines, self.case = [], case
        self.errors = case.place.dir / f"follower{len(case.followers)}.log"
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", BIN / "aforo", "log", "cat", case.dir, *map(str, words)],
                stdout=subprocess.PIPE, stderr=errors, env=environment(), cwd=case.place.dir)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        case.followers.append(self)

    def read(self):
        for line in self.process.stdout:
            if line.endswith(b"\n"):  # the last one of a process that was killed may be cut
                self.lines.append(line.decode())

    def wait_lines(self, n):
        wait_until(lambda: len(self.lines) >= n or self.process.poll() is not None,
                   lambda: f"{len(self.lines)} of {n} lines; {self.said()}")
        self.case.assertEqual(len(self.lines), n, self.said())

    def end(self, number=signal.SIGTERM):
        """(exit status, what it said)"""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(30)
        self.reader.join()
        self.process.stdout.close()
        return self.process.returncode, self.said()

    def said(self):
        return self.errors.read_text()


class Sender(threading.Thread):
    """Sends batches until it is told to end, also while the server is down; counts what was acknowledged."""

    def __init__(self, server):
        super().__init__()
        self.server, self.ends = server, threading.Event()
        self.acknowledged = 0
        self.start()

    def run(self):
        while not self.ends.wait(0.005):
            try:
                self.acknowledged += self.server.post_lines([text_time(now_us())] * 50).json["accepted"]
            except (OSError, ValueError):
                pass  # it is being killed

    def end(self):
        self.ends.set()
        self.join()


class Following(Case):
    def setUp(self):
        super().setUp()
        self.dir = self.place.dir / "log"
        self.cursor = self.place.dir / "cursor"
        self.followers = []
        self.addCleanup(lambda: [follower.end(signal.SIGKILL) for follower in self.followers])

    def follow(self, *words):
        return Follower(self, "--follow", *words)

    def cat(self, *words, status=0):
        done = subprocess.run([BIN / "aforo", "log", "cat", self.dir, *map(str, words)], capture_output=True, text=True,
                              timeout=60, env=environment(), check=False, cwd=self.place.dir)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout.splitlines(keepends=True) if status == 0 else done.stderr

    def assert_all_once(self, lines):
        """All records of the log, each once, in the order of the numbers of each shard."""
        self.assertEqual(sorted(lines), sorted(self.cat("--all", "--number")))
        shards = collections.defaultdict(list)
        for line in lines:
            node, shard, sequence = key_of(line)
            shards[node, shard].append(sequence)
        for shard, numbers in shards.items():
            self.assertEqual(numbers, list(range(1, len(numbers) + 1)), shard)

    def test_what_comes_is_printed_and_the_cursor_goes_on(self):
        server = self.server("--event-log", self.dir, threads=2)
        now = now_us()
        self.send(server, [now] * 3)
        first = self.follow("--cursor", self.cursor)
        first.wait_lines(3)
        server.post(f"value={text_time(now)}&route=/a")
        first.wait_lines(4)
        self.assertIn('"form":"value=', first.lines[3])
        self.assertEqual(first.end(), (0, ""))
        self.assertRegex(self.cursor.read_text(), r"\Aaforo event log cursor 1\n(\S+ [12] \d+\n)+\Z")
        self.send(server, [now] * 5)
        second = self.follow("--cursor", self.cursor)
        second.wait_lines(5)
        self.assertEqual(second.end(signal.SIGINT), (0, ""))
        self.assertEqual(self.cat("--cursor", self.cursor), [])
        self.send(server, [now])
        self.assertEqual(len(self.cat("--cursor", self.cursor)), 1)

    def test_a_consumer_that_keeps_the_keys_gets_each_record_once(self):
        """Killed and started again, with the server killed and started again under it: by numbers none is missing, and what is
        repeated is known by its number."""
        server = self.server("--event-log", self.dir, "--node-id", "one", threads=2)
        sender = Sender(server)
        kept = {}
        for turn in range(KILLS):
            follower = self.follow("--cursor", self.cursor, "--all", "--number")
            time.sleep(0.1 + 0.03 * (turn % 7))
            if turn % 2:
                server.kill()
                time.sleep(0.02 * (turn % 3))
                server.start()
            follower.end(signal.SIGKILL)
            self.assertEqual(follower.said(), "")
            for line in follower.lines:
                self.assertEqual(kept.setdefault(key_of(line), line), line, "a number has one record")
        sender.end()
        last = self.follow("--cursor", self.cursor, "--all", "--number")
        wait_until(lambda: len(kept.keys() | {key_of(line) for line in list(last.lines)}) == len(self.cat("--all")), "all is read",
                   every_s=0.2)
        self.assertEqual(last.end(), (0, ""))
        kept.update((key_of(line), line) for line in last.lines)
        self.assertGreaterEqual(len(kept), sender.acknowledged)
        self.assertGreater(sender.acknowledged, 0)
        self.assert_all_once([kept[key] for key in sorted(kept)])

    def test_a_command_gets_batches_and_acknowledges_them(self):
        """It fails at times, and is killed at times: what it has not acknowledged is given again, whole."""
        server = self.server("--event-log", self.dir, threads=2)
        path, turns = self.place.dir / "taken", self.place.dir / "turns"
        command = f'echo >> {turns}; cat > {path}.part; [ $(($(wc -l < {turns}) % 3)) -ne 1 ] && cat {path}.part >> {path}'
        sender = Sender(server)
        for turn in range(4):
            follower = self.follow("--cursor", self.cursor, "--number", "--into", command)
            wait_until(lambda: "tried again" in follower.said(), "the command was given a batch again", every_s=0.02)
            time.sleep(0.3)
            follower.end(signal.SIGKILL if turn % 2 else signal.SIGTERM)
        sender.end()
        follower = self.follow("--cursor", self.cursor, "--number", "--into", f"cat >> {path}")
        wait_until(lambda: len(set(path.read_text().splitlines())) == len(self.cat()), "all is taken", every_s=0.2)
        self.assertEqual(follower.end(), (0, ""))
        lines = path.read_text().splitlines(keepends=True)
        self.assertEqual(sorted(set(lines)), sorted(self.cat("--number")))

    def test_fields_choose(self):
        reports = self.place.dir / "reports.yaml"
        reports.write_text(REPORTS)
        server = self.server("--event-log", self.dir, "--reports", reports, threads=1)
        now = text_time(now_us())
        server.request("POST", "/", f"value={now}&route=%2Fpay&n=1", {"User-Agent": "one/1"})
        server.request("POST", "/?route=/pay", f"value={now}", {"User-Agent": "two/2"})
        objects = f'{{"value":"{now}","route":"\\/pay","user":{{"id":7}}}}\n{{"value":"{now}","route":"/é"}}\n'
        server.request("POST", "/events", objects.encode(),
                       {"Content-Type": "application/x-ndjson"})
        server.post_lines([f'{now} route="/pay" x=1', f"{now} route=/other", now])
        server.request("POST", "/", b"value=" + now.encode() + b"&route=a\xffb")
        for words, n in ((["route=/pay"], 4), (["query.route=/pay"], 1), (["json.user.id=7"], 1), (["route=/é"], 1),
                         (["route=/pay", "line.x=1"], 1), (["header.user-agent=one/1"], 1), (["header.User-Agent=one"], 0),
                         (["route=/pa"], 0), (["route=/pay", "n=2"], 0), (["line.route=/other"], 1), (["nothing="], 0)):
            flags = [flag for word in words for flag in ("--where", word)]
            self.assertEqual(len(self.cat(*flags)), n, words)
        odd = subprocess.run([BIN / "aforo", "log", "cat", self.dir, "--where", b"route=a\xffb"], capture_output=True,
                             env=environment(), timeout=60, check=True).stdout
        self.assertEqual(json.loads(odd)["form"].encode(errors="surrogateescape"), b"value=" + now.encode() + b"&route=a\xffb")
        self.assertEqual(len(self.cat("--cursor", self.cursor, "--where", "route=/pay")), 4)

    def test_files_that_went_unread_are_named(self):
        server = self.server("--event-log", self.dir, "--event-log-size", "1", "--node-id", "one", threads=1)
        now = now_us()
        self.send(server, [now] * 10)
        self.assertEqual(len(self.cat("--cursor", self.cursor)), 10)
        for _ in range(8):
            self.send(server, [now + i for i in range(100_000)])
        wait_until(lambda: server.stats()["event_log"]["removed"] > 0, "files were removed")
        server.stop()
        said = self.cat("--cursor", self.cursor, status=1)
        self.assertRegex(said, r"records 11 to \d+ of node one, shard 1 cannot be read: their files were removed before they were "
                               r"read \(--event-log-size, --event-log-keep\)")
        self.assertEqual(self.cat("--cursor", self.cursor), [])

    def test_a_reader_that_has_had_enough_ends_it(self):
        server = self.server("--event-log", self.dir, threads=1)
        self.send(server, [now_us()] * 3)
        gone = self.place.dir / "gone"
        done = subprocess.run(["bash", "-c", f'set -o pipefail; "{BIN}/aforo" log cat {self.dir} --follow --cursor {self.cursor} | '
                               f'{{ head -2; exec 0<&-; touch "{gone}"; }} & until [ -e "{gone}" ]; do sleep 0.02; done; '
                               f'curl -fsS -d "" http://127.0.0.1:{server.port}/; wait $!'],
                              capture_output=True, text=True, timeout=30, env=environment(), check=False)
        self.assertEqual((done.returncode, len(done.stdout.splitlines()), done.stderr), (0, 2, ""))
        self.assertRegex(self.cursor.read_text(), " 1 4\n")

    def test_an_empty_file_that_is_replaced_and_sealed_meanwhile_is_read(self):
        limited = self.place.dir / "limited"  # its files may not grow to the size of a tail, as on a disk that is full
        limited.write_text(f'#!/bin/bash\nulimit -S -f 8192\nexec {BIN / "aforod"} "$@"\n')
        limited.chmod(0o755)

        def run(n, **settings):
            server = self.server("--event-log", self.dir, "--node-id", "one", threads=1, name="one", **settings)
            self.send(server, [now_us()] * n)
            server.stop()
            self.place.programs.remove(server)
        run(3)
        run(4, program=limited)  # all dropped, and an empty file is left for what comes next
        follower = self.follow()
        wait_until(lambda: len(follower.lines) == 3, follower.said)
        time.sleep(0.5)  # it has looked at the empty file
        follower.process.send_signal(signal.SIGSTOP)
        run(5)
        follower.process.send_signal(signal.SIGCONT)
        wait_until(lambda: len(follower.lines) == 3 + 5, lambda: f"{len(follower.lines)} {follower.said()}")
        run(2)
        wait_until(lambda: len(follower.lines) == 3 + 5 + 2, lambda: f"{len(follower.lines)} {follower.said()}")

    def test_two_of_one_cursor(self):
        server = self.server("--event-log", self.dir, threads=1)
        self.send(server, [now_us()])
        self.follow("--cursor", self.cursor).wait_lines(1)
        for _ in range(2):
            self.assertIn("another process follows with this cursor", self.cat("--cursor", self.cursor, status=1))

    def test_what_cannot_be_read_is_said(self):
        server = self.server("--event-log", self.dir, "--node-id", "one", threads=1)
        self.send(server, [now_us()] * 3)
        head = "aforo event log cursor 1\n"
        for text, said in (("nonsense\n", "is no cursor of the event log"), (head + "one 1\n", "line 2: expected a node"),
                           (head + "one 1 2", "line 2"), (head + "one 1 0\n", "line 2"), (head + "one x 1\n", "line 2"),
                           (head + "one 1 3 7\n", "line 2: expected a node"),
                           (head + "one 1 2\none 1 1\n", "line 3: this node and shard are there already"),
                           (head + "one 1 99999999999999999999\n", "line 2"), (head[:-2], "is no cursor"),
                           (head + "one 1 500\n", "record 500 is to be read next, and the log ends before 4")):
            self.cursor.write_text(text)
            self.assertIn(said, self.cat("--cursor", self.cursor, status=1))
            self.assertEqual(self.cursor.read_text(), text, "it is left as it is")
        self.cursor.write_text(head + "gone 7 12\none 1 2\n")
        self.assertEqual(len(self.cat("--cursor", self.cursor)), 2)
        self.assertEqual(self.cursor.read_text(), head + "gone 7 12\none 1 4\n")
        for words, said in ((["--where", "route"], "expected FIELD=VALUE"), (["--where", "=x"], "expected FIELD=VALUE"),
                            (["--where", "jso.a=1"], "did you mean json?"), (["--where", "json.=1"], "a field has a name"),
                            (["--where", f"{'x' * 32}=1"], "a field has a name of 1 to 31 bytes"),
                            (["--every", "1s"], "--every is of --follow")):
            self.assertIn(said, self.cat(*words, status=2))
        self.assertIn("Permission denied" if os.geteuid() else "Not a directory",
                      self.cat("--cursor", "/proc/version/x" if not os.geteuid() else "/root/x", status=1))


if __name__ == "__main__":
    unittest.main()
