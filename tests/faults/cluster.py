"""A Redis cluster: three masters of a third of the slots each, and a replica of each."""

from faults import RedisError, wait_until

__all__ = ["Cluster"]

MASTERS, SLOTS = 3, 16384
SETTLES_S = 60


class Cluster:
    def __init__(self, run):
        self.nodes = []
        for i in range(2 * MASTERS):
            options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", run.place.port(),
                       "--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0")
            self.nodes.append(run.redis(*map(str, options), name=f"node{i}").start())
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        ids = [node.do("CLUSTER", "MYID") for node in self.nodes]
        for i, node in enumerate(self.nodes[:MASTERS]):
            node.do("CLUSTER", "ADDSLOTSRANGE", i * SLOTS // MASTERS, (i + 1) * SLOTS // MASTERS - 1)
            node.do("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for node in self.nodes[1:]:
            self.nodes[0].do("CLUSTER", "MEET", "127.0.0.1", node.port, node.options[node.options.index("--cluster-port") + 1])
        for i, node in enumerate(self.nodes[MASTERS:]):
            wait_until(lambda one=node, master=ids[i]: replicates(one, master), "a replica knows its master", SETTLES_S, 0.05)
        wait_until(self.is_whole, "the cluster is whole", SETTLES_S, 0.05)

    def is_whole(self):
        return all("cluster_state:ok" in node.do("CLUSTER", "INFO") for node in self.nodes) and all(
            "master_link_status:up" in node.do("INFO", "replication") for node in self.nodes[MASTERS:])

    def end(self):
        for node in self.nodes:
            node.kill()


def replicates(node, master):
    try:
        return node.do("CLUSTER", "REPLICATE", master) == "OK"
    except RedisError:  # it has not heard of it yet
        return False
