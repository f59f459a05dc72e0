"""The shipped files say the same as the program and as each other."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The image's own; what each replica must have for itself; what makes no sense behind the load balancer: it speaks plain HTTP
# to the servers, publishes nothing to read, and is their only client.
FIXED = {"listen", "state", "node-id", "tls-cert", "tls-key", "admin-listen", "limit-per-client"}


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
        self.assertEqual(passed & FIXED, set())

    def test_only_the_load_balancer_publishes_a_port(self):
        for name in ("redis", "aforo", "tsung"):
            self.assertNotIn("ports:", service(name))
        self.assertIn("ports:", service("lb"))

    def test_the_build_stages_are_one(self):
        stages = [re.search(r"^FROM \S+ AS build\n(.*?)\n\n", text(path), re.M | re.S).group(1)
                  for path in ("Dockerfile", "tsung/Dockerfile")]
        self.assertEqual(stages[0], stages[1])

    def test_no_post_is_sent_twice(self):
        settings = re.findall(r"^\s*(retry-on .*?)\s*$", text("deploy/haproxy.cfg"), re.M)
        self.assertEqual(settings, ["retry-on conn-failure"])


if __name__ == "__main__":
    unittest.main()
