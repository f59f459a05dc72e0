"""What Redis can lose, or give back too late, without closing a connection; clocks and horizons that differ; a Redis that takes
its time. It must end up with what was acknowledged, in every resolution, and never with more."""

import shutil
import time

import proxy
from faults import WIDTH_US, Failure, difference, now_us, row, text_time, wait_until
from stored import HOUR, MINUTE, SECOND, clocked, expect, post, stays


@row("redis-clock-forward", "Redis' clock steps forward by 3.5 h: whatever expires is sent again, nothing is doubled")
def redis_clock_forward(run):
    redis, clock = clocked(run)
    server = run.server(redis=redis).start()
    at = now_us() - 2 * SECOND
    post(run, server, at, 100)
    expect(run, redis, 100, "before")
    for hours in (2.1, 3.5, -1, 30):
        clock.offset(int(hours * HOUR))
        run.faults += 1
        stays(run, redis, run.acked, f"Redis' clock is {hours} h off")
        post(run, server, at, 1)
        stays(run, redis, run.acked, f"and one more event, {hours} h")


@row("horizons-differ", "nodes with different horizons: what one needs for longer does not expire by the other")
def horizons_differ(run):
    environment, clock = run.clock()
    redis = run.redis()
    redis.env = {**redis.env, **environment}
    redis.start()
    long, short = (run.server("--horizon", horizon, name=f"horizon{horizon}", redis=redis, env=environment).start()
                   for horizon in ("6h", "1h"))
    at = now_us() - 2 * SECOND
    post(run, long, at, 100)
    expect(run, redis, 100, "the first")
    post(run, short, at, 50)
    expect(run, redis, 150, "the second")
    clock.offset(int(2.2 * HOUR))
    run.faults += 1
    stays(run, redis, 150, "2.2 h later")


def older_copy(run, redis):
    """A second Redis with what the first has now."""
    copy = run.redis("--replicaof", "127.0.0.1", str(redis.port), "--repl-diskless-sync-delay", "0", name="copy").start()
    wait_until(lambda: "master_link_status:up" in copy.do("INFO", "replication"), "the copy follows")
    copy.do("REPLICAOF", "NO", "ONE")
    return copy


def become(redis, copy):
    """The first takes over what the copy has, and is a master again; no connection to it ends."""
    redis.do("REPLICAOF", "127.0.0.1", str(copy.port))
    wait_until(lambda: "master_link_status:up" in redis.do("INFO", "replication"), "the older copy is there")
    redis.do("REPLICAOF", "NO", "ONE")


@row("older-copy-idle", "an older copy of Redis behind an open connection is noticed while nothing arrives, and healed")
def older_copy_idle(run):
    redis = run.redis("--repl-diskless-sync-delay", "0").start()
    server, quiet = (run.server(name=name, redis=redis).start() for name in ("node", "quiet"))
    post(run, quiet, now_us() - 20 * MINUTE, 7)
    expect(run, redis, 7, "the quiet one's")
    for _ in range(run.many(2, 20)):
        post(run, server, now_us() - 3 * SECOND, 100)
        expect(run, redis, run.acked, "before the copy")
        copy = older_copy(run, redis)
        post(run, server, now_us() - 3 * SECOND, 50)
        post(run, server, now_us() - 10 * MINUTE, 5)
        expect(run, redis, run.acked, "before the role change")
        become(redis, copy)
        run.faults += 1
        stays(run, redis, run.acked, "after an older copy came back")
        copy.kill()
        shutil.rmtree(copy.directory)


def read_again(run, redis, server):
    """Redis reads what it saved before the last events, behind the same connections."""
    post(run, server, now_us(), 100)
    expect(run, redis, run.acked, "before it is saved")
    redis.do("SAVE")
    post(run, server, now_us(), 50)
    expect(run, redis, run.acked, "before it is read again")
    redis.do("DEBUG", "RELOAD", "NOSAVE")
    run.faults += 1


@row("older-copy-reload", "DEBUG RELOAD NOSAVE gives back what was saved some time ago: noticed, healed")
def older_copy_reload(run):
    redis = run.redis("--enable-debug-command", "yes").start()
    server = run.server(redis=redis).start()
    for _ in range(run.many(3, 20)):
        read_again(run, redis, server)
        stays(run, redis, run.acked, "after the reload")


@row("older-copy-stop", "an older copy comes back just before the server ends: its last pass heals that, too")
def older_copy_stop(run):
    redis = run.redis("--enable-debug-command", "yes").start()
    server = run.server(redis=redis).start()
    for _ in range(run.many(3, 20)):
        read_again(run, redis, server)
        if server.stop():
            raise Failure("did not end in order")
        expect(run, redis, run.acked, "the server has ended", 0.1)
        server.start()


@row("chunk-deleted", "a chunk is deleted: whoever finds it tells, all send again, quiet nodes too")
def chunk_deleted(run):
    redis = run.redis().start()
    node, quiet = (run.server(name=name, redis=redis).start() for name in ("node", "quiet"))
    at = now_us() // MINUTE * MINUTE - 2 * MINUTE
    post(run, node, at, 10)
    post(run, quiet, at, 7)
    expect(run, redis, 17, "before")
    for resolution in ("10ms", "1s", "1min"):
        key, = redis.do("KEYS", f"aforo:2:{{{resolution}:*")
        redis.do("DEL", key)
        run.faults += 1
        post(run, node, at, 1)  # the node that still writes there finds it gone
        stays(run, redis, run.acked, f"the chunk of {resolution} was deleted")
        redis.do("DEL", key)
        redis.do("CLIENT", "KILL", "TYPE", "normal")  # and so does a node that has to say all again
        run.faults += 1
        stays(run, redis, run.acked, f"the chunk of {resolution} was deleted, and connections cut")


@row("state-lost-near-horizon", "the state is lost with Redis away; what lies near the horizon is read back all the same")
def state_lost_near_horizon(run):
    redis = run.redis("--appendonly", "yes").start()
    server = run.server("--node-id", "n1", "--horizon", "20s", redis=redis).start()
    at = now_us() - 10 * SECOND
    post(run, server, at, 100)
    expect(run, redis, 100, "before")
    run.kill9(server)
    shutil.rmtree(server.state)
    redis.kill()
    server.start()
    post(run, server, at, 50)
    time.sleep(max(0, (at + 22 * SECOND - now_us()) / SECOND))  # it is past the horizon when Redis is back
    redis.start()
    expect(run, redis, 150, "read back", 40)


def filled(run, url, *flags):
    """A server with many chunks that Redis does not have."""
    server = run.server("--redis-timeout", "1s", *flags, redis=url).start()
    start = now_us() // SECOND * SECOND
    for minute in range(50):
        lines = [text_time(start - minute * MINUTE - second * SECOND) for second in range(60)]
        if server.post_lines(lines).status != 200:
            raise Failure("not accepted")
        run.sent += 60
        run.acked += 60
    return server


def stops_in_time(run, server, grace_s):
    before = time.monotonic()
    server.signal(15)
    server.wait(60)
    took = time.monotonic() - before
    run.note(f"--grace {grace_s} s: ended after {took:.1f} s")
    if took > grace_s + 15:  # who waits for this Redis takes minutes
        raise Failure(f"--grace was {grace_s} s, and it took {took:.1f} s")


def slow_answers(run, mode, begun):
    """Answers come as `mode` says until the server has ended; when `begun` holds it is told to. Later all arrives."""
    redis = run.redis().start()
    between = proxy.Proxy(run.place, redis.port, run.random, 0.5)
    between.mode = mode
    server = filled(run, between.url, "--grace", "2s")
    wait_until(lambda: begun(server, between), lambda: str(server.health()), 15)
    stops_in_time(run, server, 2)
    between.mode = proxy.PASS
    run.faults = between.harm
    server.start()
    expect(run, redis, run.acked, "at full speed again", 40)


@row("redis-slow", "Redis takes half a second a command: an orderly stop keeps to --grace, and later all arrives")
def redis_slow(run):
    slow_answers(run, proxy.SLOW, lambda server, between: between.harm >= 3)


@row("redis-drips", "each answer of Redis comes a byte each half second: that is no answer; --grace is kept")
def redis_drips(run):
    slow_answers(run, proxy.DRIP, lambda server, between: "no answer in time" in server.health()["store"]["last_error"])


@row("redis-evicting", "a Redis that evicts is warned of; what it evicts within the horizon comes back, never twice")
def redis_evicting(run):
    redis = run.redis("--maxmemory-policy", "allkeys-random").start()
    server = filled(run, redis.url)
    wait_until(lambda: "may evict" in server.log(), "it is warned of")
    expect(run, redis, run.acked, "before", 30)
    used = int(redis.do("INFO", "memory").split("used_memory:")[1].split()[0])
    redis.do("CONFIG", "SET", "maxmemory", str(int(used * 0.9)))
    time.sleep(1)
    run.faults = int(redis.do("INFO", "stats").split("evicted_keys:")[1].split()[0])
    for resolution in WIDTH_US:  # never more than there was
        held, there = server.counts(resolution), redis.counts(resolution)
        if any(count > held.get(start, 0) for start, count in there.items()):
            raise Failure(difference(held, there))
    redis.do("CONFIG", "SET", "maxmemory", "0")
    expect(run, redis, run.acked, "with room again", 60)
    if not run.faults:
        raise Failure("nothing was evicted")
