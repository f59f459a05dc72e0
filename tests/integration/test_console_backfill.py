"""aforo ... --format openmetrics: final windows, as promtool takes them for backfilling; each comes out of its blocks as it went in."""

import re
import shutil
import subprocess
import unittest

from support import TIMEOUT_S, WIDTH_US, Case, now_us, text_time
from support.console import FilledRedis, aforo

SAMPLE = re.compile(r'aforo_window_events\{resolution="(\w+)"\} (\d+) (\d+)\.(\d{3})')
HOUR_US = 3_600_000_000


def windows(text, resolution):
    """{start in us: count} of an exposition; the form is checked."""
    lines = text.splitlines(keepends=True)
    if [lines[0], lines[1], lines[-1]] != ["# HELP aforo_window_events Events counted in a window, at its start.\n",
                                           "# TYPE aforo_window_events gauge\n", "# EOF\n"]:
        raise AssertionError(text[:300])
    found, last_us = {}, 0
    for line in lines[2:-1]:
        match = SAMPLE.fullmatch(line.rstrip("\n"))
        assert match and match[1] == resolution, line
        us = int(match[3]) * 1_000_000 + int(match[4]) * 1000
        assert us > last_us, "in order"
        found[us], last_us = int(match[2]), us
    return found


class Backfill(Case):
    def setUp(self):
        super().setUp()
        self.redis = FilledRedis(self.place).start()
        self.begin_us = (now_us() - 3 * HOUR_US) // 60_000_000 * 60_000_000
        self.events = {self.begin_us + i * 7_310_000: i + 1 for i in range(40)}
        self.redis.fill(self.events)

    def expected(self, resolution):
        width = WIDTH_US[resolution]
        sums = {}
        for us, n in self.events.items():
            sums[us // width * width] = sums.get(us // width * width, 0) + n
        return sums

    def bounds(self, resolution):
        """Of two hours of 10 ms windows, 720,000, a part is enough."""
        return ("--to", text_time(self.begin_us + 300_000_000)) if resolution == "10ms" else ()

    def rows(self, resolution, *words):
        return aforo(resolution, "--redis", self.redis.url, "--format", "openmetrics", "--from",
                     text_time(self.begin_us), *words)

    def test_final_windows_are_there_and_no_others(self):
        late_us = now_us() - 60_000_000
        self.redis.fill({late_us: 5})
        for resolution, width_us in WIDTH_US.items():
            status, out, err = self.rows(resolution, *self.bounds(resolution))
            self.assertEqual((status, err), (0, ""))
            found = windows(out, resolution)
            self.assertEqual({us: n for us, n in found.items() if n}, self.expected(resolution))
            self.assertLess(max(found), now_us() - HOUR_US)
            self.assertEqual(set(found), set(range(min(found), max(found) + 1, width_us)), "without gaps")

    def test_when_none_is_final_that_is_said(self):
        server = self.server()
        server.post(f"value={text_time(now_us() - 5_000_000)}")
        status, out, err = aforo("1s", "--server", f"http://127.0.0.1:{server.port}", "--format", "openmetrics")
        self.assertEqual((status, windows(out, "1s")), (0, {}))
        self.assertEqual(err, "aforo: none of these windows is final: late events may still change them\n")

    def test_what_does_not_go_with_it(self):
        for words, named in ((("1s", "--partial"), "--partial"), (("1s", "--follow"), "--follow"), (("1s", "--total"), "--total"),
                             (("report", "all"), "text, csv or json"), (("reports",), "text or json")):
            status, _, err = aforo(*words, "--format", "openmetrics", "--redis", self.redis.url)
            self.assertEqual((status, named in err), (2, True), err)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed (package prometheus)")
    def test_promtool_makes_blocks_of_it(self):
        for resolution in WIDTH_US:
            path, blocks = self.place.dir / f"{resolution}.txt", self.place.dir / f"{resolution}-blocks"
            path.write_text(self.rows(resolution, *self.bounds(resolution))[1])
            done = subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", path, blocks], capture_output=True,
                                  text=True, timeout=TIMEOUT_S, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            (blocks / "wal").mkdir()  # dump asks for one; that of Debian 13 also for data, where it works
            (self.place.dir / "data").mkdir(exist_ok=True)
            dump = subprocess.run(["promtool", "tsdb", "dump", blocks], capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
                                  cwd=self.place.dir)
            self.assertEqual(dump.returncode, 0, dump.stderr)
            samples = {int(ms) * 1000: int(n) for n, ms in re.findall(rf'resolution="{resolution}"\}} (\d+) (\d+)$', dump.stdout, re.M)}
            self.assertEqual({us: n for us, n in samples.items() if n}, self.expected(resolution))


if __name__ == "__main__":
    unittest.main()
