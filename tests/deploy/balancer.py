"""deploy/balancer in a network of five machines (namespaces): a client, the balancer, three servers. Skipped by name where there is
none."""

import pathlib
import re
import signal
import subprocess
import sys
import time
import types
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from support import BIN, TIMEOUT_S, WIDTH_US, Case, Failure, Load, Program, compare, environment, state_counts, wait_until  # noqa: E402
from programs import Network, why_no_network  # noqa: E402

BALANCER = ROOT / "deploy" / "balancer" / "aforo-balancer"
SERVERS = 3
NFT = ("nft", "nftables")


def call(*words, wrap=(), **env):
    done = subprocess.run([*wrap, *map(str, words)], env={**environment(), **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=TIMEOUT_S, check=False)
    return done.returncode, done.stdout, done.stderr


class Node(Program):
    """aforod on a machine of its own."""

    def __init__(self, place, machine, number, drain, direct=False):
        self.machine, self.address = machine, f"{machine.addresses[0]}:{80 if direct else 8080}"
        self.state = place.dir / f"state{number}"
        super().__init__(place, f"node{number}", [BIN / "aforod", "--listen", ":80" if direct else self.address, "--state", self.state, "--threads", 1,
                                                  "--drain", f"{drain}s"])
        self.wrap = machine.wrap

    def start(self):
        before = self.log().count('msg="listening"')
        self.spawn()
        wait_until(lambda: self.log().count('msg="listening"') > before, lambda: f"{self.name} listens\n{self.log()[-2000:]}")
        return self

    def stop(self):
        """With --drain; returns how long that took."""
        begin = time.monotonic()
        self.signal(signal.SIGTERM)
        if self.wait():
            raise Failure(f"{self.name} ended with {self.process.returncode}: {self.log()[-2000:]}")
        return time.monotonic() - begin


class Balanced(Case):
    """The network, and a load through the balancer."""

    keep_source = False
    direct = False
    drain_s = 0

    def setUp(self):
        why = why_no_network(*NFT)
        if why:
            self.skipTest(why)
        super().setUp()
        network = Network(self.place)
        self.client, self.front = network.machine("client"), network.machine("front")
        machines = [network.machine(f"server{i}") for i in range(SERVERS)]
        network.join(self.front, self.client)
        for machine in machines:
            network.join(machine, self.front)
        for machine in (self.client, *machines):
            gateway = re.sub(r"\d+$", "1" if machine is self.client else "2", machine.addresses[0])
            machine.run("ip", "route", "add", "default", "via", gateway)
        self.front.set("net.ipv4.ip_forward", 0 if self.direct else 1)
        self.listen = f"{self.front.addresses[0]}:80"
        for machine in machines if self.direct else ():
            self.let_answer_directly(network, machine)
        self.nodes = [Node(self.place, machine, i, self.drain_s, self.direct).start() for i, machine in enumerate(machines)]
        self.watcher = Program(self.place, "balancer", self.words("--every", "100ms"))
        self.watcher.wrap = self.front.wrap

    def let_answer_directly(self, network, machine):
        """A wire to the client of its own, and the address of the service."""
        network.join(machine, self.client)
        machine.run("ip", "address", "add", f"{self.front.addresses[0]}/32", "dev", "lo")
        machine.run("ip", "route", "replace", "default", "via", self.client.addresses[-1])
        for one in (machine, self.client):  # an answer comes by another wire than its request went
            one.run("sh", "-c", "for each in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$each; done")

    def words(self, *more):
        servers = [word for node in self.nodes for word in ("--server", node.address)]
        return [BALANCER, "--listen", self.listen, *servers, *(["--keep-source"] if self.keep_source else []),
                *(["--direct", "--interface", "wire-1"] if self.direct else []), *more]

    def start(self, up=SERVERS):
        at = len(self.watcher.log())
        self.watcher.spawn()
        self.says(f"up={up} of={SERVERS}", at)

    def says(self, text, after=0):
        """Waits for a line of the watcher's log; returns how long the log is then."""
        wait_until(lambda: text in self.watcher.log()[after:] or not self.watcher.running(), lambda: f"{text}: {self.watcher.log()}")
        self.assertIn(text, self.watcher.log()[after:])
        return len(self.watcher.log())

    def put_in(self, node, after):
        self.says(f'msg="server put in" server={node.address}', after)

    def load(self, **settings):
        target = types.SimpleNamespace(port=self.listen)
        load = Load(self.place, target, "load", wrap=self.client.wrap, **{"seed": 3, "connections": 32, "rate": 3000, **settings})
        load.progress(500)
        return load

    def counted(self, resolution):
        """From the files of all servers, which have ended."""
        counts = {}
        for node in self.nodes:
            for start, n in state_counts(node.state, resolution).items():
                counts[start] = counts.get(start, 0) + n
        return counts

    def settle(self, load):
        """Ends the load and the servers; the ledger is within what was counted, in each window."""
        totals = load.stop()
        for node in self.nodes:
            if node.running():
                node.stop()
        for resolution in WIDTH_US:
            compare([load], resolution, self.counted(resolution), "servers")
        counted = sum(self.counted("1min").values())
        print(f"\n  {self.id().rpartition('.')[2]}: {totals['acked']} acknowledged, {counted} counted, {totals['lost']} lost, "
              f"{totals['connects']} connections, {totals['connects_failed']} refused", flush=True)
        return totals, counted

    def exact(self, load):
        totals, counted = self.settle(load)
        self.assertEqual({key: totals[key] for key in ("lost", "other", "unsure", "connects_failed")},
                         {"lost": 0, "other": 0, "unsure": 0, "connects_failed": 0}, totals)
        self.assertEqual(counted, totals["acked"])
        return totals


    def ask(self):
        return call("curl", "-sS", "-m", "10", f"http://{self.listen}/healthz", wrap=self.client.wrap)

    def refused_until_one_is_back(self):
        """With no server left. Returns where the watcher's log was before one came back."""
        status, _, err = self.ask()
        self.assertEqual(status, 7, err)
        at = len(self.watcher.log())
        self.nodes[2].start()
        self.put_in(self.nodes[2], at)
        self.assertEqual(self.ask()[0], 0)
        return at

    def kill_and_start(self, node, load):
        """By kill -9; the load goes on without it, and with it when it is back."""
        at = len(self.watcher.log())
        node.kill()
        self.says(f'msg="server taken out, its connections end" server={node.address} why="connection refused" up=2', at)
        load.progress(500)
        node.start()
        self.put_in(node, at)
        load.progress(500)

    def conserved(self, totals, counted):
        """Requests may have been lost, but each that was acknowledged is counted, and none twice."""
        self.assertEqual((totals["other"], totals["unsure"]), (0, 0), totals)
        self.assertTrue(totals["acked"] <= counted <= totals["sent"] - totals["refused"], f"{totals}, {counted} counted")


class Planned(Balanced):
    drain_s = 2

    def test_a_restart_of_each_server_costs_no_request(self):
        self.start()
        load = self.load(in_turn=1)  # a connection that idles through all of a drain is closed at its end, perhaps under a request
        for node in self.nodes:
            at = len(self.watcher.log())
            self.assertGreater(node.stop(), self.drain_s - 0.1)
            self.says(f'msg="server taken out, its connections go on" server={node.address} why="status 503, draining"', at)
            node.start()
            self.put_in(node, at)
            load.progress(500)
        totals = self.exact(load)
        self.assertGreater(totals["requests"], 5000)
        for node in self.nodes:
            self.assertGreater(sum(state_counts(node.state, "1min").values()), 500, "this one had its share")


class PlannedDirect(Planned):
    direct = True


class Watching(Balanced):
    def test_the_watcher_itself_may_be_killed_and_started(self):
        self.start()
        load = self.load()
        self.watcher.kill()
        load.progress(500)
        at = len(self.watcher.log())
        self.start()
        load.progress(500)
        self.front.run("nft", "add", "table", "ip", "another")
        self.watcher.signal(signal.SIGTERM)
        self.assertEqual(self.watcher.wait(), 0)
        load.progress(500)
        self.exact(load)
        self.assertIn("table ip aforo_balancer", self.front.run("nft", "list", "tables"))
        self.assertEqual(call(*self.words("--remove"), wrap=self.front.wrap), (0, "table ip aforo_balancer: removed\n", ""))
        self.assertEqual(call(*self.words("--remove"), wrap=self.front.wrap), (0, "table ip aforo_balancer: was not there\n", ""))
        self.assertEqual(self.front.run("nft", "list", "tables"), "table ip another\n")
        self.assertNotIn("level=error", self.watcher.log()[at:])

    def test_what_somebody_flushed_is_set_again(self):
        self.start()
        for words in (("flush", "ruleset"), ("flush", "table", "ip", "aforo_balancer"),
                      ("add", "chain", "ip", "aforo_balancer", "foreign")):
            at = len(self.watcher.log())
            self.front.run("nft", *words)
            self.says("somebody had changed the rules", at)
        self.exact(self.load())

    def test_two_of_them_do_not_quarrel(self):
        self.start()
        status, out, err = call(*self.words(), wrap=self.front.wrap)
        self.assertEqual((status, out, err.count("\n")), (1, "", 1), err)
        self.assertIn("another aforo-balancer keeps the table ip aforo_balancer", err)

    def test_check_says_what_there_is_and_changes_nothing(self):
        status, out, err = call(*self.words("--check"), wrap=self.front.wrap)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out.count(": up (status 200, ok)"), SERVERS, out)
        self.assertIn("dnat to numgen inc mod 3 map", out)
        self.assertEqual(self.front.run("nft", "list", "tables"), "")
        self.nodes[1].kill()
        status, out, err = call(*self.words("--check"), wrap=self.front.wrap)
        self.assertEqual((status, err), (1, ""))
        self.assertIn(f"{self.nodes[1].address}: dead (connection refused)", out)
        self.assertIn("dnat to numgen inc mod 2 map", out)

    def test_a_machine_that_does_not_forward(self):
        self.front.set("net.ipv4.ip_forward", 0)
        for words in ((), ("--check",)):
            status, _, err = call(*self.words(*words), wrap=self.front.wrap)
            self.assertEqual((status, err), (1, "aforo-balancer: net.ipv4.ip_forward is 0: nothing would reach the servers; sysctl -w "
                                                "net.ipv4.ip_forward=1, and keep it in /etc/sysctl.d\n"))


class KeepSource(Balanced):
    keep_source = True

    def test_servers_see_who_asks(self):
        self.start()
        load = self.load()
        node = self.nodes[0]
        seen = node.machine.run("ss", "-Htn", "state", "established", "( sport = :8080 )")
        self.assertIn(self.client.addresses[0], seen)
        self.exact(load)


class Direct(Balanced):
    """Answers do not pass the balancer, which forwards nothing by its routes and tracks no connection."""

    direct = True

    def test_one_is_killed_while_the_watcher_is_restarted(self):
        self.start()
        load = self.load()
        self.watcher.kill()
        load.progress(500)
        self.start()
        load.progress(500)
        self.assertEqual(load.say("tally")["lost"], 0)
        self.kill_and_start(self.nodes[1], load)
        totals, counted = self.settle(load)
        self.conserved(totals, counted)
        self.assertNotIn("somebody had changed the rules", self.watcher.log())
        self.assertEqual(call(*self.words("--remove"), wrap=self.front.wrap)[:2], (1, ""))  # it runs
        self.watcher.signal(signal.SIGTERM)
        self.assertEqual(self.watcher.wait(), 0)
        self.assertEqual(call(*self.words("--remove"), wrap=self.front.wrap), (0, "table netdev aforo_balancer: removed\n", ""))

    def test_check_and_none_left(self):
        status, out, err = call(*self.words("--check"), wrap=self.front.wrap)
        self.assertEqual((status, err), (0, ""))
        self.assertIn('fwd ip to 10.77.2.1 device "wire-2"', out)
        self.assertEqual(self.front.run("nft", "list", "tables"), "")
        words = self.words("--check")
        words[words.index("wire-1")] = "eth9"
        self.assertIn("there is no interface eth9", call(*words, wrap=self.front.wrap)[2])
        for node in self.nodes:
            node.kill()
        self.start(up=0)
        at = self.refused_until_one_is_back()
        self.front.run("nft", "flush", "ruleset")
        self.says("somebody had changed the rules", at)
        self.assertEqual(self.ask()[0], 0)


class Unplanned(Balanced):
    def test_one_is_killed_and_comes_back(self):
        self.start()
        load = self.load()
        for node in self.nodes[:3]:
            self.kill_and_start(node, load)
        totals, counted = self.settle(load)
        self.assertGreater(totals["lost"], 0, "some were under way")
        self.conserved(totals, counted)

    def test_connections_of_a_machine_that_vanished_end(self):
        self.start()
        load = self.load()
        node, at = self.nodes[0], len(self.watcher.log())
        node.machine.run("ip", "link", "set", "wire-2", "down")
        self.says(f'msg="server taken out, its connections end" server={node.address}', at)
        wait_until(lambda: load.say("tally")["lost"] > 0, "requests to it end")
        load.progress(500)
        totals, counted = self.settle(load)  # a request that the machine had taken, and not answered yet, is waited for there
        self.assertLess(totals["lost"], 64)
        self.assertTrue(totals["acked"] <= counted <= totals["sent"] - totals["refused"], f"{totals}, {counted} counted")

    def test_without_any_server_clients_are_refused_at_once(self):
        for node in self.nodes:
            node.kill()
        self.start(up=0)
        self.says("no server is left: new connections are refused")
        self.refused_until_one_is_back()


if __name__ == "__main__":
    unittest.main()
