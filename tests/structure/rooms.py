"""The rooms of the tree: which files are in which, its library, and whose headers it may include."""

import collections
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]

Room = collections.namedtuple("Room", "library may")

# Arrows run one way: a room may include only rooms that stand above it here. A path is in the room with the longest name that
# it begins with.
ROOMS = {
    "counters/time": Room("aforo-time", ()),
    "include": Room(None, ()),
    "counters": Room("aforo-counters", ("counters/time",)),
    "counters/rows": Room("aforo-rows", ("counters/time", "counters")),
    "common": Room("aforo-common", ("counters/time",)),
    "counters/measures": Room("aforo-measures", ("counters/time", "include", "counters/rows", "common")),
    "ingest": Room("aforo-ingest", ("counters/time", "include", "common")),
    "reports": Room("aforo-reports", ("counters/time", "include", "counters", "counters/rows", "counters/measures", "common",
                                      "ingest")),
    "eventlog": Room("aforo-eventlog", ("counters/time", "common")),
    "replay": Room("aforo-replay", ("counters/time", "counters", "counters/rows", "ingest", "reports", "eventlog")),
    "view": Room("aforo-view", ("counters/time", "counters", "counters/rows", "counters/measures", "common", "reports")),
    "redis": Room("aforo-redis", ("counters/time", "common")),
    "server/process": Room("aforo-process", ("counters/time", "common", "counters", "counters/rows")),
    "server/lists": Room("aforo-lists", ("counters/time", "counters", "common")),
    "server/net": Room("aforo-net", ("counters/time", "server/process", "server/lists")),
    "server/access": Room("aforo-access", ("counters/time", "common", "server/process", "server/lists", "server/net")),
    "server/flush": Room("aforo-flush", ("counters/time", "counters", "counters/rows", "counters/measures", "reports", "redis",
                                         "server/process")),
    "server/reports": Room("aforo-report-sets", ("counters/time", "counters", "counters/rows", "counters/measures", "ingest",
                                                  "reports", "server/process")),
    "server/eventlog": Room("aforo-event-log", ("counters/time", "counters", "eventlog", "replay", "server/process", "server/lists")),
    "server/http": Room("aforo-http", ("counters/time", "include", "counters", "counters/rows", "counters/measures", "reports", "eventlog", "view", "ingest", "common", "server/process", "server/lists",
                                       "server/net", "server/access", "server/flush", "server/reports")),
    "server": Room("aforo-worker", ("counters/time", "counters", "counters/rows", "reports", "eventlog", "ingest", "redis", "common", "server/process", "server/lists",
                                    "server/net", "server/access", "server/flush", "server/eventlog", "server/reports", "server/http")),
    "tools/console": Room("aforo-console", ("counters/time", "counters", "counters/rows", "counters/measures", "common", "ingest",
                                            "reports", "eventlog", "replay", "view", "redis")),
    "tools/serve": Room("aforo-serve", ("counters/time", "counters", "common", "reports", "view", "redis", "server/process",
                                        "server/lists", "server/net", "server/access", "server/http", "server", "tools/console")),
    "tools/main": Room(None, ("counters/time", "counters", "common", "view", "tools/console", "tools/serve")),
    "bench": Room("bench-client", ("counters/time", "include", "counters", "counters/rows", "counters/measures", "reports", "ingest", "eventlog", "redis", "server/process", "server/flush")),
}

# What is in server/ itself and still a room of its own: what aforod can be told, what it tells, and why it refuses.
LISTS = ("server/options.", "server/metrics.", "server/refusals.")

# Where the console program begins: it knows all commands, and so stands above their rooms.
MAIN = "tools/console/aforo.c"

# Arrows that run back, as (file, what it includes): why it still does. To be taken out one by one; none is to be added.
KNOWN = {}

# Lists without code, and the room that may read them beside the one they are of: either program knows the variables of both.
DATA = {"server/options.def": "common", "tools/console/flags.def": "common", "tools/serve/serve.def": "common"}

# Made by CMake, for the room that makes them.
MADE = {"scripts.h": "redis", "page_tags.h": "view"}


def room_of(path):
    """The room of a path from the root; None when it is in none."""
    if path.startswith(LISTS):
        return "server/lists"
    if path == MAIN:
        return "tools/main"
    return max((room for room in ROOMS if path.startswith(room + "/")), key=len, default=None)
