"""Every example of docs/http-api.md, docs/reports.md and docs/eventlog.md is run, and prints what the page says; the first names every route, refusal
and field of /stats; and every option and variable that a page for users names exists.

A block is run line by line in one directory, with a server that has counted nothing. A line `$ aforod FLAGS &` starts that server
with these flags, `http://127.0.0.1:8080` is where it listens, `aforo-state` is its state directory, and `aforo` reads from it. Blocks of YAML that begin with the comment
`# NAME.yaml` are files of that directory, and so are the measures of examples/. In what the page shows, `...` stands for anything, and a date and time of day for any
other."""

import os
import re
import shutil
import subprocess
import unittest

from support import BIN, ROOT, TIMEOUT_S, Place, environment, needs

PAGE = ROOT / "docs" / "http-api.md"
REPORTS_PAGE = ROOT / "docs" / "reports.md"
LOG_PAGE = ROOT / "docs" / "eventlog.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
YAML = re.compile(r"^```yaml\n# (\S+\.yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}")
URL = "http://127.0.0.1:8080"
PAGES = ("README.md", "SECURITY.md", "docs/http-api.md", "docs/reading.md", "docs/reports.md", "docs/operate.md", "docs/redis.md", "docs/deploy.md", "docs/seeing.md")
KUBERNETES = {"AFORO_PORT", "AFORO_SERVICE_HOST"}  # set by it, and passed over


def blocks(text):
    """[(line number, [(command, what it prints)])] of the examples of a page."""
    found = []
    for match in BLOCK.finditer(text):
        steps = []
        for line in match[1].splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
        found.append((text.count("\n", 0, match.start()) + 1, [(command, "\n".join(out)) for command, out in steps]))
    return found


def fits(shown, printed):
    """Whether a command printed what the page shows."""
    text = re.escape(MOMENT.sub("MOMENT", shown.strip())).replace(re.escape("..."), ".*")
    return re.fullmatch(text, MOMENT.sub("MOMENT", printed.replace("\r", "").strip()), re.DOTALL) is not None


class Example:
    """One block: its server and its directory."""

    def __init__(self, place):
        self.place = place
        self.server = None

    def start(self, *flags, **settings):
        self.server = self.place.server(*flags, **settings).start()

    def limited(self, kib):
        """aforod, whose files may be so large."""
        path = self.place.dir / "limited"
        path.write_text(f'#!/bin/bash\nulimit -f {kib}\nexec {BIN / "aforod"} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
        return path

    def run(self, command):
        """What the command prints."""
        started = re.fullmatch(r"aforod (.*) &", command)
        if started:
            self.start(*started[1].split())
            return ""
        limited = re.fullmatch(r"\(ulimit -f (\d+); aforod (.*)\) &", command)
        if limited:
            self.start(*limited[2].split(), program=self.limited(limited[1]))
            return ""
        if command == "kill -9 %1; rm -r aforo-state":
            self.server.kill()
            shutil.rmtree(self.server.state)
            return ""
        if URL in command:
            if not self.server:
                self.start()
            command = command.replace(URL, f"http://127.0.0.1:{self.server.port}")
        if self.server:
            command = command.replace("--state aforo-state", f"--state {self.server.state}")
            command = command.replace("state:aforo-state", f"state:{self.server.state}")
        env = environment(PATH=f"{BIN}:{os.environ['PATH']}")
        if self.server:
            env["AFORO_SERVER"] = f"http://127.0.0.1:{self.server.port}"
        done = subprocess.run(["bash", "-c", command], cwd=self.place.dir, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=TIMEOUT_S, check=False)
        return done.stdout


class Page(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        needs(["aforod"], "curl")
        self.text = PAGE.read_text(encoding="utf-8")

    def test_every_example_prints_what_the_page_shows(self):
        found = blocks(self.text)
        self.assertGreater(len(found), 15)
        for line, steps in found:
            with self.subTest(line=line), Place() as place:
                example = Example(place)
                for command, shown in steps:
                    printed = example.run(command)
                    self.assertTrue(fits(shown, printed), f"{PAGE.name}:{line}: $ {command}\nshows\n{shown}\nbut prints\n{printed}")

    def test_every_example_about_reports_prints_what_the_page_shows(self):
        self.run_page(REPORTS_PAGE, 6)

    def test_every_example_about_the_event_log_prints_what_the_page_shows(self):
        self.run_page(LOG_PAGE, 3)

    def run_page(self, page, least):
        text = page.read_text(encoding="utf-8")
        files = {match[1]: match[2] for match in YAML.finditer(text)}
        found = blocks(text)
        self.assertGreaterEqual(len(found), least)
        for line, steps in found:
            with self.subTest(line=line), Place() as place:
                for name, definitions in files.items():
                    (place.dir / name).write_text(definitions, encoding="utf-8")
                for measure in (BIN.parent / "measures").glob("*.so"):
                    shutil.copy(measure, place.dir)
                example = Example(place)
                for command, shown in steps:
                    printed = example.run(command)
                    self.assertTrue(fits(shown, printed),
                                    f"{page.name}:{line}: $ {command}\nshows\n{shown}\nbut prints\n{printed}")

    def test_every_route_refusal_field_and_option_is_there(self):
        with Place() as place:
            server = place.server().start()
            routes = re.findall(r"^(?:GET|POST) +(/\S*)", server.request("GET", "/").text, re.MULTILINE)
            stats = server.stats()
            refused = stats["refused"]
        self.assertGreater(len(routes), 4)
        for route in routes:
            self.assertRegex(self.text, rf"`(GET|POST) {re.escape(route)}`|`GET {re.escape(route)}`?,", route)
        for name in refused:
            self.assertIn(f"| `{name}` |", self.text)
        for field in (*stats, *stats["store"]):
            self.assertIn(f"`{field}`", self.text, "a field of /stats")

    def test_every_option_and_variable_of_the_pages_exists(self):
        options = {}
        for name, words in (("aforod", [BIN / "aforod", "--help-all"]), ("aforo", [BIN / "aforo", "--help-all"]),
                            ("aforo-balancer", [ROOT / "deploy" / "balancer" / "aforo-balancer", "--help"])):
            done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
            options[name] = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", done.stdout))
        variables = {"AFORO_" + option[2:].upper().replace("-", "_") for option in options["aforod"]}
        variables |= {"AFORO_SERVER", "AFORO_READ_TOKEN", "AFORO_REDIS_PASSWORD", "AFORO_REDIS_PASSWORD_FILE"}
        self.assertGreater(min(map(len, options.values())), 5)
        known = set().union(*options.values())
        for name in PAGES:
            text = (ROOT / name).read_text(encoding="utf-8")
            for option in set(re.findall(r"`(--[a-z][a-z0-9-]*)", text)) - {"--scale", "--profile", "--build-arg"}:  # of docker
                self.assertIn(option, known, name)
            for variable in set(re.findall(r"(?<!DEV_)(?<!-D)AFORO_[A-Z0-9_]*[A-Z0-9]", text)) - KUBERNETES:
                self.assertIn(variable, variables, name)

    def test_every_refusal_is_shown_with_its_name(self):
        """Each of the names of refused events is a part of its own, with an example, under "Refusals"."""
        with Place() as place:
            names = place.server().start().stats()["refused"]
        part = self.text.split("\n## Refusals\n")[1].split("\n## ")[0]
        parts = {heading: text for heading, text in re.findall(r"^### (.*)\n((?:(?!^### ).*\n)*)", part + "\n", re.MULTILINE)}
        for name in names:
            with self.subTest(name=name):
                self.assertTrue(any(name in heading and "```console" in text for heading, text in parts.items()))


class TheComparison(unittest.TestCase):
    def test_what_fits(self):
        for shown, printed in (("a\nb", "a\r\nb\r\n"), ("2016-05-28 11:11:11.120, 1", "2026-11-21 14:04:57.120, 1"),
                               ("{...,\"b\":1}", "{\"a\":5,\"b\":1}"), ("", "\n"), ("a ... b", "a 1\n2 b")):
            self.assertTrue(fits(shown, printed), (shown, printed))

    def test_what_does_not(self):
        for shown, printed in (("a", "b"), ("a", ""), ("", "a"), ("2016-05-28 11:11:11.120, 1", "2016-05-28 11:11:11.130, 1"),
                               ("a.c", "abc"), ("a...", "ba"), ("HTTP/1.1 204 No Content", "HTTP/1.1 400 Bad Request")):
            self.assertFalse(fits(shown, printed), (shown, printed))


if __name__ == "__main__":
    unittest.main()
