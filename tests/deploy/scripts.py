"""What the commands of README say where something is missing, was moved, or is called from elsewhere."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT_S = 30
REMEDY = "tools/setup release test installs"
PYTHON = ("tests/faults/run", "tests/soak/run", "bench/run", "bench/fleet", "bench/budget", "tools/coverage", "tools/mutants")


def run(*words, cwd=ROOT, **env):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AFORO_", "DEV_AFORO_"))}
    done = subprocess.run([str(word) for word in words], cwd=cwd, env={**kept, **env}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return done.returncode, done.stdout, done.stderr


class Scripts(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="aforo scripts ")  # in a path with spaces
        self.addCleanup(scratch.cleanup)
        self.dir = pathlib.Path(scratch.name)

    def path(self, *programs):
        """A PATH with these programs alone."""
        place = self.dir / "path"
        place.mkdir()
        for program in programs:
            (place / program).symlink_to(shutil.which(program, path="/usr/bin:/bin"))
        return str(place)

    def assert_names(self, found, *names):
        status, out, err = found
        self.assertEqual((status, out), (1, ""), err)
        self.assertEqual(err.count("\n"), 1, err)
        for name in (*names, REMEDY):
            self.assertIn(name, err)

    def test_programs_that_are_not_built(self):
        for script, built in {"tests/faults/run": "fault_load", "tests/soak/run": "fault_load", "bench/fleet": "bench-fleet",
                              "bench/budget": "bench-count-malloc.so"}.items():
            with self.subTest(script=script):
                words = ["mallocs"] if script == "bench/budget" else []
                self.assert_names(run(script, *words, DEV_AFORO_BIN=str(self.dir)), built)

    def test_programs_that_are_not_installed(self):
        path = self.path("env", "sh", "python3")
        for script, program in {"tests/faults/run": "redis-server", "tests/soak/run": "redis-server", "bench/run": "wrk",
                                "bench/fleet": "redis-server", "bench/budget": "setpriv"}.items():
            with self.subTest(script=script):
                words = ["mallocs"] if script == "bench/budget" else []
                self.assert_names(run(script, *words, PATH=path, DEV_AFORO_BIN=str(self.dir)), program)

    def test_python_that_is_not_installed(self):
        path = self.path("env", "sh")
        for script in PYTHON:
            with self.subTest(script=script):
                self.assert_names(run(script, PATH=path), script, "python3")

    def test_programs_in_a_path_with_spaces(self):
        """A library that is preloaded must not be cut off at the first of them."""
        built = self.dir / "bin"
        built.symlink_to(pathlib.Path(os.environ.get("DEV_AFORO_BUILD", ROOT / "build" / "release")) / "bin")
        status, out, err = run("tests/faults/run", "--row", "clock-edges", DEV_AFORO_BIN=str(built))
        self.assertEqual((status, err, out.splitlines()[-1]), (0, "", "1 passed, 0 failed"), out)

    def test_the_bench_needs_no_git(self):
        code = "import report; print(report.commit())"
        self.assertEqual(run(sys.executable, "-B", "-c", code, cwd=ROOT / "bench", PATH=str(self.dir)), (0, "unknown\n", ""))

    def test_a_checkout_that_was_moved_is_configured_anew(self):
        checkout = self.dir / "first"
        (checkout / "tools").mkdir(parents=True)
        shutil.copy(ROOT / "tools" / "configure", checkout / "tools")
        (checkout / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\nproject(nothing NONE)\n")
        (checkout / "CMakePresets.json").write_text(
            '{"version": 6, "configurePresets": [{"name": "release", "generator": "Ninja",'
            ' "binaryDir": "${sourceDir}/build/${presetName}"}]}')
        for _ in range(2):
            self.assertEqual(run(checkout / "tools" / "configure", "release"), (0, "", ""))
        moved = checkout.rename(self.dir / "second")
        self.assertEqual(run(moved / "tools" / "configure", "release"),
                         (0, "", f"build/release was made for {checkout}: building anew\n"))
        self.assertEqual(run(moved / "tools" / "configure", "release"), (0, "", ""))

    def test_run_takes_paths_as_the_caller_does(self):
        checkout = self.dir / "checkout"
        (checkout / "tools").mkdir(parents=True)
        (checkout / "build/release/bin").mkdir(parents=True)
        shutil.copy(ROOT / "tools" / "run", checkout / "tools")
        for name, text in {"tools/setup": "echo setup $*", "build/release/bin/aforod":
                           'echo "$PWD"; echo "$AFORO_STATE"; printf "%s\\n" "$@"'}.items():
            (checkout / name).write_text(f"#!/bin/sh\n{text}\n")
            (checkout / name).chmod(0o755)
        (self.dir / "link").symlink_to(checkout / "tools" / "run")
        for command in (checkout / "tools" / "run", self.dir / "link"):
            self.assertEqual(run(command, "--redis", "a b", cwd=self.dir),
                             (0, f"setup release\n{self.dir}\n{checkout}/aforo-state\n--banner\non\n--redis\na b\n", ""))
        self.assertIn("\n/elsewhere\n", run(checkout / "tools" / "run", AFORO_STATE="/elsewhere")[1])


if __name__ == "__main__":
    unittest.main()
