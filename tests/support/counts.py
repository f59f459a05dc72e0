"""What should be counted, and whether it is: at servers, in their files, in Redis."""

import subprocess

from programs import (BIN, SOME_DAY, TIMEOUT_S, WIDTH_US, Failure, RedisError, environment, rows_of, text_time, wait_until)


def state_counts(state, resolution):
    """The same as Server.counts, from the state file, by the console program."""
    done = subprocess.run([BIN / "aforo", resolution, "--state", state, "--from", SOME_DAY, "--partial", "--format", "csv"],
                          capture_output=True, text=True, timeout=TIMEOUT_S, env=environment(), check=False)
    if done.returncode:
        raise Failure(f"aforo --state {state}: {done.stderr}")
    return rows_of(done.stdout)


def sums(events):
    """{event time in us: n} -> {resolution: {window start in us: n}}."""
    windows = {resolution: {} for resolution in WIDTH_US}
    for us, n in events.items():
        for resolution, width in WIDTH_US.items():
            start = us // width * width
            windows[resolution][start] = windows[resolution].get(start, 0) + n
    return windows


def difference(expected, found):
    """The first windows in which two counts differ, for messages."""
    wrong = [(start, expected.get(start, 0), found.get(start, 0)) for start in sorted(expected.keys() | found.keys())
             if expected.get(start, 0) != found.get(start, 0)]
    first = ", ".join(f"{text_time(start, 3)}: {e} expected, {f} found" for start, e, f in wrong[:4])
    return f"{len(wrong)} windows differ (sum {sum(expected.values())} expected, {sum(found.values())} found): {first}"


def flushed(servers, redis, timeout_s=TIMEOUT_S):
    """Waits until Redis' totals are the sum of what the servers hold, window by window. Nothing may be in flight."""
    differs = ""

    def equal():
        nonlocal differs
        try:
            for resolution in WIDTH_US:
                held = {}
                for server in servers:
                    for start, n in server.counts(resolution).items():
                        held[start] = held.get(start, 0) + n
                there = redis.counts(resolution)
                if there != held:
                    differs = f"{resolution}: " + difference(held, there)
                    return False
            return True
        except (OSError, RedisError) as error:
            differs = str(error)
            return False
    wait_until(equal, lambda: f"Redis has what the servers have: {differs}", timeout_s, 0.05)
