"""deploy/balancer in a network of five machines (namespaces): a client, the balancer, three servers. Skipped by name where there is
none; what needs no network (arguments, errors, the commands for IPVS) runs everywhere."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
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
        status, _, err = call("curl", "-sS", "-m", "10", f"http://{self.listen}/healthz", wrap=self.client.wrap)
        self.assertEqual(status, 7, err)
        at = len(self.watcher.log())
        self.nodes[2].start()
        self.put_in(self.nodes[2], at)
        self.assertEqual(call("curl", "-sS", "-m", "10", f"http://{self.listen}/healthz", wrap=self.client.wrap)[0], 0)
        self.front.run("nft", "flush", "ruleset")
        self.says("somebody had changed the rules", at)
        self.assertEqual(call("curl", "-sS", "-m", "10", f"http://{self.listen}/healthz", wrap=self.client.wrap)[0], 0)


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
        status, _, err = call("curl", "-sS", "-m", "10", f"http://{self.listen}/healthz", wrap=self.client.wrap)
        self.assertEqual(status, 7, err)
        at = len(self.watcher.log())
        self.nodes[2].start()
        self.put_in(self.nodes[2], at)
        self.assertEqual(call("curl", "-sS", "-m", "10", f"http://{self.listen}/healthz", wrap=self.client.wrap)[0], 0)


class Arguments(unittest.TestCase):
    def test_wrong_ones_are_named(self):
        good = ("--listen", "192.0.2.1:80", "--server", "192.0.2.2:80")
        for words, said in {
            (): "--listen",
            good[:2]: "--server ADDRESS:PORT is missing",
            ("--listen", "node1:80"): "'node1:80' is not an address and a port: 192.0.2.1:8080",
            ("--listen", "192.0.2.1"): "'192.0.2.1' is not an address and a port",
            ("--listen", "192.0.2.256:80"): "'192.0.2.256:80' is not an address and a port",
            ("--listen", "127.0.0.1:80"): "'127.0.0.1:80': the kernel cannot translate",
            ("--listen", "0.0.0.0:80"): "'0.0.0.0:80': the kernel cannot translate",
            (*good, "--server", "192.0.2.3:0"): "'192.0.2.3:0': a port is 1 to 65535",
            (*good, "--server", "192.0.2.2:80"): "--server 192.0.2.2:80 is there twice",
            (*good, "--server", "192.0.2.1:80"): "--server 192.0.2.1:80 is --listen itself",
            (*good, "--server", "[2001:db8::2]:80"): "give both as IPv4, or both as IPv6",
            (*good, "--every", "1"): "'1' is not a duration from 10ms to 60m",
            (*good, "--fall", "0"): "'0' is not a number from 1 to 99",
            (*good, "--table", "a b"): "--table 'a b' is not a name",
            (*good, "--direct"): "--interface NAME is missing",
            (*good, "--interface", "eth0"): "--interface is for --direct",
            (*good, "--direct", "--interface", "a/b"): "--interface 'a/b' is not a name",
            (*good, "--direct", "--interface", "eth0", "--keep-source"): "--keep-source is for balancing without --direct",
            (*good, "--with", "ipvs", "--interface", "eth0"): "--interface is for --with nft",
            (*good, "--with", "ipvs", "--keep-source"): "--keep-source is for --with nft",
            (*good, "--with", "ipvs", "--direct", "--server", "192.0.2.3:81"): "its port must be that of --listen, 80",
            (*good, "--servers", "192.0.2.3:80"): "unrecognized arguments: --servers",
        }.items():
            with self.subTest(words):
                status, out, err = call(BALANCER, *words)
                self.assertEqual((status, out, err.count("\n")), (2, "", 1), err)
                self.assertIn(said, err)
                self.assertTrue(err.endswith("; aforo-balancer --help\n"), err)

    def test_help_names_every_flag_and_status(self):
        status, out, err = call(BALANCER, "--help")
        self.assertEqual((status, err), (0, ""))
        for word in ("--listen", "--server", "--with", "--check", "--remove", "Exit status"):
            self.assertIn(word, out)

    @unittest.skipUnless(os.geteuid() == 0, "not root: what root is told otherwise cannot be seen")
    def test_whoever_has_no_rights_is_told_what_is_missing(self):
        with tempfile.TemporaryDirectory(prefix="aforo-balancer-") as scratch:  # a checkout in root's home is closed to others
            os.chmod(scratch, 0o755)
            status, out, err = call(shutil.copy(BALANCER, scratch), "--listen", "192.0.2.1:80", "--server", "192.0.2.2:80",
                                    wrap=("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"))
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err, "aforo-balancer: changing the kernel's rules needs root, or CAP_NET_ADMIN: sudo aforo-balancer ...\n")


class Module(unittest.TestCase):
    """Parts of the program by themselves, with another program in the place of nft and ipvsadm."""

    def setUp(self):
        loader = importlib.machinery.SourceFileLoader("aforo_balancer", str(BALANCER))
        spec = importlib.util.spec_from_loader(loader.name, loader)
        self.program = importlib.util.module_from_spec(spec)
        sys.dont_write_bytecode = True
        loader.exec_module(self.program)
        scratch = tempfile.TemporaryDirectory(prefix="aforo-balancer-")
        self.addCleanup(scratch.cleanup)
        self.dir = pathlib.Path(scratch.name)
        path = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        os.environ["PATH"] = f"{self.dir}:{path}"

    def fake(self, name, script):
        path = self.dir / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def ipvs(self, direct=False, there=""):
        """The service, with what `ipvsadm --save` says; what is given to --restore is in the file `given`."""
        (self.dir / "there").write_text(there)
        self.fake("ipvsadm", f'case $1 in --save) cat {self.dir}/there ;; --restore) cat >{self.dir}/given ;; '
                             f'*) echo "$*" >{self.dir}/given ;; esac')
        return self.program.Ipvs(types.SimpleNamespace(listen=self.program.address("192.0.2.1:80"), direct=direct))

    def states(self, *states):
        return {self.program.address(f"192.0.2.{i}:8080"): state for i, state in enumerate(states, 2)}

    def given(self):
        path = self.dir / "given"
        return path.read_text() if path.exists() else ""

    def test_a_service_of_ipvs_is_made(self):
        up, draining, dead = self.program.UP, self.program.DRAINING, self.program.DEAD
        self.ipvs().apply(self.states(up, draining, dead))
        self.assertEqual(self.given(), "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 192.0.2.2:8080 -m -w 1\n"
                                       "-a -t 192.0.2.1:80 -r 192.0.2.3:8080 -m -w 0\n")

    def test_a_service_of_ipvs_is_changed(self):
        up, draining, dead = self.program.UP, self.program.DRAINING, self.program.DEAD
        there = ("-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 192.0.2.2:8080 -m -w 1\n-a -t 192.0.2.1:80 -r 192.0.2.3:8080 -m -w 1\n"
                 "-a -t 192.0.2.1:80 -r 192.0.2.4:8080 -m -w 1\n-A -t 192.0.2.9:80 -s wlc\n-a -t 192.0.2.9:80 -r 192.0.2.3:8080 -m -w 7\n")
        service = self.ipvs(there=there)
        self.assertTrue(service.holds(self.states(up, up, up)))
        self.assertFalse(service.holds(self.states(up, draining, up)))
        service.apply(self.states(up, draining, dead))
        self.assertEqual(self.given(), "-e -t 192.0.2.1:80 -r 192.0.2.3:8080 -m -w 0\n-d -t 192.0.2.1:80 -r 192.0.2.4:8080\n")

    def test_direct_ipvs_and_its_removal(self):
        up = self.program.UP
        self.ipvs(direct=True).apply(self.states(up))
        self.assertIn("-r 192.0.2.2:8080 -g -w 1\n", self.given())
        self.assertFalse(self.ipvs().remove())
        self.assertTrue(self.ipvs(there="-A -t 192.0.2.1:80 -s rr\n").remove())
        self.assertEqual(self.given(), "--delete-service --tcp-service 192.0.2.1:80\n")

    def test_what_is_missing_is_named_with_its_remedy(self):
        self.fake("ipvsadm", "echo \"Can't initialize ipvs: Protocol not available\" >&2; exit 255")
        service = self.program.Ipvs(types.SimpleNamespace(listen=self.program.address("192.0.2.1:80"), direct=False))
        with self.assertRaisesRegex(self.program.Trouble, r"the kernel has no IPVS .*Protocol not available.*modprobe ip_vs.*--with nft"):
            service.check(None)
        with self.assertRaisesRegex(self.program.Trouble, "no-such is missing: apt-get install package"):
            self.program.command("no-such", "package")

    def test_a_kernel_without_numgen(self):
        self.fake("nft", "case $1 in list) ;; *) echo 'Error: Could not process rule: No such file or directory' >&2; exit 1 ;; esac")
        self.program.setting = lambda name: "1"
        table = self.program.Nft(types.SimpleNamespace(listen=self.program.address("192.0.2.1:80"), keep_source=False, table="t"))
        with self.assertRaisesRegex(self.program.Trouble, "the kernel refuses the rules .*CONFIG_NFT_NUMGEN.*--with ipvs"):
            table.check(self.states(self.program.UP))

    def answered(self, answer, tls=None):
        """What the program makes of a server that answers so; None: not at all."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)

        def serve():
            link, _ = listening.accept()
            with (tls.wrap_socket(link, server_side=True) if tls else link) as link:
                link.recv(4096)
                if answer is None:
                    link.recv(1)  # until the other side gives up
                else:
                    link.sendall(answer)
        threading.Thread(target=serve, daemon=True).start()
        where = types.SimpleNamespace(ip="127.0.0.1", port=listening.getsockname()[1])
        return self.program.ask(where, 0.5 if answer is None else TIMEOUT_S, tls is not None)

    def test_what_answers_mean(self):
        body = b'{"status":"draining"}'
        head = b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n"
        self.assertEqual(self.answered(head % (200, 0)), (self.program.UP, "status 200", True))
        self.assertEqual(self.answered(head % (503, len(body)) + body), (self.program.DRAINING, "status 503, draining", True))
        self.assertEqual(self.answered(head % (404, 0)), (self.program.DRAINING, "status 404", True))
        self.assertEqual(self.answered(None), (self.program.DEAD, "timed out", False))
        for answer in (b"", b"SSH-2.0\r\n\r\n"):
            state, why, at_once = self.answered(answer)
            self.assertEqual((state, at_once), (self.program.DEAD, False), why)
        with socket.create_server(("127.0.0.1", 0)) as gone:
            where = types.SimpleNamespace(ip="127.0.0.1", port=gone.getsockname()[1])
        self.assertEqual(self.program.ask(where, TIMEOUT_S, False), (self.program.DEAD, "connection refused", True))

    def test_hostile_answers_end_no_watcher(self):
        chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nx"
        self.assertEqual(self.answered(chunks)[0], self.program.UP)
        for answer in (b"\0" * 100_000, b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 10_000, b"HTTP/1.1 999 x\r\n\r\n",
                       b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000):
            self.assertNotEqual(self.answered(answer)[0], self.program.UP, answer[:40])

    def test_a_server_that_drips_does_not_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            def drip():
                link, _ = listening.accept()
                with link, contextlib.suppress(OSError):
                    link.recv(4096)
                    for _ in range(40):
                        link.sendall(b"H")
                        time.sleep(0.05)
            threading.Thread(target=drip, daemon=True).start()
            where = types.SimpleNamespace(ip="127.0.0.1", port=listening.getsockname()[1])
            begin = time.monotonic()
            self.assertEqual(self.program.ask(where, 0.3, False), (self.program.DEAD, "timed out", False))
            self.assertLess(time.monotonic() - begin, 1.5)

    def test_what_a_server_says_is_one_line_of_the_log(self):
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.program.log("warn", "x", why='a\n\x1b[31m"b\u2028')
        self.assertEqual(said.getvalue().count("\n"), 1)
        self.assertIn(r'why="a\n\x1b[31m\"b\u2028"', said.getvalue())

    @unittest.skipIf(shutil.which("openssl") is None, "openssl is missing (package openssl)")
    def test_servers_with_tls_are_asked_with_tls(self):
        key, cert = self.dir / "key.pem", self.dir / "cert.pem"
        self.assertEqual(call("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                              "-subj", "/CN=x", "-keyout", key, "-out", cert)[0], 0)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.assertEqual(self.answered(b"HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n", context), (self.program.UP, "status 200", True))

    def test_answers_in_a_row(self):
        up, draining, dead = self.program.UP, self.program.DRAINING, self.program.DEAD
        options = types.SimpleNamespace(rise=2, fall=3)
        server = self.program.Server(None, options)
        seen = []
        for state, at_once in ((dead, False), (up, True), (up, True), (dead, False), (dead, False), (up, True), (dead, False), (dead, False),
                               (dead, False), (up, True), (up, True), (draining, True), (dead, False), (up, True), (dead, True)):
            server.note(state, "", at_once)
            seen.append(server.state)
        self.assertEqual(seen, [dead, dead, up, up, up, up, up, up, dead, dead, up, draining, draining, draining, dead])


if __name__ == "__main__":
    unittest.main()
