"""Two servers with one name, and a server that goes on with another one's state: who keeps the name, and what arrives. Redis must
end up with what was acknowledged, in every resolution, and never with more."""

import shutil
import signal
import subprocess
import time

import proxy
from faults import BIN, Failure, environment, flushed, now_us, row, wait_until
from stored import HEALED_S, HOUR, SECOND, clocked, expect, post, stays


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
