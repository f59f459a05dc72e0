"""How many different values: held against a real Redis, which gets the same values by PFADD."""

from definitions import REPORTS, WIDTHS, argument
from figures import FEW, Number
from model import OTHER, PLACE
from support import Failure, Redis, text_time
from values import escaped, text_of

REGISTERS_AT = 16  # bytes before them: "HYLL", the encoding, the cached cardinality
MOST_AT_ONCE = 400_000


class Reference:
    """A Redis of its own. Its keys: NODE, report, width, window and key of a row, and the field."""

    def __init__(self, place):
        self.redis = Redis(place, "--hll-sparse-max-bytes", "0", name="reference").start()

    def fill(self, model):
        """All values of all rows, a node at a time; and of all nodes together, by PFMERGE."""
        for report, name, width in figures():
            merged = {}
            for node in model.nodes:
                commands, waiting = [], 0
                for place, numbers in model.rows(report, width, [node]).items():
                    values = sorted({text_of(name, model.events[i][2][PLACE[name]]) for i in numbers})
                    key = key_of(node, report, width, place, name)
                    merged.setdefault(key_of("all", report, width, place, name), []).append(key)
                    commands.append(("PFADD", key, *values))
                    waiting += len(values)
                    if waiting > MOST_AT_ONCE:
                        self.redis.pipeline(commands)
                        commands, waiting = [], 0
                self.redis.pipeline(commands)
            self.redis.pipeline([("PFMERGE", key, *parts) for key, parts in merged.items()])

    def counts(self, node, report, width, name, places):
        """{place: PFCOUNT}"""
        places = list(places)
        return dict(zip(places, self.redis.pipeline([("PFCOUNT", key_of(node, report, width, each, name)) for each in places])))

    def compare_bytes(self, store, report, width, name, digest, places):
        """Our keys at `store` have the bytes that PFADD has made, and PFCOUNT counts the same; how many were compared."""
        places = list(places)
        ours = [store_key(report, digest, width, place, name) for place in places]
        theirs = [key_of("all", report, width, place, name) for place in places]
        found = store.pipeline([("GET", key) for key in ours], as_bytes=True)
        meant = self.redis.pipeline([("GET", key) for key in theirs], as_bytes=True)
        counts = store.pipeline([("PFCOUNT", key) for key in ours])
        expected = self.redis.pipeline([("PFCOUNT", key) for key in theirs])
        for i, key in enumerate(ours):
            if found[i] is None or found[i][:5] != meant[i][:5] or found[i][REGISTERS_AT:] != meant[i][REGISTERS_AT:]:
                raise Failure(f"{key}: {found[i] and found[i][:16]} and {len(found[i] or b'')} bytes are not those of PFADD")
            if counts[i] != expected[i]:
                raise Failure(f"{key}: PFCOUNT is {counts[i]}, not {expected[i]}")
        return len(ours)


def key_of(node, report, width, place, name):
    return f"{node} {report.name} {width} {place} {name}"


def store_key(report, digest, width, place, name):
    """Where our HyperLogLog of a row is."""
    window, key = place
    digits = {"d": 10, "h": 13, "n": 16, "s": 19}[width[-1]]
    start = text_time(window * WIDTHS[width])[:digits].replace(" ", "T")
    tail = b"".join(b"\x1f" + (OTHER.encode() if value is OTHER else escaped(text_of(field, value)))
                    for field, value in zip(report.by, key))
    return f"aforo:2:r:{{{report.name}.{digest}:{width}:{start}}}:distinct({name})".encode() + tail


def figures():
    """(report, field, width) of all figures distinct(x)."""
    return [(report, argument(figure), width) for report in REPORTS for figure in report.show if figure.startswith("distinct(")
            for width in report.windows]


def expected(count, row, name, exact):
    """The figure: exact of few values where the list of them is there, else as PFCOUNT says."""
    n = len(set(row.values(name)))
    return Number(n if exact and n <= FEW else count)
