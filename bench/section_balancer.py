"""What a load balancer in front costs, beside what it balances: docs/scaling.md counts in these figures.

Machines are network namespaces, so that packets take the whole way that they have between machines, less the wire. What a
packet costs is done by whoever sent it, in the kernel: so the CPU of all processes is the CPU of the whole, with the kernel's
share and with the client's."""

import pathlib
import resource
import subprocess

import peers
from measure import BIN, CLIENT_CORE, SERVER_CORE, HERE, Program, client, haproxy_command, median, on_core, ratio, usage, wait_until
from programs import Network, environment, why_no_network
from report import number, table
from sections import section

ROUNDS = 5
BALANCER = HERE.parent / "deploy" / "balancer" / "aforo-balancer"
PATTERNS = {"64 kept connections": "saturation", "10 requests a connection, 5,000/s": "tsung"}

CONFIG = """
defaults
    mode {mode}
    timeout connect 5s
    timeout client 30s
    timeout server 30s
global
    nbthread 1
listen events
    bind {listen}
    server aforod {to}
"""


class Path:
    """A client, aforod, and what is between them. Machines of their own, or all on one, where packets take the loopback."""

    def __init__(self, bench, name, row, machines=3, direct=False):
        self.bench, self.row, self.machines, self.others = bench, row, machines, []
        network = Network(bench.place)
        self.client = network.machine(f"{name}-client")
        self.front = network.machine(f"{name}-front") if machines == 3 else self.client
        self.machine = network.machine(f"{name}-server") if machines > 1 else self.client
        if machines == 1:
            for address in ("10.77.1.1", "10.77.2.2"):
                self.client.run("ip", "address", "add", f"{address}/32", "dev", "lo")
            self.machine.addresses = ["10.77.1.1", "10.77.2.2"]
        else:
            network.join(self.machine, self.front)
        if machines == 3:
            network.join(self.front, self.client)
            self.machine.run("ip", "route", "add", "default", "via", self.front.addresses[0])
            self.client.run("ip", "route", "add", "default", "via", self.front.addresses[1])
        self.front.set("net.ipv4.ip_forward", 1)
        self.to = self.target = f"{self.machine.addresses[0]}:8080"
        self.listen = self.to
        if direct:
            self.let_answer_directly(network)
        self.program(self.machine, f"{name}-redis", ["redis-server", "--port", 6379, "--save", ""], CLIENT_CORE)
        self.aforod = self.program(self.machine, f"{name}-aforod", [
            BIN / "aforod", "--listen", self.listen, "--state", bench.place.dir / f"{name}-state", "--threads", 1, "--redis",
            "redis://127.0.0.1:6379"], SERVER_CORE)
        wait_until(lambda: 'msg="listening"' in self.aforod.log(), self.aforod.log)
        self.found = {pattern: {"all": [], "aforod": [], "between": [], "client": [], "rps": []} for pattern in PATTERNS}

    def let_answer_directly(self, network):
        """A wire from the server to the client of its own, and the address that clients use."""
        network.join(self.machine, self.client)
        self.machine.run("ip", "address", "add", f"{self.front.addresses[1]}/32", "dev", "lo")
        self.machine.run("ip", "route", "replace", "default", "via", self.client.addresses[-1])
        for one in (self.machine, self.client):  # an answer comes by another wire than its request went
            one.run("sh", "-c", "for each in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$each; done")
        self.to, self.listen = f"{self.machine.addresses[0]}:80", ":80"
        wires = self.front.run("ip", "-o", "-4", "address", "show", "to", self.front.addresses[1])
        self.interface = wires.split()[1]

    def program(self, machine, name, words, core):
        program = Program(self.bench.place, name, words, environment())
        program.wrap = machine.wrap
        with on_core(core):
            program.spawn()
        return program

    def answers(self):
        host, _, port = self.target.partition(":")
        done = subprocess.run([*self.client.wrap, "curl", "-s", "-m", "1", f"http://{host}:{port}/healthz"], capture_output=True, check=False)
        return done.returncode == 0

    def load(self, pattern, seconds):
        if pattern == "tsung":
            words = [BIN / "bench-openloop", self.target, f"seconds={seconds}", "rate=5000", "per_connection=10", "spin=0"]
        else:
            words = ["wrk", "-t1", "-c64", f"-d{seconds}s", "-s", HERE / "event.lua", f"http://{self.target}/", "--", seconds, "event"]
        return client([*self.client.wrap, *words], seconds)

    def round(self, name, seconds):
        aforod, between, kernel, children = usage(self.aforod.process.pid), usage(*self.others), softirqs_s(), children_s()
        said = self.load(PATTERNS[name], seconds)
        if said["errors"]:
            raise RuntimeError(f"{self.row}: {said['errors']} requests were not answered well")
        parts = {"aforod": (usage(self.aforod.process.pid) - aforod).total_s,
                 "between": (usage(*self.others) - between).total_s + softirqs_s() - kernel, "client": children_s() - children}
        parts["all"] = sum(parts.values())
        for key, seconds_used in parts.items():
            self.found[name][key].append(seconds_used * 1e6 / said["requests"])
        self.found[name]["rps"].append(said["requests"] / said["seconds"])


def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def find_softirqs():
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            found += [entry.parent.name] if entry.read_text().startswith("ksoftirqd") else []
        except OSError:  # it has ended
            pass
    return found


SOFTIRQS = find_softirqs()


def softirqs_s():
    """CPU of the kernel's own threads for packets that no process could take along."""
    return usage(*SOFTIRQS).total_s


def by_kernel(path, *flags):
    path.target = f"{path.front.addresses[1]}:80"
    words = [BALANCER, "--listen", path.target, "--server", path.to, *flags]
    path.others.append(path.program(path.front, f"watcher-{id(path)}", words, CLIENT_CORE).process.pid)
    return path


def by_haproxy(path, mode):
    path.target = f"{path.front.addresses[1]}:80"
    command = haproxy_command(path.bench.place, f"haproxy-{id(path)}", CONFIG.format(mode=mode, listen=path.target, to=path.to))
    path.others.append(path.program(path.front, f"haproxy-{id(path)}", command, SERVER_CORE).process.pid)
    return path


def why_no_haproxy():
    try:
        peers.debian("haproxy")
    except peers.Missing as why:
        return str(why)
    return None


def why_no_ipvs():
    if not pathlib.Path("/proc/net/ip_vs").exists():
        return "this kernel has none, or has not loaded it (modprobe ip_vs)"
    return why_no_network("ipvsadm", "ipvsadm")


def paths(bench):
    """{layout: its ways, the first of them without a balancer}."""
    no_nft, no_haproxy, no_ipvs = why_no_network("nft", "nftables"), why_no_haproxy(), why_no_ipvs()
    for name, why in (("nftables", no_nft), ("haproxy", no_haproxy), ("IPVS", no_ipvs)):
        if why:
            bench.skipped.append(f"{name} was skipped: {why}.")
    one = [Path(bench, "one", "directly", 1)]
    three = [Path(bench, "wire", "directly: the client's machine beside the server's", 2), Path(bench, "routed", "a router between, without any rule")]
    if not no_nft:
        one.append(by_kernel(Path(bench, "one-nft", "kernel: nftables", 1), "--keep-source"))
        direct = Path(bench, "nft-direct", "kernel: nftables, --direct", direct=True)
        three += [by_kernel(direct, "--direct", "--interface", direct.interface), by_kernel(Path(bench, "nft-source", "kernel: nftables, --keep-source"), "--keep-source"),
                  by_kernel(Path(bench, "nft", "kernel: nftables"))]
    if not no_ipvs:
        three.append(by_kernel(Path(bench, "ipvs", "kernel: IPVS"), "--with", "ipvs"))
    if not no_haproxy:
        version, = peers.debian("haproxy")
        for mode in ("tcp", "http"):
            one.append(by_haproxy(Path(bench, f"one-{mode}", f"haproxy {version}, mode {mode}", 1), mode))
            three.append(by_haproxy(Path(bench, f"haproxy-{mode}", f"haproxy {version}, mode {mode}"), mode))
    for path in one + three:
        wait_until(path.answers, f"{path.row} answers", every_s=0.1)
    return {"All on one machine": one, "The balancer on a machine between": three}


@section("balancer", "A load balancer in front: CPU of the whole")
def balancer(bench):
    why = why_no_network()
    if why:
        return f"**skipped: {why}**\n"
    found, seconds, text = paths(bench), bench.seconds or 1, ""
    for i in range(ROUNDS):
        for pattern in PATTERNS:
            for path in (path for ways in found.values() for path in ways):
                bench.say(f"round {i + 1} of {ROUNDS}, {pattern}, {path.row}")
                path.round(pattern, seconds)
    for layout, ways in found.items():
        for way in ways:
            for pattern in PATTERNS if way.row.startswith("kernel") else ():
                all_of_it = [each.found[pattern]["all"] for each in (way, ways[0])]
                bench.goals.at_most(f"CPU of all against directly. {layout}; {way.row}; {pattern}", ratio(*all_of_it), 1.05, 2)
        for pattern in PATTERNS:
            text += f"{layout}; {pattern}:\n\n" + costs_table(ways, pattern) + "\n"
    return (f"aforod and haproxy have a thread each on core {SERVER_CORE}, the client has core {CLIENT_CORE}; medians of {ROUNDS} rounds of "
            f"{seconds} s in turn. What a packet costs in the kernel is done by whoever sent it. The last column but one has what "
            "all takes more than directly in units of what aforod takes directly: 1 is a balancer that costs nothing.\n\n" + text)


def extra(way, direct, pattern):
    """What all takes more than directly, against what aforod takes directly."""
    costs, least = way.found[pattern], direct.found[pattern]
    return 1 + median([(a - d) / s for a, d, s in zip(costs["all"], least["all"], least["aforod"])])


def costs_table(ways, pattern):
    rows = []
    for way in ways:
        costs = way.found[pattern]
        rows.append([way.row, *(number(median(costs[key])) for key in ("client", "between", "aforod", "all")),
                     number(ratio(costs["all"], ways[0].found[pattern]["all"])), number(extra(way, ways[0], pattern)),
                     number(median(costs["rps"]), 0)])
    return table(["way", "client: CPU us/request", "between", "aforod", "all", "x directly", "1 + more : aforod", "requests/s"], rows)
