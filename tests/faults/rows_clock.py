"""The wall clock steps under load, and events right at the edges of what is accepted."""

import signal

from faults import Failure, difference, now_us, row, text_time, wait_until
from stored import HEALED_S

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000


def complete(run, server, redis, held):
    """Every acknowledged event is in each resolution's sum, here (where it still is held) and in Redis."""
    for load in run.loads:
        load.stop()
    run.tally(server.conserved()["counted"])
    if not run.acked <= run.counted <= run.sent:
        raise Failure(f"{run.acked} acknowledged, {run.counted} counted, {run.sent} sent")
    for resolution in held:
        if sum(server.counts(resolution).values()) != run.counted:
            raise Failure(f"{resolution}: {sum(server.counts(resolution).values())} of {run.counted} in the windows")
    for resolution in ("1min", "1s", "10ms"):
        wait_until(lambda r=resolution: sum(redis.counts(r).values()) == run.counted,
                   lambda r=resolution: f"Redis, {r}: {sum(redis.counts(r).values())} of {run.counted}", 8)


def step(run, steps_us, held, restart=False):
    redis = run.redis().start()
    environment, steering = run.clock()
    server = run.server("--clock", "arrival", redis=redis, env=environment).start()
    load = run.load(server, connections=16, rate=4000, arrival=1)
    for us in steps_us:
        load.progress(800)
        if restart:
            server.kill()
        steering.offset(us)
        run.faults += 1
        if restart:
            server.start()
        before = steering.msyncs()
        load.progress(800)
        wait_until(lambda at=before: steering.msyncs() > at, "the file is still written to disk", HEALED_S)
    load.pause()
    complete(run, server, redis, held)


@row("clock-steps", "the wall clock steps back and forth by up to minutes (--clock arrival): counts stay complete")
def clock_steps(run):
    step(run, [run.random.randrange(-20 * MINUTE, 20 * MINUTE) for _ in range(run.many(8, 100))], ("10ms", "1s", "1min"))


@row("clock-steps-far", "it steps back and forth by hours: complete in Redis, and here as far as it is held")
def clock_steps_far(run):
    step(run, [5 * HOUR, 0, -5 * HOUR, 3 * HOUR, -20 * HOUR] + [run.random.randrange(-10 * HOUR, 10 * HOUR)
                                                                for _ in range(run.many(3, 50))], ("1min",))


@row("clock-steps-killed", "it steps while the server is down after a kill")
def clock_steps_killed(run):
    step(run, [10 * MINUTE, -10 * MINUTE, 0, 25 * MINUTE, -5 * MINUTE], ("1min",), restart=True)


@row("clock-steps-event", "it steps with --clock event: what is refused is said, what is acknowledged is counted")
def clock_steps_event(run):
    redis = run.redis().start()
    environment, steering = run.clock()
    server = run.server(redis=redis, env=environment).start()
    load = run.load(server, connections=16, rate=4000, past_us=30 * SECOND, future_us=5 * SECOND)
    for _ in range(run.many(8, 100)):
        load.progress(800)
        steering.offset(run.random.randrange(-30 * MINUTE, 30 * MINUTE))
        run.pause_s(0.1, 0.3)
        steering.offset(0)
        run.faults += 1
    run.verify([server], redis)
    run.note(f"{load.totals['refused']} refused")


@row("clock-set-right", "the clock was hours behind and is set right just after events were counted, once more while Redis hangs, "
     "and while it has hung since the start: all reach Redis")
def clock_set_right(run):
    redis = run.redis().start()
    for again in range(run.many(6, 30)):
        base = sum(redis.counts("1s").values())
        environment, steering = run.clock()
        steering.offset(-2 * HOUR)
        hangs = ("never", "later", "from the start")[again % 3]
        if hangs == "from the start":
            redis.signal(signal.SIGSTOP)
        server = run.server(name=f"server{again}", redis=redis, env=environment).start()
        if hangs != "from the start":
            wait_until(lambda up=server: up.health()["store"]["connected"], "connected")
        if hangs == "later":
            redis.signal(signal.SIGSTOP)
        for offset in (-2 * HOUR, 0):
            steering.offset(offset)
            for _ in range(100):
                if server.request("POST", "/").status != 204:
                    raise Failure("an event was refused")
            run.sent += 100
            run.acked += 100
        run.faults += 1
        if hangs != "never":
            redis.signal(signal.SIGCONT)
        for resolution in ("1min", "1s", "10ms"):
            wait_until(lambda r=resolution, b=base: sum(redis.counts(r).values()) == b + 200,
                       lambda r=resolution, b=base: f"Redis, {r}: {sum(redis.counts(r).values()) - b} of 200", HEALED_S)
        server.stop()
    run.counted = run.acked


@row("clock-edges", "events at exactly the horizon's and the future's edge are counted, one microsecond beyond are not")
def clock_edges(run):
    environment, steering = run.clock()
    base = now_us()
    for i, offset in enumerate((0, 1, 9_999, -base % SECOND, -base % MINUTE, -base % HOUR, -base % DAY, 123_456)):
        steering.freeze(base + offset)
        now = base + offset
        server = run.server("--horizon", "10s", "--future", "2s", name=f"aforod{i}", env=environment, threads=1).start()
        counted = {now - 10 * SECOND, now + 2 * SECOND, now, now - 10 * SECOND + 1, now + 2 * SECOND - 1}
        refused = {now - 10 * SECOND - 1, now + 2 * SECOND + 1, now - HOUR, now + HOUR}
        for us in counted | refused:
            for status in (server.post("value=" + text_time(us)).status, server.post(f"value={us}").status):
                if status != (204 if us in counted else 422):
                    raise Failure(f"{us - now} us from now: answered {status}")
            answer = server.post_lines([text_time(us)]).json
            if answer["accepted"] != (us in counted) or answer["accepted"] + answer["rejected"] != 1:
                raise Failure(f"{us - now} us from now, in a batch: {answer}")
            run.faults += 1
        for resolution, width in (("10ms", 10_000), ("1s", SECOND), ("1min", MINUTE)):
            expected = {}
            for us in counted:
                expected[us // width * width] = expected.get(us // width * width, 0) + 3
            if server.counts(resolution) != expected:
                raise Failure(f"{resolution}: {server.counts(resolution)}, expected {expected}")
        run.sent += 3 * len(counted)
        run.acked = run.counted = run.sent
        server.conserved()
        server.stop()


def present_exact(run, server, redis, ahead):
    """The events ahead, and all that the loads sent, are in each resolution, here and in Redis; nothing was refused."""
    for load in run.loads:
        load.stop()
    run.tally(server.conserved()["counted"])
    if run.loads and any(load.totals["refused"] for load in run.loads):
        raise Failure(f"refused: {[load.totals['refused'] for load in run.loads]}, {server.stats()['refused']}")
    for resolution, width in (("10ms", 10_000), ("1s", SECOND), ("1min", MINUTE)):
        expected = {}
        for us in ahead:
            expected[us // width * width] = expected.get(us // width * width, 0) + 1
        for load in run.loads:
            for start, (sent, _, _) in load.ledger.items():
                expected[start // width * width] = expected.get(start // width * width, 0) + sent
        held = server.counts(resolution)
        if held != expected:
            raise Failure(f"{resolution}: {difference(expected, held)}")
        wait_until(lambda r=resolution, e=expected: redis.counts(r) == e,
                   lambda r=resolution, e=expected: f"Redis, {r}: {difference(e, redis.counts(r))}", HEALED_S)


@row("clock-ahead", "the clock was an hour ahead for a moment: what was counted there stays, current events are never refused")
def clock_ahead(run):
    redis = run.redis().start()
    environment, steering = run.clock()
    server = run.server(redis=redis, env=environment)
    ahead = []
    for end in (None, server.stop, server.kill):
        steering.offset(3700 * SECOND if end is None else 0)
        server.start()
        steering.offset(3700 * SECOND)
        run.pause_s(0.7, 0.8)  # every worker has woken up
        ahead += [now_us() + 3700 * SECOND] * 2
        for us in ahead[-2:]:
            if server.post("value=" + text_time(us)).status != 204:
                raise Failure("the event of a clock that is ahead was refused")
        run.faults += 1
        if end is not None:
            end()
            steering.offset(0)
            server.start()
        steering.offset(0)
        run.pause_s(0.7, 0.8)
        load = run.load(server, connections=8, rate=4000, past_us=50 * MINUTE, future_us=5 * SECOND, batch_every=10)
        load.progress(800)
        present_exact(run, server, redis, ahead)
        stats = server.stats()
        if not 3_600_000 < stats["clock"]["counts_ahead_ms"] < 3_700_000:
            raise Failure(f"/stats: {stats['clock']}")
        server.stop()
    for word in ("the wall clock has stepped ahead", "the wall clock was set back", "what was counted keeps its places"):
        if word not in server.log():
            raise Failure(f"not in the log: {word}")
