"""A network of machines on this one: network namespaces, joined by pairs of virtual interfaces.

A namespace lives as long as a process of its own; so nothing of it is left behind, however the test ends.
"""

import functools
import shutil
import subprocess

from .process import TIMEOUT_S, Failure, Program, wait_until


def run(*words):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise Failure(f"{' '.join(map(str, words))}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


@functools.cache
def why_no_network(*programs):
    """Why this machine cannot have such a network with these programs; None when it can."""
    for program, package in {"ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux",
                             **dict(zip(programs[::2], programs[1::2]))}.items():
        if shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin") is None:
            return f"{program} is missing (package {package})"
    try:
        run("unshare", "--net", "sh", "-c", "ip link add wire-1 type veth peer name wire-2 && echo 1 >/proc/sys/net/ipv4/ip_forward")
    except Failure as failure:
        return f"no network namespaces here: {failure}"
    return None


class Machine:
    """One namespace."""

    def __init__(self, place, name):
        self.place, self.name = place, name
        self.addresses = []
        self.life = Program(place, f"machine-{name}", ["unshare", "--net", "sleep", "infinity"])

    def start(self):
        self.life.spawn()
        wait_until(lambda: self.has_own_network(), f"{self.name} has a network of its own", every_s=0.01)
        self.run("ip", "link", "set", "lo", "up")
        return self

    def has_own_network(self):
        pid = self.life.process.pid
        return run("readlink", f"/proc/{pid}/ns/net") != run("readlink", "/proc/self/ns/net")

    @property
    def wrap(self):
        """The words to put before a command to run it there; the process is then the command itself."""
        return ["nsenter", f"--net=/proc/{self.life.process.pid}/ns/net", "--"]

    def run(self, *words):
        return run(*self.wrap, *words)

    def set(self, name, value):
        """A value of sysctl."""
        self.run("sh", "-c", 'echo "$1" >"/proc/sys/$2"', "sh", value, name.replace(".", "/"))

    def program(self, name, command):
        program = Program(self.place, name, command)
        program.wrap = self.wrap
        return program


class Network:
    """Machines and the wires between them; the n-th wire has 10.77.n.0/24."""

    def __init__(self, place):
        self.place, self.wires = place, 0

    def machine(self, name):
        return Machine(self.place, name).start()

    def join(self, one, other):
        """Adds a wire; `one` gets 10.77.n.1 on it and `other` 10.77.n.2, on interfaces named wire-n."""
        self.wires += 1
        name = f"wire-{self.wires}"
        run("ip", "link", "add", name, "netns", one.life.process.pid, "type", "veth", "peer", "name", name, "netns",
            other.life.process.pid)
        for number, machine in enumerate((one, other), 1):
            address = f"10.77.{self.wires}.{number}"
            machine.run("ip", "address", "add", f"{address}/24", "dev", name)
            machine.run("ip", "link", "set", name, "up")
            machine.addresses.append(address)
