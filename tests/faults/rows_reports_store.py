"""Reports while Redis, or the way to it, comes to harm: killed, emptied, replaced by an older replica, failed over by Sentinel and in a
cluster; with one, two and three nodes. Each row of each report is what was acknowledged, at each node and in Redis."""

import shutil
import signal

import proxy
from cluster import Cluster
from faults import Failure, Sentinel, row, wait_until
from report_load import ReportLoad
from report_plan import EXACT, GROUPS, PAID, PLAIN, ROUTES, Report
from report_rows import verify_reports
from rows_nodes import harms
from rows_redis import TIMEOUT_FLAGS, connected, no_sentinel, promote, replica_of, settled
from rows_reports import define
from support.console import aforo

RATE = 40  # requests a second and sender
# For a cluster, where a window is looked for in each of its groups: few windows.
LONG = [GROUPS, Report("all", ["1min", "1h"], EXACT), Report("clients", ["1min"], EXACT, by=("client",)), ROUTES, PAID]


def begin(run, redis, name="aforod", url=None, reports=PLAIN, **load):
    server = run.server("--reports", define(run, reports), *TIMEOUT_FLAGS, name=name, redis=url or redis).start()
    return server, ReportLoad(run, server, **{"size": 100, "rate": RATE, **load})


def harmed(run, redis, times, harm):
    server, load = begin(run, redis)
    load.progress(10)
    for _ in range(times):
        run.pause_s(0.1, 0.5)
        harm()
        run.faults += 1
        load.progress(2)
    verify_reports(run, [server], redis, PLAIN, [load])


@row("reports-redis-killed", "Redis is killed and comes back with its data: each row of each report as acknowledged")
def reports_redis_killed(run):
    redis = run.redis("--appendonly", "yes", "--appendfsync", "no").start()

    def harm():
        redis.kill()
        run.pause_s(0, 0.5)
        redis.start()
    harmed(run, redis, run.many(4, 50), harm)


@row("reports-redis-emptied", "Redis is emptied, or killed and comes back empty, or loses windows of reports: all is sent again")
def reports_redis_emptied(run):
    redis = run.redis().start()

    def killed():
        redis.kill()
        redis.start()

    def dropped():
        keys = redis.do("KEYS", "aforo:2:r:{*")
        if keys:  # hashes, HyperLogLogs, score boards: any of them
            redis.do("DEL", *run.random.sample(sorted(keys), min(len(keys), 5)))
    harmed(run, redis, run.many(5, 50), lambda: run.random.choice((killed, dropped, dropped, lambda: redis.do("FLUSHALL")))())


@row("reports-replica-promoted", "the master dies, a replica without its last second takes its address: rows are sent again")
def reports_replica_promoted(run):
    master = run.redis(name="redis0").start()
    between = proxy.Proxy(run.place, master.port, run.random)
    server, load = begin(run, master, url=between.url)
    for i in range(run.many(2, 20)):
        replica = replica_of(run, master, f"redis{i + 1}")
        load.progress(5)
        master = promote(run, between, master, replica)
        load.progress(5)
    verify_reports(run, [server], master, PLAIN, [load])


@row("reports-sentinel", "redis-sentinel promotes a replica that missed writes: rows are sent again")
def reports_sentinel(run):
    shutil.which("redis-sentinel") or no_sentinel()
    nodes = [run.redis(name="redis0").start()]
    nodes.append(replica_of(run, nodes[0], "redis1"))
    sentinel = Sentinel(run.place, nodes[0]).start()
    wait_until(lambda: len(sentinel.do("SENTINEL", "REPLICAS", "counts")) == 1, "sentinel knows the replica")
    server, load = begin(run, None, url=f"redis+sentinel://127.0.0.1:{sentinel.port}/counts", senders=2, rate=15)
    master, replica = nodes
    for _ in range(run.many(1, 6)):
        load.progress(10)
        wait_until(lambda: connected(server), "connected")
        replica.signal(signal.SIGSTOP)
        run.pause_s(0.2, 0.4)  # less than what sentinel takes for down
        master.kill()
        replica.signal(signal.SIGCONT)
        run.faults += 1
        wait_until(lambda one=replica: one.is_master(), "promoted", 120)
        load.progress(5)
        master.start()
        master, replica = settled(nodes)
    verify_reports(run, [server], master, PLAIN, [load])


@row("reports-cluster", "masters of a cluster are killed, and replicas that missed writes promoted: rows are sent again")
def reports_cluster(run):
    cluster = Cluster(run)
    server, load = begin(run, cluster, reports=LONG, rate=15, senders=2)
    for i in range(run.many(1, 3)):
        master, replica = cluster.nodes[i], cluster.nodes[i + 3]
        load.progress(10)
        wait_until(lambda: connected(server), "connected")
        replica.signal(signal.SIGSTOP)
        run.pause_s(0.2, 0.4)  # less than what the others take for down
        master.kill()
        replica.signal(signal.SIGCONT)
        run.faults += 1
        wait_until(lambda one=replica: one.is_master(), "promoted", 120)
        load.progress(5)
    verify_reports(run, [server], cluster, LONG, [load])
    status, out, err = aforo("check", "--redis", cluster.url, "--from", "-20min", timeout=120)
    if status and "no window that is over" not in err:
        raise Failure(f"aforo check: {out[-1500:]}{err}")
    cluster.end()  # each of its servers has a part only: there is nothing to check in one of them


def nodes(run, n, at_once):
    """All that can happen to nodes, their ways to Redis, and Redis; in the bounded pass some of it."""
    redis = run.redis().start()
    proxies = [proxy.Proxy(run.place, redis.port, run.random) for _ in range(n)]
    begun = [begin(run, redis, name=f"node{i}", url=proxies[i].url, senders=2) for i in range(n)]
    servers, loads = [server for server, _ in begun], [load for _, load in begun]
    for _ in range(run.many(1, 4)):
        all_harms = list(harms(run, redis, servers, proxies))
        run.random.shuffle(all_harms)
        for harm in all_harms[:run.many(at_once, len(all_harms))]:
            run.pause_s(0.05, 0.3)
            harm()
            run.faults += 1
    verify_reports(run, servers, redis, PLAIN, loads)


@row("reports-two-nodes", "two nodes, one Redis, all of it in turn: Redis' rows are those of both together")
def reports_two_nodes(run):
    nodes(run, 2, 6)


@row("reports-three-nodes", "three nodes, one Redis, all of it in turn: Redis' rows are those of all together")
def reports_three_nodes(run):
    nodes(run, 3, 6)
