"""The steps of tests/faults/wander that happen to events and servers: sent, killed, paused, cut off."""

import time

import proxy
from wander_node import SECOND
from wander_steps import of_node, one, step


# ---- events -----------------------------------------------------------------------------------------------------------------

@step("send", 40, "node spot count seconds",
      lambda r, n: [r.randrange(n), r.choice((0, 0, 0, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8)), r.choice((1, 2, 7, 50, 300)),
                    r.choice((1, 1, 1, 3, 60))])
def send(world, number, spot, count, seconds):
    """events of one of a few moments (spot 0: now), and of so many seconds before it; to the next server that is up"""
    up = [node for node in world.nodes[number:] + world.nodes[:number] if node.up()]
    if not up:
        return False
    node = up[0]
    at_us = world.spot_us(node, spot)
    seconds = seconds if node.skew_us == 0 else 1
    return world.send(node, [at_us - i * SECOND for i in range(seconds)], count if seconds < 10 else 1)


@step("wait", 8, "ms", lambda r, n: [r.choice((5, 20, 60, 120, 250, 600, 1200))])
def wait(world, ms):
    """nothing, for a moment"""
    time.sleep(ms / 1000)
    return True


@step("quiet", 7)
def quiet(world):
    """all is set right, and must become exact"""
    world.settle()
    return True


# ---- servers ----------------------------------------------------------------------------------------------------------------

CLOSED = ("", "", "", "", "2", "0", "02", "012", "1", "12")


def drawn_start(random, n):
    return [random.randrange(n), random.choice(CLOSED), random.choice((0, 0, 1, 2, 3, 4))]


@step("kill", 3, "node", one)
@of_node
def kill(world, node):
    """kill -9"""
    was = node.running()
    node.kill()
    return was


@step("restart", 6, "node closed threads", drawn_start)
@of_node
def restart(world, node, closed, threads):
    """kill -9, and started at once; with closed descriptors, another number of threads"""
    node.kill()
    node.start(closed, threads)
    return True


@step("start", 6, "node closed threads", drawn_start)
@of_node
def start(world, node, closed, threads):
    """a server that is down is started"""
    if node.running():
        return False
    node.start(closed, threads)
    return True


@step("stop", 2, "node", one)
@of_node
def stop(world, node):
    """SIGTERM, and waited for"""
    if not node.running():
        return False
    node.stop()
    return True


@step("pause", 2, "node", one)
@of_node
def pause(world, node):
    """SIGSTOP"""
    if not node.up():
        return False
    node.pause()
    return True


@step("go-on", 3, "node", one)
@of_node
def go_on(world, node):
    """SIGCONT"""
    was = node.paused
    node.resume()
    return was


@step("node-clock", 2, "node minutes", lambda r, n: [r.randrange(n), r.choice((-300, -30, -2, 0, 0, 2, 10, 130, 330))])
@of_node
def node_clock(world, node, minutes):
    """a server's clock is off by so much from here on"""
    node.set_clock(minutes * 60 * SECOND)
    return True


@step("network", 3, "node mode",
      lambda r, n: [r.randrange(n), r.choice((proxy.CUT, proxy.CUT_REQUEST, proxy.HALF, proxy.DELAY, proxy.REFUSE, proxy.PASS))])
@of_node
def network(world, node, mode):
    """what happens between a server and Redis"""
    node.between.mode = mode
    if mode == proxy.REFUSE:
        node.between.cut_all()
    return True
