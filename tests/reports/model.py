"""The plain model: it remembers every event that was acknowledged and which rows it belongs to, and nothing else. What a row shows is
made of its events when it is asked for (figures.py)."""

import array
import collections
import ctypes
import ctypes.util
import re

from definitions import FIELDS, REPORTS, WIDTHS, argument, needs
from values import KEY_MAX, NUMBER_END, escaped, resolve, takes, text_of

OTHER = "(other)"  # in the place of a value; values are bytes or numbers
NAMES = list(FIELDS)
PLACE = {name: i for i, name in enumerate(NAMES)}

xxhash = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
xxhash.XXH3_64bits.restype = ctypes.c_uint64
xxhash.XXH3_64bits.argtypes = (ctypes.c_char_p, ctypes.c_size_t)


def hash_of(text):
    return xxhash.XXH3_64bits(text, len(text))


def digest_text(us, values):
    """TIME { US NAME US VALUE }; a US in a value is doubled"""
    parts = [b"%d" % us]
    for name, value in values.items():
        if value is not None:
            parts += (name.encode(), text_of(name, value).replace(b"\x1f", b"\x1f\x1f"))
    return b"\x1f".join(parts)


def beyond(key):
    """Which value makes a key of texts too long, or None."""
    length = -1
    for i, text in enumerate(key):
        length += 1 + len(escaped(text))
        if length > KEY_MAX:
            return i
    return None


class Rows:
    """A report's rows of one width, on one node: which events are in which."""

    def __init__(self):
        self.events = {}  # (window, key) -> numbers of events

    def add(self, window, key, number):
        found = self.events.get((window, key))
        if found is None:
            found = self.events[window, key] = array.array("I")
        found.append(number)


class Limits:
    """Who found room: of a report with few keys, in one window of one worker, whose events come in one order."""

    def __init__(self):
        self.keys, self.values = set(), collections.defaultdict(set)

    def key(self, report, key):
        """The key of the row where an event with this key goes."""
        most, of_field = report.limits
        if key in self.keys:
            return key
        changed = list(key)
        for i, name in enumerate(report.by):
            values = self.values[name]
            if name in of_field and key[i] not in values:
                if len(values) < of_field[name]:
                    values.add(key[i])
                else:
                    changed[i] = OTHER
        changed = tuple(changed)
        if changed not in self.keys:
            if len(self.keys) >= most:
                return (OTHER,) * len(key)
            self.keys.add(changed)
        return changed


class Node:
    """What one node has counted."""

    def __init__(self):
        self.rows = {(report.name, width): Rows() for report in REPORTS for width in report.windows}
        self.limits = collections.defaultdict(Limits)  # (report, width, window) -> who found room
        self.sums = collections.defaultdict(lambda: [0, 0])  # (report, width, window, key) -> above zero, below
        self.unfit = collections.Counter()  # (report, field) since the start
        self.counted = self.refused = 0

    def keys(self, report, us, key):
        """[(width, window, the row's key)]"""
        rows = [(width, us // WIDTHS[width]) for width in report.windows]
        if not report.by:
            return [(width, window, ()) for width, window in rows]
        if report.when is None or report.when[0] != "zone":
            return [(width, window, key) for width, window in rows]
        return [(width, window, self.limits[report.name, width, window].key(report, key)) for width, window in rows]

    def sum_fits(self, report, places, value):
        """Sums of what is above and what is below zero stay below 2^53; an event that any window has no room for is in none."""
        side = value < 0
        sums = [self.sums[(report.name, *place)] for place in places]
        if any(each[side] + abs(value) >= NUMBER_END for each in sums):
            return False
        for each in sums:
            each[side] += abs(value)
        return True


class Model:
    def __init__(self, nodes):
        self.events = []  # (us, hash, values in the order of NAMES)
        self.nodes = {name: Node() for name in nodes}

    def count(self, name, us, found):
        """One event that was acknowledged: {(source, name): text}. Returns {field} that kept it out of a report."""
        node = self.nodes[name]
        values, unfit = resolve(found)
        number = len(self.events)
        self.events.append((us, hash_of(digest_text(us, values)), tuple(values.values())))
        node.counted += 1
        kept_out = set()
        for report, looks, wanted in PLANS:
            left_out = looks and looks.intersection(unfit)
            if not left_out:
                if report.when and not report.when[1](values):
                    continue
                left_out = [each for each in wanted if values[each] is None]
            if not left_out:
                left_out = self.add(node, report, us, values, number)
            for each in left_out:
                node.unfit[report.name, each] += 1
                kept_out.add(each)
        return kept_out

    @staticmethod
    def add(node, report, us, values, number):
        """Adds an event that the report is about. Returns the field that a figure does not take, in a list."""
        for figure in PARTICULAR[report.name]:
            if not takes(figure, values):
                return [argument(figure)]
        key = tuple([values[each] for each in report.by])
        if "note" in report.by and (long := beyond(key)) is not None:
            return [report.by[long]]
        places = node.keys(report, us, key)
        if report.name == "bounded" and not node.sum_fits(report, places, values["big"]):
            return ["big"]
        for width, window, row in places:
            node.rows[report.name, width].add(window, row, number)
        return ()

    def rows(self, report, width, nodes):
        """{(window, key): numbers of events}, of some nodes together."""
        parts = [self.nodes[name].rows[report.name, width].events for name in nodes]
        if len(parts) == 1:
            return parts[0]
        together = {place: array.array("I", numbers) for place, numbers in parts[0].items()}
        for part in parts[1:]:
            for place, numbers in part.items():
                if place in together:
                    together[place] = together[place] + numbers
                else:
                    together[place] = numbers
        return together


PLANS = [(report, report.when[2] if report.when else frozenset(), needs(report)) for report in REPORTS]
# Figures that do not take every number.
PARTICULAR = {report.name: [figure for figure in report.show if re.match("p[0-9]|stddev", figure)] for report in REPORTS}
