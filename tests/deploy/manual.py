"""The pages of the manual and the completions, which are made of the lists of options: all is in there, mandoc finds nothing, and
shells take them."""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

MANUAL = pathlib.Path(os.environ["DEV_AFORO_BUILD"]) / "manual"
PAGES = ("aforod.8", "aforo.1", "aforo-reports.5")
BIN = MANUAL.parent / "bin"
TIMEOUT_S = 30


def run(*words, **settings):
    return subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, **settings)


def lists(program, *words):
    """{flag: (argument, default, variable, sentence)} of a program, or of one of its commands."""
    said = run(BIN / program, *words, "--help-lists").stdout
    return {line.split("\t")[1]: line.split("\t")[2:] for line in said.splitlines() if line.startswith("F\t")}


def completed(program, line):
    """What bash offers at the end of a line."""
    script = (f'. "{MANUAL}/{program}.bash"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _{program}; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    return set(run("bash", "-c", script, "bash", *line.split(" ")).stdout.split())


class Pages(unittest.TestCase):
    def test_each_flag_is_explained(self):
        for page, program in (("aforod.8", "aforod"), ("aforo.1", "aforo")):
            text = (MANUAL / page).read_text()
            self.assertGreater(len(lists(program)), 15)
            for flag, (argument, default, variable, _) in lists(program).items():
                item = text.split(f".It Fl -{flag}", 1)
                self.assertEqual(len(item), 2, f"--{flag}")
                said = item[1].split(".It ")[0]
                self.assertIn(argument, said.split("\n")[0])
                self.assertIn(f".Ev {variable}" if variable else "", said)
                self.assertIn(default, said)

    def test_each_command_is_there(self):
        text = (MANUAL / "aforo.1").read_text()
        for command in ("10ms|1s|1min", "total", "reports check FILE", "log cat|check DIR"):
            self.assertIn(f".It Ic {command}", text)
        for command in ("reports check", "log cat"):
            self.assertIn(f".Ss aforo {command}\n", text)
        self.assertIn(".It Fl -rounds Ar N", text)

    def test_the_page_of_reports_names_every_part_and_figure(self):
        text = (MANUAL / "aforo-reports.5").read_text()
        page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "reports.md").read_text()
        parts = re.findall(r"^\| `(\w+)` \| ", page.split("## What a report says")[1].split("| figure |")[0], re.M)
        self.assertGreater(len(parts), 6)
        for part in parts:
            self.assertIn(f".It Cm {part}\n", text)
        for figures in re.findall(r"^\| (`.*`) \| .* \| .* \|$", page.split("| figure |")[1].split("\n\n")[0], re.M):
            for figure in re.findall(r"`([^`]+)`", figures):
                self.assertIn(figure, text)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_mandoc_finds_nothing(self):
        done = run("mandoc", "-Tlint", *(MANUAL / page for page in PAGES))
        # whether the pages that these refer to are installed is this machine's business
        found = [line for line in done.stdout.splitlines() if not re.search(r"referenced manual not found: Xr aforo", line)]
        self.assertEqual((found, done.stderr), ([], ""))
        shown = run("mandoc", "-Tutf8", MANUAL / "aforod.8").stdout
        self.assertIn("AFORO_MAX_BODY", re.sub(".\b", "", shown))


class Completions(unittest.TestCase):
    def test_bash(self):
        self.assertLessEqual({"10ms", "1s", "total", "reports", "log", "backup"}, completed("aforo", "aforo "))
        self.assertEqual(completed("aforo", "aforo tot"), {"total"})
        self.assertEqual(completed("aforo", "aforo log "), {"cat", "check"})
        self.assertLessEqual({f"--{flag}" for flag in lists("aforo")}, completed("aforo", "aforo 1s --"))
        self.assertEqual({f"--{flag}" for flag in lists("aforo", "log", "cat")} | {"--help", "--help-all", "--version"},
                         completed("aforo", "aforo log cat --"))
        self.assertEqual(completed("aforo", "aforo 1s --format "), set(lists("aforo")["format"][0].split("|")))
        self.assertEqual(completed("aforod", "aforod --clock "), {"event", "arrival"})
        self.assertEqual(completed("aforod", "aforod --clock = a"), {"arrival"})
        self.assertEqual(completed("aforod", "aforod --listen "), set())
        self.assertIn(f"{MANUAL}/lists", completed("aforod", f"aforod --state {MANUAL}/li"))

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_shellcheck_finds_nothing_in_those_of_bash(self):
        for program in ("aforod", "aforo"):
            self.assertEqual(run("shellcheck", "-s", "bash", MANUAL / f"{program}.bash").stdout, "")

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh(self):
        for program in ("aforod", "aforo"):
            self.assertEqual(run("zsh", "-n", MANUAL / f"_{program}").stderr, "")

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish(self):
        for program in ("aforod", "aforo"):
            self.assertEqual(run("fish", "-n", MANUAL / f"{program}.fish").stderr, "")
            offered = run("fish", "-c", f"source {MANUAL}/{program}.fish; complete -C '{program} --format '").stdout.split()
            if program == "aforo":
                self.assertIn("csv", offered)

    def test_each_flag_is_in_those_of_zsh_and_fish(self):
        for program in ("aforod", "aforo"):
            zsh, fish = (MANUAL / f"_{program}").read_text(), (MANUAL / f"{program}.fish").read_text()
            for flag in lists(program):
                self.assertRegex(zsh, rf"'\*?--{flag}=?\[")
                self.assertIn(f" -l {flag} ", fish)


if __name__ == "__main__":
    unittest.main()
