"""The shipped files say the same as the program and as each other."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The image's own, and what each replica must have for itself.
FIXED = {"listen", "state", "node-id"}


def text(path):
    return (ROOT / path).read_text()


def service(name):
    return re.search(rf"^  {name}:\n((?:    .*\n|\n)+)", text("docker-compose.yml"), re.M).group(1)


class Files(unittest.TestCase):
    def test_every_flag_is_a_setting_of_the_compose_file(self):
        flags = set(re.findall(r'^OPTION\(\w+, \w+, "([a-z0-9-]+)"', text("server/options.def"), re.M))
        self.assertIn("redis", flags)
        passed = {name.lower().replace("_", "-") for name in re.findall(r"^      - AFORO_(\w+)", service("aforo"), re.M)}
        self.assertEqual(flags - FIXED - passed, set(), "add them to docker-compose.yml")
        self.assertEqual(passed - flags, {"redis-password"}, "aforod would refuse them")
        self.assertEqual(passed & FIXED, set())

    def test_only_settings_of_the_programs_begin_with_their_prefix(self):
        """aforod and aforo refuse any other AFORO_ variable, also one that only a build or a test reads."""
        known = {"AFORO_" + flag.upper().replace("-", "_") for flag in
                 re.findall(r'^OPTION\(\w+, \w+, "([a-z0-9-]+)"', text("server/options.def"), re.M)}
        known |= {"AFORO_REDIS_PASSWORD", "AFORO_REDIS_PASSWORD_FILE", "AFORO_SERVER", "AFORO_READ_TOKEN"}
        reads = re.compile(r"""\$\{?(AFORO_\w+)|ENV\{(AFORO_\w+)|getenv\("(AFORO_\w+)|environ(?:\.get\(|\[)"(AFORO_\w+)|"""
                           r"""^(?:export )?(AFORO_\w+)=|ENVIRONMENT "(?:\S*;)?(AFORO_\w+)=""", re.M)
        for path in sorted(ROOT.rglob("*")):
            inside = path.relative_to(ROOT)
            if not path.is_file() or inside.parts[0] in ("build", ".git", "aforo-state") or path.stat().st_size > 1 << 20:
                continue
            cmake = path.name == "CMakeLists.txt" or path.suffix == ".cmake"
            for found in reads.finditer(path.read_text(errors="replace")):
                name = next(filter(None, found.groups()))
                if not (cmake and found.group(0).startswith("${")):  # a variable of CMake's own
                    self.assertIn(name, known, f"{inside}: a variable of the build or the tests begins with DEV_AFORO_")

    def test_only_the_load_balancer_and_the_view_publish_a_port_and_to_this_machine_alone(self):
        for name in ("redis", "aforo", "tsung"):
            self.assertNotIn("ports:", service(name))
        for name, published in (("lb", "LB_PUBLISH:-127.0.0.1:8080}:8080"), ("view", "VIEW_PUBLISH:-127.0.0.1:8081}:8081")):
            self.assertIn('    ports: ["${' + published + '"]\n', service(name))

    def test_settings_of_the_view_are_flags_of_aforo_serve(self):
        flags = set(re.findall(r'^OPTION\(\w+, \w+, "([a-z0-9-]+)"', text("tools/serve/serve.def"), re.M))
        passed = {name.lower().replace("_", "-") for name in re.findall(r"^      - AFORO_(\w+)", service("view"), re.M)}
        self.assertEqual(passed - flags, {"redis-password"})
        self.assertEqual(flags - set(re.findall(r'^OPTION\(\w+, \w+, "([a-z0-9-]+)"', text("server/options.def"), re.M)), set(),
                         "aforod and aforo would refuse their variables")

    def test_the_build_stages_are_one(self):
        stages = [re.search(r"^FROM \S+ AS build\n(.*?)\n\n", text(path), re.M | re.S).group(1)
                  for path in ("Dockerfile", "tsung/Dockerfile")]
        self.assertEqual(stages[0], stages[1])

    def test_no_post_is_sent_twice(self):
        settings = re.findall(r"^\s*(retry-on .*?)\s*$", text("deploy/haproxy.cfg"), re.M)
        self.assertEqual(settings, ["retry-on conn-failure"])


if __name__ == "__main__":
    unittest.main()
