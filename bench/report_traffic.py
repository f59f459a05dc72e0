"""The events of the section `reports`: the same for every server, in amounts that are known, and the rows that they make."""

import collections
import http.client
import json
import math
import random
import socket
import time

from measure import Failure, now_us, text_time

MINUTE_US = 60_000_000
EVENTS = 2000  # of a body
TIMEOUT_S = 60
TICKS_PER_S = 20
Event = collections.namedtuple("Event", "us route status ms bytes user")


def iso_time(us, digits):
    return text_time(us, digits).replace(" ", "T") + "Z"


def drawn(n, users, per_second):
    """n events in order, so many a second; the same ones at each run, but for their minute. As many users as events: each its own."""
    source = random.Random(13)
    begin = (now_us() // MINUTE_US - 5 - n // per_second // 60) * MINUTE_US
    return [Event(begin + i // per_second * 1_000_000 + i % per_second * (1_000_000 // per_second),
                  f"/flights/{min(int(source.expovariate(0.2)), 19):02d}", source.choices((200, 404, 500), (95, 4, 1))[0],
                  source.randrange(1, 1500), source.randrange(100, 90000),
                  f"client-{i % users if users <= n else source.randrange(users):06d}") for i in range(n)]


class Traffic:
    """Bodies of NDJSON, of five declared fields an event and some 120 bytes, sent in turn; and the rows that they make."""

    def __init__(self, n, users=50_000, digits=6, per_body=EVENTS, per_second=EVENTS):
        self.events = drawn(n, users, per_second)
        self.per_body = per_body
        self.bodies = [self.body(self.events[at:at + per_body], digits) for at in range(0, n, per_body)]

    @staticmethod
    def body(events, digits):
        return "".join(json.dumps({"time": iso_time(event.us, digits), **dict(list(event._asdict().items())[1:])},
                                  separators=(",", ":")) + "\n" for event in events).encode()

    def bytes_an_event(self):
        return sum(map(len, self.bodies)) / len(self.events)

    def rows(self, fields, times):
        """{(minute, values of the fields...): (count, sum of bytes)} when all of it has been sent so many times."""
        found = collections.defaultdict(lambda: [0, 0])
        for event in self.events:
            row = found[(text_time(event.us)[:16], *(str(getattr(event, field)) for field in fields))]
            row[0] += times
            row[1] += times * event.bytes
        return {key: tuple(map(str, row)) for key, row in found.items()}

    def web_rows(self, times):
        """The same of `routes` in bench/web.yaml, with the maximum of ms."""
        most = collections.defaultdict(int)
        for event in self.events:
            key = (text_time(event.us)[:16], event.route, str(event.status))
            most[key] = max(most[key], event.ms)
        return {key: (*row, str(most[key])) for key, row in self.rows(("route", "status"), times).items()}


class Sender:
    """One kept connection, and one request at a time. path: where events go."""

    def __init__(self, port, path="/events"):
        self.path = path
        self.link = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def post(self, path, body, kind):
        self.link.request("POST", path, body, {"Content-Type": kind})
        answer = self.link.getresponse()
        text = answer.read()
        if answer.status not in (200, 204):
            raise Failure(f"POST {path}: {answer.status} {text[:200]!r}")
        return text

    def post_events(self, body):
        answer = self.post(self.path, body, "application/x-ndjson")
        if answer and json.loads(answer)["rejected"]:
            raise Failure(f"not every event was taken: {answer[:300]!r}")

    def get(self, path):
        self.link.request("GET", path)
        answer = self.link.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise Failure(f"GET {path}: {answer.status} {text[:200]}")
        return text

    def close(self):
        self.link.close()


def counted_commands(event, fields):
    """Count and sum of a row, as HINCRBY."""
    key, row = "rows:" + text_time(event.us)[:16], ",".join(str(getattr(event, field)) for field in fields)
    return [("HINCRBY", key, row + ",count", "1"), ("HINCRBY", key, row + ",sum", str(event.bytes))]


def web_commands(event, fields):
    """What bench/web.yaml asks, but for its maxima and `last`, for which Redis has no command."""
    time, row = text_time(event.us), ",".join(str(getattr(event, field)) for field in fields)
    commands = counted_commands(event, fields) + [("HINCRBY", "rows:" + time[:19], row + ",count", "1"),
                                                  ("HINCRBY", "rows:" + time[:19], row + ",sum", str(event.bytes))]
    for key in ("more:" + time[:19], "more:" + time[:16]):
        commands += [("HINCRBY", key, row + ",ms", str(event.ms)),
                     ("HINCRBY", key, f"{row},{math.ceil(math.log2(event.ms) * 32)}", "1")]
    if event.ms > 1000 or event.status >= 500:
        commands.append(("HINCRBY", "slow:" + time[:16], event.route, "1"))
    for window in (time[:16], time[:13]):
        commands += [("PFADD", "users:" + window, event.user), ("ZINCRBY", "routes:" + window, "1", event.route)]
    return commands


class Pipeline:
    """Events as commands of Redis; a body is one pipeline, encoded before the load."""

    def __init__(self, port, traffic, fields, commands_of=counted_commands):
        self.bodies, self.replies = [], {}
        for at in range(0, len(traffic.events), traffic.per_body):
            commands = [words for event in traffic.events[at:at + traffic.per_body] for words in commands_of(event, fields)]
            self.bodies.append(b"".join(map(self.encoded, commands)))
            self.replies[id(self.bodies[-1])] = sum(2 if words[0] == "ZINCRBY" else 1 for words in commands)  # lines
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)

    @staticmethod
    def encoded(words):
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)

    def post_events(self, body):
        self.socket.sendall(body)
        ended = 0
        while ended < self.replies[id(body)]:
            piece = self.socket.recv(1 << 20)
            if not piece or piece.startswith(b"-"):
                raise Failure(f"HINCRBY: {piece[:100]!r}")
            ended += piece.count(b"\n")

    def close(self):
        self.socket.close()


def send_at_rate(post, bodies, per_body, rate, seconds):
    """Bodies in turn, so many events a second, in TICKS_PER_S steps; fails when that rate is not reached."""
    begin, sent, step = time.monotonic(), 0, rate // TICKS_PER_S // per_body
    for tick in range(seconds * TICKS_PER_S):
        time.sleep(max(begin + tick / TICKS_PER_S - time.monotonic(), 0))
        for _ in range(step):
            post(bodies[sent % len(bodies)])
            sent += 1
    late = time.monotonic() - begin - seconds
    if late > 0.2 * seconds:
        raise Failure(f"{rate} events/s were not reached: {seconds + late:.1f} s instead of {seconds}")
    return sent * per_body


# ---- what servers answer, in one form: {(start, values of the key...): (figures...)}, all of them text ----


def as_rows(lines, keys, state=False):
    found = {}
    for line in lines:
        cells = line.split(",")
        start = cells[0].replace("T", " ").rstrip("Z")
        rest = cells[1 + state:]
        found[(start[:16], *rest[:keys])] = tuple(cell.replace("T", " ").rstrip("Z") for cell in rest[keys:])
    return found


def rows_of_aforod(port, report, window, keys):
    sender = Sender(port)
    text = sender.get(f"/reports/{report}/{window}?partial=1&format=csv")
    sender.close()
    return as_rows(text.splitlines()[1:], keys, state=True)


def rows_of_peer(port, keys, path="/rows"):
    sender = Sender(port)
    text = sender.get(path)
    sender.close()
    return as_rows(text.splitlines(), keys)


def rows_of_redis(redis):
    """Of the windows of a minute."""
    found = {}
    for key in redis.do("KEYS", "rows:????????????????"):
        fields = redis.do("HGETALL", key)
        for field, value in zip(fields[::2], fields[1::2]):
            row, _, figure = field.rpartition(",")
            found.setdefault((key[5:], *row.split(",")), ["", ""])[figure == "sum"] = value
    return {key: tuple(row) for key, row in found.items()}


def must_agree(name, found, wanted):
    """Fails with the first rows that differ."""
    if found != wanted:
        differing = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
        raise Failure(f"{name} answers otherwise in {len(differing)} of {len(wanted)} rows; "
                      + "; ".join(f"{key}: {found.get(key)}, wanted {wanted.get(key)}" for key in differing[:3]))
