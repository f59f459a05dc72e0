"""What the tests of the live page stand on: a browser, a fleet, a load, and what each page must keep to.

Needs node, npm, chromium and the registry (once: what is installed
stays in the build directory); ends with 77 where one of them is not there."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "tools")]

from programs.process import BIN, Program, now_us, text_time, wait_until  # noqa: E402
from support import Case  # noqa: E402

BUILD = pathlib.Path(os.environ.get("DEV_AFORO_BUILD", BIN.parent))
MODULES = BUILD / "browser" / "node_modules"
SECOND = 1_000_000
SKIPPED = 77


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def install():
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if not browser or not shutil.which("node") or not shutil.which("npm"):
        skip("chromium, node and npm are not all installed")
    MODULES.parent.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "package.json").read_text()
    mark = MODULES.parent / "package.json"
    if not MODULES.is_dir() or not mark.exists() or mark.read_text() != wanted:
        mark.write_text(wanted)
        try:
            done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-timeout=20000",
                                   "--fetch-retries=1"], cwd=MODULES.parent, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            done = None
        if done is None or done.returncode:
            mark.unlink()
            skip("npm could not install playwright-core and axe-core: " + (done.stderr.strip()[:200] if done else "no answer"))
    return browser


class Browser:
    def __init__(self, chromium):
        self.process = subprocess.Popen(["node", str(HERE / "page.js"), str(MODULES), chromium], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def do(self, command, **given):
        self.process.stdin.write(json.dumps({"command": command, **given}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise AssertionError(f"{command}: {answer['error']}")
        return answer.get("value")

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)


class Load:
    """A few thousand events, some of them refused and some late, to several servers, until it is left."""

    def __init__(self, *servers):
        self.servers, self.over = servers, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        n = 0
        while not self.over.wait(0.02):
            n += 1
            server = self.servers[n % len(self.servers)]
            lines = [text_time(now_us() - k % 7 * 1000) + f" route=/{'abc'[k % 3]}" for k in range(1 + n * 7 % 13)]
            server.post_lines(lines + (["yesterday"] if n % 20 == 0 else []))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Fleet:
    """So many servers that flush to one Redis, and `aforo serve`."""

    def __init__(self, place, nodes, *flags):
        self.store = place.redis().start()
        reports = place.dir / "reports.yaml"
        reports.write_text("fields: {route: {from: [line.route]}}\n"
                           "reports: [{name: routes, by: [route], windows: [1min], show: [count]},\n"
                           "          {name: board, windows: [1min], show: [count, top5(route)]}]\n")
        self.servers = [place.server("--node-id", f"node-{i}", "--reports", reports, name=f"aforod-{i}", redis=self.store).start()
                        for i in range(nodes)]
        port = place.port()
        self.serve = Program(place, "serve", [BIN / "aforo", "serve", "--redis", self.store.url, "--listen", f"127.0.0.1:{port}", *flags])
        self.serve.spawn()
        self.url = f"http://127.0.0.1:{port}/"
        wait_until(lambda: "listening" in self.serve.log() and "Redis answers" in self.serve.log(), self.serve.log)
        wait_until(lambda: all(server.health()["store"]["connected"] for server in self.servers), "all flush")

    def counts(self, resolution, start):
        """{start as the page shows it: events}, of what is closed and not."""
        done = subprocess.run(["curl", "-sf", f"{self.url}counts/{resolution}?format=csv&partial=1&from={start}"], capture_output=True,
                              text=True, check=True, timeout=20)
        rows = (line.split(",")[:2] for line in done.stdout.splitlines()[1:])
        return {start[:19] + "Z": int(events) for start, events in rows}


class Page(Case):
    browser, fleet = None, None

    def setUp(self):
        super().setUp()
        self.addCleanup(self.assert_clean)

    def tearDown(self):
        self.browser.do("close")  # else it goes on asking

    def says(self, pattern, element="status", timeout_s=10):
        js = json.dumps(pattern.replace(r"\A", "^").replace(r"\Z", "$"))
        return self.browser.do("until", timeout=timeout_s * 1000,
                               expression=f"new RegExp({js}).test(document.getElementById({json.dumps(element)}).textContent)")

    def closed_seconds(self):
        """{second: (events, state)} as the page's table has them."""
        return {row[0]: (int(row[1].replace(",", "")), row[2]) for row in self.browser.do("rows", id="t-windows")[1:]}

    def assert_table_is_counts(self, timeout_s=10):
        """Each closed second of the page's table, once what was sent last has arrived."""
        def differ():
            shown = self.closed_seconds()
            counted = self.fleet.counts("1s", min(shown))
            return {second: (events, counted.get(second, 0)) for second, (events, _) in shown.items() if events != counted.get(second, 0)}
        wait_until(lambda: not differ(), differ, timeout_s, 0.1)
        self.assertGreater(sum(events for events, _ in self.closed_seconds().values()), 100)

    def assert_clean(self):
        seen = self.browser.do("seen")
        self.assertEqual((seen["policy"], seen["errors"], seen["dialogs"]), ([], [], []))
        self.assertEqual({re.match(r"\w+://[^/]+/", url)[0] for url in seen["requests"]} - OPENED, set())

    def open(self, url, **given):
        OPENED.add(url)
        return self.browser.do("open", url=url, **given)


OPENED = set()


def run(cases):
    """Runs `cases()`, or the tests that are named on the command line, in one browser; ends the program."""
    Page.browser = Browser(install())
    try:
        chosen = [word for word in sys.argv[1:] if not word.startswith("--")]
        suite = unittest.defaultTestLoader.loadTestsFromNames(chosen, sys.modules["__main__"]) if chosen else cases()
        well = unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful()
    finally:
        Page.browser.close()
    sys.exit(not well)
