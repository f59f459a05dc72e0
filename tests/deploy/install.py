"""cmake --install into an empty directory: the programs there run, the scripts find theirs, the unit is sound."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from programs import Place, environment  # noqa: E402

BUILD = pathlib.Path(os.environ["DEV_AFORO_BUILD"])
TIMEOUT_S = 30
EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "measures"
SCRIPTS = ("print_reqs_per_10ms.sh", "print_reqs_per_sec.sh", "print_reqs_per_min.sh")


class Install(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="aforo-install-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        done = subprocess.run([os.environ["DEV_AFORO_CMAKE"], "--install", BUILD, "--prefix", "/usr/local"],
                              env={**os.environ, "DESTDIR": str(self.root)}, capture_output=True, text=True,
                              timeout=TIMEOUT_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.bin = self.root / "usr/local/bin"

    def test_what_is_installed(self):
        files = {str(path.relative_to(self.root / "usr/local")) for path in self.root.rglob("*") if path.is_file()}
        self.assertLessEqual({"bin/aforod", "bin/aforo", "bin/aforo-balancer", *(f"bin/{name}" for name in SCRIPTS),
                              "lib/systemd/system/aforod.service", "lib/systemd/system/aforod.socket",
                              "lib/systemd/system/aforo-balancer.service",
                              "include/aforo/measure.h", "share/man/man8/aforod.8", "share/man/man1/aforo.1",
                              "share/man/man5/aforo-reports.5",
                              *(f"share/{path}" for name in ("aforod", "aforo") for path in (
                                  f"bash-completion/completions/{name}", f"zsh/site-functions/_{name}",
                                  f"fish/vendor_completions.d/{name}.fish"))}, files)

    def test_a_measure_of_ones_own_compiles_with_what_is_installed(self):
        for name in ("ewma", "broken"):
            done = subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-I", self.root / "usr/local/include",
                                   "-o", self.root / f"{name}.so", EXAMPLES / f"{name}.c", "-lm"], capture_output=True, text=True,
                                  timeout=TIMEOUT_S, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_programs_run_there(self):
        place = Place()
        self.addCleanup(place.close)
        server = place.server(program=self.bin / "aforod").start()
        url = f"http://127.0.0.1:{server.port}"
        for _ in range(3):
            urllib.request.urlopen(f"{url}/", data=b"", timeout=TIMEOUT_S).close()
        with_server = environment(AFORO_SERVER=url, PATH="/usr/bin:/bin")
        elsewhere = self.root / "elsewhere"  # as a user has it who links one into a directory of his own
        elsewhere.mkdir()
        for script in SCRIPTS:
            (elsewhere / script).symlink_to(self.bin / script)
            for path in (self.bin / script, elsewhere / script):
                done = subprocess.run([path, "--partial", "--from", "-10m"], env=with_server, capture_output=True, text=True,
                                      timeout=TIMEOUT_S, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(sum(int(row.rsplit(", ", 1)[1]) for row in done.stdout.splitlines()), 3, done.stdout)
        self.assertEqual(server.stop(), 0)

    def test_the_units_are_sound(self):
        analyze = shutil.which("systemd-analyze")
        if analyze is None:
            self.skipTest("systemd-analyze is not installed (package systemd)")
        # Copies that name the program where it is installed now; systemd searches /usr/local/bin and /usr/bin.
        units = [self.root / f"{name}.service" for name in ("aforod", "aforo-balancer")]
        for unit in units:
            installed = (self.root / "usr/local/lib/systemd/system" / unit.name).read_text()
            self.assertRegex(installed, f"\nExecStart={unit.stem}[\n ]")
            unit.write_text(installed.replace(f"ExecStart={unit.stem}", f"ExecStart={self.bin}/{unit.stem}"))
        activation = self.root / "aforod.socket"
        activation.write_text((self.root / "usr/local/lib/systemd/system/aforod.socket").read_text())
        done = subprocess.run([analyze, "verify", "--man=no", "--recursive-errors=no", *units, activation],
                              capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for unit in units:
            done = subprocess.run([analyze, "security", "--offline=true", "--threshold=20", unit], capture_output=True,
                                  text=True, timeout=TIMEOUT_S, check=False)
            self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr)


if __name__ == "__main__":
    unittest.main()
