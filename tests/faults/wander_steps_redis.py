"""The steps of tests/faults/wander that happen to Redis and to the time: killed, emptied, set back, older than it was."""

import signal

from faults import wait_until
from support import CHUNK_US
from wander_node import HOUR, MINUTE, SECOND
from wander_steps import step
from wander_world import chunk_key


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
    # another node may have a longer horizon, and have counted earlier in the same chunk
    old = at_us is None or at_us < world.cutoff_us or (
        bool(writers) and world.now_us() - at_us > writers[0].horizon_us() - MINUTE)
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
    wait_until(world.copy.follows, "the copy follows")
    world.copy.do("REPLICAOF", "NO", "ONE")
    return True


@step("become", 2)
@lossy
def become(world):
    """Redis takes over what the copy has (REPLICAOF, then NO ONE): no connection ends"""
    if world.copy is None:
        return False
    world.redis.do("REPLICAOF", "127.0.0.1", str(world.copy.port))
    wait_until(world.redis.follows, "the older copy is there")
    world.redis.do("REPLICAOF", "NO", "ONE")
    world.copy.kill()
    world.copy = None
    world.unnudged = True
    return True
