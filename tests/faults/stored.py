"""What the rows of the store share: events that are acknowledged, and what Redis is to have of them."""

import time

from faults import WIDTH_US, Failure, text_time, wait_until

__all__ = ["HEALED_S", "HOUR", "MINUTE", "SECOND", "clocked", "expect", "post", "stays"]

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
HEALED_S = 30  # 3 s are promised of a store that is reachable; a busy machine may take longer, and what is not healed never is


def post(run, server, us, count):
    """So many events at one time, all acknowledged."""
    answer = server.post_lines([text_time(us)] * count)
    if answer.status != 200 or answer.json["accepted"] != count:
        raise Failure(f"{answer.status} {answer.text}")
    run.sent += count
    run.acked += count


def expect(run, redis, total, what, timeout_s=HEALED_S):
    """Redis has this many events, in each resolution, and each total is the sum of its parts."""
    def sums():
        return {resolution: sum(redis.counts(resolution).values()) for resolution in WIDTH_US}
    wait_until(lambda: set(sums().values()) == {total}, lambda: f"{what}: {total} expected, Redis has {sums()}", timeout_s)
    redis.audit()
    run.counted = total


def stays(run, redis, total, what, seconds=1.2):
    expect(run, redis, total, what)
    time.sleep(seconds)
    expect(run, redis, total, what + ", later")


def clocked(run, *flags, **settings):
    """Redis and a server whose clocks are ours, each its own."""
    environment, of_redis = run.clock("redis")
    redis = run.redis(*flags)
    redis.env = {**redis.env, **environment}
    return redis.start(), of_redis
