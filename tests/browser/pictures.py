"""Makes the pictures of docs/seeing.md: the live page in light and dark, on a narrow screen and with a node away, `aforo top`, and
Prometheus' alerts while Redis is away.

    pictures.py [FOLDER]      (docs/ by default; takes about a minute)

Needs what live_page.py needs, and prometheus. Each picture has 60 kB at the most."""

import base64
import html
import pathlib
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tests" / "integration"), str(ROOT / "tests" / "deploy"), str(ROOT / "tests"), str(ROOT / "tools")]

from pages import Browser, Fleet, Load, install  # noqa: E402
from programs import Place, now_us, text_time, wait_until  # noqa: E402
from test_top import Terminal  # noqa: E402
from watched import Prometheus  # noqa: E402

LARGEST = 60_000
COLOURS = {"1": "font-weight:bold", "2": "color:#888", "31": "color:#d33", "33": "color:#c90", "34": "color:#58f"}
SCREEN = ("<!doctype html><meta charset=utf-8><body style='margin:0;background:#111;color:#ddd'>"
          "<pre style='margin:12px;font:15px/1.25 monospace'>")
# Of Prometheus' page: not the alerts that do not fire, nor the names of the groups, which have the path of a folder of the moment; the
# others with their instances.
FIRING_ALONE = """(() => {
    for (const row of document.querySelectorAll('#alertsTable tr')) {
        const open = row.classList.contains('alert-danger') || row.classList.contains('alert_details') &&
            row.previousElementSibling.classList.contains('alert-danger') || row.closest('tr.alert_details') !== row && row.closest('tr.alert_details');
        row.style.display = open ? 'table-row' : 'none';
    }
    document.querySelectorAll('#alertsTable pre').forEach((rule) => rule.remove());
})()"""


class Pictures:
    def __init__(self, folder, browser):
        self.folder, self.browser = folder, browser

    def shoot(self, name, **given):
        for quality in (90, 80, 70, 60, 50):
            picture = base64.b64decode(self.browser.do("picture", quality=quality, **given))
            if len(picture) <= LARGEST:
                (self.folder / f"seeing-{name}.webp").write_bytes(picture)
                print(f"seeing-{name}.webp: {len(picture):,} bytes", flush=True)
                return
        raise SystemExit(f"{name}: {len(picture)} bytes")


def show_page(pictures, place):
    browser, fleet = pictures.browser, Fleet(place, 3)
    with Load(*fleet.servers):
        browser.do("open", url=fleet.url, height=1000)
        browser.do("until", expression="charts.length === 3")
        time.sleep(11)
        fleet.servers[0].post_lines([text_time(now_us() - 4_000_000)] * 30)  # late
        time.sleep(2)
        pictures.shoot("page")
        browser.do("media", colorScheme="dark")
        pictures.shoot("page-dark")
        browser.do("media", colorScheme="light")
        browser.do("resize", width=320, height=1000)
        time.sleep(1)
        pictures.shoot("page-narrow")
    fleet.servers[2].kill()
    with Load(*fleet.servers[:2]):
        browser.do("resize", width=1200, height=1000)
        browser.do("until", timeout=15000, expression="document.getElementById('nodes').textContent === '2 of 3'")
        pictures.shoot("away")
        show_top(pictures, fleet)


def show_top(pictures, fleet):
    top = Terminal("--redis", fleet.store.url, size=(22, 96))
    top.shows("2 of 3 nodes")
    time.sleep(3)
    screens = top.read(1).split(b"\x1b[H")
    lines = next(screen for screen in reversed(screens) if screen.endswith(b"\x1b[J")).decode().replace("\r", "")
    top.end()
    text = re.sub(r"\x1b\[([0-9]+)m", lambda found: f"\0{found[1]}\1", lines)
    text = html.escape(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text))
    text = re.sub("\0(\\d+)\1", lambda found: f"<span style='{COLOURS[found[1]]}'>" if found[1] in COLOURS else "</span>", text)
    show_document(pictures, "top", SCREEN + text, 900, 440)


def show_document(pictures, name, text, width, height):
    page = pictures.folder / f".{name}.html"
    page.write_text(text)
    try:
        pictures.browser.do("open", url=page.resolve().as_uri(), width=width, height=height, figures=False)
        pictures.shoot(name)
    finally:
        page.unlink()


def show_alerts(pictures, place):
    store = place.redis(name="watched").start()
    nodes = [place.server("--node-id", f"node-{i}", name=f"watched-{i}", redis=store).start() for i in range(3)]
    prometheus = Prometheus(place, [f"127.0.0.1:{node.port}" for node in nodes])
    prometheus.spawn()
    wait_until(prometheus.answers, prometheus.log, 60)
    wait_until(lambda: prometheus.value("sum(up)") == 3, prometheus.log, 60)
    for node in nodes:
        node.post_lines([text_time(now_us())] * 5)
    store.kill()
    nodes[2].kill()
    wait_until(lambda: {"AforoStoreAway", "AforoDown"} <= {name for name, _ in prometheus.firing()}, prometheus.firing, 60)
    pictures.browser.do("open", url=f"http://127.0.0.1:{prometheus.port}/classic/alerts", height=640, figures=False)
    pictures.browser.do("until", expression="document.body && document.body.textContent.includes('AforoStoreAway')")
    pictures.browser.do("inside", expression=FIRING_ALONE)
    time.sleep(1)
    pictures.shoot("alerts")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs")
    browser = Browser(install())
    try:
        with Place() as place:
            pictures = Pictures(folder, browser)
            show_page(pictures, place)
            show_alerts(pictures, place)
    finally:
        browser.close()


if __name__ == "__main__":
    main()
