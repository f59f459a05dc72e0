"""More than it can take: aforod on one core, offered twice the rate at which it answers.

The core is shared with programs that do nothing but use it up, so that aforod is the one that cannot keep up, and not
what asks it, on a machine of any size. Two loads ask: one at a gentle rate, with a ledger; and bench-openloop, whose
requests are due at their rate whatever the server does, and whose latencies count from then."""

import json
import os
import subprocess
import sys
import time
import unittest

from support import BIN, TIMEOUT_S, Case, Load, Program, wait_until

BURNERS = 3
CONNECTIONS_MAX = 64
FLOOD_CONNECTIONS = 32
GENTLE_CONNECTIONS = 4
TOO_MANY = 50
FLOOD_S = 3  # of requests due; it takes twice as long
BEHIND_US = 250_000  # by which a request of the flood is answered late, when aforod cannot keep up
HEADER_TIMEOUT_S = 60  # by which a connection too many would be closed if it were not at once


def pin(program, core):
    for thread in os.listdir(f"/proc/{program.process.pid}/task"):
        os.sched_setaffinity(int(thread), {core})


def summed(stats, name):
    return sum(worker[name] for worker in stats["workers"])


class Overload(Case):
    def setUp(self):
        super().setUp()
        cores = sorted(os.sched_getaffinity(0))
        core = cores[-1]
        if len(cores) > 1:  # whoever asks has the other cores; what is started from here on, too
            self.addCleanup(os.sched_setaffinity, 0, set(cores))
        self.aforod = self.server("--max-connections", CONNECTIONS_MAX, "--header-timeout", f"{HEADER_TIMEOUT_S}s", threads=1)
        pin(self.aforod, core)
        for i in range(BURNERS):
            burner = Program(self.place, f"burner{i}", [sys.executable, "-c", "while True: pass"])
            burner.spawn()
            pin(burner, core)
        if len(cores) > 1:
            os.sched_setaffinity(0, set(cores[:-1]))

    def flood(self, rate, seconds):
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", BIN / "bench-openloop", str(self.aforod.port), f"seconds={seconds}",
             f"rate={rate}", f"connections={FLOOD_CONNECTIONS}"], stdout=subprocess.PIPE, text=True)

    def result(self, flood):
        out, _ = flood.communicate(timeout=4 * TIMEOUT_S)
        self.assertEqual(flood.returncode, 0)
        return json.loads(out.split("RESULT ", 1)[1])

    def measure_capacity(self):
        """Requests a second that are answered when as many come as can; and how many events that were."""
        load = Load(self.place, self.aforod, "capacity", 1, connections=FLOOD_CONNECTIONS, batch_every=0)
        self.addCleanup(load.end)
        time.sleep(0.5)
        load.phase()
        time.sleep(1.5)
        rate = load.phase()["rate"]
        totals = load.stop()
        self.assertEqual(totals["acked"], totals["sent"])
        return int(rate), totals["acked"]

    def turn_away(self):
        """Takes the places that are left, and opens more: each must be closed at once, without a word."""
        free = CONNECTIONS_MAX - FLOOD_CONNECTIONS - GENTLE_CONNECTIONS
        links = [self.aforod.connect() for _ in range(free + TOO_MANY)]
        for link in links:  # who says nothing is the kernel's for a second, and takes no place
            link.sendall(b"P")
        closed = 0
        begin = time.monotonic()
        for link in links[::-1]:  # the last ones came too late
            link.settimeout(0.5 if closed >= TOO_MANY else TIMEOUT_S)
            try:
                closed += link.recv(1) == b""
            except ConnectionResetError:
                closed += 1
            except TimeoutError:
                break  # this one has a place
            if closed == TOO_MANY:
                self.assertLess(time.monotonic() - begin, HEADER_TIMEOUT_S / 2, "they are refused at once")
        for link in links:
            link.close()
        return closed

    def test_counts_what_it_acknowledges_refuses_the_rest_and_recovers(self):
        gentle = Load(self.place, self.aforod, "gentle", 2, connections=GENTLE_CONNECTIONS, rate=200, batch_every=20)
        self.addCleanup(gentle.end)
        time.sleep(0.5)
        gentle.phase()
        time.sleep(1.5)
        calm = gentle.phase()
        capacity, counted_before = self.measure_capacity()
        flood = self.flood(2 * capacity, FLOOD_S)
        self.addCleanup(flood.kill)
        all_open = FLOOD_CONNECTIONS + GENTLE_CONNECTIONS
        wait_until(lambda: self.aforod.stats()["connections"] > all_open, "the flood has all of its connections", every_s=0.05)
        time.sleep(0.5)
        refused_before = self.refused()
        gentle.phase()
        acked_before = gentle.say("tally")["acked"]
        turned_away = self.turn_away()
        self.assertIsNone(flood.poll(), "all of this happened during the flood")
        wait_until(lambda: gentle.say("tally")["acked"] >= acked_before + 100, "the gentle load is answered, too")
        during = gentle.phase()
        result = self.result(flood)
        ended = time.monotonic()

        # It has answered all by now: no longer than it took to do so.
        wait_until(lambda: self.calm_again(gentle, calm), lambda: f"calm again: {calm}, {gentle.phase()}", result["seconds"], 0)
        recovered_s = time.monotonic() - ended
        totals = gentle.stop()
        offered = 2 * capacity * FLOOD_S
        self.assertGreater(result["p50_us"], BEHIND_US, f"it was no overload: {result}")
        self.assertEqual((result["errors"], totals["lost"], totals["other"], totals["unsure"]), (0, 0, 0, 0))
        self.assertGreaterEqual(turned_away, TOO_MANY)
        self.assertEqual(self.refused() - refused_before, turned_away)
        self.assertEqual(self.aforod.conserved()["counted"], counted_before + totals["acked"] + offered)
        self.assertEqual(sum(self.aforod.counts("1s").values()), counted_before + totals["acked"] + offered)
        print(f"capacity {capacity}/s, offered {offered} at {2 * capacity}/s in {result['seconds']:.1f} s, half "
              f"more than {result['p50_us'] / 1e3:.0f} ms late; gentle p99 {calm['p99_us']:.0f} us before, {during['p99_us']:.0f} during; calm {recovered_s:.1f} s "
              f"after; {turned_away} turned away", file=sys.stderr)

    def refused(self):
        return summed(self.aforod.stats(), "connections_refused")

    @staticmethod
    def calm_again(gentle, calm):
        gentle.phase()
        time.sleep(0.5)
        return gentle.phase()["p99_us"] <= 2 * calm["p99_us"] + 10_000


if __name__ == "__main__":
    unittest.main()
