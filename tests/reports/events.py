"""Random events, and the requests that carry them."""

import collections
import random

import entrances
from definitions import FIELDS, SECOND
from values import HOSTILE, NO_VALUE, TEXT_MAX, spelled, time_text

KINDS = (b"a", b"b", b"c", b"d e", b"\xc3\xa9")
ROUTES = [b"/pay", b"/a", b"/a/b", b"/home", b"/a b", b'/"q"', b"/%41", b"/\xff"] + [b"/r%d" % i for i in range(24)]
USERS = 50_000
SHORT_MAX = 200  # bytes of a text in the query string or a header: the head of a request is bounded
EDGES_MS = (0, 1, 2, 3, 20, 1000, 1001, (1 << 40) - 1, 1 << 40, -5)
BAD_TIMES = (b"yesterday", b"2026-13-01 00:00:00", b"1e9", b"")

NO_EVENTS = {True: (b"7", b'"x"', b"null", b'{"client":1}'), False: (b"", b"", b"x", b"{", b'{"time":')}

# us: its time, time: as it is written. found: {(source, name): text} of the body. refused: why it is, or None.
Event = collections.namedtuple("Event", "us time found refused")
# events: in order, with the number each has in the answer. shared: {(source, name): text} of the whole request.
Request = collections.namedtuple("Request", "bytes events shared single")


class Events:
    """Made-up events. All choices follow from the seed and the time at which it begins."""

    def __init__(self, seed, now_us, size):
        self.random = random.Random(seed)
        self.now_us, self.spread_us, self.horizon_us = now_us, size.spread_s * SECOND, size.horizon_s * SECOND
        self.oldest_us = now_us - self.spread_us - SECOND  # times are written with few digits now and then
        self.bursts = [now_us - self.random.randrange(self.spread_us) for _ in range(size.bursts)]

    # ---- one event ----

    def time(self, now_us):
        """(event time, why it is refused)"""
        rnd = self.random
        chance = rnd.random()
        if chance < 0.005:
            return now_us - self.horizon_us - rnd.randrange(10 * SECOND, 86_400 * SECOND), "late"
        if chance < 0.01:
            return now_us + rnd.randrange(900 * SECOND, 86_400 * SECOND), "ahead"
        if chance < 0.03:
            return now_us + rnd.randrange(4 * SECOND), None
        if chance < 0.75:
            return rnd.choice(self.bursts) + rnd.randrange(SECOND), None
        us = self.now_us - rnd.randrange(self.spread_us)
        return (us - us % SECOND if chance < 0.85 else us), None

    def user(self):
        rnd = self.random
        if rnd.random() < 0.002:
            return rnd.choice((b"\x02" * 341, b"\x02" * 340 + b"xxxx", b"\x02" * 400))  # a key of 4,096 bytes with the note, and more
        if rnd.random() < 0.5:
            return b"u%d" % int(USERS ** rnd.random())
        return b"u%d" % rnd.randrange(USERS)

    def number(self, name):
        rnd = self.random
        if name == "client":
            return int(200 ** rnd.random()) if rnd.random() < 0.9 else rnd.randrange(-3, 200)
        if name == "ms":
            return int(10 ** (rnd.random() * 5)) if rnd.random() < 0.95 else rnd.choice(EDGES_MS)
        if name == "price":
            return rnd.choice((725, 10_000, -150, -151, 0, 1)) if rnd.random() < 0.1 else int(rnd.gauss(5000, 2500))
        return rnd.choice((1, -1)) * rnd.randrange(1 << rnd.randrange(1, 53))

    def wrong(self, name):
        """A text that is not of the field's type; of a text field, one that is too long."""
        if FIELDS[name].decimals is None:
            return b"t" * (TEXT_MAX + 1)
        return self.random.choice((b"x", b"", b"1.005", b"0x10", b"9007199254740992", b"+1", b"1 ", b".5", b"5.", b"NaN", b"\xff",
                                   b"1e400", b"--1"))

    def fields(self, zoned, large):
        """{field: text}; fields are missing, or are not of their type, now and then."""
        rnd = self.random
        chance = rnd.random
        texts = {"kind": rnd.choice(KINDS)}
        if chance() < 0.97:
            texts["user"] = self.user()
        if chance() < 0.97:
            texts["route"] = ROUTES[int(len(ROUTES) ** chance()) - 1]
        if chance() < 0.06:
            texts["note"] = rnd.choice(HOSTILE) if chance() < 0.5 else b"n%d" % rnd.randrange(600)
            if len(texts.get("user", b"")) > 300:
                texts["note"] = b"\x01" * 1024
        if zoned and chance() < 0.3:
            texts["zone"] = b"z%d" % rnd.randrange(12) if chance() < 0.95 else b"(other)"
        for name, present in (("client", 0.97), ("ms", 0.98), ("price", 0.95), ("big", 0.05 * large)):
            if chance() < present:
                texts[name] = spelled(rnd, self.number(name), FIELDS[name].decimals)
        if chance() < 0.03:
            name = rnd.choice(list(FIELDS))
            if name != "kind" and (large or name != "big") and (zoned or name != "zone"):
                texts[name] = self.wrong(name)
        return texts

    # ---- where its fields stand ----

    def names(self, source, texts):
        """[(name, text)] as they stand in the body; a second one of the same name does not count."""
        rnd = self.random
        parts = []
        for name, text in texts.items():
            for where, inner in FIELDS[name].places:
                if where == source:
                    if source == "json" and FIELDS[name].decimals is not None and rnd.random() < 0.002:
                        text = NO_VALUE
                    parts.append((inner, text))
        if rnd.random() < 0.3:
            rnd.shuffle(parts)
        if parts and rnd.random() < 0.02:
            name = rnd.choice(parts)[0]
            if "." not in name:
                parts.append((name, b"77"))
        return parts

    def elsewhere(self, texts, chance):
        """Takes some fields out of the body, or says something else of them: (query, headers) as [(name, text)]."""
        rnd = self.random
        query, headers = [], []
        for name in list(texts):
            if name == "kind" or rnd.random() >= chance:
                continue
            text = texts[name]
            inner = {where: inner for where, inner in FIELDS[name].places}
            if len(text) <= SHORT_MAX and "header" in inner and entrances.HEADER_VALUE.fullmatch(text) and rnd.random() < 0.5:
                headers.append((inner["header"], text))
            elif fits_query(text) and "query" in inner:
                query.append((inner["query"], text))
            else:
                continue
            if rnd.random() < 0.8:
                del texts[name]
        return query, headers

    def event(self, source, texts, now_us):
        """(event, its body)"""
        rnd = self.random
        us, refused = self.time(now_us)
        time, us = time_text(rnd, us)
        if rnd.random() < 0.003:
            time, refused = rnd.choice(BAD_TIMES), "malformed"
            if source == "line" and time == b"":
                time = b"x"
        parts = self.names(source, texts)
        write = {"form": lambda: entrances.form([("value", time), *parts]), "json": lambda: entrances.json_object(rnd, time, parts),
                 "line": lambda: entrances.line(rnd, time, parts), "none": lambda: b""}[source]
        try:
            body = write()
        except entrances.NotJson:
            parts = [(name, text) for name, text in parts if is_utf8(text)]
            body = entrances.json_object(rnd, time, parts)
        found = {}
        for name, text in parts:
            found.setdefault((source, name), text)
        return Event(us, time, found, refused), body

    # ---- requests ----

    def single(self, now_us, zoned, large):
        """POST / with one event."""
        rnd = self.random
        source = rnd.choice(("form", "form", "json", "none"))
        texts = self.fields(zoned, large)
        query, headers = self.elsewhere(texts, 0.1 if source != "none" else 0)
        if source == "none":
            texts = {name: text for name, text in texts.items() if fits_query(text)}
        event, body = self.event(source, texts, now_us)
        if source == "none":
            query = [("value", event.time), *texts.items()]
        kind = {"json": entrances.JSON, "none": None}.get(source, rnd.choice((entrances.FORM, None, b"text/plain")))
        wire = entrances.request(b"/", entrances.form(query), headers, kind, body)
        return Request(wire, [(1, event)], shared_of(query, headers), True)

    def batch(self, now_us, zoned, large, n):
        """POST /events with n events, and some lines that are none."""
        rnd = self.random
        kind = rnd.choice((entrances.NDJSON, entrances.JSON, None))
        source = "line" if kind is None else "json"
        query, headers = self.elsewhere(self.fields(zoned, False), 0.3) if rnd.random() < 0.2 else ([], [])
        events, bodies = [], []
        while len(events) < n:
            if rnd.random() < 0.005:
                bodies.append(rnd.choice(NO_EVENTS[kind == entrances.JSON]))
                if bodies[-1]:  # an empty line has a number, and is none
                    events.append((len(bodies), None))
            event, body = self.event(source, self.fields(zoned, large), now_us)
            bodies.append(body)
            events.append((len(bodies), event))
        end = rnd.choice((b"\n", b"\r\n"))
        body = b"[" + b",".join(bodies) + b"]" if kind == entrances.JSON else end.join(bodies) + rnd.choice((b"", end))
        wire = entrances.request(b"/events", entrances.form(query), headers, kind, body)
        return Request(wire, events, shared_of(query, headers), False)


def fits_query(text):
    """No request has a NUL in its target, nor a long one."""
    return len(text) <= SHORT_MAX and b"\0" not in text


def is_utf8(text):
    try:
        return text is NO_VALUE or text.decode() is not None
    except UnicodeDecodeError:
        return False


def shared_of(query, headers):
    shared = {}
    for source, parts in (("query", query), ("header", headers)):
        for name, text in parts:
            shared.setdefault((source, name), text)
    return shared
