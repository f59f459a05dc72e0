"""What Redis and the network to it can do. Here aforod itself is never killed, so nothing may be missing or doubled:
acknowledged = counted = sent."""

import re
import shutil
import signal
import time

import proxy
from faults import MEMORY_IS_OURS, TIMEOUT_S, Failure, Sentinel, row, wait_until

TIMEOUT_FLAGS = ("--redis-timeout", "200ms")


def begin(run, *redis_options, url=None, flags=TIMEOUT_FLAGS, **load):
    redis = run.redis(*redis_options).start()
    server = run.server(*flags, redis=url or redis).start()
    return redis, server, run.load(server, **{"connections": 16, "rate": 4000, **load})


def repeat(run, redis, server, times, harm):
    """Does `harm` so often at random moments, and verifies at the end."""
    for _ in range(times):
        run.pause_s(0.1, 0.6)
        harm()
        run.faults += 1
    run.verify([server], redis)


def connected(server):
    return server.health()["store"]["connected"]


def killed_often(run, *redis_options):
    redis, server, _ = begin(run, *redis_options)

    def harm():
        redis.kill()
        run.pause_s(0, 0.5)
        redis.start()
    repeat(run, redis, server, run.many(6, 60), harm)


@row("redis-killed", "Redis is killed and comes back with its data")
def redis_killed(run):
    killed_often(run, "--appendonly", "yes", "--appendfsync", "no")


@row("redis-back-empty", "Redis is killed and comes back empty")
def redis_back_empty(run):
    killed_often(run)


@row("redis-flushall", "FLUSHALL under load: sent again in full")
def redis_flushall(run):
    redis, server, _ = begin(run)
    repeat(run, redis, server, run.many(10, 200), lambda: redis.do("FLUSHALL"))


@row("redis-flushall-idle", "FLUSHALL while nothing arrives: noticed all the same")
def redis_flushall_idle(run):
    redis, server, load = begin(run)
    load.progress()
    load.pause()
    run.verify([server], redis)
    repeat(run, redis, server, run.many(3, 20), lambda: redis.do("FLUSHALL"))


@row("redis-script-flush", "SCRIPT FLUSH: loaded again")
def redis_script_flush(run):
    redis, server, _ = begin(run)
    repeat(run, redis, server, run.many(10, 100), lambda: redis.do("SCRIPT", "FLUSH"))


@row("redis-keys-dropped", "chunks vanish, old ones that nothing changes any more among them: noticed, all sent again")
def redis_keys_dropped(run):
    redis, server, _ = begin(run)

    def harm():
        chunks = [key for key in redis.do("KEYS", "aforo:2:{*") if "{1" in key]
        if chunks:  # any of them, total and parts in one; others that a node needs (leases, notes) now and then
            redis.do("DEL", run.random.choice(chunks))
        redis.do("DEL", run.random.choice(("aforo:2:{lost}", "aforo:2:{final}", "none", "none")))
    repeat(run, redis, server, run.many(10, 100), harm)
    if server.stats()["store"]["losses"] == 0:
        raise Failure("no loss was noticed")


@row("redis-evicts", "a Redis that evicts: warned of, noticed, sent again; never doubled, and whole when it is set right")
def redis_evicts(run):
    redis, server, load = begin(run, "--maxmemory-policy", "allkeys-random")
    load.progress()
    wait_until(lambda: connected(server), "a Redis that may evict is taken")
    if not any("level=warn" in line and "allkeys-random" in line for line in server.log().splitlines()):
        raise Failure(f"no warning names the policy: {server.log()}")

    def memory():
        return int(re.search(r"used_memory:(\d+)", redis.do("INFO", "memory"))[1])

    def harm():
        redis.do("CONFIG", "SET", "maxmemory", max(memory() - run.random.randrange(2000, 40000), 1))
        run.pause_s(0, 0.5)
        redis.do("CONFIG", "SET", "maxmemory", 0)
    repeat(run, redis, server, run.many(10, 100), harm)
    if not int(re.search(r"evicted_keys:(\d+)", redis.do("INFO", "stats"))[1]):
        raise Failure("nothing was evicted")


def away(run, hide, show, seconds):
    """Before, while and after Redis is away: rate, latency and memory of the server."""
    load = run.loads[0]
    server = load.server
    load.progress(20000)  # warm
    load.phase()
    time.sleep(seconds)
    before, memory_before = load.phase(), server.rss_kib()
    hide()
    run.faults += 1
    time.sleep(seconds)
    during, memory_during = load.phase(), server.rss_kib()
    show()
    for name, phase in (("before", before), ("away", during)):
        run.note(f"{name:<6} {phase['rate']:8.0f} requests/s, p50 {phase['p50_us']:.0f} us, p99 {phase['p99_us']:.0f} us, "
                 f"max {phase['max_us'] / 1000:.1f} ms")
    run.note(f"memory before {memory_before} KiB, away {memory_during} KiB")
    return before, during, memory_during - memory_before


@row("redis-hangs", "Redis stops answering (SIGSTOP): ingest rate and latency stay, memory does not grow")
def redis_hangs(run):
    # As fast as it goes in the long pass. In the bounded one at a steady rate: other tests run beside it, and what they take
    # of the machine from one second to the next would be taken for what Redis does.
    redis, server, _ = begin(run, rate=run.many(5000, 0), flags=("--redis-timeout", "3s"))
    before, during, grown_kib = away(run, lambda: redis.signal(signal.SIGSTOP), lambda: redis.signal(signal.SIGCONT),
                                     run.many(4, 20))
    # These bounds are for a server that waits for Redis, be it once in a flush.
    if during["rate"] < 0.6 * before["rate"]:
        raise Failure(f"the rate fell to {during['rate'] / before['rate']:.2f} of what it was")
    if during["p99_us"] > 3 * before["p99_us"] + 20_000 or during["max_us"] > before["max_us"] + 1_500_000:
        raise Failure("the latency rose")
    if grown_kib > 2048 and MEMORY_IS_OURS:
        raise Failure(f"memory grew by {grown_kib} KiB")
    run.verify([server], redis)


@row("redis-hangs-often", "Redis stops for longer than the time-out, again and again")
def redis_hangs_often(run):
    redis, server, _ = begin(run)

    def harm():
        redis.signal(signal.SIGSTOP)
        run.pause_s(0.05, 0.8)
        redis.signal(signal.SIGCONT)
    repeat(run, redis, server, run.many(6, 60), harm)


@row("redis-out-of-memory", "maxmemory reached (OOM errors), then raised")
def redis_out_of_memory(run):
    redis, server, load = begin(run)

    def harm():
        errors = server.health()["store"]["errors"]
        redis.do("CONFIG", "SET", "maxmemory", "1mb")
        wait_until(lambda: (store := server.health()["store"])["errors"] > errors and "OOM" in store["last_error"], server.health)
        load.progress()
        redis.do("CONFIG", "SET", "maxmemory", "0")
    repeat(run, redis, server, run.many(4, 40), harm)


@row("redis-not-there", "Redis is away when aforod starts, and comes later")
def redis_not_there(run):
    redis = run.redis()
    server = run.server(*TIMEOUT_FLAGS, redis=redis).start()
    load = run.load(server, connections=16)
    load.progress(2000)
    if connected(server):
        raise Failure("connected to nothing?")
    run.faults = 1
    redis.start()
    run.verify([server], redis)


@row("state-lost", "state directory lost, node id kept, Redis away at the start: goes on from what Redis has")
def state_lost(run):
    redis = run.redis("--appendonly", "yes", "--appendfsync", "no").start()
    server = run.server(*TIMEOUT_FLAGS, "--node-id", "n1", redis=redis).start()
    load = run.load(server, connections=16, rate=4000, past_us=3_000_000)
    for _ in range(run.many(4, 40)):
        load.progress(2000)
        load.pause()
        if server.stop():
            raise Failure("did not end in order")
        redis.kill()
        shutil.rmtree(server.state)
        server.start()
        load.resume()
        load.progress(2000)  # new events in windows that Redis has too, before it can be read
        redis.start()
        run.faults += 1
        if run.random.random() < 0.5:  # killed between reading back and flushing, or somewhere near
            run.pause_s(0, 0.3)
            run.kill9(server)
            server.start()
        wait_until(lambda: connected(server), "connected again")
    run.verify([server], redis)


@row("state-lost-redis-up", "state directory lost, node id kept, Redis there")
def state_lost_redis_up(run):
    redis = run.redis().start()
    server = run.server(*TIMEOUT_FLAGS, "--node-id", "n1", redis=redis).start()
    load = run.load(server, connections=16, rate=4000, past_us=3_000_000)
    for _ in range(run.many(5, 50)):
        load.progress(2000)
        load.pause()
        if server.stop():
            raise Failure("did not end in order")
        shutil.rmtree(server.state)
        run.faults += 1
        server.start()
        load.resume()
    load.progress()
    run.verify([server], redis)


def through_proxy(run, mode, times):
    redis = run.redis().start()
    between = proxy.Proxy(run.place, redis.port, run.random)
    url = redis.url.replace(str(redis.port), str(between.port))
    server = run.server(*TIMEOUT_FLAGS, "--flush-interval", "20ms", redis=url).start()
    run.load(server, connections=16, rate=4000)
    wait_until(lambda: connected(server), "connected")
    for _ in range(times):
        run.pause_s(0.05, 0.3)
        done = between.harm
        between.mode = mode
        wait_until(lambda before=done: between.harm > before, "the proxy does its harm")
        run.pause_s(0, 0.2)
        between.mode = proxy.PASS
        if run.random.random() < 0.5:  # else the harm may hit the read-back or the first of the sending again
            wait_until(lambda: connected(server), "connected again")
    run.faults = between.harm
    run.verify([server], redis)


for name, mode, bounded, long, promise in (
        ("reply-cut", proxy.CUT, 15, 200, "the connection ends in the middle of a reply: sent again, counted once"),
        ("request-cut", proxy.CUT_REQUEST, 15, 200, "the connection ends in the middle of what is sent"),
        ("reply-half", proxy.HALF, 8, 100, "half of a reply comes, and then nothing"),
        ("reply-late", proxy.DELAY, 8, 100, "the reply comes after the time-out")):
    row(name, promise)(lambda run, how=mode, few=bounded, many=long: through_proxy(run, how, run.many(few, many)))


@row("redis-refuses", "connections are accepted and closed at once")
def redis_refuses(run):
    redis = run.redis().start()
    between = proxy.Proxy(run.place, redis.port, run.random)
    server = run.server(*TIMEOUT_FLAGS, redis=between.url).start()
    load = run.load(server, connections=16, rate=4000)
    for _ in range(run.many(4, 40)):
        load.progress()
        between.mode = proxy.REFUSE
        between.cut_all()
        run.pause_s(0.1, 0.5)
        between.mode = proxy.PASS
        wait_until(lambda: connected(server), "connected again")
    run.faults = between.harm
    run.verify([server], redis)


def replica_of(run, master, name):
    replica = run.redis("--replicaof", "127.0.0.1", str(master.port), "--repl-diskless-sync-delay", "0",
                        "--replica-serve-stale-data", "yes", name=name).start()
    wait_until(lambda: "master_link_status:up" in replica.do("INFO", "replication"), "the replica follows")
    return replica


def promote(run, between, master, replica):
    """The master dies, and the replica takes its address without what it has missed."""
    replica.signal(signal.SIGSTOP)
    run.pause_s(0.3, 1.2)  # what it misses
    master.kill()
    replica.signal(signal.SIGCONT)
    replica.do("REPLICAOF", "NO", "ONE")
    between.target_port = replica.port
    between.cut_all()
    run.faults += 1
    return replica


@row("replica-promoted", "the master dies, a replica without its last second takes its address")
def replica_promoted(run):
    master = run.redis(name="redis0").start()
    between = proxy.Proxy(run.place, master.port, run.random)
    server = run.server(*TIMEOUT_FLAGS, redis=between.url).start()
    run.load(server, connections=16, rate=4000)
    for i in range(run.many(3, 30)):
        replica = replica_of(run, master, f"redis{i + 1}")
        run.pause_s(0.2, 0.6)
        master = promote(run, between, master, replica)
    run.verify([server], master)


def settled(nodes):
    """The master and the replica of two servers, once sentinel has made one follow the other. That is not always the one
    that came back: sentinel takes half a second of silence for down, and on a busy machine promotes to and fro."""
    wait_until(lambda: sum(node.follows() for node in nodes) == 1 and sum(node.is_master() for node in nodes) == 1,
               "one of the two follows the other", 120)
    return sorted(nodes, key=lambda node: node.follows())


@row("sentinel-failover", "the master is killed, redis-sentinel promotes a replica that missed writes: healed by sending again")
def sentinel_failover(run):
    shutil.which("redis-sentinel") or no_sentinel()
    nodes = [run.redis(name="redis0").start()]
    nodes.append(replica_of(run, nodes[0], "redis1"))
    sentinel = Sentinel(run.place, nodes[0]).start()
    wait_until(lambda: "num-other-sentinels" in str(sentinel.do("SENTINEL", "MASTER", "counts")), "sentinel knows")
    wait_until(lambda: len(sentinel.do("SENTINEL", "REPLICAS", "counts")) == 1, "sentinel knows the replica")
    server = run.server(*TIMEOUT_FLAGS, redis=f"redis+sentinel://127.0.0.1:{sentinel.port}/counts").start()
    load = run.load(server, connections=16, rate=4000, past_us=3_000_000)
    master, replica = nodes
    for _ in range(run.many(1, 6)):
        load.progress(2000)
        wait_until(lambda: connected(server), "connected")
        replica.signal(signal.SIGSTOP)
        run.pause_s(0.2, 0.4)  # less than what sentinel takes for down
        master.kill()
        replica.signal(signal.SIGCONT)
        run.faults += 1
        wait_until(lambda one=replica: one.is_master(), "promoted", 4 * TIMEOUT_S)
        run.verify_now([server], replica)
        master.start()
        master, replica = settled(nodes)
    run.verify([server], master)


def no_sentinel():
    raise Failure("redis-sentinel is missing: apt-get install redis-sentinel")
