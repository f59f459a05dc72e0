"""What the bench found, as markdown: tables, each followed by its goals; and its place in docs/benchmarks.md."""

import datetime
import os
import pathlib
import platform
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- bench/run: begin (renewed by bench/run --write) -->", "<!-- bench/run: end -->"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def number(value, digits=2):
    return f"{value:,.{digits}f}"


class Goals:
    """Figures with what they have to be, kept in the order in which they were asked for."""

    def __init__(self):
        self.rows = []

    def at_most(self, what, found, goal, digits=3, unit="", unclear=""):
        self.add(what, number(found, digits) + unit, f"<= {number(goal, digits)}{unit}", found <= goal, unclear)

    def at_least(self, what, found, goal, digits=3, unit="", unclear=""):
        self.add(what, number(found, digits) + unit, f">= {number(goal, digits)}{unit}", found >= goal, unclear)

    def equal(self, what, found, within, unclear=""):
        """A ratio that has to be 1, give or take `within`."""
        self.add(what, number(found, 3), f"1 +- {number(within)}", 1 / (1 + within) <= found <= 1 + within, unclear)

    def add(self, what, found, goal, held, unclear):
        """unclear: why this run cannot tell; such a goal is not called held."""
        verdict = f"**cannot be told**: {unclear}" if unclear else "yes" if held else "**no**"
        self.rows.append([what, found, goal, verdict])

    def missed(self):
        return [f"{what}: {found}, goal {goal}, held? {verdict.replace('*', '')}"
                for what, found, goal, verdict in self.rows if verdict != "yes"]

    def markdown(self):
        return table(["goal", "found", "wanted", "held?"], self.rows) if self.rows else ""


def command_output(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip()


def machine():
    found = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    cpu = found.group(1) if found else platform.machine()
    return f"{cpu}, {len(os.sched_getaffinity(0))} cores, Linux {platform.release()}"


def commit():
    """Which one is measured; unknown where there is no git, or no repository as in a copy of the files alone."""
    short = command_output("git", "rev-parse", "--short", "HEAD") if shutil.which("git") else ""
    if not short:
        return "unknown"
    return short + (" with changes" if command_output("git", "status", "--porcelain", "--untracked-files=no") else "")


def origin(command):
    """Where and when figures were taken; as one line, since sections may be renewed one by one."""
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return f"{today}; {machine()}; commit {commit()}; `{command}`\n"


def section(name, title, text, source):
    return f"<!-- bench: {name} -->\n## {title}\n\n{source}\n{text.strip()}\n<!-- bench: end -->\n"


def renew(sections):
    """Puts {name: markdown} in place of what the page has of the same names; the rest of the page is left alone."""
    page = PAGE.read_text()
    if BEGIN not in page:
        page = page.rstrip() + f"\n\n{BEGIN}\n{END}\n"
    for name, text in sections.items():
        old = re.compile(rf"<!-- bench: {name} -->\n.*?<!-- bench: end -->\n", re.DOTALL)
        if old.search(page):
            page = old.sub(lambda _: text, page, count=1)  # noqa: B023 - used at once
        else:
            page = page.replace(END, text + "\n" + END)
    PAGE.write_text(page)
