"""What the tests of a kept log share: a load of all kinds of events, servers that are killed under it, and what replay and diff say."""

import http.client
import json
import threading
import time

from programs import now_us, text_time, wait_until

from .case import Case
from .console import aforo

REPORTS = """
fields:
  route: [form.route, json.web.route, line.route, query.route]
  ms: {from: [form.ms, json.ms, line.ms], type: int}
  client: header.X-Client
reports:
  - {name: routes, by: [route], windows: [1s, 1min], show: [count, sum(ms), max(ms), last]}
  - {name: slow, by: [route, client], when: ms >= 20, windows: [1min], show: [count, distinct(ms), p99(ms)]}
  - {name: proof, windows: [1s], show: [count, digest]}
"""
ALL = ("routes", "slow", "proof")


class Load(threading.Thread):
    """Sends events of all kinds over one connection until it is cut, or stopped; counts what was acknowledged."""

    def __init__(self, server, number, late=True):
        super().__init__()
        self.server, self.number, self.late = server, number, late
        self.counted = 0
        self.ends = threading.Event()
        self.start()

    def body(self, turn):
        now, route = text_time(now_us()), f"/é \\\" {turn % 5}"
        pair = f"%2F{turn % 3}"
        kinds = [
            lambda: ("/", {}, f"value={now}"),
            lambda: ("/", {"X-Client": f'c"{turn % 4}'}, f"value={now}&route={pair}+x&ms={turn % 50}"),
            lambda: (f"/?route={pair}", {}, f"value={now}&ms=-{turn % 9}"),
            lambda: ("/events", {}, "".join(f"{text_time(now_us())}\n" for _ in range(100))),
            lambda: ("/events", {"X-Client": "lines"}, "".join(
                f"{text_time(now_us() - i * 1000)} route=\"a \\\" b{i % 3}\" ms={i}\n" for i in range(40))),
            lambda: ("/events", {"Content-Type": "application/x-ndjson", "X-Client": "x}y"}, "".join(
                json.dumps({"value": text_time(now_us()), "web": {"route": route}, "ms": i, "header": {"a": "b"}}) + "\n"
                for i in range(40))),
            lambda: ("/?x=1", {"Content-Type": "application/json"}, json.dumps(
                {"web": {"route": "/one", "deep": [{"}": "{"}]}, "ms": turn, "time": now})),
            lambda: ("/", {}, "value=2016-05-28 11:11:11&route=late" if self.late else "value=x"),
            lambda: ("/", {}, "value=x&route=broken%2"),
        ]
        return kinds[(turn + self.number) % len(kinds)]()

    def run(self):
        link = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            for turn in range(100_000):
                if self.ends.wait(0.001):
                    break
                path, headers, body = self.body(turn)
                link.request("POST", path, body.encode(), headers)
                answer = link.getresponse()
                text = answer.read()
                self.counted += json.loads(text)["accepted"] if path.startswith("/events") else answer.status < 300
        except (OSError, http.client.HTTPException):
            pass  # the server was killed
        finally:
            link.close()


class LogCase(Case):
    def setUp(self):
        super().setUp()
        self.dir = self.place.dir / "log"
        self.reports = self.place.dir / "reports.yaml"
        self.reports.write_text(REPORTS)

    def logging(self, *flags, **settings):
        return self.server("--event-log", self.dir, "--reports", self.reports, *flags, **settings)

    def run_load(self, servers, kills=0, seconds=0.3, late=True):
        """Returns how many events were acknowledged as counted; each of `kills` times one server is killed and started again."""
        counted = 0
        for turn in range(kills + 1):
            loads = [Load(server, number, late) for server in servers for number in range(3)]
            time.sleep(seconds + 0.007 * (turn % 11))
            if turn < kills:
                servers[turn % len(servers)].kill()
            for load in loads:
                load.ends.set()
            for load in loads:
                load.join()
                counted += load.counted
            if turn < kills:
                servers[turn % len(servers)].start()
        return counted

    @staticmethod
    def counted(*servers):
        """By their windows: statistics may lack what a kill has cut off between the two."""
        return sum(sum(server.counts("1min").values()) for server in servers)

    def flushed(self, servers, redis):
        """Once Redis has all that the servers have counted."""
        wanted = lambda: self.counted(*servers)
        total = lambda: sum(redis.counts("1min").values())
        wait_until(lambda: total() == wanted(), lambda: f"Redis has {total()} of {wanted()} events", 30, 0.1)

    def replay(self, *words, status=0):
        done = aforo("replay", self.dir, *words)
        self.assertEqual(done[0], status, done[2])
        return done[1]

    def diff(self, left, right, *words, status=0):
        """What it printed, and said."""
        done = aforo("diff", left, right, *words)
        self.assertEqual(done[0], status, done[1][:2000] + done[2])
        return done[1], done[2]

    def assert_same(self, left, right, *words):
        """By the counts and by each report."""
        for report in ALL:
            out, said = self.diff(left, right, "--report", report, *words)
            self.assertEqual(out, "")
            self.assertRegex(said, r"[1-9]\d* windows and rows compared, 0 differ")
