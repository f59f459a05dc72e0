"""The fields and reports under test: as the YAML that aforod is given, and as the model has them."""

import collections
import functools

SECOND = 1_000_000
WIDTHS = {"10ms": 10_000, "1s": SECOND, "1min": 60 * SECOND, "10min": 600 * SECOND, "15min": 900 * SECOND, "1h": 3600 * SECOND,
          "1d": 86_400 * SECOND}

# decimals: None of text. places: (source, name), the first that is there counts.
Field = collections.namedtuple("Field", "name decimals places")
# when: (as it is written, the same in Python, the fields it looks at). limits: (keys, {field: values}), of one window and worker.
# mib: of memory, for the rows of 10^6 events; None: what aforod takes.
Report = collections.namedtuple("Report", "name by windows show when limits mib")


def field(name, decimals, *places):
    return Field(name, decimals, [tuple(place.split(".", 1)) for place in places])


# The order in Python is that of the names: as digest has them.
FIELDS = {each.name: each for each in (
    field("big", 0, "form.big", "json.big", "line.big", "query.big"),
    field("client", 0, "json.call.client", "form.client", "line.client", "query.client", "header.X-Client"),
    field("kind", None, "form.kind", "json.kind", "line.kind", "query.kind"),
    field("ms", 0, "form.ms", "json.ms", "line.ms", "query.ms"),
    field("note", None, "form.note", "json.more.note", "line.note", "query.note"),
    field("price", 2, "form.price", "json.price", "line.price", "query.price"),
    field("route", None, "json.web.route", "form.route", "line.route", "query.route", "header.X-Route"),
    field("user", None, "form.user", "json.user", "line.user", "query.user"),
    field("zone", None, "query.zone", "form.zone", "json.zone", "line.zone", "header.X-Zone"))}


def is_some(v):
    return v["client"] in (1, 2, 37) and ((v["route"] is not None and v["route"].startswith(b"/a")) or v["user"] is None)


def is_fine(v):
    return v["price"] is not None and -150 <= v["price"] < 10_000 and v["price"] != 725


def is_other(v):
    small = v["ms"] is not None and v["ms"] <= 20 or v["client"] == 3
    return v["user"] is not None and v["kind"] is not None and v["kind"] != b"b" and not small


def is_slow(v):
    return v["ms"] is not None and v["ms"] > 1000 or v["route"] == b"/pay" and v["price"] is None


def has(name):
    return name, lambda v: v[name] is not None, {name}


EVERY = None
KINDS = (10, {})  # more than there are
REPORTS = [
    Report("all", [], ["10ms", "1s", "1min", "1h", "1d"], ["count", "digest"], EVERY, None, None),
    Report("kinds", ["kind"], ["1min", "1d"], ["count", "digest", "rate"], EVERY, KINDS, 8),
    Report("users", ["user"], ["1h", "1d"], ["count", "sum(ms)", "first", "last", "digest"], EVERY, (60_000, {}), 256),
    Report("calls", ["route", "client"], ["1min"],
           ["count", "sum(price)", "min(ms)", "max(ms)", "avg(ms)", "first(user)", "last(user)"], EVERY, (10_000, {}), 640),
    Report("spread", ["kind"], ["1s", "1h"], ["stddev(ms)", "stddev(price)", "avg(price)", "sum(price)", "min(price)", "max(price)"],
           EVERY, KINDS, 64),
    Report("quick", ["kind"], ["10min", "1h"], ["p0.1(ms)", "p50(ms)", "p99(ms)", "p99.9(ms)", "p1(price)", "p75(price)"],
           EVERY, KINDS, 64),
    Report("seen", ["kind"], ["10min", "1h"], ["distinct(user)", "distinct(client)", "distinct(price)"], EVERY, KINDS, 160),
    Report("often", ["kind"], ["10min", "1d"], ["top5(user)", "top3(client)", "top100(price)"], EVERY, KINDS, 48),
    Report("slow", ["kind"], ["15min"], ["count", "rate", "max(ms)"],
           ('ms > 1000 or route == "/pay" and not price', is_slow, {"ms", "route", "price"}), KINDS, 8),
    Report("some", [], ["1min"], ["count", "digest"],
           ('client in (1, 2, 37) and (route starts "/a" or not user)', is_some, {"client", "route", "user"}), None, None),
    Report("fine", ["client"], ["1h"], ["count", "sum(price)", "last(price)"],
           ("price >= -1.50 and price < 100 and price != 7.25", is_fine, {"price"}), (2000, {}), 16),
    Report("other", [], ["1s", "1min"], ["count", "first", "last", "first(kind)"],
           ('user and kind != "b" and kind and not (ms <= 20 or client == 3)', is_other, {"user", "kind", "ms", "client"}), None, None),
    Report("limited", ["zone", "client"], ["1min", "1h"], ["count", "sum(client)", "digest"], has("zone"), (20, {"client": 8}), 16),
    Report("maxed", ["zone"], ["10min", "1h"], ["count", "max(client)", "p50(client)", "distinct(client)"], has("zone"), (5, {}), 48),
    Report("bounded", ["kind"], ["1min", "1d"], ["count", "sum(big)", "max(big)"], has("big"), KINDS, 8),
    Report("notes", ["note", "user"], ["1h"], ["count", "first(note)", "last(note)", "digest"], has("note"), (60_000, {}), 64),
    Report("marks", ["kind"], ["1h"], ["top10(note)", "distinct(note)"], has("note"), KINDS, 8),
]


@functools.cache
def argument(figure):
    """The field of a figure: ms of p99(ms), None of count."""
    return figure[figure.index("(") + 1:-1] if figure.endswith(")") else None


def needs(report):
    """The fields without which an event is no part of the report, in the order in which they are looked at."""
    return sorted({*report.by, *(argument(figure) for figure in report.show if argument(figure))})


def mib(report, events):
    return report.mib if events > 100_000 else min(report.mib, 160)


def yaml(events):
    """The definitions, with memory for the rows of so many events."""
    lines = ["fields:"]
    for each in FIELDS.values():
        kind = "text" if each.decimals is None else f"decimal{each.decimals}" if each.decimals else "int"
        places = ", ".join(f"{source}.{name}" for source, name in each.places)
        lines.append(f"  {each.name}: {{from: [{places}], type: {kind}}}")
    lines.append("reports:")
    for report in REPORTS:
        when = f"    when: '{report.when[0]}'\n" if report.when else ""
        most, values = report.limits or (0, {})
        limits = [f"max: {most}"]
        limits += [f"per_field: {{{', '.join(f'{name}: {n}' for name, n in values.items())}}}"] if values else []
        by = f"    by: [{', '.join(report.by)}]\n" if report.by else ""
        lines.append(f"  - name: {report.name}\n{when}{by}    windows: [{', '.join(report.windows)}]\n"
                     f"    show: [{', '.join(report.show)}]" + (f"\n    keys: {{{', '.join(limits)}}}" if report.limits else "")
                     + (f"\n    memory: {mib(report, events)}MiB" if report.mib else ""))
    return "\n".join(lines) + "\n"
