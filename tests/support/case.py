"""unittest's case with a place of its own."""

import unittest

from programs import TIMEOUT_S, Place, RedisError, Server, text_time, wait_until

from .counts import difference, sums


class Case(unittest.TestCase):
    """A test with a place of its own; afterwards every server that still runs must conserve its statistics."""

    maxDiff = 4000

    def setUp(self):
        self.place = Place()
        self.addCleanup(self.place.close)
        self.addCleanup(self.check_conservation)

    def check_conservation(self):
        for program in self.place.programs:
            if isinstance(program, Server) and program.running():
                program.conserved()

    def server(self, *flags, **settings):
        return self.place.server(*flags, **settings).start()

    def redis(self, *options, **settings):
        return self.place.redis(*options, **settings).start()

    @staticmethod
    def between_equal_answers(ask, act):
        """What `act` returned between two equal answers of `ask`, and that answer: a window may end between two questions."""
        before, after = None, ask()
        while before != after:
            before = after
            done = act()
            after = ask()
        return done, after

    def assert_counts(self, source, events):
        """`source.counts` holds exactly {event time: n}, in every resolution."""
        for resolution, expected in sums(events).items():
            found = source.counts(resolution)
            self.assertEqual(found, expected, f"{resolution}: {difference(expected, found)}")

    def wait_counts(self, source, events, timeout_s=TIMEOUT_S):
        """The same, once it is so."""
        expected = sums(events)
        differs = ""

        def equal():
            nonlocal differs
            try:
                found = {resolution: source.counts(resolution) for resolution in expected}
            except (OSError, RedisError) as error:
                differs = str(error)
                return False
            differs = "; ".join(f"{r}: {difference(expected[r], found[r])}" for r in expected if found[r] != expected[r])
            return not differs
        wait_until(equal, lambda: differs, timeout_s, 0.02)

    def send(self, server, times_us):
        """One batch; all of it must be counted."""
        answer = server.post_lines([text_time(us) for us in times_us])
        self.assertEqual((answer.status, answer.json["accepted"]), (200, len(times_us)), answer.text)
