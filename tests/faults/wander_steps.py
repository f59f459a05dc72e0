"""The steps of tests/faults/wander. A step is a name and plain data, so that a sequence can be printed, kept and run again.
Each is possible in every world: where it makes no sense (a killed server is to be killed) it does nothing, which is what lets
a sequence be shortened by leaving out any of its steps.

What a user cannot expect to survive is not done: the only place that has some counts is never destroyed. See World.may_lose,
Node.only_redis."""

import signal
import time

import proxy
from faults import Failure, RedisError, wait_until
from support import CHUNK_US
from wander_world import HOUR, SECOND, Node, chunk_key

__all__ = ["describe", "of_node", "one", "run_step", "step", "steps"]

steps = {}  # name -> Step


class Step:
    """How often it is chosen, how its arguments are drawn, what it does: run(world, *args) -> did it do anything?"""

    def __init__(self, weight, names, draw, run):
        self.weight, self.names, self.draw, self.run = weight, names, draw, run
        self.what = run.__doc__


def step(name, weight, names="", draw=lambda random, n: []):
    """Registers a step. `draw` gets a random.Random and the number of nodes, and returns what JSON can hold."""
    def add(function):
        steps[name] = Step(weight, names.split(), draw, function)
        return function
    return add


def one(random, n):
    return [random.randrange(n)]


def find(world, node):
    return world.nodes[node] if node < len(world.nodes) else None


def of_node(function):
    """The step's first argument is a node; without that node it does nothing."""
    def run(world, number, *args):
        node = find(world, number)
        return node is not None and function(world, node, *args)
    run.__doc__ = function.__doc__
    return run


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


# ---- state directories ------------------------------------------------------------------------------------------------------

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


# ---- Redis ------------------------------------------------------------------------------------------------------------------

@step("redis-kill", 3, "how again", lambda r, n: [r.choice(("with", "older", "empty")), r.random() < 0.5])
def redis_kill(world, how, again):
    """killed, and back at once or later: with what it has, with what it saved last, with nothing"""
    if not world.redis.running() or (how != "with" and not world.may_lose()):
        return False
    world.kill_redis(how)
    if again:
        world.redis.start()
    return True


@step("redis-start", 5)
def redis_start(world):
    """started, when it is down"""
    if world.redis.running():
        return False
    world.redis.start()
    return True


@step("redis-pause", 1)
def redis_pause(world):
    """SIGSTOP"""
    if not world.redis_up():
        return False
    world.redis.signal(signal.SIGSTOP)
    world.redis_paused = True
    return True


@step("redis-go-on", 2)
def redis_go_on(world):
    """SIGCONT"""
    was = world.redis_paused
    world.resume_redis()
    return was


@step("redis-clock", 4, "minutes", lambda r, n: [r.choice((-130, -12, -1, 0, 0, 1, 12, 125, 210, 1800))])
def redis_clock(world, minutes):
    """Redis' clock is off by so much from here on"""
    if (abs(minutes) >= 60 or abs(world.redis_skew_us) >= HOUR) and not world.may_lose():
        return False
    world.set_redis_clock(minutes * 60 * SECOND)
    return True


@step("pass", 3, "minutes busy", lambda r, n: [r.choice((132, 132, 190, 300, 1800)), r.randrange(-1, n)])
def pass_time(world, minutes, busy=-1):
    """so much time passes for all: what is further back than a horizon stays at Redis for its time to live. One server (-1:
    none) counts something new at once, and is killed and started"""
    world.settle()
    if world.set_back:
        return False
    world.pass_time(minutes * 60 * SECOND)
    if 0 <= busy < len(world.nodes):
        world.send(world.nodes[busy], [world.now_us()], 1)
        world.nodes[busy].kill()
        world.nodes[busy].start()
    return True


def lossy(function):
    """Redis is there, and loses something that others still know."""
    def run(world, *args):
        if not world.redis_up() or not world.may_lose():
            return False
        world.lossy()
        return function(world, *args)
    run.__doc__ = function.__doc__
    return run


@step("flushall", 1)
@lossy
def flushall(world):
    """FLUSHALL"""
    world.redis.do("FLUSHALL")
    return True


@step("delete", 4, "place event", lambda r, n: [r.randrange(1000), r.random() < 0.8])
@lossy
def delete(world, place, event):
    """DEL of one chunk; one of those who count there may count one more, so that it is noticed at once"""
    chunks = sorted(world.writes)
    if not chunks:
        return False
    resolution, number = chunks[place % len(chunks)]
    width = CHUNK_US[resolution]
    writers = [world.nodes[i] for i in sorted(world.writes.get((resolution, number), {})) if world.nodes[i].up()]
    # who has not read back yet does not know that there was anything to lose
    knows = bool(writers) and writers[0].server.health()["store"]["state"] == "sending"
    if not world.redis.do("DEL", chunk_key(resolution, number)):
        return False
    at_us = next((start for start in sorted(world.ledger) if start // width == number), None)
    old = at_us is None or at_us < world.cutoff_us
    if event and knows and not old and writers[0].skew_us == 0 and world.send(writers[0], [at_us], 1):
        world.nudged.append((writers[0], writers[0].server.process.pid))
    else:
        world.unnudged = True
    return True


@step("delete-note", 2, "note", lambda r, n: [r.choice(("lease", "lost", "final"))])
def delete_note(world, note):
    """DEL of the leases, of the number of losses, of how far chunks are closed"""
    if not world.redis_up():
        return False
    keys = world.redis.do("KEYS", {"lease": "aforo:2:{node:*", "lost": "aforo:2:{lost*", "final": "aforo:2:{final*"}[note])
    for key in keys:
        world.redis.do("DEL", key)
    return bool(keys)


@step("script-flush", 1)
def script_flush(world):
    """SCRIPT FLUSH"""
    return world.redis_up() and bool(world.redis.do("SCRIPT", "FLUSH"))


@step("client-kill", 1)
def client_kill(world):
    """CLIENT KILL of everybody"""
    if not world.redis_up():
        return False
    world.redis.do("CLIENT", "KILL", "TYPE", "normal")
    return True


@step("save", 2)
def save(world):
    """SAVE: what `reload` and an `older` Redis will have"""
    if not world.redis_up():
        return False
    world.save()
    return True


@step("reload", 3)
@lossy
def reload(world):
    """DEBUG RELOAD NOSAVE: what was saved last, behind open connections"""
    if world.setting["aof"] or not world.saved:
        return False
    world.redis.do("DEBUG", "RELOAD", "NOSAVE")
    world.unnudged = True  # what was lost is noticed at once only if nothing was acknowledged since
    return True


def linked(redis):
    try:
        return "master_link_status:up" in redis.do("INFO", "replication")
    except (OSError, RedisError):
        return False


@step("copy", 1)
def copy_redis(world):
    """a second Redis with what the first has now"""
    if not world.redis_up():
        return False
    if world.copy is not None:
        world.copy.kill()
    world.copies += 1
    world.copy = world.new_redis(f"copy{world.copies}", "--replicaof", "127.0.0.1", str(world.redis.port))
    world.copy.start()
    wait_until(lambda: linked(world.copy), "the copy follows")
    world.copy.do("REPLICAOF", "NO", "ONE")
    return True


@step("become", 2)
@lossy
def become(world):
    """Redis takes over what the copy has (REPLICAOF, then NO ONE): no connection ends"""
    if world.copy is None:
        return False
    world.redis.do("REPLICAOF", "127.0.0.1", str(world.copy.port))
    wait_until(lambda: linked(world.redis), "the older copy is there")
    world.redis.do("REPLICAOF", "NO", "ONE")
    world.copy.kill()
    world.copy = None
    world.unnudged = True
    return True


def describe(sequence_step):
    """send node=0 spot=3 ..."""
    name, *args = sequence_step
    return " ".join([name, *(f"{key}={value}" for key, value in zip(steps[name].names, args))])


def run_step(world, sequence_step):
    name, *args = sequence_step
    did = steps[name].run(world, *args)
    world.glance()
    return did


