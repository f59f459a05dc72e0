"""What a row shows of its events, by plain arithmetic; and whether what was read is that."""

import collections
import functools
import math
import re

from definitions import FIELDS, WIDTHS, argument
from model import PLACE, hash_of
from support import text_time
from values import shown, text_of, written

HALF = (1 << 32) - 1
FEW = 32          # values up to which distinct counts them one by one
CUT = 48          # bytes that first(x), last(x) and top keep of a value
QUANTILE_OFF = 0.011


class Number(str):
    """A number of JSON as it was written."""


class Row:
    """The events of one row."""

    def __init__(self, model, numbers, width):
        self.events = [model.events[i] for i in numbers]
        self.width_us = WIDTHS[width]
        self.cache = {}

    def values(self, name):
        if name not in self.cache:
            place = PLACE[name]
            self.cache[name] = [event[2][place] for event in self.events]
        return self.cache[name]

    def texts(self, name):
        return collections.Counter(text_of(name, value) for value in self.values(name))


def nearest(dividend, divisor):
    """Halves away from zero."""
    return (abs(dividend) * 2 + divisor) // (2 * divisor) * (-1 if dividend < 0 else 1)


def number(value, decimals):
    text = written(value, decimals).decode()
    return Number(text) if abs(int(float(text))) < 1 << 53 else text


def time_text(us):
    return text_time(us).replace(" ", "T") + "Z"


def digest(events):
    low = sum(event[1] & HALF for event in events) & HALF
    high = sum(event[1] >> 32 for event in events) & HALF
    return f"{high << 32 | low:016x}"


def edge(row, name, best):
    """The value at the first or last time; of several the larger bytes."""
    at = best(event[0] for event in row.events)
    value = max(text_of(name, event[2][PLACE[name]])[:CUT] for event in row.events if event[0] == at)
    return shown(value) if FIELDS[name].decimals is None else Number(value.decode())


def stddev(row, name):
    """The nearest to sqrt(n * squares - sum^2) / n, with two more decimals than the field has."""
    values = row.values(name)
    n, decimals = len(values), FIELDS[name].decimals + 2
    spread = n * sum(value * value for value in values) - sum(values) ** 2
    root = math.isqrt(4 * 10_000 * spread // (n * n))  # twice of it, cut off
    return number((root + 1) // 2, decimals)


EXACT = {
    "count": lambda row, name: Number(len(row.events)),
    "digest": lambda row, name: digest(row.events),
    "rate": lambda row, name: number(nearest(len(row.events) * 1_000_000_000, row.width_us), 3),
    "sum": lambda row, name: number(sum(row.values(name)), FIELDS[name].decimals),
    "min": lambda row, name: number(min(row.values(name)), FIELDS[name].decimals),
    "max": lambda row, name: number(max(row.values(name)), FIELDS[name].decimals),
    "avg": lambda row, name: number(nearest(sum(row.values(name)) * 100, len(row.events)), FIELDS[name].decimals + 2),
    "stddev": stddev,
    "first": lambda row, name: edge(row, name, min) if name else time_text(min(event[0] for event in row.events)),
    "last": lambda row, name: edge(row, name, max) if name else time_text(max(event[0] for event in row.events)),
}


def quantile_differs(row, figure, found):
    name = argument(figure)
    share = float(figure[1:figure.index("(")])
    values = sorted(row.values(name))
    millionths = round(share * 10_000)
    exact = values[max(1, -(-len(values) * millionths // 1_000_000)) - 1]
    value = float(found) * 10 ** FIELDS[name].decimals
    if abs(value - exact) > exact * QUANTILE_OFF + 1e-9:
        return f"within 1.1 % of {number(exact, FIELDS[name].decimals)}"
    return ""


def shortened(text):
    """As top lists a value."""
    return text if len(text) <= CUT else text[:31] + b"~%016x" % hash_of(text)


def top_differs(row, figure, found):
    """Each value came as often as its bounds say, and one that is not listed no more often than the last that is."""
    name, most = argument(figure), int(re.match("top([0-9]+)", figure)[1])
    counts, numeric = row.texts(name), FIELDS[name].decimals is not None
    known = collections.Counter()
    for text, n in counts.items():
        known[text.decode() if numeric else shown(shortened(text))] += n
    if len({item["value"] for item in found}) != len(found) or len(found) != min(most, len(counts)):
        return f"{min(most, len(counts))} different values"
    counters = min(max(64, most * 10), 512)
    for item in found:
        count, error = int(item["count"]), int(item["error"])
        exact = known[item["value"]]
        if not count - error <= exact <= count or error * counters > len(row.events) or (error and len(counts) <= counters):
            return f"{item['value']} came {exact} times of {len(row.events)}"
    listed = {item["value"] for item in found}
    missed = max((n for text, n in known.items() if text not in listed), default=0)
    if found and missed > int(found[-1]["count"]):
        return f"a value that came {missed} times"
    return ""


@functools.cache
def kind_of(figure):
    return re.match("[a-z]+", figure)[0]


def differs(row, figure, found, distinct):
    """What the figure should be, if `found`, as JSON has it, is not that; else nothing. distinct: (figure, values) -> estimate."""
    kind, name = kind_of(figure), argument(figure)
    if found is None:
        return "a value"
    if kind == "p":
        return quantile_differs(row, figure, found)
    if kind == "top":
        return top_differs(row, figure, found)
    if kind == "distinct":
        expected = distinct(name, row)
    else:
        expected = EXACT[kind](row, name)
    if found != expected or isinstance(found, Number) != isinstance(expected, Number):
        return repr(expected)
    return ""
