"""The steps of tests/faults/wander for two living servers of one name: how the second comes to be, and what befalls the two
while they find out which of them keeps the name.

Whatever happens meanwhile, all that both of them acknowledged arrives, once, as soon as both live and reach Redis: each count
is in one of the two files, or in both because it was there when the copy was made."""

import os
import subprocess
import time

import proxy
from faults import BIN, TIMEOUT_S, Failure, environment, wait_until
from support import STATE_FILE
from wander_node import Node
from wander_steps import of_node, one, step, steps

__all__ = ["HITS", "drawn_hit", "drawn_twin"]

COPIES_MOST = 2  # of a sequence: each server has its time to start, and its port
HITS = (proxy.REFUSE, proxy.REFUSE, proxy.CUT_REQUEST, proxy.CUT, proxy.HALF, proxy.DELAY)
SETTLED_S = 0.05  # who has just connected asks for other things first
OVERDUE_S = 3.6  # who was away for so long renews its lease before it sends
NAME_S = 5  # and so long for a name
HIT_S = 0.6  # so long a flush is waited for that can be hit


def drawn_twin(random, n):
    return [random.randrange(n), random.choice(("cp", "backup")), random.choice(("original", "copy", "only")), 0]


def back_up(node, target):
    """aforo backup, while the server runs."""
    done = subprocess.run([BIN / "aforo", "backup", node.server.state, target], capture_output=True, text=True,
                          timeout=TIMEOUT_S, env=environment(), check=False)
    if done.returncode:
        raise Failure(f"aforo backup ended with {done.returncode}: {done.stderr}")


@step("twin", 1, "node how first fresh", drawn_twin)
@of_node
def twin(world, node, how, first, fresh):
    """one more server, on a copy of this one's state, which lives on: `cp` while it is stopped, `backup` while it runs, with so
    many events that it has just acknowledged (`fresh`). Which is started first; `only`: the copy is not started yet"""
    if len(world.nodes) >= len(world.setting["nodes"]) + COPIES_MOST:
        return False
    world.settle()
    number = len(world.nodes)
    copy = Node(world, number, node.setting, world.states / f"node{number}")
    if how == "cp":
        node.stop()
        world.take_copy(node.server.state, copy.server.state)
    else:
        if fresh:
            world.send(node, [world.now_us()], fresh)
        back_up(node, copy.server.state)
    copy.pure = node.pure = False
    copy.own = dict(node.own)
    world.nodes.append(copy)
    for each in {"original": (node, copy), "copy": (copy, node), "only": (node,)}[first]:
        if not each.running():
            each.start()
    return True


def drawn_hit(random, n):
    return [random.randrange(n), random.choice((0, 0, 2, 2, 3)), random.choice((1, 7, 50, 300)), random.choice(HITS),
            random.choice(("kill", "kill", "pause", "pause", "off", "off", "on"))]


def sends(node):
    return node.server.health()["store"]["state"] == "sending"


def wait_for_name(node, timeout_s=NAME_S):
    """Until this server sends, under whatever name; not for long."""
    try:
        wait_until(lambda: not node.up() or sends(node), "it sends", timeout_s, 0.02)
    except Failure:
        pass


def hit_a_flush(node, how):
    """Returns when the proxy has done its harm; when there was nothing to harm, a moment later."""
    harm, end = node.between.harm, time.monotonic() + HIT_S
    while how != proxy.REFUSE and node.between.harm == harm and time.monotonic() < end:
        time.sleep(0.002)


@step("hit", 1, "node spot count how then", drawn_hit)
@of_node
def hit(world, node, spot, count, how, then):
    """a server is cut off from Redis, before (`refuse`) or in the middle of sending what it then counts; and is killed, paused,
    stays cut off (`off`) or is let on"""
    if not node.up():
        return False
    wait_for_name(node, HIT_S)
    time.sleep(SETTLED_S)
    node.between.mode = how
    if how == proxy.REFUSE:
        node.between.cut_all()
    world.send(node, [world.spot_us(node, spot)], count)
    hit_a_flush(node, how)
    if then == "kill":
        node.kill()
    elif then == "pause":
        node.pause()
    node.between.mode = proxy.REFUSE if then == "off" else proxy.PASS
    if then == "off":
        node.between.cut_all()
    return True


def living(world):
    """The inodes of the state files whose servers are up and reach Redis: the leases name them."""
    return {str(os.stat(node.server.state / STATE_FILE).st_ino) for node in world.nodes
            if node.up() and node.between.mode != proxy.REFUSE}


@step("lapse", 1)
def lapse(world):
    """for Redis as if a lease's time were over: the leases of those who are down, paused or cut off run out"""
    if not world.redis_up():
        return False
    alive, over = living(world), False
    for key in world.redis.do("KEYS", "aforo:2:{node:*"):
        if (world.redis.do("GET", key) or "").rpartition(":")[2] not in alive:
            over = bool(world.redis.do("PEXPIRE", key, 1)) or over
    return over


@step("named", 1, "node", one)
@of_node
def named(world, node):
    """waits until this server sends, under whatever name; not for long"""
    if not node.up() or not world.redis_up():
        return False
    wait_for_name(node)
    return True


def drawn_takeover(random, n):
    return [*drawn_hit(random, n)[:4], random.choice(("kill", "pause", "off")), random.randrange(n + 1),
            random.choice(("", "", "", "flushall", "reload"))]


@step("takeover", 1, "node spot count how then other loss", drawn_takeover)
@of_node
def takeover(world, node, spot, count, how, then, other, loss):
    """`hit`, and away for longer than a lease lasts, in which Redis may lose all (`flushall`) or what it did not save
    (`reload`); meanwhile another server sends, if there is one"""
    if not node.up():
        return False
    away_s = time.monotonic() + OVERDUE_S
    hit(world, node.number, spot, count, how, then)
    if loss:
        steps[loss].run(world)
    lapse(world)
    others = [each for each in world.nodes if each is not node]
    if others and world.redis_up():
        each = others[other % len(others)]
        if not each.running():
            each.start()
        if each.up():
            wait_for_name(each)
    time.sleep(max(0, away_s - time.monotonic()))
    return True
