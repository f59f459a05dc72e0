"""aforod and its answers."""

import datetime
import functools
import http.client
import json
import pathlib
import signal
import socket

from .process import BIN, EPOCH, TIMEOUT_S, Failure, Program, environment, wait_until

SOME_DAY = "2001-09-09 01:46:40"  # before anything that tests count


@functools.lru_cache(maxsize=100_000)
def us_of(text):
    """Microseconds of 2016-05-28T11:11:11.120Z."""
    moment = datetime.datetime.fromisoformat(text.rstrip("Z").replace(" ", "T"))
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


class Server(Program):
    """aforod."""

    def __init__(self, place, *flags, name="aforod", state=None, redis=None, threads=2, env=None, as_user=None,
                 program=BIN / "aforod"):
        self.port = place.port()
        self.state = pathlib.Path(state or place.dir / f"{name}-state")
        self.redis = redis
        self.threads, self.program = threads, program
        self.flags = list(flags)
        super().__init__(place, name, [], environment(**(env or {})), as_user)

    def spawn(self):
        url = [] if self.redis is None else ["--redis", getattr(self.redis, "url", self.redis)]
        self.command = [str(word) for word in (
            self.program, "--listen", f"127.0.0.1:{self.port}", "--state", self.state, "--threads", self.threads, *url,
            *self.flags)]
        super().spawn()

    def start(self):
        self.spawn()
        self.ready()
        return self

    def ready(self):
        def answers():
            if not self.running():
                raise Failure(f"{self.name} ended with {self.process.returncode}:\n{self.log()[-2000:]}")
            try:
                return self.request("GET", "/healthz").status == 200
            except (OSError, http.client.HTTPException):
                return False
        wait_until(answers, lambda: f"{self.name} answers\n{self.log()[-2000:]}")

    def refuses_to_start(self, timeout_s=TIMEOUT_S):
        """Starts it, waits for the end that is expected, and returns (exit status, its output)."""
        before = len(self.log())
        self.spawn()
        return self.wait(timeout_s), self.log()[before:]

    def stop(self, timeout_s=TIMEOUT_S):
        """SIGTERM; returns the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S)

    def request(self, method, path, body=None, headers=None, encode_chunked=False):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            link.request(method, path, body, headers or {}, encode_chunked=encode_chunked)
            answer = link.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            link.close()

    def post(self, body, headers=None):
        return self.request("POST", "/", body, headers)

    def post_lines(self, lines):
        body = lines if isinstance(lines, (bytes, str)) else "".join(f"{line}\n" for line in lines)
        return self.request("POST", "/events", body)

    def health(self):
        return self.request("GET", "/healthz").json

    def stats(self):
        return self.request("GET", "/stats").json

    def conserved(self):
        """received = counted + refused; returns the statistics."""
        stats = self.stats()
        if stats["received"] != stats["counted"] + sum(stats["refused"].values()):
            raise Failure(f"{self.name}: received is not counted + refused: {stats}")
        return stats

    def counts(self, resolution):
        """{start in us: count} of everything that the server holds; only windows with events."""
        return rows_of(self.read_long(f"/counts/{resolution}?from={SOME_DAY.replace(' ', 'T')}Z&partial=1&format=csv").decode())

    def read_long(self, path):
        """The body of an answer of thousands of chunks; http.client would wake up for each of them."""
        with self.connect() as link:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1 << 16)  # or until the end
            link.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            head, _, body = b"".join(iter(lambda: link.recv(1 << 18), b"")).partition(b"\r\n\r\n")
        if b"\r\nTransfer-Encoding: chunked" in head:
            return joined(body)
        if f"\r\nContent-Length: {len(body)}\r\n".encode() not in head + b"\r\n":
            raise ConnectionError(f"{self.name} closed the connection within an answer")
        return body


def joined(body):
    """The chunks of a chunked body."""
    pieces, at = [], 0
    while True:
        end = body.find(b"\r\n", at)
        size = int(body[at:end] or b"0", 16) if end > 0 else -1
        if size < 0 or len(body) < end + size + 4:
            raise ConnectionError("the connection was closed within an answer")
        if size == 0:
            return b"".join(pieces)
        pieces.append(body[end + 2:end + 2 + size])
        at = end + size + 4


def rows_of(csv):
    """Over a long time nearly all rows are zero, so only the others are parsed."""
    counts = {}
    for line in [line for line in csv.split("\n")[1:] if ",0," not in line and line]:
        start, count, _ = line.split(",")
        counts[us_of(start)] = int(count)
    return counts
