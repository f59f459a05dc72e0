"""The steps of tests/faults/wander that happen to state directories: backed up, put back, lost, copied, short of room."""

import time

from faults import Failure
from wander_node import SECOND, Node
from wander_steps import of_node, one, step


@step("backup", 3, "node", one)
@of_node
def backup(world, node):
    """an orderly stop, a copy of the state directory, a start"""
    world.settle()
    name = node.name()
    node.stop()
    path = world.place.dir / f"backup{node.number}"
    world.take_copy(node.server.state, path)
    node.backup = (path, name, dict(node.own))
    node.start()
    return True


def taken_away(world, node, killed, away):
    """Everything is at Redis; the server is down, and Redis as well if so wished. Returns the server's name."""
    world.settle()
    name = node.name()
    if killed:
        node.kill()
    else:
        node.stop()
    if away:
        world.kill_redis("with")
    return name


def drawn_harm(random, n):
    return [random.randrange(n), random.random() < 0.2, random.random() < 0.6]


@step("restore", 4, "node killed away", drawn_harm)
@of_node
def restore(world, node, killed, away):
    """the backup of the state directory is put back; Redis is away from then on, or there"""
    if node.backup is None:
        return False
    path, name, _ = node.backup
    world.orphans = taken_away(world, node, killed, away) != name or world.orphans
    world.take_copy(path, node.server.state)
    node.only_redis = True
    node.start()
    return True


@step("lose", 1, "node killed away", drawn_harm)
@of_node
def lose(world, node, killed, away):
    """the state directory is gone, and the server started with its --node-id"""
    world.orphans = taken_away(world, node, killed, away) != node.setting["id"] or world.orphans
    world.take_copy(node.server.state, world.place.dir / "lost")
    for path in node.server.state.iterdir():
        path.unlink()
    node.only_redis, node.agreed = True, False
    node.start()
    return True


@step("clone", 2, "node started", lambda r, n: [r.randrange(n), r.random() < 0.5])
@of_node
def clone(world, node, started):
    """one more server, on a copy of this one's state; which of the two is started first"""
    if len(world.nodes) > len(world.setting["nodes"]):
        return False
    world.settle()
    node.stop()
    number = len(world.nodes)
    copy = Node(world, number, node.setting, world.states / f"node{number}")
    world.take_copy(node.server.state, copy.server.state)
    copy.pure = node.pure = False
    copy.own = dict(node.own)
    copy.agreed = node.agreed = False  # which of them goes on with the name is not settled yet: docs/redis.md, "Known limits"
    world.nodes.append(copy)
    for each in (node, copy) if started else (copy, node):
        each.start()
    return True


@step("sparse", 2, "node", one)
@of_node
def sparse(world, node):
    """the server is killed, and its state directory replaced by a sparse copy"""
    if not node.agreed:
        world.settle()
    node.kill()
    copy = world.states / "sparse"
    world.take_copy(node.server.state, copy, sparse=True)
    world.take_copy(copy, node.server.state, sparse=True)
    node.start()
    return True


@step("full-disk", 2, "node", one)
@of_node
def full_disk(world, node):
    """the same, with a full disk: refused with the reason, or it runs; then there is room again"""
    if not world.small:
        return False
    if not node.agreed:
        world.settle()
    node.kill()
    copy = world.states / "sparse"
    world.take_copy(node.server.state, copy, sparse=True)
    world.take_copy(copy, node.server.state, sparse=True)
    world.take_copy(world.states / "sparse", world.place.dir / "moved")
    for path in copy.iterdir():
        path.unlink()
    filler = world.fill_disk()
    try:
        run_full(world, node)
    finally:
        filler.unlink()
    node.start()
    return True


def run_full(world, node):
    before = len(node.server.log())
    node.server.closed = ""
    node.server.spawn()
    try:
        node.server.ready()
    except Failure:
        said = node.server.log()[before:]
        if node.server.process.returncode != 1 or "No space left" not in said:
            raise Failure(f"a full disk: {node.server.process.returncode}: {said}") from None
        return
    for spot in range(9):
        at_us = world.spot_us(node, spot)
        world.send(node, [at_us - i * SECOND for i in range(40 if node.skew_us == 0 else 1)], 1)
    time.sleep(0.3)
    node.alive()
    node.kill()
