"""The libraries of the rooms call of each other only what their includes may (rooms.py). A header that includes half of the tree
hides who needs whom from who reads includes, but not from nm."""

import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import rooms

BUILD = pathlib.Path(os.environ.get("DEV_AFORO_BUILD", rooms.ROOT / "build" / "release"))
NM_TIMEOUT_S = 60


def symbols(library):
    """(defined, wanted) of an archive, each {name: object file}. Those that only their own file sees are left out."""
    listed = subprocess.run(["nm", str(library)], capture_output=True, text=True, timeout=NM_TIMEOUT_S, check=True).stdout
    defined, wanted, member = {}, {}, ""
    for line in listed.splitlines():
        words = line.split()
        if re.fullmatch(r"\S+\.o:", line):
            member = line[:-1]
        elif len(words) == 2 and words[0] == "U":
            wanted[words[1]] = member
        elif len(words) == 3 and words[1].isupper():
            defined[words[2]] = member
    return defined, wanted


def findings(libraries):
    """One line for each symbol that a room wants of one which it may not include. libraries: {room: path of the archive}."""
    home, wants = {}, collections.OrderedDict()
    for room, library in libraries.items():
        defined, wants[room] = symbols(library)
        home.update((name, room) for name in defined)
    return [f"{member} of {here} calls {name} of {home[name]}: it may not"
            for here, wanted in wants.items() for name, member in sorted(wanted.items())
            if home.get(name, here) != here and home[name] not in rooms.ROOMS[here].may]


class Symbols(unittest.TestCase):
    def test_rooms_call_only_those_whose_headers_they_may_include(self):
        libraries = {}
        for room, (name, _) in rooms.ROOMS.items():
            if name is None:
                continue  # headers alone
            built = list(BUILD.rglob(f"lib{name}.a"))
            self.assertTrue(built, f"{BUILD}: lib{name}.a, the library of {room}, is not there")
            # A build directory that was there before files moved has the library of the old place, too.
            libraries[room] = max(built, key=lambda path: path.stat().st_mtime)
        found = findings(libraries)
        if found:
            self.fail("\n" + "\n".join(found))

    def test_a_call_that_runs_back_is_found(self):
        with tempfile.TemporaryDirectory(prefix="aforo-structure-") as scratch:
            libraries = {}
            for room, text in (("counters", "void http_answer(void); void counters_add(void) { http_answer(); }"),
                               ("server/http", "void counters_add(void); void http_answer(void) { counters_add(); }")):
                stem = pathlib.Path(scratch, room.replace("/", "_"))
                stem.with_suffix(".c").write_text(text + "\n")
                subprocess.run(["gcc", "-c", "-o", f"{stem}.o", f"{stem}.c"], timeout=NM_TIMEOUT_S, check=True)
                subprocess.run(["ar", "rc", f"{stem}.a", f"{stem}.o"], timeout=NM_TIMEOUT_S, check=True)
                libraries[room] = f"{stem}.a"
            self.assertEqual(findings(libraries), ["counters.o of counters calls http_answer of server/http: it may not"])


if __name__ == "__main__":
    if not BUILD.is_dir():
        sys.exit(f"{sys.argv[0]}: {BUILD} is not built: tools/setup release test builds it")
    unittest.main()
