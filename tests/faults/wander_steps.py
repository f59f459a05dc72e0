"""What a step of tests/faults/wander is, and all there are. A step is a name and plain data, so that a sequence can be printed,
kept and run again. Each is possible in every world: where it makes no sense (a killed server is to be killed) it does nothing,
which is what lets a sequence be shortened by leaving out any of its steps.

What a user cannot expect to survive is not done: the only place that has some counts is never destroyed. See World.may_lose,
Node.only_redis. The steps themselves are in wander_steps_events, wander_steps_state and wander_steps_redis."""

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


def describe(sequence_step):
    """send node=0 spot=3 ..."""
    name, *args = sequence_step
    return " ".join([name, *(f"{key}={value}" for key, value in zip(steps[name].names, args))])


def run_step(world, sequence_step):
    name, *args = sequence_step
    did = steps[name].run(world, *args)
    world.glance()
    return did
