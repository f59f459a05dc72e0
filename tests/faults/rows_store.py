"""What Redis can lose, or give back too late, without closing a connection; clocks and horizons that differ; two servers with
one name. Redis must end up with what was acknowledged, in every resolution, and never with more."""

import shutil
import signal
import subprocess
import time

import proxy
from faults import BIN, Failure, WIDTH_US, difference, environment, flushed, now_us, row, text_time, wait_until

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
HEALED_S = 8  # 3 s are promised of a store that is reachable; other tests run beside this one


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


@row("state-stale", "an old backup of the state is put back, and the server restarted before Redis can be read")
def state_stale(run):
    redis = run.redis("--appendonly", "yes", "--appendfsync", "no").start()
    server = run.server("--redis-timeout", "200ms", redis=redis).start()
    backup = run.place.dir / "backup"
    for _ in range(run.many(3, 20)):
        at = now_us()  # all of it in one window: a larger number there must not hide a smaller one
        post(run, server, at, 100)
        server.stop()
        shutil.rmtree(backup, ignore_errors=True)
        shutil.copytree(server.state, backup)
        server.start()
        post(run, server, at, 50)
        server.stop()
        expect(run, redis, run.acked, "before the backup is put back")
        redis.kill()
        shutil.rmtree(server.state)
        shutil.copytree(backup, server.state)
        for restart in (True, True, False):
            server.start()
            post(run, server, at, 10)
            if restart:
                run.kill9(server)
        redis.start()
        run.faults += 1
        expect(run, redis, run.acked, "the backup is put back, and Redis is there", 3 * HEALED_S)
        flushed([server], redis)


def cloned(run, redis, servers, at, each):
    """Two servers that had one name: all of both arrive, though all is in one window."""
    for server in servers:
        post(run, server, at, each)
    expect(run, redis, run.acked, "both servers' events", 40)
    if "takes a new name" not in servers[0].log() + servers[1].log():
        raise Failure("nothing is said of the copy")
    names = [server.health()["node"] for server in servers]
    if names[0] == names[1]:
        raise Failure(f"both are called {names[0]}")


@row("state-cloned", "a state directory is copied, and two servers run with one node id: one takes a new name, all arrive")
def state_cloned(run):
    redis = run.redis().start()
    first = run.server(name="first", redis=redis).start()
    at = now_us()
    post(run, first, at, 100)
    first.stop()
    second = run.server(name="second", redis=redis)
    shutil.copytree(first.state, second.state)
    first.start()
    second.start()
    run.faults += 1
    cloned(run, redis, [first, second], at, 150)
    for server in (second, first):  # the name is for good
        run.kill9(server)
        server.start()
        post(run, server, at, 20)
    expect(run, redis, run.acked, "restarted", 3 * HEALED_S)
    copies = [server.health()["store"].get("copy_of") for server in (first, second)]
    if any(copies):
        raise Failure(f"a new name was taken twice: {copies}")


@row("state-cloned-unread", "the same with a state that Redis has never seen: nobody can tell whose the counts are, so the copy "
     "is refused, until that is said")
def state_cloned_unread(run):
    redis = run.redis()
    first = run.server("--redis-timeout", "200ms", name="first", redis=redis).start()
    post(run, first, now_us(), 100)
    run.kill9(first)
    second = run.server("--redis-timeout", "200ms", name="second", redis=redis)
    shutil.copytree(first.state, second.state)
    first.start()
    redis.start()
    expect(run, redis, 100, "the first one's")
    for _ in range(2):
        status, said = second.refuses_to_start()
        if status != 1 or "is a copy" not in said or "opened.aforo" not in said:
            raise Failure(f"{status}: {said}")
        run.faults += 1
    expect(run, redis, 100, "the copy was refused")
    first.stop()
    shutil.rmtree(first.state)
    (second.state / "opened.aforo").unlink()  # as the sentence says, when the original is gone
    redis.do("FLUSHALL")
    second.start()
    post(run, second, now_us(), 20)
    expect(run, redis, 120, "the copy goes on for the original")


@row("one-node-id", "two servers are given the same --node-id: one takes a new name, all arrive")
def one_node_id(run):
    redis = run.redis().start()
    servers = [run.server("--node-id", "n1", name=name, redis=redis).start() for name in ("first", "second")]
    run.faults = 1
    cloned(run, redis, servers, now_us(), 100)
    for server in servers:  # what was given is still right for the one that had to take another
        server.stop()
        server.start()
    expect(run, redis, run.acked, "restarted")


@row("owner-paused", "a server is stopped for longer than its lease while a copy of it takes over, and wakes up again")
def owner_paused(run):
    redis = run.redis().start()
    at = now_us()
    first = run.server("--node-id", "n1", name="first", redis=redis).start()
    post(run, first, at, 100)
    expect(run, redis, 100, "before")
    first.signal(19)  # SIGSTOP
    second = run.server("--node-id", "n1", name="second", redis=redis).start()
    post(run, second, at, 60)
    expect(run, redis, 160, "the second has taken over", 40)
    first.signal(signal.SIGCONT)
    run.faults = 1
    post(run, first, at, 30)
    expect(run, redis, 190, "the first is back", 40)
    for server in (first, second):
        post(run, server, at, 5)
    stays(run, redis, 200, "both live")


@row("one-node-id-cut", "a server is cut off while it flushes, for longer than its lease, and another of the same --node-id goes on: "
     "what had arrived of the flush is counted once")
def one_node_id_cut(run):
    redis = run.redis().start()
    for again in range(run.many(2, 10)):
        base = run.acked
        between = proxy.Proxy(run.place, redis.port, run.random)
        node = ("--node-id", f"n{again}")
        first = run.server(*node, "--redis-timeout", "200ms", name=f"first{again}", redis=between.url).start()
        at = now_us() - 2 * SECOND
        post(run, first, at, 1000)
        expect(run, redis, base + 1000, "before")
        second = run.server(*node, name=f"second{again}", redis=redis).start()
        post(run, second, at, 70)
        # the request is cut on its way there, or the reply on its way back; in a window that is there, and in a new one
        between.mode = (proxy.CUT_REQUEST, proxy.CUT)[again % 2]
        harm = between.harm
        post(run, first, at, 5)
        post(run, first, at - 61 * SECOND, 2)
        wait_until(lambda: between.harm > harm, "a flush is cut")
        between.mode = proxy.REFUSE
        between.cut_all()
        post(run, first, at, 6)
        wait_until(lambda: second.health()["store"]["connected"], "the second has taken over", 30)
        post(run, second, at, 3)
        time.sleep(1)
        between.mode = proxy.PASS
        run.faults += 1
        expect(run, redis, run.acked, "the first is back", 40)
        for server, count in ((first, 8), (second, 9)):
            post(run, server, at, count)
        expect(run, redis, run.acked, "both live")
        first.stop()
        second.stop()
        expect(run, redis, run.acked, "stopped")


@row("owner-paused-alone", "a server sleeps longer than its lease with counts that were not sent; another of its name goes on, and "
     "ends before it wakes up")
def owner_paused_alone(run):
    redis = run.redis().start()
    at = now_us() - 2 * SECOND
    first = run.server("--node-id", "n1", "--flush-interval", "10s", name="first", redis=redis).start()
    post(run, first, at, 100)
    expect(run, redis, 100, "before", 20)
    post(run, first, at, 50)
    first.signal(signal.SIGSTOP)
    second = run.server("--node-id", "n1", name="second", redis=redis).start()
    post(run, second, at, 70)
    expect(run, redis, 170, "the second has taken over", 40)
    second.stop()
    first.signal(signal.SIGCONT)
    run.faults = 1
    expect(run, redis, 220, "the first is back", 40)
    post(run, first, at, 5)
    run.kill9(first)
    first.start()
    expect(run, redis, 225, "killed, and there again", 20)
    post(run, first, at, 5)
    first.stop()
    expect(run, redis, 230, "and goes on")


def moved(run, redis, server):
    """The state of a server that was killed goes on in another place: another file, so another owner of the lease."""
    run.kill9(server)
    there = run.server(name="moved", redis=redis)
    subprocess.run([BIN / "aforo", "backup", server.state, there.state], check=True, env=environment())
    return there


@row("lease-older-copy", "while the lease of a dead server is waited for, an older copy of Redis comes back: no sign of life")
def lease_older_copy(run):
    redis = run.redis("--dbfilename", "saved.rdb").start()
    server = run.server(redis=redis).start()
    at = now_us() - 2 * SECOND
    post(run, server, at, 1000)
    expect(run, redis, 1000, "before it is saved")
    redis.do("SAVE")
    post(run, server, at, 500)
    time.sleep(3.5)  # the lease is renewed
    expect(run, redis, 1500, "before the move")
    there = moved(run, redis, server).start()
    wait_until(lambda: "waiting to see whether it lives" in there.log(), "the lease is waited for")
    redis.kill()
    redis.start()
    run.faults += 1
    post(run, there, at, 7)
    expect(run, redis, 1507, "moved, with an older Redis", 40)
    if there.health()["store"].get("copy_of"):
        raise Failure("an older copy of the lease passed for a sign of life")


@row("lease-clock-back", "Redis' clock is set back while a dead server holds the lease: it is taken by the clock of who waits")
def lease_clock_back(run):
    redis, clock = clocked(run)
    server = run.server(redis=redis).start()
    at = now_us() - 2 * SECOND
    post(run, server, at, 1000)
    expect(run, redis, 1000, "before the move")
    there = moved(run, redis, server)
    clock.offset(-3 * HOUR)
    there.start()
    post(run, there, at, 7)
    expect(run, redis, 1007, "moved, with Redis' clock set back", 40)


@row("state-lost-near-horizon", "the state is lost with Redis away; what lies near the horizon is read back all the same")
def state_lost_near_horizon(run):
    redis = run.redis("--appendonly", "yes").start()
    server = run.server("--node-id", "n1", "--horizon", "20s", redis=redis).start()
    at = now_us() - 17 * SECOND
    post(run, server, at, 100)
    expect(run, redis, 100, "before")
    run.kill9(server)
    shutil.rmtree(server.state)
    redis.kill()
    server.start()
    post(run, server, at, 50)
    time.sleep(5)  # it is past the horizon when Redis is back
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
    if took > grace_s + 1.5:
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
