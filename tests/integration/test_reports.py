"""Reports as they are read: from a server, a state directory and Redis the same rows in every format, for keys of any bytes; who
may; what is said of an empty answer; each window as it closes; over kill -9, restart and reload."""

import csv
import io
import json
import random
import re
import signal
import subprocess
import threading
import unittest
import urllib.parse

from support import BIN, TIMEOUT_S, Case, environment, now_us, text_time, wait_until
from support.console import aforo

SECOND, MINUTE = 1_000_000, 60_000_000
DEFINITIONS = """
fields:
  flight:  [form.flight, json.flight]
  client:  {from: [form.client, json.client], type: int}
  seconds: {from: [form.seconds, json.seconds], type: int}
  ms:      {from: json.ms, type: int}
reports:
  - name: billing
    by: [flight, client]
    windows: [1s, 1min]
    show: [count, sum(seconds), avg(seconds), first, last]
  - name: slow
    when: ms > 1000
    windows: [1min]
    show: [count, max(ms), p50(ms)]
  - name: visitors
    windows: [1min]
    show: [distinct(client), top3(flight), digest]
"""
NDJSON = {"Content-Type": "application/x-ndjson"}
HOSTILE = ["a b", 'say "hi"', "a,b=c", "(other)", "-", "", "\x1b[2J\x07", "100%", "a\\xffb", "M\u00fcnchen \U0001f600", "line\r\nend",
           "tab\tstop", "\u009b2J", "x" * 1000]


def unescaped(cell):
    """What \\xNN of a cell, or of a string of json, stands for, as bytes."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), cell.encode())


def from_text(shown):
    """A value of a row in text, as bytes."""
    if not shown.startswith('"'):
        return shown.encode()
    return re.sub(rb"\\(?:x([0-9a-f]{2})|(.))", lambda found: bytes([int(found[1], 16)]) if found[1] else found[2],
                  shown[1:-1].encode())


class ReportsCase(Case):
    def setUp(self):
        super().setUp()
        self.definitions = self.place.dir / "reports.yaml"
        self.definitions.write_text(DEFINITIONS, encoding="utf-8")
        # Two events of a minute must be in one: all of them lie in one that is over.
        self.minute = now_us() // MINUTE * MINUTE - MINUTE

    def start(self, *flags, **settings):
        return self.server("--reports", self.definitions, *flags, **settings)

    def send(self, server, *events):
        """Each a dictionary; us: after the beginning of the minute."""
        lines = [json.dumps({"time": text_time(self.minute + event.pop("us", 0))} | event) for event in map(dict, events)]
        answer = server.request("POST", "/events", "\n".join(lines).encode(), NDJSON)
        self.assertEqual((answer.status, answer.json["accepted"]), (200, len(events)), answer.text)

    def send_some(self, server):
        self.send(server, {"flight": "AA1", "client": 7, "seconds": 30, "us": 100}, {"flight": "AA1", "client": 7, "seconds": 9, "us": 200},
                  {"flight": "AA2", "client": 8, "seconds": 5, "ms": 2000}, {"flight": "AA3", "client": 9, "seconds": 50, "us": SECOND})

    def read(self, source, *words):
        done = subprocess.run([str(BIN / "aforo"), "report", *map(str, (*words, *source))], capture_output=True, timeout=TIMEOUT_S,
                              env=environment(), stdin=subprocess.DEVNULL, check=False)
        self.assertEqual((done.returncode, done.stderr.decode()), (0, ""), source)
        return done.stdout.decode()  # line ends as they are

    def refused(self, source, *words):
        status, out, err = aforo(*words, *source)
        self.assertEqual(out, "")
        self.assertRegex(err, r"\Aaforo: [^\n]+\n\Z")
        return status, err[len("aforo: "):-1]


class Sources(ReportsCase):
    """A server, its state, and the Redis that it flushes to."""

    def setUp(self):
        super().setUp()
        self.redis_server = self.redis()
        self.aforod = self.start(redis=self.redis_server)
        url = f"http://127.0.0.1:{self.aforod.port}"
        self.sources = (("--server", url), ("--state", self.aforod.state), ("--redis", self.redis_server.url))
        wait_until(lambda: "visitors" in aforo("reports", *self.sources[2])[1], "the definitions are in Redis")

    def wait_flushed(self, events):
        """Each window goes to Redis by itself: those of one width may be there before those of the other."""
        def counted(window):
            out = aforo("report", "billing", "--window", window, "--from", text_time(self.minute), "--format", "json", *self.sources[2])[1]
            return sum(row["values"]["count"] for row in json.loads(out or '{"rows":[]}')["rows"]) == events
        wait_until(lambda: counted("1s") and counted("1min"), f"{events} events are in Redis")

    def everywhere(self, *words):
        """What all sources answer, which is one thing."""
        answers = [self.read(source, *words) for source in self.sources]
        self.assertEqual(answers, answers[:1] * 3, words)
        return answers[0]

    def test_the_same_rows_from_everywhere(self):
        self.send_some(self.aforod)
        self.wait_flushed(4)
        for report in ("slow", "visitors"):
            wait_until(lambda report=report: aforo("report", report, *self.sources[0])[1] == aforo("report", report, *self.sources[2])[1],
                       f"{report} is in Redis")
        start, zulu = text_time(self.minute, 3), text_time(self.minute, 3).replace(" ", "T") + "Z"
        first, last = (text_time(self.minute + us) for us in (100, 200))
        self.assertEqual(
            self.everywhere("billing", "--window", "1min", "--where", "flight=AA1"),
            f"{start}, flight=AA1 client=7, count=2 sum(seconds)=39 avg(seconds)=19.50 first={first} last={last}\n")
        text = self.everywhere("billing", "--window", "1min", "--format", "csv")
        self.assertEqual(text.splitlines()[:2], ["start,state,flight,client,count,sum(seconds),avg(seconds),first,last",
                                                 f"{zulu},closed,AA1,7,2,39,19.50,{first.replace(' ', 'T')}Z,{last.replace(' ', 'T')}Z"])
        answer = json.loads(self.everywhere("billing", "--window", "1min", "--format", "json"))
        self.assertEqual((answer["report"], answer["window"], len(answer["rows"])), ("billing", "1min", 3))
        self.assertEqual(answer["rows"][1], {
            "start": zulu, "state": "closed", "key": {"flight": "AA2", "client": 8},
            "values": {"count": 1, "sum(seconds)": 5, "avg(seconds)": 5.0, "first": zulu[:-1] + "000Z", "last": zulu[:-1] + "000Z"}})
        self.assertRegex(self.everywhere("slow"), rf"\A{re.escape(start)}, count=1 max\(ms\)=2000 p50\(ms\)=(19[89]\d|20[012]\d)\S*\n\Z")
        visitors = json.loads(self.everywhere("visitors", "--format", "json"))["rows"][0]["values"]
        self.assertEqual(visitors["distinct(client)"], 3)
        self.assertEqual(visitors["top3(flight)"][0], {"value": "AA1", "count": 2, "error": 0})
        self.assertRegex(visitors["digest"], r"\A[0-9a-f]{16}\Z")
        self.assertIn("top3(flight)=[AA1=2 AA2=1 AA3=1] digest=", self.everywhere("visitors"))

    def test_which_windows_and_rows(self):
        self.send_some(self.aforod)
        self.wait_flushed(4)
        keys = r"flight=(\S+)"
        for words, expected in ((("--last", 1), ["AA3"]), (("--last", 2), ["AA1", "AA2", "AA3"]),
                                (("--from", text_time(self.minute + SECOND)), ["AA3"]),
                                (("--to", text_time(self.minute + SECOND)), ["AA1", "AA2"]),
                                (("--last", 2, "--top", 1, "--by", "sum(seconds)"), ["AA1", "AA3"]),
                                (("--last", 2, "--where", "client=8"), ["AA2"]), (("--last", 2, "--top", 1, "--where", "client=8"), ["AA2"])):
            with self.subTest(words=words):
                self.assertEqual(re.findall(keys, self.everywhere("billing", "--window", "1s", *words)), expected)
        self.assertEqual(re.findall(keys, self.everywhere("billing", "--window", "1min", "--top", 2, "--by", "sum(seconds)")),
                         ["AA3", "AA1"])

    def test_keys_of_any_bytes(self):
        self.send(self.aforod, *({"flight": flight, "client": i, "seconds": 1} for i, flight in enumerate(HOSTILE)))
        form = f"flight=%ff%00%1b&client=99&seconds=1&value={text_time(self.minute)}"  # as form: no UTF-8
        self.assertLess(self.aforod.request("POST", "/", form, {"Content-Type": "application/x-www-form-urlencoded"}).status, 300)
        self.wait_flushed(len(HOSTILE) + 1)
        wanted = {i: flight.encode() for i, flight in enumerate(HOSTILE)} | {99: b"\xff\x00\x1b"}
        text = self.everywhere("billing", "--window", "1min")
        self.assertTrue(all(c == "\n" or " " <= c <= "~" for c in text), "nothing reaches a terminal but printable ASCII")
        self.assertEqual(text.count("\n"), len(wanted))
        cells = self.everywhere("billing", "--window", "1min", "--format", "csv")
        self.assertFalse(re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", cells))
        rows = list(csv.DictReader(io.StringIO(cells, newline="")))
        self.assertEqual({int(row["client"]): unescaped(row["flight"]) for row in rows}, wanted)
        rows = json.loads(self.everywhere("billing", "--window", "1min", "--format", "json"))["rows"]
        self.assertEqual({row["key"]["client"]: unescaped(row["key"]["flight"]) for row in rows}, wanted)
        for row in csv.DictReader(io.StringIO(cells, newline="")):  # what a cell shows can be asked for
            if "\n" not in row["flight"]:
                asked = self.everywhere("billing", "--window", "1min", "--where", "flight=" + row["flight"], "--format", "csv")
                self.assertEqual(asked.count("\n"), 2, row)

    def test_no_two_keys_look_the_same(self):
        """Bytes at random, of those that mean something somewhere: what is shown can be undone in every format."""
        chance = random.Random(4711)
        likely = [bytes([byte]) for byte in b"\\x5c28ab,=\"' ()[]%-\t\r\n\x1b\x7f\x00\x80\x9b\xff"] + ["\u00fc".encode(), b"(other)", b"\\x1b"]
        keys = {i: b"".join(chance.choice(likely) for _ in range(chance.randrange(8))) for i in range(200)}
        for i, key in keys.items():
            form = f"flight={urllib.parse.quote_from_bytes(key, safe='')}&client={i}&seconds=1&value={text_time(self.minute)}"
            self.assertLess(self.aforod.request("POST", "/", form, {"Content-Type": "application/x-www-form-urlencoded"}).status, 300)
        self.wait_flushed(len(keys))
        text = self.everywhere("billing", "--window", "1min")
        found = re.findall(r'^\S+ \S+, flight=("(?:[^"\\]|\\.)*"|\S+) client=(\d+), ', text, re.MULTILINE)
        self.assertEqual({int(client): from_text(shown) for shown, client in found}, keys)
        cells = csv.DictReader(io.StringIO(self.everywhere("billing", "--window", "1min", "--format", "csv"), newline=""))
        self.assertEqual({int(row["client"]): unescaped(row["flight"]) for row in cells}, keys)
        rows = json.loads(self.everywhere("billing", "--window", "1min", "--format", "json"))["rows"]
        self.assertEqual({row["key"]["client"]: unescaped(row["key"]["flight"]) for row in rows}, keys)

    def test_what_there_is(self):
        for source in self.sources:
            status, out, err = aforo("reports", *source)
            self.assertEqual((status, err), (0, ""))
            self.assertEqual([line.split()[0] for line in out.splitlines()], ["REPORT", "billing", "slow", "visitors"])
            status, out, err = aforo("reports", "--format", "json", *source)
            listed = json.loads(out)["reports"]
            self.assertEqual(listed[0]["by"], ["flight", "client"])
            self.assertEqual(listed[1]["show"], ["count", "max(ms)", "p50(ms)"])
            for words, why in ((("bill",), "no report bill; there are: billing, slow, visitors"),
                               (("billing", "--window", "1h"), "has no window 1h; there are: 1s, 1min")):
                status, said = self.refused(source, "report", *words)
                self.assertEqual(status, 1)
                self.assertIn(why, said)
            for words in (("--where", "seat=1"), ("--where", "client=x"), ("--top", "1", "--by", "seat")):
                self.assertEqual(self.refused(source, "report", "billing", *words)[0], 2, words)

    def test_an_empty_answer_says_why(self):
        def because(reason, *words):
            for source in self.sources:
                status, out, err = aforo("report", "billing", "--window", "1min", *words, *source)
                self.assertEqual((status, out), (0, ""))
                self.assertRegex(err, rf"\Aaforo: {reason}")
        because("report billing has no rows there: no event has matched it")
        self.send_some(self.aforod)
        self.wait_flushed(4)
        start = re.escape(text_time(self.minute, 3))
        because(f"no row there is what --where asks for; the newest of the others are in the window {start}", "--where", "client=1")
        because(f"no rows in that span; the newest are in the window {start}", "--to", "2001-01-01")
        self.minute = now_us() // MINUTE * MINUTE
        if now_us() % MINUTE < 50 * SECOND:  # else it is over before all have been asked
            self.send_some(self.aforod)
            self.wait_open()
            because("nothing to show yet: the window with rows, .*, is not over; --partial shows it now\n", "--from",
                    text_time(self.minute))

    def wait_open(self):
        wait_until(lambda: aforo("report", "billing", "--window", "1min", "--partial", "--from", text_time(self.minute), *self.sources[2])[1],
                   "the open minute is in Redis")

    def test_several_servers_are_a_matter_of_redis(self):
        other = self.start(name="other", redis=self.redis_server)
        self.send_some(self.aforod)
        self.send_some(other)
        self.wait_flushed(8)
        rows = json.loads(self.read(self.sources[2], "billing", "--window", "1min", "--format", "json"))["rows"]
        self.assertEqual([row["values"]["sum(seconds)"] for row in rows], [78, 10, 100])
        status, why = self.refused((*self.sources[0], "--server", f"http://127.0.0.1:{other.port}"), "report", "billing")
        self.assertEqual(status, 2)
        self.assertIn("--redis URL", why)

    def test_each_window_as_it_closes(self):
        for source in self.sources[:2] if now_us() % 2 else self.sources[1:]:
            with self.subTest(source=source[0]):
                program = subprocess.Popen([str(BIN / "aforo"), "report", "billing", "--window", "1s", "--follow", "--format", "csv",
                                            "--from", text_time(now_us() + SECOND), *map(str, source)], stdout=subprocess.PIPE,
                                           text=True, env=environment())
                self.addCleanup(program.stdout.close)
                sent = {}

                def feed(sent=sent):
                    for i in range(3):
                        moment = wait_until(lambda: now_us() % SECOND < SECOND // 2 and now_us(), "the first half of a second")
                        self.minute = moment + 3 * SECOND
                        self.send(self.aforod, {"flight": "F", "client": i, "seconds": 1})
                        sent[i] = (moment + 3 * SECOND) // SECOND * SECOND
                        wait_until(lambda moment=moment: now_us() // SECOND > moment // SECOND, "the next second")
                thread = threading.Thread(target=feed)
                thread.start()
                lines = [program.stdout.readline() for _ in range(4)]
                thread.join()
                program.send_signal(signal.SIGTERM)
                self.assertEqual(program.wait(TIMEOUT_S), 0)
                self.assertEqual(lines[0], "start,state,flight,client,count,sum(seconds),avg(seconds),first,last\n")
                for i, line in enumerate(lines[1:]):
                    self.assertTrue(line.startswith(text_time(sent[i], 3).replace(" ", "T") + f"Z,closed,F,{i},1,1,"), line)

    def edit(self, *changes):
        """Puts an edit of `billing` into force, here and in Redis."""
        text = DEFINITIONS
        for old, new in changes:
            text = text.replace(old, new, 1)
        self.definitions.write_text(text, encoding="utf-8")
        known = len(self.redis_server.do("HKEYS", "aforo:2:{reports}"))
        self.aforod.signal(signal.SIGHUP)
        wait_until(lambda: len(self.redis_server.do("HKEYS", "aforo:2:{reports}")) > known, "the edit is in Redis")

    def test_an_edit_that_adds_words(self):
        """The earlier definition knows neither the window, nor the key, nor the figure; another one can no longer be read."""
        self.minute -= MINUTE
        self.send_some(self.aforod)
        self.wait_flushed(4)
        self.edit(("by: [flight, client]", "by: [flight, client, ms]"), ("[1s, 1min]", "[1s, 1min, 5min]"),
                  ("show: [count,", "show: [count, max(seconds),"))
        self.minute += MINUTE
        self.send(self.aforod, {"flight": "AA9", "client": 7, "seconds": 30, "ms": 5})
        wait_until(lambda: all("AA9" in aforo("report", "billing", "--window", window, *self.sources[2])[1]
                               for window in ("1s", "1min")), "the event is in Redis", TIMEOUT_S)
        for words in (("--window", "5min", "--partial"), ("--window", "1min", "--where", "ms=5"),
                      ("--window", "1min", "--top", "1", "--by", "max(seconds)")):
            with self.subTest(words=words):
                wait_until(lambda words=words: "AA9" in aforo("report", "billing", *words, *self.sources[2])[1],
                           lambda words=words: aforo("report", "billing", *words, *self.sources[2]), TIMEOUT_S)
                out = self.everywhere("billing", *words)
                self.assertIn("flight=AA9 client=7 ms=5, ", out)
                self.assertNotIn("AA1", out)
        self.redis_server.do("HSET", "aforo:2:{reports}", "billing.0000000000000000", "of another version")
        status, out, err = aforo("report", "billing", "--window", "1min", *self.sources[2])
        self.assertEqual((status, "flight=AA9" in out), (0, True), err)
        self.assertIn("it is left out", err)

    def test_an_edit_while_rows_are_followed(self):
        """In the second of the edit both definitions have rows: that is said, and it goes on."""
        self.minute = now_us() // SECOND * SECOND - 10 * SECOND
        self.send(self.aforod, {"flight": "AA1", "client": 7, "seconds": 1})
        self.edit(("by: [flight, client]", "by: [flight]"))
        self.send(self.aforod, {"flight": "AA2", "client": 7, "seconds": 1})
        for source in self.sources[1:]:
            wait_until(lambda source=source: "two definitions" in aforo("report", "billing", "--window", "1s", *source)[2],
                       lambda source=source: aforo("report", "billing", "--window", "1s", *source), TIMEOUT_S)
        programs = [subprocess.Popen([str(BIN / "aforo"), "report", "billing", "--window", "1s", "--follow", *map(str, source)],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
                    for source in self.sources[1:]]
        for program in programs:
            self.addCleanup(program.stdout.close)
            self.addCleanup(program.stderr.close)
            self.assertRegex(program.stderr.readline(), "two definitions of billing .*; trying again\n")
        self.minute += 2 * SECOND
        self.send(self.aforod, {"flight": "AA3", "client": 7, "seconds": 1})
        for program in programs:
            self.assertIn("flight=AA2, ", program.stdout.readline())
            self.assertIn("flight=AA3, ", program.stdout.readline())
            program.send_signal(signal.SIGTERM)
            self.assertEqual(program.wait(TIMEOUT_S), 0)


class Server(ReportsCase):
    def get(self, server, path, **arguments):
        return server.request("GET", path + ("?" + urllib.parse.urlencode(arguments) if arguments else ""))

    def test_pages(self):
        server = self.start()
        self.send_some(server)
        answer = self.get(server, "/reports")
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
        billing = answer.json["reports"][0]
        self.assertEqual({name: billing[name] for name in ("name", "windows", "by", "rows", "other", "unfit")},
                         {"name": "billing", "windows": ["1s", "1min"], "by": ["flight", "client"], "rows": 6, "other": 0, "unfit": {}})
        for path, kind in (("text", "text/plain; charset=utf-8"), ("csv", "text/csv"), ("json", "application/json")):
            answer = self.get(server, "/reports/billing/1min", format=path)
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, kind))
        self.assertEqual(self.get(server, "/reports/billing/1min", where="flight=AA1", format="json").json["rows"][0]["key"],
                         {"flight": "AA1", "client": 7})
        self.assertEqual(server.request("HEAD", "/reports/billing/1min").status, 200)
        self.assertEqual(server.request("POST", "/reports/billing/1min", "").status, 405)
        for path, status, why in (("/reports/bill/1s", 404, "no report bill; there are: billing, slow, visitors"),
                                  ("/reports/slow/1s", 404, "report slow has no window 1s; there are: 1min"),
                                  ("/reports/slow/1min?where=a%3D1", 400, "where: report slow is not told apart by any field"),
                                  ("/reports/billing/1s?by=count", 400, "by: goes with top, which says how many rows"),
                                  ("/reports?last=1", 400, "last: no such argument; there is format")):
            answer = self.get(server, path)
            self.assertEqual((answer.status, answer.text), (status, why + "\n"), path)

    def test_a_server_without_reports(self):
        server = self.server()
        answer = self.get(server, "/reports")
        self.assertEqual((answer.status, answer.text), (404, "this server has no reports; start it with --reports FILE\n"))
        status, why = self.refused(("--server", f"http://127.0.0.1:{server.port}"), "report", "billing")
        self.assertEqual((status, "--reports FILE" in why), (1, True))

    def test_who_may(self):
        readers = self.place.dir / "readers"
        readers.write_text("reader-0123456789\n", encoding="utf-8")
        readers.chmod(0o600)
        server = self.start("--read-token-file", readers)
        for path in ("/reports", "/reports/billing/1min"):
            self.assertEqual(server.request("GET", path).status, 401)
            self.assertEqual(server.request("GET", path, headers={"Authorization": "Bearer reader-0123456789"}).status, 200)
        source = ("--server", f"http://127.0.0.1:{server.port}")
        self.assertEqual(self.refused(source, "reports")[0], 1)
        self.assertEqual(aforo("reports", *source, "--token-file", readers)[0], 0)
        server.stop()

    def test_only_where_it_is_read(self):
        server = self.start("--admin-listen", f"127.0.0.1:{self.place.port()}")
        self.assertEqual(server.request("GET", "/reports").status, 404)
        server.stop()

    def test_killed_and_started_again(self):
        server = self.start()
        self.send_some(server)
        before = self.get(server, "/reports/billing/1min", format="csv").text
        self.assertEqual(before.count("\n"), 4)
        server.kill()
        self.assertEqual(self.read(("--state", server.state), "billing", "--window", "1min", "--format", "csv"), before)
        server.start()
        self.assertEqual(self.get(server, "/reports/billing/1min", format="csv").text, before)
        self.send(server, {"flight": "AA1", "client": 7, "seconds": 1})
        rows = self.get(server, "/reports/billing/1min", format="json").json["rows"]
        self.assertEqual(rows[0]["values"]["sum(seconds)"], 40)

    def test_an_edited_definition(self):
        """Its rows begin anew; those of before can be read by their full name from the state, until they are over."""
        server = self.start()
        self.send_some(server)
        old = self.get(server, "/reports").json["reports"][0]
        self.definitions.write_text(DEFINITIONS.replace("by: [flight, client]", "by: [flight]"), encoding="utf-8")
        server.signal(signal.SIGHUP)
        wait_until(lambda: self.get(server, "/reports").json["reports"][0]["by"] == ["flight"], "the new definition is in force")
        self.assertEqual(self.get(server, "/reports/billing/1min").text, "")
        self.send(server, {"flight": "AA9", "client": 1, "seconds": 1, "us": SECOND})
        self.assertIn(", flight=AA9, ", self.get(server, "/reports/billing/1min").text)
        state, full = ("--state", server.state), f"billing.{old['digest']}"
        self.assertIn("flight=AA1 client=7, ", self.read(state, full, "--window", "1min"))
        status, why = self.refused(state, "report", "billing", "--window", "1min")
        self.assertEqual((status, full in why), (1, True))

    def test_an_answer_while_definitions_are_read_again(self):
        """Answers of many pieces go on with the definitions that they began with."""
        server = self.start()
        for part in range(5):
            self.send(server, *({"flight": f"F{i:05}", "client": part, "seconds": 1} for i in range(2000)))
        ended, wrong = threading.Event(), []

        def read():
            while not ended.is_set():
                answer = self.get(server, "/reports/billing/1min", format="csv")
                if answer.text.count("\n") not in (1, 10001):
                    wrong.append(answer.text[-200:])
        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for i in range(6):
            self.definitions.write_text(DEFINITIONS.replace("windows: [1s, 1min]", "windows: [1min]") if i % 2 == 0 else DEFINITIONS,
                                        encoding="utf-8")
            before = len(self.get(server, "/reports").json["reports"][0]["windows"])
            server.signal(signal.SIGHUP)
            wait_until(lambda before=before: len(self.get(server, "/reports").json["reports"][0]["windows"]) != before, "read again")
        ended.set()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_many_rows_of_which_few_are_meant(self):
        """The worker turns to its other connections meanwhile, and comes back."""
        server = self.start(threads=1)
        for second in range(50):
            self.send(server, *({"flight": f"F{i:03}", "client": second, "seconds": 1, "us": second * SECOND} for i in range(500)))
        self.assertEqual(self.get(server, "/reports/billing/1s", where="flight=none").text, "")
        rows = self.get(server, "/reports/billing/1s", where="flight=F499", format="json").json["rows"]
        self.assertEqual([row["key"]["client"] for row in rows], list(range(50)))

    def test_keys_without_room(self):
        self.definitions.write_text(DEFINITIONS.replace("    windows: [1s, 1min]\n", "    windows: [1min]\n    keys: {max: 3}\n"),
                                    encoding="utf-8")
        server = self.start(threads=1)
        self.send(server, *({"flight": f"F{i}", "client": 1, "seconds": 1} for i in range(10)))
        rows = self.get(server, "/reports/billing/1min", format="json").json["rows"]
        self.assertEqual([row["values"]["count"] for row in rows], [1, 1, 1, 7])
        self.assertEqual((rows[3]["other"], rows[3]["key"]), (True, {"flight": "(other)", "client": "(other)"}))
        self.assertIn(", (other), count=7 ", self.get(server, "/reports/billing/1min").text)
        self.assertIn(",(other),(other),7,", self.get(server, "/reports/billing/1min", format="csv").text)
        self.assertEqual(self.get(server, "/reports").json["reports"][0]["other"], 7)
        top = self.get(server, "/reports/billing/1min", top=1, by="count", format="json").json["rows"]
        self.assertEqual([row.get("other", False) for row in top], [False, True])


    def test_values_without_room(self):
        """(other) of a field, beside a sender's value that reads so."""
        self.definitions.write_text("fields: {k: }\nreports: [{name: pf, by: [k], windows: [60s], show: count, "
                                    "keys: {per_field: {k: 2}}}]\n", encoding="utf-8")
        server = self.start(threads=1)
        minute = text_time(self.minute)
        for value in ("(other)", "a", "b", "c", "d"):
            self.assertEqual(server.request("POST", "/", f"value={minute}&k={value}").status, 204)
        ask = {"partial": "yes", "from": minute}
        self.assertEqual([line.split(", ", 1)[1] for line in self.get(server, "/reports/pf/60s", **ask).text.splitlines()],
                         ['k="(other)", count=1', "k=a, count=1", "(other), count=3"])
        rows = self.get(server, "/reports/pf/1min", format="json", top=1, **ask).json["rows"]
        self.assertEqual([row.get("other", False) for row in rows], [False, True])
        empty = self.get(server, "/reports/pf/1min", format="json", where="k=e", **ask).json
        self.assertEqual((empty["rows"], "(other)" in empty["why"]), ([], True))
        status, out, err = aforo("report", "pf", "--partial", "--where", "k=e", "--server", f"http://127.0.0.1:{server.port}")
        self.assertEqual((status, out), (0, ""))
        self.assertIn("; it may be within (other)", err)
        wrong = self.get(server, "/reports/pf/1min", partial="2")
        self.assertEqual((wrong.status, wrong.text.strip()), (400, "partial: must be 1 or yes, or 0 or no"))


class State(ReportsCase):
    def test_a_state_without_reports(self):
        server = self.server()
        status, why = self.refused(("--state", server.state), "report", "billing")
        self.assertEqual((status, "has no reports; a server counts them with --reports FILE" in why), (1, True))

    def test_local_time(self):
        server = self.start()
        self.send_some(server)
        source = ("--state", server.state)
        status, out, _ = aforo("report", "slow", "--local", *source, env=environment(TZ="Europe/Berlin"))
        self.assertEqual(status, 0)
        self.assertRegex(out, r"\A\d{4}-\d\d-\d\d \d\d:\d\d:00.000\+0[12]:00, count=1 ")
        status, why = self.refused(("--server", f"http://127.0.0.1:{server.port}"), "report", "slow", "--local")
        self.assertEqual((status, why[:7]), (2, "--local"))


if __name__ == "__main__":
    unittest.main()
