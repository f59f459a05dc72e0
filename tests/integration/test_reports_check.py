"""aforo reports check: mistakes with their place, and what right definitions cost."""

import pathlib
import re
import tempfile
import unittest

from support import ROOT
from support.console import aforo

EXAMPLES = ROOT / "examples"


def check(*arguments):
    return aforo("reports", "check", *arguments)


class Right(unittest.TestCase):
    def test_each_example_says_what_it_costs(self):
        for path in sorted(EXAMPLES.glob("*.yaml")):
            with self.subTest(path.name):
                status, out, err = check(path)
                self.assertEqual((status, err), (0, ""))
                names = re.findall(r"- name: (\S+)", path.read_text())
                self.assertEqual(re.findall(r"^(\w+)$", out, re.M), names)
                self.assertEqual(len(re.findall(r"^  a row     [\d,]+ bytes", out, re.M)), len(names))
                self.assertEqual(len(re.findall(r"^  memory    \d+ \w+$", out, re.M)), len(names))
                self.assertEqual(len(re.findall(r"^  an event  \d+ ns$", out, re.M)), len(names))
                for name in names:
                    self.assertRegex(out, rf"aforo:2:r:\{{{name}\.[0-9a-f]{{16}}:\w+:\.\.\.\}}, kept ")
                self.assertRegex(out, r"\nall: ")

    def test_what_takes_no_negative_numbers_says_so(self):
        with tempfile.TemporaryDirectory() as place:
            path = pathlib.Path(place, "r.yaml")
            path.write_text("fields: {ms: {type: int}}\nreports: [{name: a, windows: 1min, show: ['sum(ms)', 'p50(ms)', 'p99(ms)']}]\n")
            status, out, err = check(path)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(re.findall(r"^  takes     (.*)$", out, re.M),
                         ["quantiles(ms): 0 and more; an event with a negative number is left out"])

    def test_how_many_keys_have_room_when_the_memory_is_full_first(self):
        with tempfile.TemporaryDirectory() as place:
            path = pathlib.Path(place, "r.yaml")
            path.write_text("fields: {r: , ms: {type: int}}\nreports:\n"
                            "  - {name: a, by: r, windows: [1s, 1min], show: [count, 'p99(ms)']}\n"
                            "  - {name: b, by: r, windows: [1min], show: count, keys: {max: 50}}\n  - {name: c, windows: 1s, show: count}\n")
            status, out, err = check("--threads", "1", path)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(re.findall(r"^  full at   (.*)\n +(.*)$", out, re.M),
                         [("less than 1 key in each 1s window of a thread; more go to (other)",
                           "1 key in each 1min window of a thread; more go to (other)")])
        self.assertEqual(out.count("full at"), 1)

    def test_threads_and_horizon_are_what_the_server_would_have(self):
        status, out, _ = check("--threads", "3", "--horizon", "2h", "--future", "1min", EXAMPLES / "billing.yaml")
        self.assertEqual(status, 0)
        self.assertIn("(3 threads, horizon 2 h)", out)


class Wrong(unittest.TestCase):
    def wrong(self, text, *flags):
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch, "r.yaml")
            path.write_text(text)
            status, out, err = check(*flags, path)
        self.assertEqual((status, out), (2, ""))
        self.assertEqual(err.count("\n"), 1)
        return err.replace(scratch, "DIR")

    def test_a_mistake_is_told_with_its_place(self):
        self.assertEqual(self.wrong("reports:\n  - name: r\n    windows: [1s]\n    show: [avg2(ms)]\n"),
                         "aforo: DIR/r.yaml:4:12: unknown measure `avg2`; did you mean `avg`?\n")
        self.assertEqual(self.wrong("reports:\n  - {name: r, windows: 7min, show: count}\n"),
                         "aforo: DIR/r.yaml:2:24: `7min` divides no day; 6min and 8min do\n")

    def test_too_little_memory_for_the_span(self):
        text = "reports:\n  - {name: r, windows: 10ms, show: count, memory: 1MiB}\n"
        self.assertRegex(self.wrong(text, "--threads", "1", "--horizon", "1h"),
                         r":2:51: `1MiB` is too small: this report needs \d+ MiB at the least with 1 threads and a horizon of 1 h")

    def test_wrong_command_lines(self):
        for arguments, sentence in (((), "needs one file"), (("a", "b"), "needs one file"),
                                    (("--threads", "-1", "a"), "--threads"), (("--thraeds", "1", "a"), "--threads"),
                                    (("/nowhere/r.yaml",), "/nowhere/r.yaml: No such file or directory")):
            with self.subTest(arguments):
                status, out, err = check(*arguments)
                self.assertEqual((status, out), (2, ""))
                self.assertIn(sentence, err)

    def test_help_names_the_flags(self):
        status, out, _ = check("--help")
        self.assertEqual(status, 0)
        for word in ("reports check FILE", "--threads", "--horizon", "--future"):
            self.assertIn(word, out)


if __name__ == "__main__":
    unittest.main()
