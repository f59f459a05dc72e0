"""Over the end of a process: what was counted, who the node is, who may have the state directory."""

import shutil
import unittest

from support import STATE_FILE, Case, now_us, state_counts, sums, text_time

SECOND = 1_000_000


class Restart(Case):
    def setUp(self):
        super().setUp()
        self.aforod = self.server()
        self.now = now_us()
        self.events = {self.now - i * 71_000: 1 + i % 3 for i in range(300)}
        self.post(self.events)

    def post(self, events):
        lines = [text_time(us) for us, n in events.items() for _ in range(n)]
        self.assertEqual(self.aforod.post_lines(lines).json["rejected"], 0)

    def again(self, how):
        if how == "killed":
            self.aforod.kill()
        else:
            self.assertEqual(self.aforod.stop(), 0)
        before = len(self.aforod.log())
        self.aforod.start()
        return self.aforod.log()[before:]

    def test_counts_and_statistics_stay(self):
        self.aforod.post("value=x")
        stats = self.aforod.conserved()
        for how in ("ended", "killed", "killed", "ended"):
            with self.subTest(how=how):
                self.again(how)
                self.assert_counts(self.aforod, self.events)
                after = self.aforod.conserved()
                for name in ("node", "received", "counted", "refused"):
                    self.assertEqual(after[name], stats[name])

    def test_nothing_is_said_to_be_repaired_when_nothing_was(self):
        """With shards that never counted, and with some that did."""
        for how in ("killed", "ended"):
            self.assertNotIn("half done", self.again(how))
        idle = self.server(name="idle", threads=4)
        idle.kill()
        idle.start()
        self.assertNotIn("half done", idle.log())

    def test_counting_goes_on_in_the_same_windows(self):
        self.again("killed")
        self.post(self.events)
        self.assert_counts(self.aforod, {us: 2 * n for us, n in self.events.items()})

    def test_another_number_of_threads(self):
        factor = 1
        for threads in (1, 7, 3, 2):
            self.aforod.threads = threads
            self.again("killed" if threads == 1 else "ended")
            self.assertEqual(len(self.aforod.stats()["workers"]), threads)
            self.post(self.events)
            factor += 1
            self.assert_counts(self.aforod, {us: factor * n for us, n in self.events.items()})

    def test_the_file_can_be_read_with_and_without_the_server(self):
        expected = sums(self.events)
        for _ in range(2):
            for resolution, counts in expected.items():
                self.assertEqual(state_counts(self.aforod.state, resolution), counts)
            self.aforod.kill()

    def test_the_node_id_is_kept(self):
        node = self.aforod.health()["node"]
        self.again("ended")
        self.assertEqual(self.aforod.health()["node"], node)
        self.aforod.stop()
        self.aforod.flags = ["--node-id", node]
        self.aforod.start()
        self.aforod.stop()
        self.aforod.flags = ["--node-id", "other"]
        status, said = self.aforod.refuses_to_start()
        self.assertEqual(status, 1)
        self.assertIn(node, said)
        self.assertIn("other", said)

    def test_two_new_directories_are_two_nodes(self):
        self.assertNotEqual(self.server(name="other").health()["node"], self.aforod.health()["node"])

    def test_a_second_server_is_refused_until_the_first_has_ended(self):
        second = self.place.server(name="second", state=self.aforod.state)
        status, said = second.refuses_to_start()
        self.assertEqual(status, 1)
        self.assertIn("another server", said)
        self.aforod.kill()
        second.start()
        self.assert_counts(second, self.events)

    def test_a_copy_of_the_directory_is_a_backup(self):
        copy = self.place.dir / "copy"
        self.aforod.stop()
        shutil.copytree(self.aforod.state, copy)
        self.assert_counts(self.server(name="copy", state=copy), self.events)

    def test_what_is_no_state_file_is_never_overwritten(self):
        self.aforod.stop()
        path = self.aforod.state / STATE_FILE
        path.write_text("something else")
        status, said = self.aforod.refuses_to_start()
        self.assertEqual((status, path.read_text()), (1, "something else"))
        self.assertIn(str(path), said)


class Horizon(Case):
    def test_another_one_is_refused_with_both_named(self):
        aforod = self.server("--horizon", "10m", "--future", "5s")
        aforod.stop()
        aforod.flags = ["--horizon", "20m", "--future", "5s"]
        status, said = aforod.refuses_to_start()
        self.assertEqual(status, 1)
        self.assertIn("--horizon 600s", said)
        self.assertIn("--horizon 1200s", said)

    def test_a_short_one_turns_over_and_keeps_the_coarser_windows(self):
        aforod = self.server("--horizon", "1s", "--future", "0s")
        total, start = 0, now_us()
        while now_us() < start + 8 * SECOND:
            self.assertEqual(aforod.post("").status, 204)
            total += 1
        self.assertEqual(sum(aforod.counts("1s").values()), total)
        self.assertEqual(sum(aforod.counts("1min").values()), total)
        self.assertLess(sum(aforod.counts("10ms").values()), total)
        aforod.kill()
        aforod.start()
        self.assertEqual(sum(aforod.counts("1s").values()), total)


if __name__ == "__main__":
    unittest.main()
