"""The live page in Chromium, of aforod and of `aforo serve`: one browser, and one fleet for nearly all of it."""

import json
import signal
import time
import unittest

from pages import OPENED, SECOND, Fleet, Load, Page, run
from programs import Place, now_us, text_time, wait_until

DAY_S = 86_400


class LivePage(Page):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        place = Place()
        cls.addClassCleanup(place.close)
        cls.fleet = Fleet(place, 3)

    def test_figures_are_those_of_counts(self):
        with Load(*self.fleet.servers):
            took_ms = self.open(self.fleet.url)
            asked = [row for row in self.browser.do("started") if not row[0].startswith("/page/")]
            print(f"  first figures after {took_ms:.0f} ms, asked after {asked[0][1]:.0f} ms", flush=True)
            self.assertEqual(asked[0][0], "/live")  # one answer has all that is shown first
            self.says(r"\A3 of 3\Z", "nodes")
            self.says(r"\A≤ [\d,]+ ms\Z", "visible")
            self.browser.do("until", expression="Number(document.getElementById('rate').textContent.replace(',', '')) > 100")
            self.browser.do("until", expression="document.querySelectorAll('#t-windows tr').length > 4")
        self.assert_table_is_counts()
        held = sum(server.stats()["counted"] for server in self.fleet.servers)
        wait_until(lambda: sum(int(row[3].replace(",", "")) for row in self.browser.do("rows", id="t-nodes")[1:]) == held,
                   lambda: (held, self.browser.do("rows", id="t-nodes")), 10, 0.1)
        reports = self.browser.do("reports")
        self.assertRegex(reports[1], r"Report routes, the last 1min.*/a")
        self.assertRegex(reports[0], r"Report board, the last 1min.*placevalueevents.*top5\(route\)1/[abc]\d")

    def test_a_late_event_shows_within_two_seconds(self):
        self.open(self.fleet.url)
        took = []
        for events, ago in ((7, 4), (8, 6), (9, 30)):  # of the 10 ms windows, and of those that wait for a look at all
            self.browser.do("until", expression="windows['1s'].closedThrough > 0 && again.size === 0")
            at = (now_us() // SECOND - ago) * SECOND
            self.browser.do("until", expression=f"windows['1s'].closedThrough > {at // SECOND} && "
                                                f"windows['10ms'].closedThrough > {at // 10_000}")  # else it is not late for the page
            key = text_time(at)[:19].replace(" ", "T") + "Z"
            before = self.fleet.counts("1s", key).get(key, 0)
            sent = time.monotonic()
            self.send(self.fleet.servers[0], [at] * events)
            self.browser.do("until", expression=f"(() => {{ const one = windows['1s'], at = {at // SECOND}; "
                                                f"return one.isLate(at) && one.at(at) === {before + events}; }})()")
            if ago < 10:
                self.browser.do("until", expression=f"(() => {{ const one = windows['10ms'], at = {at // 10_000}; "
                                                    f"return one.isLate(at) && one.at(at) >= {events}; }})()")
            took.append(time.monotonic() - sent)
        print(f"  late events show after {', '.join(f'{one:.2f}' for one in took)} s", flush=True)
        self.assertLess(sorted(took)[1], 2, took)  # the median: something else may hold up the machine once
        self.says(r"\A24\Z", "late")

    def test_a_late_event_shows_when_each_second_round_is_left_out(self):
        """Where answers take longer than a round."""
        self.open(self.fleet.url, odd=True)
        self.browser.do("until", expression="windows['1s'].closedThrough > 0 && again.size === 0 && before % 2 === 1")
        at = (now_us() // SECOND - 20) * SECOND
        self.send(self.fleet.servers[0], [at] * 5)
        self.browser.do("until", timeout=5000, expression=f"windows['1s'].isLate({at // SECOND})")
        self.assertEqual(self.browser.do("inside", expression="before % 2"), 1)

    def test_a_late_event_shows_where_many_pages_are_open(self):
        """The server tells them to ask once a second."""
        self.open(self.fleet.url, pace=1000)
        self.browser.do("until", expression="windows['1s'].closedThrough > 0 && again.size === 0 && paceMs === 1000")
        at, took = (now_us() // SECOND - 20) * SECOND, time.monotonic()
        asked = self.browser.do("inside", expression="asked")
        self.send(self.fleet.servers[0], [at] * 5)
        self.browser.do("until", timeout=5000, expression=f"windows['1s'].isLate({at // SECOND})")
        self.browser.do("until", timeout=5000, expression=f"asked >= {asked + 3}")
        took = time.monotonic() - took
        self.assertLessEqual(self.browser.do("inside", expression="asked") - asked, took + 3)  # one more for what changed

    def test_a_clock_that_is_set_back_makes_nothing_late(self):
        """What is of the present then was closed by the clock of before."""
        self.open(self.fleet.url, pace=250)
        self.browser.do("until", expression="windows['1s'].closedThrough > 0")
        self.browser.do("inside", expression="skewMs = -3600000")
        self.browser.do("until", expression="aheadMs < -3000000")
        asked = self.browser.do("inside", expression="asked")
        self.browser.do("until", expression=f"asked >= {asked + 2} && windows['10ms'].closedThrough > 0")
        for name in ("10ms", "1s", "1min"):
            self.assertTrue(self.browser.do("inside", expression=f"windows['{name}'].closedThrough <= windows['{name}'].open(serverNow())"), name)

    def test_hostile_names_are_text(self):
        hostile = ["<script>alert(1)</script>", "<img/src=x/onerror=alert(2)>", "\x1b[31m", "x" * 900]
        self.fleet.servers[0].post_lines([text_time(now_us()) + ' route="' + value.replace("\x1b", "\\x1b") + '"' for value in hostile])
        self.fleet.store.do("HSET", "aforo:2:{nodes}", "<b>" + "n" * 9000, f"{now_us() // 1000} version=<i>x</i> received=1")
        self.addCleanup(self.fleet.store.do, "HDEL", "aforo:2:{nodes}", "<b>" + "n" * 9000)
        self.open(self.fleet.url)
        self.browser.do("until", expression="document.getElementById('reports').textContent.includes('<img/src=x/onerror=alert(2)>')")
        names = [row[0] for row in self.browser.do("rows", id="t-nodes")]
        self.assertTrue(any(name.startswith("<b>nnn") for name in names), names)
        self.assertEqual(self.browser.do("scripts"), 0)

    def test_answers_that_nobody_expects(self):
        """A report that cannot be read leaves the others, and the counts; what is no answer of ours is told as that."""
        self.send(self.fleet.servers[0], [now_us()] * 5)
        self.open(self.fleet.url, answers=[["/reports/routes/", 503, "<b>it</b> holds something that is none of a report"]])
        self.browser.do("until", expression="document.querySelectorAll('#reports section').length === 2")
        self.browser.do("until", expression="document.getElementById('reports').textContent.includes('<b>it</b> holds something')")
        self.says(r"\A3 of 3\Z", "nodes")
        self.says(r"\A\Z")
        self.browser.do("inside", expression="window.given = [['/live', 200, '<!doctype html>Please log in']]")
        self.says(r"\AWhat answers is not this page's server, or another version of it: .* What is shown is of \d\d:\d\d:\d\d UTC, and goes on")
        self.browser.do("inside", expression="window.given = [['/live', 502, 'Bad Gateway']]")
        self.says(r"\AThe server answers 502: Bad Gateway\. What is shown")
        self.browser.do("inside", expression="window.given = []")
        self.says(r"\A\Z")
        day = 24 * 3600 * SECOND
        nodes = [{"node": name, "version": "1", "started": None, "received": 1, "counted": 2, "refused": {}, "lag_ms": 0, "complete_through": None,
                  "visible_p99_ms": None, "last_seen": seen, "state": "gone"} for name, seen in
                 (("a", None), ("b", text_time(now_us() - day).replace(" ", "T")))]
        self.browser.do("inside", expression=f"showNodes({json.dumps(nodes)})")
        rows = self.browser.do("rows", id="t-nodes")
        self.assertEqual(rows[1][1], "gone since –")
        self.assertRegex(rows[2][1], r"\Agone since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\Z")

    def test_for_everybody(self):
        with Load(*self.fleet.servers):
            self.open(self.fleet.url)
            self.browser.do("until", expression="charts.length === 3")
            for given in ({"colorScheme": "light"}, {"colorScheme": "dark"}, {"forcedColors": "active"},
                          {"forcedColors": "none", "colorScheme": "light", "reducedMotion": "reduce"}):
                with self.subTest(**given):
                    self.browser.do("media", **given)
                    if "reducedMotion" in given:
                        self.browser.do("resize", width=320)
                    self.assertEqual(self.browser.do("axe"), [])
            self.assertEqual(self.browser.do("width"), 320)

    def test_by_the_keyboard_alone(self):
        self.send(self.fleet.servers[0], [now_us()] * 5)
        self.open(self.fleet.url)
        self.browser.do("until", expression="charts.length === 3 && document.querySelectorAll('#reports section').length === 2")
        stops = self.browser.do("tour")
        self.assertEqual([stop[0] for stop in stops], ["pause", "c-10ms", "c-1s", "c-1min", "h-nodes", "h-windows", "h-refused",
                                                       "h-report-0", "h-report-1"])
        self.assertEqual([stop for stop in stops if not stop[2]], [], "the focus does not show")
        # all that reacts to a click or a key can be reached
        self.assertEqual(self.browser.do("inside", expression="[...document.querySelectorAll('button, input, a, [tabindex], [onclick]')]"
                                                              ".filter((one) => one.checkVisibility()).length"), len(stops))
        while self.browser.do("press", key="Tab") != "c-1s":
            pass

        self.browser.do("press", key="ArrowLeft")
        text = "document.getElementById('a-1s').textContent"
        value = "document.getElementById('c-1s').getAttribute('aria-valuetext')"
        cursors = "charts.map((chart) => chart.plot.cursor.left >= 0)"
        left = self.browser.do("inside", expression=text)
        self.assertEqual(self.browser.do("inside", expression=value), left)
        self.assertEqual(self.browser.do("inside", expression=cursors), [True] * 3)  # one cursor over all
        self.browser.do("press", key="ArrowLeft")
        self.assertEqual((seconds_of(left) - seconds_of(self.browser.do("inside", expression=text))) % DAY_S, 1)
        self.browser.do("press", key="Shift+ArrowLeft")
        self.assertEqual((seconds_of(left) - seconds_of(self.browser.do("inside", expression=text))) % DAY_S, 11)
        self.browser.do("press", key="End")
        self.assertIn("open", self.browser.do("inside", expression=value))
        self.browser.do("press", key="Home")
        self.assertGreater((seconds_of(left) - seconds_of(self.browser.do("inside", expression=text))) % DAY_S, 580)
        self.browser.do("press", key="Escape")
        self.assertEqual(self.browser.do("inside", expression=cursors), [False] * 3)
        while self.browser.do("press", key="Shift+Tab") != "pause":
            pass
        self.browser.do("press", key="Enter")
        self.says("Paused")
        self.browser.do("press", key="Space")
        self.says(r"\A\Z")

    def test_of_one_server_and_with_a_token(self):
        tokens = self.place.dir / "tokens"
        tokens.write_text("reader-0123456789\n")
        tokens.chmod(0o600)
        server = self.server("--read-token-file", tokens)
        url = f"http://127.0.0.1:{server.port}/"
        self.assertEqual(server.request("GET", "/", headers={"Accept": "text/html"}).status, 401)  # no browser
        OPENED.add(url)
        self.browser.do("open", url=url, figures=False)
        self.says("answers 401")
        while self.browser.do("press", key="Tab") != "token":
            pass
        self.browser.do("type", text="reader-0123456789")
        self.browser.do("press", key="Enter")
        self.says(r"\A\Z")
        self.says(r"\A1 of 1\Z", "nodes")
        self.says(r"\A–\Z", "visible")  # nothing is flushed
        self.assertEqual(self.browser.do("rows", id="t-windows")[0][0], "second (UTC)")
        server.kill()  # it would want the token for its statistics


class Away(Page):
    def test_what_goes_away_is_said_and_comes_back(self):
        fleet = Fleet(self.place, 2, "--redis-timeout", "400ms")
        with Load(*fleet.servers):
            self.open(fleet.url)
            self.says(r"\A2 of 2\Z", "nodes")
            fleet.store.signal(signal.SIGSTOP)
            self.says("answers 503: redis .*no answer in time")
            self.assertEqual([self.browser.do("text", id=name) for name in ("rate", "nodes", "lag", "visible", "refused")], ["–"] * 5)
            fleet.store.signal(signal.SIGCONT)
            self.says(r"\A\Z")
        fleet.servers[1].kill()
        self.says(r"\A1 of 2\Z", "nodes", 15)
        gone = [row for row in self.browser.do("rows", id="t-nodes") if row[0] == "node-1"]
        self.assertRegex(gone[0][1], r"\Agone since (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\Z")
        fleet.serve.kill()
        self.says("The server does not answer")
        fleet.serve.spawn()
        self.says(r"\A\Z")


def seconds_of(text):
    """Of "12:00:01: 3 events, closed"."""
    hours, minutes, seconds = map(int, text[:8].split(":"))
    return hours * 3600 + minutes * 60 + seconds


class Day(Page):
    """The page, kept open: memory, nodes of the document and listeners do not grow. Its clock is its own."""

    AT, SETTLED = (0.0027, 0.0054, 0.008, 0.0107), 1  # hours; what has a size of its own is full at AT[SETTLED]
    ROUNDS_A_SECOND = 4

    def pass_hours(self, hours):
        """In pieces of an hour at most; after each, the charts were made anew and had another size."""
        while hours > 0.0001:
            piece = min(hours, 1)
            turns = self.browser.do("day", hours=piece)
            self.assertGreaterEqual(turns, piece * 3600 * self.ROUNDS_A_SECOND * 0.99 - 4)  # but for when it is away
            for scheme, width in (("dark", 700), ("light", 1200)):
                self.browser.do("media", colorScheme=scheme)
                self.browser.do("resize", width=width)
            hours -= piece

    def test_nothing_grows(self):
        server = self.server()
        self.open(f"http://127.0.0.1:{server.port}/", virtual=True)
        seen, passed, begun = [], 0, time.monotonic()
        for hours in self.AT:
            self.pass_hours(hours - passed)
            passed = hours
            self.says(r"\A[23] of 3\Z", "nodes")
            seen.append(self.memory(seen))
            print(f"  {hours:g} h: {seen[-1]['bytes']:,} bytes, {seen[-1]['nodes']:,} nodes, {seen[-1]['listeners']} listeners"
                  f" ({time.monotonic() - begun:.0f} s)", flush=True)
        self.assertTrue(self.is_flat(seen[self.SETTLED], seen[-1]), seen)

    @staticmethod
    def is_flat(first, last):
        return (last["bytes"] < first["bytes"] * 1.05 + 300_000 and last["nodes"] < first["nodes"] + 600
                and last["listeners"] <= first["listeners"] + 5)

    def memory(self, before):
        """What the page keeps. Charts that were replaced are let go in a later turn of the browser: who keeps them never becomes flat."""
        for _ in range(20):
            found = self.browser.do("memory")
            if len(before) <= self.SETTLED or self.is_flat(before[self.SETTLED], found):
                break
            time.sleep(0.25)
        return found


def cases():
    return unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, (LivePage, Away, Day)))


if __name__ == "__main__":
    run(cases)
