"""What packages and images are made of agrees with the tree; the packages themselves are built and tested by tools/package (the test
deploy/packages-long)."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "debian"
PACKAGES = ("aforo-server", "aforo", "aforo-balancer")
SPDX_ID = re.compile(r"SPDXRef-[a-zA-Z0-9.-]+")
TIMEOUT_S = 30


def text(path):
    return (ROOT / path).read_text()


def version():
    return re.search(r"^project\(aforo VERSION (\S+)", text("CMakeLists.txt"), re.M).group(1)


class Packages(unittest.TestCase):
    def test_the_version_is_that_of_the_project(self):
        self.assertEqual(re.match(r"aforo \(([^)]+)\)", text("debian/changelog")).group(1), version())
        for path in ("Dockerfile", "tsung/Dockerfile"):
            self.assertEqual(re.findall(r"^ARG VERSION=(\S+)$", text(path), re.M), [version()], path)

    def test_the_last_entry_of_the_changelog_can_be_read(self):
        lines = text("debian/changelog").splitlines()
        self.assertRegex(lines[0], r"^aforo \(\S+\) \S+; urgency=medium$")
        maintainer = re.search(r"^Maintainer: (.+)$", text("debian/control"), re.M).group(1)
        self.assertRegex(next(line for line in lines if line.startswith(" -- ")),
                         rf"^ -- {re.escape(maintainer)}  (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w\w\w \d{{4}} \d\d:\d\d:\d\d \+0000$")

    def test_what_is_needed_to_build_is_named_in_each_list(self):
        needed = {package for package in re.findall(r"^aforo_need\(\w+ \S+ (\S+)\)", text("cmake/dependencies.cmake"), re.M)}
        needed.add("cmake")
        listed = set(re.findall(r"^ ([a-z0-9.+-]+)(?: \([^)]*\))?,$", text("debian/control"), re.M)) - {"debhelper-compat"}
        self.assertEqual(listed, needed | {"pkgconf"})
        # A bare system has no compiler.
        stage = re.search(r"apt-get install -y --no-install-recommends (.*?) && ", text("Dockerfile"), re.S).group(1)
        self.assertEqual(set(stage.replace("\\\n", " ").split()), needed | {"gcc", "libc6-dev", "ninja-build", "pkg-config"})

    def test_every_package_is_described_and_has_its_files(self):
        self.assertEqual(re.findall(r"^Package: (\S+)$", text("debian/control"), re.M), list(PACKAGES))
        for package in PACKAGES:
            self.assertIn(f"| `{package}` |", text("docs/packages.md"))
            self.assertTrue((DEBIAN / f"{package}.install").is_file(), package)
        for path in DEBIAN.rglob("*"):
            self.assertTrue(path.exists(), f"{path.name} leads nowhere")

    def test_settings_of_the_service_are_flags_of_aforod(self):
        known = {"AFORO_" + flag.upper().replace("-", "_") for flag in
                 re.findall(r'^OPTION\(\w+, \w+, "([a-z0-9-]+)"', text("server/options.def"), re.M)} | {"AFORO_REDIS_PASSWORD"}
        named = set(re.findall(r"^#?(AFORO_\w+)=", text("debian/aforo-server.aforod.default"), re.M))
        self.assertTrue(named)
        self.assertLessEqual(named, known)

    def test_the_tests_of_the_packages_are_there(self):
        named = re.findall(r"^Tests: (\S+)$", text("debian/tests/control"), re.M)
        self.assertEqual(sorted(named), ["counts", "purge", "upgrade"])
        for name in named:
            self.assertTrue(os.access(DEBIAN / "tests" / name, os.X_OK), name)

    def test_every_objection_of_lintian_that_is_passed_over_is_explained(self):
        for path in (*DEBIAN.glob("*.lintian-overrides"), *(DEBIAN / "source").glob("lintian-overrides")):
            explained = False
            for line in path.read_text().splitlines():
                explained = explained or line.startswith("# ")
                if line and not line.startswith("#"):
                    self.assertTrue(explained, f"{path.name}: {line}")
                elif not line:
                    explained = False


class Usage(unittest.TestCase):
    def test_a_wrong_word_shows_the_words_that_there_are(self):
        for tool in ("package", "image", "cross"):
            said = subprocess.run([ROOT / "tools" / tool, "11"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=TIMEOUT_S, check=False)
            self.assertEqual((said.returncode, said.stdout), (2, ""), tool)
            head = text(f"tools/{tool}").partition("\nset ")[0].splitlines()[1:]
            self.assertEqual(said.stderr.splitlines(), [line[2:] for line in head][:len(said.stderr.splitlines())], tool)
            self.assertIn(f"  tools/{tool} ", said.stderr)


class BillOfMaterials(unittest.TestCase):
    """The fields that SPDX 2.3 requires, of a list of packages with all that dpkg may write into one."""

    LINES = ("libc6\t2.41-12\tamd64\tglibc\t2.41-12\thttps://www.gnu.org/\tGNU Libc Maintainers <debian-glibc@lists.debian.org>",
             "libstdc++6\t1:14.2.0~1+b1\tamd64\tgcc-14\t14.2.0~1\t\tDebian GCC Maintainers <debian-gcc@lists.debian.org>")

    def made(self, lines, name="aforo:test"):
        with tempfile.NamedTemporaryFile("w", prefix="aforo-sbom-") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            return subprocess.run([ROOT / "tools/sbom", "--from", file.name, name], capture_output=True, text=True,
                                  timeout=TIMEOUT_S, check=False)

    def test_it_has_what_is_required(self):
        done = self.made(self.LINES)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, self.made(self.LINES).stdout)
        document = json.loads(done.stdout)
        self.assertEqual((document["spdxVersion"], document["dataLicense"], document["SPDXID"], document["name"]),
                         ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT", "aforo:test"))
        self.assertRegex(document["documentNamespace"], r"^https://[^#\s]+$")
        self.assertRegex(document["creationInfo"]["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        for creator in document["creationInfo"]["creators"]:
            self.assertRegex(creator, r"^(Tool|Person|Organization): \S")
        names = [package["name"] for package in document["packages"]]
        self.assertEqual(names, ["aforo:test", "aforo", "uPlot", "xxHash", "libc6", "libstdc++6"])
        for package in document["packages"]:
            self.assertTrue(SPDX_ID.fullmatch(package["SPDXID"]), package)
            self.assertTrue(package["name"] and package["downloadLocation"])
            self.assertIs(package["filesAnalyzed"], False)
        self.assertEqual(document["packages"][5]["externalRefs"][0]["referenceLocator"],
                         "pkg:deb/debian/libstdc%2B%2B6@1%3A14.2.0~1%2Bb1?arch=amd64")
        self.assertEqual([package["versionInfo"] for package in document["packages"][1:3]], [version(), "1.6.32"])

    def test_each_part_is_related_to_the_whole(self):
        document = json.loads(self.made(self.LINES).stdout)
        ids = [package["SPDXID"] for package in document["packages"]]
        self.assertEqual(len(set(ids)), len(ids))
        parts = [relation["relatedSpdxElement"] for relation in document["relationships"]]
        self.assertEqual(sorted(parts), sorted(ids))
        for relation in document["relationships"]:
            self.assertIn(relation["spdxElementId"], ["SPDXRef-DOCUMENT", *ids])
            self.assertIn(relation["relationshipType"], ("DESCRIBES", "CONTAINS"))
        self.assertEqual([relation["spdxElementId"] for relation in document["relationships"]
                          if relation["relationshipType"] == "DESCRIBES"], ["SPDXRef-DOCUMENT"])

    def test_a_list_of_something_else_is_refused(self):
        for lines, sentence in (((), "dpkg names no package"), (("libc6 2.41",), "is not a line of dpkg-query")):
            done = self.made(lines)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(sentence, done.stderr)


if __name__ == "__main__":
    unittest.main()
