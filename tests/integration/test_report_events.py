"""Events with fields, by every way they can come, into the rows of reports; and definitions that are wrong, or change while the server
runs."""

import json
import re
import unittest

from support import now_us, read_to_end, text_time
from support.console import aforo
from support.report_case import DEFINITIONS, FORM, JSON, NDJSON, ReportCase

HOUR = 3_600_000_000


class Ways(ReportCase):
    def setUp(self):
        super().setUp()
        self.aforod = self.server("--reports", self.define())
        self.stamp = text_time(now_us())

    def event(self, body, kind=None, path="/", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.aforod.request("POST", path, body, headers | ({"Content-Type": kind} if kind else {}))

    def test_single_events(self):
        stamp, target = self.stamp, self.stamp.replace(" ", "T")
        for answer in (self.event(f"value={stamp}&client=1&price=1.50"), self.event(f"client=%31&value={stamp}&route=%2Fa", FORM),
                       self.event(f"client=1&value={stamp}\n", "text/plain"), self.event(f"client=1&value={stamp}\r\n"),
                       self.event("", path=f"/?value={target}&client=2"), self.event("", path="/?client=2"),
                       self.event(f"value={stamp}", path="/?client=2"), self.event(f"value={stamp}", X_Client="3"),
                       self.event("", x_client="3"),
                       self.event(json.dumps({"value": stamp, "client": 4, "web": {"route": "/b"}, "price": 2.25}), JSON),
                       self.event(json.dumps({"@timestamp": stamp, "client": "4"}), JSON + "; charset=utf-8"),
                       self.event(json.dumps({"client": 4, "date": stamp}), JSON),
                       self.event(json.dumps({"price": 1}), JSON, path=f"/?value={target}&client=4")):
            self.assertEqual((answer.status, answer.body), (204, b""), answer.text)
        self.assertEqual(self.count_by(self.aforod, "clients", "client"), {1: 4, 2: 3, 3: 2, 4: 4})
        self.assertEqual(sum(values["count"] for _, _, values in self.rows(self.aforod, "all")), 13)
        self.assert_agrees(self.aforod)
        self.assertEqual([report["unfit"] for report in self.aforod.stats()["reports"] if report["name"] == "all"], [{}])

    def test_the_first_place_that_is_there_counts(self):
        stamp = self.stamp
        self.assertEqual(self.event(f"value={stamp}&client=1", path="/?client=2", X_Client="3").status, 204)
        self.assertEqual(self.event(f"value={stamp}", path="/?client=2", X_Client="3").status, 204)
        self.assertEqual(self.count_by(self.aforod, "clients", "client"), {1: 1, 2: 1})

    def test_batches(self):
        stamp = self.stamp
        objects = [{"time": stamp, "client": i % 3, "web": {"route": f"/{i}"}} for i in range(10)]
        lines = "".join(json.dumps(each) + "\n" for each in objects)
        for body, kind in ((lines, NDJSON), (lines.rstrip("\n"), NDJSON), (json.dumps(objects), JSON),
                           (json.dumps(objects, indent=2), JSON),
                           ("".join(f'{stamp} client={i % 3} route="/a b"\n' for i in range(10)), "text/plain"),
                           ("".join(f"{stamp} client={i % 3}\r\n" for i in range(10)), None)):
            answer = self.event(body, kind, "/events")
            self.assertEqual((answer.status, answer.json), (200, {"accepted": 10, "rejected": 0, "errors": []}), kind)
        self.assertEqual(self.event(f"{stamp}\n" * 5, None, "/events?client=7").json["accepted"], 5)
        self.assertEqual(self.event(f"{stamp}\n" * 5, None, "/events", X_Client="8").json["accepted"], 5)
        self.assertEqual(self.count_by(self.aforod, "clients", "client"), {0: 24, 1: 18, 2: 18, 7: 5, 8: 5})
        self.assert_agrees(self.aforod)

    def test_split_anywhere_between_two_reads(self):
        stamp = self.stamp
        bodies = {NDJSON: f'{{"time":"{stamp}","client":1}}\r\n\nx\n{{"client":"2","price":"1\\u002e5","time":"{stamp}"}}',
                  JSON: f'[{{"time":"{stamp}","client":1}} , 7, {{"client":2,"time":"{stamp}","a":"]\\"}}"}}]',
                  "text/plain": f'{stamp} client=1\r\n\nx\n{stamp} client=2 route="a \\" b"'}
        expected = 0
        for kind, body in bodies.items():
            for cut in range(1, len(body)):
                link = self.aforod.connect()
                link.setsockopt(6, 1, 1)  # TCP_NODELAY
                link.sendall(f"POST /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\n"
                             f"Content-Length: {len(body)}\r\n\r\n{body[:cut]}".encode())
                link.sendall(body[cut:].encode())
                received = read_to_end(link)
                link.close()
                self.assertIn(b'"accepted":2,"rejected":1,"errors":[{"line":', received, (kind, cut))
                self.assertNotIn(b"unfit", received)
                expected += 1
        self.assertEqual(self.count_by(self.aforod, "clients", "client"), {1: expected, 2: expected})
        self.assert_agrees(self.aforod)

    def test_what_does_not_fit_is_counted_and_said(self):
        stamp = self.stamp
        answer = self.event(f"value={stamp}&client=seven")
        self.assertEqual((answer.status, answer.text), (200, "counted; client: not an int, left out of report clients\n"))
        answer = self.event(f"value={stamp}")
        self.assertEqual((answer.status, answer.text), (200, "counted; client: missing, left out of report clients\n"))
        answer = self.event(json.dumps({"time": stamp, "client": 1, "price": "1.234"}), JSON)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.text, "counted; price: not a number of its type, left out of report spent\n")
        report = self.event("".join(f"{stamp} client=x{i}\n" for i in range(12)), None, "/events").json
        self.assertEqual((report["accepted"], report["rejected"], report["errors"]), (12, 0, []))
        self.assertEqual(report["unfit"], [{"line": i + 1, "field": "client", "reason": "not an int"} for i in range(10)])
        self.assertEqual(self.count_by(self.aforod, "clients", "client"), {1: 1})
        self.assert_agrees(self.aforod)
        unfit = {report["name"]: report["unfit"] for report in self.aforod.stats()["reports"]}
        self.assertEqual(unfit["clients"], {"client": 14})
        self.assertEqual(unfit["spent"]["price"], 1)

    def test_a_refused_event_is_in_no_report(self):
        late = text_time(now_us() - 2 * HOUR)
        self.assertEqual(self.event(f"value={late}&client=1").status, 422)
        self.assertEqual(self.event(f"value=x&client=1").status, 400)
        self.assertEqual(self.event("{", JSON).status, 400)
        self.assertEqual(self.event(f"value={self.stamp}&client=1&x=" + "y" * 70_000).status, 400)
        report = self.event(f'{{"client":1,"time":"{self.stamp}"}}\n{{"client":1,"time":"{late}"}}\n', NDJSON, "/events").json
        self.assertEqual((report["accepted"], report["rejected"]), (1, 1))
        self.assertEqual(self.count_by(self.aforod, "clients", "client"), {1: 1})
        stats = self.aforod.conserved()
        self.assertEqual((stats["counted"], stats["refused"]["malformed"], stats["refused"]["too_late"]), (1, 3, 2))

    def test_an_object_without_a_time_is_refused(self):
        said = ("no time: one of value, timestamp, @timestamp, time, date (--time-field names others); --clock arrival needs none")
        for body in ('{"client":1}', f'{{"client":1,"valeu":"{self.stamp}"}}', '{"value":null}', "{}"):
            answer = self.event(body, JSON)
            self.assertEqual((answer.status, answer.text), (400, said + "\n"), body)
        answer = self.event(f'{{"value":"{self.stamp}","client":1,"value":"{self.stamp}"}}', JSON)
        self.assertEqual((answer.status, answer.text), (400, "value: given more than once\n"))
        batch = f'{{"client":1}}\n{{"time":"{self.stamp}","client":1,"client":2}}\n{{"value":1,"value":1}}\n'
        report = self.event(batch, NDJSON, "/events").json
        self.assertEqual(report, {"accepted": 1, "rejected": 2, "errors": [{"line": 1, "reason": said},
                                                                           {"line": 3, "reason": "value: given more than once"}]})
        self.assertEqual(self.event("", JSON, "/?client=3").status, 204)
        self.assertEqual(self.count_by(self.aforod, "clients", "client"), {1: 1, 3: 1})
        self.assertEqual(self.aforod.conserved()["refused"]["malformed"], 7)

    def test_one_value_however_it_is_spelled(self):
        definitions = """
fields: {ms: {type: int}, price: {type: decimal2}}
reports:
  - {name: spelled, windows: [1min], show: ["distinct(ms)", "top3(ms)", "distinct(price)", "top3(price)"]}
"""
        server = self.server("--reports", self.define(definitions, "spelled.yaml"), name="spelled")
        for ms, price in (("7", "1"), ("07", "1.0"), ("7.0", "1.00"), ("7e0", "1e0"), ("-7", "-1.5")):
            self.assertEqual(server.post(f"value={self.stamp}&ms={ms}&price={price}").status, 204)
        self.assertEqual(server.request("POST", "/events", f'{{"time":"{self.stamp}","ms":7.0,"price":1.000}}\n',
                                        {"Content-Type": NDJSON}).json["accepted"], 1)
        status, out, err = aforo("report", "spelled", "--state", server.state, "--partial")
        self.assertEqual(status, 0, err)
        self.assertIn("distinct(ms)=2 top3(ms)=[7=5 -7=1] distinct(price)=2 top3(price)=[1.00=5 -1.50=1]", out)

    def test_who_is_left_out_of_which_reports(self):
        definitions = """
fields: {i: {type: int}, who: }
reports:
  - {name: big, windows: [1min], show: count, when: i > 5}
  - {name: other, windows: [1min], show: count, when: not i > 5 or who}
  - {name: median, windows: [1min], show: "p50(i)"}
"""
        server = self.server("--reports", self.define(definitions, "big.yaml"), name="big")
        for fields, said in (("i=abc", "counted; i: not an int, left out of reports big, other, median\n"),
                             ("who=x", "counted; i: missing, left out of report median\n"),
                             ("i=-1", "counted; i: negative, and quantiles(i) takes 0 and more, left out of report median\n"),
                             ("i=7&who=x", "")):
            self.assertEqual(server.post(f"value={self.stamp}&{fields}").text, said)
        unfit = {report["name"]: report["unfit"] for report in server.stats()["reports"]}
        self.assertEqual(unfit, {"big": {"i": 1}, "other": {"i": 1, "who": 0}, "median": {"i": 3}})
        self.assertEqual(self.count_by(server, "big", None), {None: 1})
        self.assertEqual(self.count_by(server, "other", None), {None: 3})

    def test_with_the_clock_of_arrival(self):
        server = self.server("--reports", self.define(), "--clock", "arrival", "--future", "0s", name="arrival")
        late = text_time(now_us() - 5 * HOUR)
        self.assertEqual(server.post(f"value={late}&client=1").status, 204)
        self.assertEqual(server.request("POST", "/events", f"{late} client=1\n{late} client=2\n").json["accepted"], 2)
        self.assertEqual(self.count_by(server, "clients", "client"), {1: 2, 2: 1})
        self.assertEqual(server.post("client=3").status, 204)
        self.assertEqual(server.post("client=3&value=").status, 400)
        self.assertEqual(server.request("POST", "/", '{"client":3}', {"Content-Type": JSON}).status, 204)
        self.assertEqual(server.request("POST", "/events", "client=3\nclient=3\nx\n").json["accepted"], 2)
        self.assertEqual(server.request("POST", "/events", '[{"client":3}]', {"Content-Type": JSON}).json["accepted"], 1)
        self.assertEqual(self.count_by(server, "clients", "client"), {1: 2, 2: 1, 3: 5})
        self.assert_agrees(server)


class Definitions(ReportCase):
    def test_a_mistake_ends_the_start(self):
        server = self.place.server("--reports", self.define("reports:\n  - name: x\n    windows: [1min]\n    show: [avg2(a)]\n"))
        status, said = server.refuses_to_start()
        self.assertEqual(status, 2)
        self.assertRegex(said, r"\Aaforod: --reports: [^\n]*reports\.yaml:\d+:\d+: [^\n]+\n\Z")
        server = self.place.server("--reports", self.place.dir / "missing.yaml", name="missing")
        status, said = server.refuses_to_start()
        self.assertEqual((status, said.count("\n")), (2, 1))
        self.assertIn("missing.yaml", said)
        self.assertFalse(server.state.exists())

    def test_a_mistake_leaves_the_old_ones_in_force(self):
        path = self.define()
        server = self.server("--reports", path)
        self.assertEqual(server.post(f"value={text_time(now_us())}&client=1").status, 204)
        path.write_text(DEFINITIONS.replace("sum(price)", "smu(price)"))
        said = self.reload(server, "not read again")
        self.assertRegex(said, r"reports\.yaml:\d+:\d+: ")
        self.assertEqual(server.post(f"value={text_time(now_us())}&client=1").status, 204)
        self.assertEqual(self.count_by(server, "clients", "client"), {1: 2})
        path.write_text(DEFINITIONS)
        self.reload(server, "reports read again")
        self.assertEqual(server.post(f"value={text_time(now_us())}&client=x").status, 200)
        self.assertEqual(self.count_by(server, "clients", "client"), {1: 2})

    def test_what_was_taken_out_gets_no_more_and_may_come_back(self):
        path = self.define()
        server = self.server("--reports", path)
        without = re.sub(r"  - name: clients\n(    .*\n)+", "", DEFINITIONS)
        self.assertNotIn("clients", without)
        for text in (DEFINITIONS, without, without, DEFINITIONS):
            path.write_text(text)
            self.reload(server, "reports read again")
            self.assertEqual(server.post(f"value={text_time(now_us())}&client=1").status, 204)
            self.assertEqual(["clients" in (report["name"] for report in server.stats()["reports"])], [text is DEFINITIONS])
        self.assertEqual(self.count_by(server, "clients", "client"), {1: 2})
        self.assertEqual(self.count_by(server, "all", None), {None: 4})
        self.assert_agrees(server)
        self.assertEqual(server.post(f"value={text_time(now_us())}&client=x").status, 200)

    def test_unfit_goes_on_over_a_reload(self):
        path = self.define()
        server = self.server("--reports", path)
        for expected in (1, 2):
            self.assertEqual(server.post(f"value={text_time(now_us())}&client=x").status, 200)
            unfit = {report["name"]: report["unfit"] for report in server.stats()["reports"]}
            self.assertEqual(unfit["clients"]["client"], expected)
            path.write_text(DEFINITIONS + "  - {name: more, windows: [1h], show: [count]}\n")
            self.reload(server, "reports read again")

    def test_another_number_of_threads(self):
        """The default memory is that of so many threads; the file goes on with what it was made with."""
        path = self.define("fields: {u: }\nreports: [{name: all, windows: [1s, 1min], show: [count, distinct(u)]}]\n")
        server = self.server("--reports", path, threads=2)
        ledger = 0
        for threads in (2, 3, 1, 4):
            if server.threads != threads:
                self.assertEqual(server.stop(), 0)
                server.threads = threads
                server.start()
            for i in range(40):  # each over a connection of its own: all threads get some
                self.assertEqual(server.post(f"value={text_time(now_us())}&u={threads}.{i}").status, 204)
            ledger += 40
            self.assertEqual(self.count_by(server, "all", None), {None: ledger})
            self.assert_agrees(server)

    def test_without_reports_what_was_stays(self):
        server = self.server("--reports", self.define())
        self.assertEqual(server.post(f"value={text_time(now_us())}&client=1").status, 204)
        server.kill()
        files = sorted(path.name for path in (server.state / "reports").iterdir())
        server.flags = []
        server.start()
        self.assertEqual(server.post(f"value={text_time(now_us())}&client=1").status, 204)
        self.assertEqual(sorted(path.name for path in (server.state / "reports").iterdir()), files)
        self.assertNotIn("reports", server.stats())
        self.assertEqual(server.stop(), 0)
        server.flags = ["--reports", self.define()]
        server.start()
        self.assertEqual(self.count_by(server, "clients", "client"), {1: 1})

    def test_no_reports_leave_nothing(self):
        server = self.server()
        self.assertEqual(server.post(f"value={text_time(now_us())}&client=1").status, 204)
        self.assertFalse((server.state / "reports").exists())


if __name__ == "__main__":
    unittest.main()
