"""The register of the bench's sections: each a function of a Bench, under a name of the command line."""

import sys

from measure import Place
from peers import Missing
from report import Goals

sections = {}


class Bench:
    """What a section gets: a place for its processes, its time, its goals, and a way to say how far it is."""

    def __init__(self, name, seconds):
        self.name, self.seconds = name, seconds
        self.place, self.goals, self.skipped, self.failed = Place(), Goals(), [], False

    def say(self, text):
        print(f"{self.name}: {text}", file=sys.stderr, flush=True)

    def start(self, make, *arguments, **settings):
        """A server made and started; None, and named in the report, when this machine has no such peer."""
        try:
            return make(self.place, *arguments, **settings).start()
        except Missing as why:
            name = getattr(make, "__name__", str(make))
            self.say(f"{name} is skipped: {why}")
            self.skipped.append(f"{name} was skipped: {why}.")
            return None


def section(name, title):
    """Registers a section; the function returns its markdown without its goals."""
    def add(function):
        sections[name] = (function, title)
        return function
    return add
