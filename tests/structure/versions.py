"""The version stands once, in CMakeLists.txt: the programs and the pages of the manual say it, and CHANGELOG.md begins with it."""

import os
import pathlib
import re
import subprocess
import unittest

import rooms

BUILD = pathlib.Path(os.environ.get("DEV_AFORO_BUILD", rooms.ROOT / "build" / "release"))
SEMVER = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"


def version():
    return re.search(r"^project\(aforo VERSION (\S+)", (rooms.ROOT / "CMakeLists.txt").read_text(), re.M)[1]


class Versions(unittest.TestCase):
    def test_it_is_one_of_semver(self):
        self.assertRegex(version(), rf"\A{SEMVER}\Z")

    def test_the_changes_begin_with_it_and_go_back_in_order(self):
        headings = re.findall(r"^## (.*)$", (rooms.ROOT / "CHANGELOG.md").read_text(), re.M)
        self.assertEqual(headings[0], version())
        numbers = [tuple(map(int, re.fullmatch(SEMVER, heading).groups())) for heading in headings]
        self.assertEqual(numbers, sorted(set(numbers), reverse=True))

    def test_programs_and_manual_say_it(self):
        for program in ("aforod", "aforo"):
            said = subprocess.run([BUILD / "bin" / program, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
            self.assertEqual(said, f"{program} {version()}\n")
        for page in ("aforod.8", "aforo.1", "aforo-reports.5"):
            self.assertIn(f"\nThis page is of version {version()}.\n", (BUILD / "manual" / page).read_text(), page)


if __name__ == "__main__":
    unittest.main()
