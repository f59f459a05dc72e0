"""Includes run one way between the rooms of the tree (rooms.py), and server/ itself stays small."""

import pathlib
import re
import tempfile
import unittest
import unittest.mock

import rooms

SOURCES = (".c", ".h", ".def")
INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]*)"')
FOLDERS = ("bench", "common", "counters", "eventlog", "include", "ingest", "redis", "replay", "reports", "server", "tools", "view")
SERVER_FILES_MAX = 16


def sources(root):
    """The sources of the programs and of bench/, as paths from the root."""
    return sorted(str(path.relative_to(root)) for folder in FOLDERS for path in (root / folder).rglob("*")
                  if path.suffix in SOURCES)


def arrows(root):
    """(file, line, what it includes) of every include of ours."""
    for path in sources(root):
        for number, line in enumerate((root / path).read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if match:
                yield path, number, match.group(1)


def wrong(path, included):
    """What is wrong with that `path` includes `included`; None when nothing is."""
    here, there = rooms.room_of(path), rooms.MADE.get(included) or rooms.room_of(included)
    if here is None:
        return None  # said once for the file
    if there is None:
        return f'"{included}" is in no room: name a file of the programs by its path from the root'
    if there == here or there in rooms.ROOMS[here].may or rooms.DATA.get(included) == here or (path, included) in rooms.KNOWN:
        return None
    return f'{here} may not include {there} ("{included}"): it may include {", ".join(rooms.ROOMS[here].may) or "nothing"}'


def findings(root):
    """One line for each include that is not permitted, with file and line."""
    found = [f"{path}:{number}: {why}" for path, number, included in arrows(root) if (why := wrong(path, included))]
    found += [f"{path}:1: is in no room of tests/structure/rooms.py" for path in sources(root) if rooms.room_of(path) is None]
    files = sorted(path.name for path in (root / "server").iterdir() if path.is_file())
    if len(files) > SERVER_FILES_MAX:
        found.append(f"server/: {len(files)} files, at most {SERVER_FILES_MAX}; which room is for one of {' '.join(files)}?")
    return found


class Includes(unittest.TestCase):
    def test_arrows_run_one_way(self):
        found = findings(rooms.ROOT)
        if found:
            self.fail("\n" + "\n".join(found))

    def test_the_table_itself_runs_one_way(self):
        above = set()
        for room, (_, may) in rooms.ROOMS.items():
            self.assertLessEqual(set(may), above, f"{room} may include only rooms above it")
            above.add(room)

    def test_the_architecture_names_each_room(self):
        page = (rooms.ROOT / "docs" / "architecture.md").read_text()
        named = {name for row in re.findall(r"^\| ((?:the lists: )?`.*?) \|", page, re.M) for name in re.findall("`(.*?)`", row)}
        lists = {"server/lists"} if "server/options.def" in named else set()
        self.assertEqual(set(rooms.ROOMS) - {"tools/main"} - named - lists, set())

    def test_a_known_exception_that_is_gone_leaves_the_table(self):
        are = {(path, included) for path, _, included in arrows(rooms.ROOT)}
        self.assertEqual(set(rooms.KNOWN) - are, set(), "take them out of tests/structure/rooms.py")

    def test_unit_tests_mirror_the_tree(self):
        unit = rooms.ROOT / "tests" / "unit"
        for test in sorted(unit.rglob("test_*.c")):
            folder = test.parent.relative_to(unit)
            self.assertNotEqual(str(folder), ".", f"{test} is in no folder")
            self.assertTrue((rooms.ROOT / folder).is_dir(), f"{test}: there is no {folder}/")


class Findings(unittest.TestCase):
    """What is found in trees that are made to be wrong."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="aforo-structure-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.write("server/main.c", '#include "server/http/request.h"')

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text + "\n")

    def found(self):
        return "\n".join(findings(self.root))

    def test_nothing_in_a_tree_that_is_right(self):
        self.write("ingest/form.c", '#include "ingest/form.h"\n#include "counters/time/civil.h"\n#include <stdio.h>')
        self.write("redis/script.c", '#include "scripts.h"')
        self.assertEqual(self.found(), "")

    def test_an_arrow_that_runs_back(self):
        self.write("ingest/form.c", '#include "ingest/form.h"\n\n#include "server/http/request.h"')
        self.assertIn("ingest/form.c:3: ingest may not include server/http", self.found())

    def test_an_arrow_of_the_console_to_the_server(self):
        self.write("tools/console/flags.c", '#  include "server/options.def"')
        self.assertIn("tools/console/flags.c:1: tools/console may not include server/lists", self.found())

    def test_an_arrow_from_time_to_what_is_counted(self):
        self.write("counters/time/civil.c", '#include "counters/counters.h"')
        self.assertIn("counters/time/civil.c:1: counters/time may not include counters", self.found())

    def test_an_exception_is_of_one_file_only(self):
        known = {("server/net/acceptor.h", "server/worker.h"): "for this test"}
        self.write("server/net/acceptor.h", '#include "server/worker.h"')
        with unittest.mock.patch.dict(rooms.KNOWN, known):
            self.assertEqual(self.found(), "")
            self.write("server/net/tls.h", '#include "server/worker.h"')
            self.assertIn("server/net/tls.h:1: server/net may not include server ", self.found())

    def test_a_header_that_is_not_named_from_the_root(self):
        self.write("redis/link.c", '#include "link.h"')
        self.assertIn('redis/link.c:1: "link.h" is in no room', self.found())

    def test_a_header_of_the_tests(self):
        self.write("server/main.c", '#include "tests/unit/state_dir.h"')
        self.assertIn('server/main.c:1: "tests/unit/state_dir.h" is in no room', self.found())

    def test_a_file_that_is_in_no_room(self):
        self.write("tools/other.c", "")
        self.assertIn("tools/other.c:1: is in no room", self.found())

    def test_a_crowd_in_server(self):
        for number in range(SERVER_FILES_MAX - 1):
            self.write(f"server/file_{number}.c", "")
        self.assertEqual(self.found(), "")
        self.write("server/one_more.c", "")
        self.assertIn(f"server/: {SERVER_FILES_MAX + 1} files, at most {SERVER_FILES_MAX}", self.found())


if __name__ == "__main__":
    unittest.main()
