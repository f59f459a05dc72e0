"""The live page for long: a day in accelerated time, and Tsung's 5,000 requests/s on three nodes. Some 25 minutes."""

import signal
import subprocess
import sys
import threading
import time
import unittest

from live_page import Day
from pages import HERE, SECOND, Fleet, Load, Page, run
from programs import Haproxy, now_us, wait_until
from programs.aforod import us_of

sys.path.insert(0, str(HERE.parents[1] / "bench"))

import tsung as bench_tsung  # noqa: E402


class LongDay(Day):
    AT, SETTLED = (0.003, 1, 2, 6, 12, 24), 1


class Tsung:
    """Tsung's 5,000 requests/s through haproxy on some servers, until it has ended by itself."""

    def __init__(self, place, servers, seconds):
        port = place.port()
        backends = "".join(f" server s{i} 127.0.0.1:{server.port}\n" for i, server in enumerate(servers))
        Haproxy(place, port, f"defaults\n mode tcp\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n"
                             f"listen all\n bind 127.0.0.1:{port}\n balance roundrobin\n{backends}").start()
        self.said, program = [], bench_tsung.Tsung(place)
        # 200, not 204: the answer says that Tsung's events have no field of the fleet's reports
        self.thread = threading.Thread(target=lambda: self.said.append(program.load(port, seconds, status=200)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()

    def is_at_it(self):
        return self.thread.is_alive()

    def requests(self):
        self.thread.join()
        return self.said[0]["requests"]


class UnderLoad(Page):
    """What live_page.py looks at, while three nodes count 5,000 requests/s."""

    # what the page shows, ten times a second: for the judgement afterwards
    WATCH = """(() => {
        window.watched = [];
        setInterval(() => watched.length < 2000 && watched.push({
            stale: document.body.classList.contains("stale"), status: byId("status").textContent, at: serverNow(),
            figures: ["rate", "nodes", "lag", "visible", "refused"].map((id) => byId(id).textContent),
            rows: [...byId("t-windows").rows].slice(1).map((row) => [...row.cells].map((cell) => cell.textContent))}), 100);
    })()"""

    def setUp(self):
        super().setUp()
        self.fleet = Fleet(self.place, 3, "--redis-timeout", "400ms")

    def counted(self):
        return sum(server.stats()["counted"] for server in self.fleet.servers)

    def assert_windows_are_counts(self):
        """The last 60 closed windows of each resolution."""
        for name, width_us in (("10ms", 10_000), ("1s", SECOND), ("1min", 60 * SECOND)):
            shown = self.browser.do("inside", expression=f"(() => {{ const one = windows['{name}'], last = Math.floor(one.closedThrough) - 1; "
                                    "return Array.from({length: 60}, (_, i) => [last - i, one.at(last - i)]); })()")
            text = subprocess.run(["curl", "-sf", f"{self.fleet.url}counts/{name}?format=csv&partial=1&from="
                                                  f"{shown[-1][0] * width_us // 1000}"], capture_output=True, text=True, check=True).stdout
            counted = {us_of(line.split(",")[0]) // width_us: int(line.split(",")[1]) for line in text.splitlines()[1:]}
            self.assertEqual({window: events for window, events in shown}, {window: counted.get(window, 0) for window, _ in shown}, name)

    def has_begun(self):
        wait_until(lambda: sum(events for events, _ in self.closed_seconds().values()) > 100, self.closed_seconds, 30, 0.2)

    def test_each_closed_window_is_that_of_counts(self):
        self.open(self.fleet.url)
        with Tsung(self.place, self.fleet.servers, 30) as tsung:
            self.has_begun()
            looks = 0
            while tsung.is_at_it():  # while it goes on, too
                self.assert_table_is_counts(30)
                looks += 1
                time.sleep(1)
        self.assert_table_is_counts()
        print(f"  {tsung.requests():,} requests, {looks} looks at the whole table under load", flush=True)
        self.assertEqual(self.counted(), tsung.requests())
        self.assert_windows_are_counts()

    def see_late_events(self):
        took = []
        for events, ago in ((7, 5), (8, 7), (9, 30)):
            at = (now_us() // SECOND - ago) * SECOND
            self.browser.do("until", expression="windows['1s'].closedThrough > 0 && again.size === 0")
            before, sent = self.browser.do("inside", expression=f"windows['1s'].at({at // SECOND})"), time.monotonic()
            self.send(self.fleet.servers[2], [at] * events)
            self.browser.do("until", expression=f"(() => {{ const one = windows['1s'], at = {at // SECOND}; "
                                                f"return one.isLate(at) && one.at(at) >= {before + events}; }})()")
            took.append(time.monotonic() - sent)
        print(f"  late events show after {', '.join(f'{one:.2f}' for one in took)} s", flush=True)
        self.assertLess(sorted(took)[1], 2, took)

    def see_what_goes_away(self):
        store, serve, node = self.fleet.store, self.fleet.serve, self.fleet.servers[2]
        store.signal(signal.SIGSTOP)
        self.says("answers 503: redis .*no answer in time")
        time.sleep(2)
        store.signal(signal.SIGCONT)
        self.says(r"\A\Z")
        node.kill()
        self.says(r"\A2 of 3\Z", "nodes", 15)
        node.start()
        self.says(r"\A3 of 3\Z", "nodes", 15)
        serve.kill()
        self.says("The server does not answer")
        time.sleep(1)
        serve.spawn()
        self.says(r"\A\Z")

    def judge(self, watched):
        """Nothing wrong was shown: while something was away, no figures and what is the matter; else no second with more than it has."""
        final = self.fleet.counts("1s", min(row[0] for one in watched for row in one["rows"]))
        stale = [one for one in watched if one["stale"]]
        self.assertGreater(len(stale), 20)
        self.assertEqual([one for one in stale if one["figures"] != ["–"] * 5 or " does not answer" not in one["status"]
                          and " answers 503" not in one["status"]], [])
        whole = 0
        for one in watched:
            for second, events, _ in one["rows"]:
                self.assertLessEqual(int(events.replace(",", "")), final.get(second, 0), one)
                whole += int(events.replace(",", "")) == final.get(second, 0)
        rows = sum(len(one["rows"]) for one in watched)
        print(f"  {len(watched)} looks, {len(stale)} while something was away; of {rows:,} seconds shown {whole:,} had all their events",
              flush=True)

    def test_what_goes_away_is_said_and_nothing_wrong_is_shown(self):
        self.open(self.fleet.url)
        with Tsung(self.place, self.fleet.servers[:2], 40) as tsung, Load(self.fleet.servers[0]):
            self.has_begun()
            self.browser.do("inside", expression=self.WATCH)
            self.see_late_events()
            self.see_what_goes_away()
            self.assertTrue(tsung.is_at_it())
        self.assert_table_is_counts(30)
        self.judge(self.browser.do("inside", expression="watched"))
        self.assert_windows_are_counts()


def cases():
    return unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, (UnderLoad, LongDay)))


if __name__ == "__main__":
    run(cases)
