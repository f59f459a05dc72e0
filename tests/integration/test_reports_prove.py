"""aforo reports prove: the example that is useful keeps the laws, the broken one is told with its smallest counterexample."""

import os
import pathlib
import tempfile
import unittest

from support.console import aforo

MEASURES = pathlib.Path(os.environ["DEV_AFORO_BIN"]).parent / "measures"


def prove(*arguments):
    return aforo("reports", "prove", *arguments)


class Laws(unittest.TestCase):
    def test_the_useful_example_keeps_them(self):
        self.assertEqual(prove(MEASURES / "ewma.so", "ewma(60s)", "--rounds", "500"),
                         (0, "ewma(60s): no law was broken in 500 trials of each\n", ""))

    def test_the_broken_example_does_not(self):
        self.assertEqual(prove(MEASURES / "broken.so", "broken(seconds)"),
                         (1, "", "aforo: broken(seconds): merge does not associate: (A with B) with C it prints `0.500`, A with "
                                 "(B with C) `0.250`; A: time=0 us seconds=0; B: time=0 us seconds=0; C: time=0 us seconds=1\n"))

    def test_another_seed_finds_it_as_well(self):
        status, _, err = prove("--seed", "77", MEASURES / "broken.so", "broken(seconds)")
        self.assertEqual(status, 1)
        self.assertIn("merge does not associate", err)


class Wrong(unittest.TestCase):
    def wrong(self, *arguments):
        status, out, err = prove(*arguments)
        self.assertEqual((status, out, err.count("\n")), (2, "", 1))
        return err

    def test_what_is_no_measure(self):
        with tempfile.NamedTemporaryFile(suffix=".so") as empty:
            self.assertIn(empty.name, self.wrong(empty.name))
        self.assertIn("nothing.so: cannot be opened: No such file or directory", self.wrong("nothing.so"))

    def test_arguments_that_the_measure_does_not_take(self):
        self.assertEqual(self.wrong(MEASURES / "ewma.so"),
                         "aforo: ewma: needs a half-life of 1s to 3600s, as in ewma(60s); aforo reports prove FILE 'ewma(...)'\n")
        self.assertIn("`count` is not the measure of that file, `ewma`", self.wrong(MEASURES / "ewma.so", "count"))
        self.assertIn("unknown measure `ewmaa`; did you mean `ewma`?", self.wrong(MEASURES / "ewma.so", "ewmaa(60s)"))
        self.assertIn("at most 4 fields", self.wrong(MEASURES / "broken.so", "broken(a,b,c,d,e)"))

    def test_wrong_command_lines(self):
        self.assertIn("needs one file", self.wrong())
        self.assertIn("needs one file", self.wrong("a", "b", "c"))
        self.assertIn("--roudns: no such flag; did you mean --rounds?", self.wrong("--roudns", "1"))


if __name__ == "__main__":
    unittest.main()
