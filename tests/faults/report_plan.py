"""The reports that the fault rows ask for, as definitions for aforod and as a plain model: what each row of each report must be, given
the events."""

import collections
import ctypes
import decimal
import re

from support import text_time, us_of

__all__ = ["ALL", "CLIENTS", "EVENT", "EXACT", "FIELDS", "GROUPS", "PAID", "PLAIN", "ROUTES", "SLOW", "WIDTH_US", "Report", "Row",
           "definitions", "wrong_figures"]

WIDTH_US = {"10ms": 10_000, "100ms": 100_000, "1s": 1_000_000, "1min": 60_000_000, "1h": 3_600_000_000, "1d": 86_400_000_000}
# An event is a tuple of these. `group` names up to 50 events, and `mask` is the event's own bit: the sum over a group tells
# exactly which of its events were counted. price, in hundredths, is missing in some.
FIELDS = {"client": "int", "delta": "int", "group": "int", "mask": "int", "ms": "int", "price": "decimal2", "route": "text"}
EVENT = ("us", *FIELDS)
AT = {name: place for place, name in enumerate(EVENT)}
US, PRICE = AT["us"], AT["price"]
QUANTILES_OFF = 0.011
BUCKETS_OFF = 2  # distinct: values of a few that fall into one register
DISTINCT_OFF = 0.04  # five times the error of a HyperLogLog


class Report:
    """One report: `show` is a text, `when` its text and the same as a function of an event."""

    def __init__(self, name, windows, show, by=(), when=None, keys=1000, memory="8MiB", full=False):
        self.name, self.windows, self.by, self.when, self.keys, self.memory = name, windows, by, when, keys, memory
        self.full = full  # keys find no room: the row `(other)` takes their events
        self.show = show.split()
        self.needs_price = "price" in {*by, *re.findall(r"\((\w+)\)", show)}  # the one field that events may lack

    def text(self):
        lines = [f"  - name: {self.name}", f"    windows: [{', '.join(self.windows)}]",
                 "    show: [" + ", ".join(f'"{figure}"' for figure in self.show) + "]"]
        lines += [f"    by: [{', '.join(self.by)}]"] if self.by else []
        lines += [f"    when: {self.when[0]}"] if self.when else []
        lines += [f"    keys: {{max: {self.keys}}}"] if self.by else []
        return "\n".join([*lines, f"    memory: {self.memory}"]) + "\n"

    def rows(self, events, window):
        """{(window's start, key): Row}, as it must be."""
        width, rows = WIDTH_US[window], collections.defaultdict(list)
        key = [lambda event: (), lambda event: (event[by[0]],), lambda event: (event[by[0]], event[by[1]])][len(self.by)]
        by = [AT[field] for field in self.by]
        takes = self.when[1] if self.when else lambda event: True
        for event in events:
            if takes(event) and not (self.needs_price and event[PRICE] is None):
                rows[event[US] // width * width, key(event)].append(event)
        return {place: Row(held) for place, held in rows.items()}

    def agrees(self):
        """It takes every event, and says so by the digest."""
        return self.when is None and "digest" in self.show and not self.needs_price


def definitions(reports):
    fields = ", ".join(f"{name}: {{type: {kind}}}" for name, kind in FIELDS.items())
    return f"fields: {{{fields}}}\nreports:\n" + "".join(report.text() for report in reports)


EXACT = "count sum(delta) min(delta) max(delta) first last digest"
GROUPS = Report("groups", ["1d"], "count sum(mask)", by=("group",), keys=100_000, memory="16MiB")
ALL = Report("all", ["1s", "1min", "1h"], EXACT)
CLIENTS = Report("clients", ["1s", "1min"], EXACT, by=("client",))
ROUTES = Report("routes", ["1min"], "count digest avg(ms) p50(ms) p99(ms) distinct(client) top3(client) first(client) last(client)",
                by=("route",), keys=64, memory="32MiB")
PAID = Report("paid", ["1min", "1d"], "count sum(price) max(price) first last", by=("route", "client"),
              when=("price", lambda event: event[PRICE] is not None))
SLOW = Report("slow", ["1s"], "count sum(ms) max(ms)",
              when=('ms > 800 or route == "/r1"', lambda event: event[AT["ms"]] > 800 or event[AT["route"]] == "/r1"))
PLAIN = [GROUPS, ALL, CLIENTS, ROUTES, PAID, SLOW]


# ---- figures ----

def load_xxh3():
    """The library that aforod's own hash comes with, as far from its code as can be had here."""
    function = ctypes.CDLL("libxxhash.so.0").XXH3_64bits
    function.restype, function.argtypes = ctypes.c_uint64, (ctypes.c_char_p, ctypes.c_size_t)
    return function


XXH3 = load_xxh3()


def hash_of(event):
    """XXH3 of `time US name US value ...`, the fields by name."""
    parts = [str(event[US])]
    for name in FIELDS:
        value = event[AT[name]]
        if value is not None:
            parts += [name, str(decimal.Decimal(value).scaleb(-2)) if name == "price" else str(value)]
    text = "\x1f".join(parts).encode()
    return XXH3(text, len(text))


hashes = {}


def hash_once(event):
    return hashes.setdefault(event, hash_of(event))


class Row:
    """The events of one row, and what each figure makes of them."""

    def __init__(self, events):
        self.events, self.known = events, {}

    def figure(self, figure):
        """What it must be; of one that is not exact, what the bounds are reckoned from."""
        if figure not in self.known:
            self.known[figure] = self.reckon(*figure.rstrip(")").partition("(")[::2])
        return self.known[figure]

    def reckon(self, name, field):
        if name == "count":
            return len(self.events)
        if name == "digest":
            return digest_text(self.events)
        if name in ("first", "last"):
            return edge(self.events, field, min if name == "first" else max)
        place = AT[field]
        values = [event[place] for event in self.events]
        if name in ("sum", "min", "max"):
            value = {"sum": sum, "min": min, "max": max}[name](values)
            return decimal.Decimal(value).scaleb(-2) if field == "price" else value
        if name == "avg":
            return sum(values) / len(values)
        return collections.Counter(map(str, values)) if name.startswith("top") else sorted(values)


def digest_text(events):
    values = [hashes.get(event) or hash_once(event) for event in events]
    high, low = sum(value >> 32 for value in values), sum(value & 0xffffffff for value in values)
    return f"{high & 0xffffffff:08x}{low & 0xffffffff:08x}"


def edge(events, field, of_all):
    """The first or last time; or the value there, of several at one time the larger bytes."""
    at = of_all(event[US] for event in events)
    return max(str(event[AT[field]]) for event in events if event[US] == at) if field else at


def quantile_holds(values, percent, found):
    """It is the value at that rank, or a neighbour of it where the rank is not whole."""
    rank = percent / 100 * len(values)
    near = values[max(0, int(rank) - 1):int(rank) + 1] or values[-1:]
    return found is not None and near[0] * (1 - QUANTILES_OFF) - 1 <= found <= near[-1] * (1 + QUANTILES_OFF) + 1


def distinct_holds(values, found):
    n = len(set(values))
    return abs(found - n) <= (max(BUCKETS_OFF, DISTINCT_OFF * n) if n > 1 else 0)


def top_holds(counts, n, found):
    """Each value's true count is within its bounds, and none that is not listed came more often than the list admits."""
    listed = {item["value"]: (item["count"] - item["error"], item["count"]) for item in found or []}
    missed = max((count for value, count in counts.items() if value not in listed), default=0)
    return (len(listed) == min(n, len(counts)) and missed <= min((high for _, high in listed.values()), default=0)
            and all(low <= counts.get(value, 0) <= high for value, (low, high) in listed.items()))


def figure_holds(figure, row, found):
    must = row.figure(figure)
    if figure in ("first", "last"):
        return us_of(found) == must
    if figure.startswith(("first(", "last(")):
        return str(found) == must
    if figure.startswith("avg"):
        return abs(float(found) - must) <= 0.0051  # it is shown with two digits
    if figure.startswith("distinct"):
        return distinct_holds(must, found)
    if figure.startswith("top"):
        return top_holds(must, int(figure[3:figure.index("(")]), found)
    if figure.startswith("p"):
        return quantile_holds(must, float(figure[1:figure.index("(")]), found)
    return found == must


def wrong_figures(report, place, row, found):
    """What is wrong with a row, in a sentence; "" when nothing is."""
    wrong = [figure for figure in report.show if not figure_holds(figure, row, found[figure])]
    shown = {figure: (found[figure], row.known[figure]) for figure in wrong}
    return f"{text_time(place[0], 3)} {place[1]}, {len(row.events)} events: (found, expected) {shown}" if wrong else ""
