"""Versions side by side: a fleet of which a half is an earlier version, on one Redis, under load; through the upgrade, and back.

An earlier version is built from its commit, in build/PRESET/versions/COMMIT, where it stays. DEV_AFORO_BEFORE names the commits,
instead of the one before this one, 0.1.0, and the first whose keys at Redis are those of today; DEV_AFORO_BEFORE_BIN names a folder with
programs that are built already.
"""

import collections
import json
import os
import pathlib
import shutil
import struct
import subprocess
import unittest

from support import BIN, ROOT, STATE_FILE, TIMEOUT_S, WIDTH_US, Case, Load, compare, environment, flushed, now_us, sums, text_time, wait_until

VERSION_0_1_0 = "097c170"
ONE_KEY_A_CHUNK = "d8ac6cf"
BUILD_S = 1500
VERSION_AT = 8  # in the header of a state file, behind the magic
REPORTS = """
fields: {k: , x: {type: int}}
reports:
  - {name: sums, by: [k], when: k and x, windows: [1min], show: [count, sum(x), max(x), distinct(x)]}
"""
CONFIGURE = ("-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DAFORO_TESTS=OFF")


def git(*words):
    done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, timeout=TIMEOUT_S, check=False)
    return done.stdout if done.returncode == 0 else None


def why_no_versions():
    if os.environ.get("DEV_AFORO_BEFORE_BIN"):
        return None
    if shutil.which("git") is None or git("rev-parse", "HEAD") is None:
        return "no git and no history here: DEV_AFORO_BEFORE_BIN names a folder with programs of another version"
    return None


def build(commit):
    """The folder with its programs, made unless it is there."""
    tree = BIN.parent / "versions" / commit
    if not (tree / "built").exists():
        shutil.rmtree(tree, ignore_errors=True)
        (tree / "source").mkdir(parents=True)
        subprocess.run(["tar", "-x", "-C", tree / "source"], input=git("archive", commit), timeout=TIMEOUT_S, check=True)
        for words in (["cmake", "-S", tree / "source", "-B", tree / "build", *CONFIGURE],
                      ["cmake", "--build", tree / "build", "--parallel", str(os.cpu_count()), "--target", "aforod", "aforo"]):
            done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=BUILD_S, check=False)
            if done.returncode:
                raise unittest.SkipTest(f"{commit} does not build here: {done.stderr.strip()[-300:]}")
        (tree / "built").touch()
    return tree / "build" / "bin"


def versions():
    """{name: folder of its programs}"""
    if os.environ.get("DEV_AFORO_BEFORE_BIN"):
        place = pathlib.Path(os.environ["DEV_AFORO_BEFORE_BIN"])
        return {str(place): place}
    named = os.environ.get("DEV_AFORO_BEFORE", "").split() or ["HEAD~1", VERSION_0_1_0, ONE_KEY_A_CHUNK]
    commits = {name: git("rev-parse", "--short=12", f"{name}^{{commit}}") for name in named}
    return {name: build(commit.decode().strip()) for name, commit in commits.items() if commit}


def said(program, *words):
    done = subprocess.run([str(word) for word in (program, *words)], capture_output=True, text=True, timeout=TIMEOUT_S,
                          env=environment(), check=False)
    return done.returncode, done.stdout, done.stderr


@unittest.skipIf(why_no_versions(), why_no_versions())
class SideBySide(Case):
    def forget(self):
        """What was sent to a fleet before."""
        self.events = collections.Counter()  # those of rows: time -> how many
        self.rows = collections.defaultdict(lambda: [0, 0, 0, set()])  # k -> count, sum, max, values

    def node(self, name, program, flags):
        return self.server("--node-id", name, "--redis-timeout", "500ms", *flags, redis=self.store, name=name, program=program / "aforod")

    def become(self, node, program, killed):
        """The same node, on the same state, by another version."""
        if killed:
            node.kill()
        else:
            self.assertEqual(node.stop(), 0, node.log()[-2000:])
        node.program = program / "aforod"
        node.start()

    def send_rows(self, nodes):
        for number, node in enumerate(nodes):
            lines = []
            for i in range(40):
                k, x = f"k{i % 3}", number * 1000 + i
                us = now_us()
                self.events[us] += 1
                lines.append(f"{text_time(us)} k={k} x={x}")
                row = self.rows[k]
                row[0], row[1], row[2] = row[0] + 1, row[1] + x, max(row[2], x)
                row[3].add(x)
            answer = node.post_lines(lines)
            self.assertEqual((answer.status, answer.json["accepted"]), (200, len(lines)), answer.text)

    def shown_rows(self, program):
        status, out, error = said(program / "aforo", "report", "sums", "--redis", self.store.url, "--partial", "--from", "-30m",
                                  "--format", "json")
        if status:
            return error
        total = collections.defaultdict(lambda: [0, 0, 0])
        for row in json.loads(out)["rows"]:
            of, values = total[row["key"]["k"]], row["values"]
            of[0], of[1], of[2] = of[0] + values["count"], of[1] + values["sum(x)"], max(of[2], values["max(x)"])
        return dict(total)

    def fleet(self, name, before):
        """Two nodes of either version, each under load, then the upgrade of a half, and the way back."""
        self.forget()
        reports = "--reports" in said(before / "aforod", "--help-all")[1]
        definitions = self.place.dir / "reports.yaml"
        definitions.write_text(REPORTS)
        flags = ["--reports", definitions] if reports else []
        self.store = self.redis("--appendonly", "yes", "--appendfsync", "no", name=f"{name}-redis")
        nodes = [self.node(f"{name}-{i}", before if i < 2 else BIN, flags) for i in range(4)]
        loads = [Load(self.place, node, f"{name}-load{i}", seed=20 + i, connections=4, rate=500) for i, node in enumerate(nodes)]
        steps = ((0, BIN), (2, before), (1, BIN), (2, BIN), (0, before), (0, BIN))
        for number, (which, program) in enumerate(steps):
            for load in loads:
                load.progress(200)
            if reports:
                self.send_rows(nodes)
            self.become(nodes[which], program, killed=number in (1, 4))
            if number == 2:
                self.store.kill()
                self.store.start()
        for load in loads:
            load.progress(200)
        totals = [load.stop() for load in loads]
        flushed(nodes, self.store)
        counted = sum(self.store.counts("1min").values())
        for resolution, ours in sums(self.events).items():
            held = collections.Counter(self.store.counts(resolution))
            held.subtract(ours)
            compare(loads, resolution, {start: n for start, n in held.items() if n}, "Redis")
        self.store.audit()
        for program in (before, BIN):
            self.assertEqual(said(program / "aforo", "total", "--redis", self.store.url)[:2], (0, f"{counted}\n"))
        self.assertEqual(said(BIN / "aforo", "check", "--redis", self.store.url, "--from", "-30m")[0], 0)
        if reports:
            expected = {k: row[:3] for k, row in self.rows.items()}
            for program in (before, BIN):
                wait_until(lambda one=program: self.shown_rows(one) == expected,
                           lambda one=program: f"{one}: {self.shown_rows(one)}, not {expected}", every_s=0.2)
        low, high = (sum(total[key] for total in totals) for key in ("acked", "sent"))
        ours = sum(self.events.values())
        for node in nodes:
            node.conserved()
            self.assertEqual(node.stop(), 0, node.log()[-2000:])
        self.store.end()
        print(f"{before.parent.parent.name}: {len(steps)} changes of version (two by kill -9) and a kill of Redis, under load; acknowledged {low + ours}, "
              f"sent {high + ours}, in Redis {counted}; rows: {reports}")

    def test_a_half_is_the_version_before(self):
        for number, (name, before) in enumerate(versions().items()):
            with self.subTest(name):
                self.fleet(f"fleet{number}", before)

    def test_a_log_that_both_have_written_is_read_by_both(self):
        for number, (name, before) in enumerate(versions().items()):
            with self.subTest(name):
                if "--event-log" not in said(before / "aforod", "--help-all")[1]:
                    continue
                log = self.place.dir / f"log{number}"
                node = self.server("--event-log", log, name=f"log-node{number}", program=before / "aforod")
                sent = 0
                for program, killed in ((BIN, True), (before, True), (BIN, False), (before, False), (BIN, False)):
                    self.assertEqual(node.post_lines([text_time(now_us()) for _ in range(500)]).json["accepted"], 500)
                    sent += 500
                    self.become(node, program, killed)
                self.assertEqual(node.stop(), 0, node.log()[-2000:])
                for program in (before, BIN):
                    status, out, error = said(program / "aforo", "log", "cat", log)
                    self.assertEqual((status, len(out.splitlines()), error), (0, sent, ""))
                    self.assertEqual(said(program / "aforo", "log", "check", log)[0], 0)
                    self.assertEqual(said(program / "aforo", "replay", log, "--counted", "--total")[:2], (0, f"{sent}\n"))
                    self.assertEqual(said(program / "aforo", "total", "--state", node.state)[:2], (0, f"{sent}\n"))
                print(f"{before.parent.parent.name}: a log and a state that were written by turns, two kill -9: {sent} events, read by both")

    def test_a_state_of_a_later_format_is_refused_by_both(self):
        for name, before in versions().items():
            with self.subTest(name):
                node = self.server(name="later")
                self.assertEqual(node.post("").status, 204)
                self.assertEqual(node.stop(), 0)
                path = node.state / STATE_FILE
                with path.open("r+b") as file:
                    file.seek(VERSION_AT)
                    version, = struct.unpack("<I", file.read(4))
                    file.seek(VERSION_AT)
                    file.write(struct.pack("<I", version + 1))
                kept = path.read_bytes()
                for program in (before, BIN):
                    node.program = program / "aforod"
                    status, words = node.refuses_to_start()
                    self.assertEqual(status, 1, words)
                    self.assertIn(f"has format version {version + 1}, this program writes version {version}", words)
                    self.assertEqual(path.read_bytes(), kept)
                shutil.rmtree(node.state)


if __name__ == "__main__":
    unittest.main()
