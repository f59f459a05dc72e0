"""Two and three nodes write to one Redis at once, and each in turn, or Redis, comes to harm."""

import signal

import proxy
from faults import row, wait_until


def harms(run, redis, servers, proxies):
    """(name, what it does) of everything that can happen; each ends with everything there again."""
    def killed(server):
        server.kill()
        run.pause_s(0, 0.2)
        server.start()

    def ended(server):
        server.stop()
        server.start()

    def hung(process):
        process.signal(signal.SIGSTOP)
        run.pause_s(0.1, 0.6)
        process.signal(signal.SIGCONT)

    def redis_killed():
        redis.kill()
        run.pause_s(0, 0.3)
        redis.start()

    def harmed(between, mode):
        before = between.harm
        between.mode = mode
        wait_until(lambda: between.harm > before, "the proxy does its harm")
        run.pause_s(0, 0.3)
        between.mode = proxy.PASS

    for server, between in zip(servers, proxies):
        yield lambda one=server: killed(one)
        yield lambda one=server: ended(one)
        yield lambda one=server: hung(one)
        for mode in (proxy.CUT, proxy.HALF, proxy.DELAY, proxy.CUT_REQUEST):
            yield lambda one=between, how=mode: harmed(one, how)
    yield lambda: hung(redis)
    yield redis_killed
    yield lambda: redis.do("FLUSHALL")


def nodes(run, n):
    redis = run.redis().start()
    proxies = [proxy.Proxy(run.place, redis.port, run.random) for _ in range(n)]
    servers = [run.server("--redis-timeout", "200ms", name=f"node{i}", redis=proxies[i].url).start() for i in range(n)]
    for server in servers:
        run.load(server, connections=8, rate=2000)
    for _ in range(run.many(1, 10)):
        all_harms = list(harms(run, redis, servers, proxies))
        run.random.shuffle(all_harms)
        for harm in all_harms:
            run.pause_s(0.05, 0.3)
            harm()
            run.faults += 1
    run.verify(servers, redis)


@row("two-nodes", "two nodes, one Redis, all of it in turn: the total is the sum of what was acknowledged")
def two_nodes(run):
    nodes(run, 2)


@row("three-nodes", "three nodes, one Redis, all of it in turn")
def three_nodes(run):
    nodes(run, 3)
