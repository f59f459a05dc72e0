"""How a sequence of tests/faults/wander is drawn. Holes that take several steps in a row are too rare among thirty kinds of
them; so each sequence has a mood, in which what may go together comes often: which steps, with what weight, and in which
world. Everything at its own weight is a mood, too."""

import random

# Importing registers steps; what a seed draws depends on their order.
import wander_steps_events  # noqa: F401
import wander_steps_state  # noqa: F401
import wander_steps_redis  # noqa: F401
import wander_twins  # noqa: F401
from wander_steps import steps

__all__ = ["draw", "moods"]


class Mood:
    """What it is about, and how often of 100 it is chosen; the weights of its steps (None: everybody's own); its nodes, its
    world, its first steps, what becomes of the others, and how many of those a sequence has at the most."""

    def __init__(self, what, share, weights=None, nodes=None, opening=None, arranged=None, most=None, disk=0.3):
        self.what, self.share, self.weights, self.most, self.disk = what, share, weights, most, disk
        self.arranged = arranged or (lambda chance, chosen: chosen)
        self.nodes, self.opening = nodes or any_nodes, opening or (lambda chance, nodes: [])


def any_nodes(chance):
    n = chance.choice((1, 2, 2, 3))
    return settings(chance, ["n0"] * n if n > 1 and chance.random() < 0.1 else [f"n{i}" for i in range(n)])


def settings(chance, names, horizons=("10min", "1h", "1h", "2h", "6h"), threads=4):
    return [{"id": name, "horizon": chance.choice(horizons), "threads": chance.randint(1, threads),
             "interval": chance.choice(("20ms", "100ms", "100ms"))} for name in names]


# ---- two servers of one name ------------------------------------------------------------------------------------------------

TWINS = {"send": 20, "wait": 5, "quiet": 2, "twin": 2, "hit": 8, "takeover": 12, "lapse": 3, "named": 4,
         "start": 6, "pause": 2, "go-on": 6, "network": 4, "delete-note": 2, "delete": 2, "client-kill": 1}


def twins_nodes(chance):
    """One, with a copy to come; or two that are given one name from the start."""
    names = chance.choice((["n0"], ["n0"], ["n0"], ["n0", "n0"], ["n0", "n1"]))
    return settings(chance, names, ("10min", "1h"), 2)


def twins_opening(chance, nodes):
    if [node["id"] for node in nodes] == ["n0", "n0"]:
        return [drawn(chance, "send", 2)]
    return [drawn(chance, "send", 1), ["twin", 0, *steps["twin"].draw(chance, 1)[1:]]]


LIMITS = {"flushall": 8, "kill": 2, "restart": 4, "stop": 2, "save": 3, "reload": 4, "redis-kill": 4, "redis-start": 3}  # weights, where both live


def twins_arranged(chance, chosen):
    """Without what docs/decisions.md calls a limit: nobody ends with counts that were not sent, and Redis keeps what it has while
    the name passes on."""
    return [[*step[:5], "pause", *step[6:7], *[""] * len(step[7:])] if step[0] in ("hit", "takeover") else step for step in chosen]


def beside_arranged(chance, chosen):
    """What was just acknowledged, and not sent, is in the copy."""
    return [["twin", step[1], "backup", step[3], chance.choice((1, 50))] if step[0] == "twin" else step for step in chosen]


# ---- a Redis that forgets, a node with nothing new to tell it -----------------------------------------------------------------

LOSSES = {"send": 12, "wait": 3, "delete": 18, "quiet": 4, "flushall": 1, "delete-note": 1, "client-kill": 1, "network": 1,
          "restart": 1, "kill": 1, "start": 1}


def losses_nodes(chance):
    return settings(chance, [f"n{i}" for i in range(chance.choice((2, 2, 3)))], ("1h", "2h", "6h"), 2)


def losses_opening(chance, nodes):
    """All of them in the same chunks, and in many: each finds in its turn only, and late, what nobody tells it. Then one is
    deleted."""
    spots = chance.sample(range(2, 8), 3)
    return [*(["send", node, spot, 1, 60] for node in range(len(nodes)) for spot in spots), ["quiet"]]


def losses_arranged(chance, chosen):
    """A deletion is noticed at once, by whoever counts there; often nothing else happens until all is there again. What makes
    everybody send all once more, or is found in its turn, would hide who is not told."""
    arranged = []
    for name, *args in chosen:
        arranged.append(["delete", args[0], True] if name == "delete" else [name, *args])
        if name == "delete" and chance.random() < 0.5:
            arranged.append(["quiet"])
    return arranged


# ---- a small disk -------------------------------------------------------------------------------------------------------------

DISK = {"send": 24, "wait": 3, "quiet": 4, "full-disk": 10, "sparse": 5, "restart": 6, "kill": 2, "start": 3, "stop": 3,
        "backup": 2, "restore": 2, "redis-kill": 1, "redis-start": 1}


def disk_nodes(chance):
    return settings(chance, [f"n{i}" for i in range(chance.choice((1, 1, 2)))], ("10min", "1h", "2h"), 2)


moods = {
    "anything": Mood("every step, at its own weight", 50),
    "twins": Mood("two servers of one name", 10, TWINS, twins_nodes, twins_opening,
                  twins_arranged, most=12, disk=0),
    "losses": Mood("a Redis that forgets chunks, servers with nothing new to tell it", 25, LOSSES, losses_nodes, losses_opening,
                   losses_arranged, most=10, disk=0),
    "disk": Mood("a disk that is full, sparse copies of the state", 15, DISK, disk_nodes, most=10, disk=1),
    "beside": Mood("two of one name, and what docs/decisions.md calls a limit of that", 0, {**TWINS, **LIMITS},
                   twins_nodes, twins_opening, beside_arranged, most=12, disk=0),
}


def drawn(chance, name, n):
    return [name, *steps[name].draw(chance, n)]


def draw(seed, length, mood=""):
    """The sequence of a seed: plain data."""
    chance = random.Random(seed)
    drawn_mood = chance.choices(list(moods), [each.share for each in moods.values()])[0]
    mood = moods[mood or drawn_mood]
    nodes = mood.nodes(chance)
    weights = mood.weights or {name: each.weight for name, each in steps.items()}
    chosen = mood.opening(chance, nodes)
    for name in chance.choices(list(weights), list(weights.values()), k=min(length, mood.most or length)):
        extra = sum(step[0] in ("clone", "twin") for step in chosen)
        chosen.append(drawn(chance, name, len(nodes) + extra))
    return {"seed": seed, "nodes": nodes, "aof": chance.random() < 0.3, "disk": chance.random() < mood.disk,
            "steps": mood.arranged(chance, chosen)}
