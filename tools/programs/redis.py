"""redis-server, its sentinel, and a client that is independent of the programs under test."""

import datetime
import socket

from .process import EPOCH, TIMEOUT_S, Failure, Program, text_time, wait_until

WIDTH_US = {"10ms": 10_000, "1s": 1_000_000, "1min": 60_000_000}
CHUNK_US = {"10ms": 1_000_000, "1s": 60_000_000, "1min": 3_600_000_000}
CHUNK_TIME = {"10ms": "%Y-%m-%dT%H:%M:%S", "1s": "%Y-%m-%dT%H:%M", "1min": "%Y-%m-%dT%H"}


class RedisError(Exception):
    """An error reply."""


def read_reply(wire, as_bytes=False):
    """Reads one reply of Redis' protocol."""
    return reply_of(wire.readline(), wire, as_bytes)


def reply_of(line, wire, as_bytes):
    """The same after its first line was read."""
    if not line.endswith(b"\r\n"):
        raise ConnectionError("Redis closed the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        raise RedisError(rest.decode())
    if kind == b"+":
        return rest.decode()
    if kind == b":":
        return int(rest)
    if int(rest) < 0:
        return None
    if kind == b"$":
        value = wire.read(int(rest) + 2)[:-2]
        return value if as_bytes else value.decode()
    return read_elements(wire, int(rest), as_bytes)


def read_elements(wire, n, as_bytes):
    """Reads n replies. A hash has thousands of strings, so these are read without a call for each."""
    elements, readline, read = [], wire.readline, wire.read
    for _ in range(n):
        line = readline()
        if line[:1] == b"$" and line[1:2] != b"-":
            value = read(int(line[1:]) + 2)[:-2]
            elements.append(value if as_bytes else value.decode())
        else:
            elements.append(reply_of(line, wire, as_bytes))
    return elements


def encoded(word):
    return word if isinstance(word, bytes) else str(word).encode()


class Redis(Program):
    """redis-server, by default without any file, with a client that is independent of the programs under test."""

    def __init__(self, place, *options, name="redis"):
        self.port = place.port()
        self.directory = place.dir / name
        self.directory.mkdir()
        self.options = list(options)
        self.url = f"redis://127.0.0.1:{self.port}"
        super().__init__(place, name, [])

    def program_words(self):
        return ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.directory, "--save", "", *self.options]

    def spawn(self):
        self.command = [str(word) for word in self.program_words()]
        super().spawn()

    def start(self):
        self.spawn()

        def answers():
            if not self.running():
                raise Failure(f"{self.name} ended:\n{self.log()[-2000:]}")
            try:
                return self.do("PING") == "PONG"
            except RedisError as error:  # "LOADING" while it reads its files
                return "NOAUTH" in str(error)
            except OSError:
                return False
        wait_until(answers, f"{self.name} answers")
        return self

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S)

    def pipeline(self, commands, as_bytes=False):
        if not commands:
            return []
        wire = b"".join(b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word), word) for word in map(encoded, words)) for words in commands)
        with self.connect() as link, link.makefile("rb") as replies:
            link.sendall(wire)
            return [read_reply(replies, as_bytes) for _ in commands]

    def do(self, *words):
        return self.pipeline([words])[0]

    def is_master(self):
        return self.replication_says("role:master")

    def follows(self):
        """Whether it is a replica with a link to its master."""
        return self.replication_says("master_link_status:up")

    def replication_says(self, text):
        try:
            return text in self.do("INFO", "replication")
        except (OSError, RedisError):  # sentinel closes the connections of a server whose role it changes
            return False

    def chunks(self, resolution):
        """{start of a chunk in us: its hash}, keys and values as bytes; groups of a cluster are not distinguished."""
        prefix = f"aforo:2:{{{resolution}:"
        keys = [key for key in self.do("KEYS", prefix + "*") if key.endswith("}")]
        chunks = {}
        for key, reply in zip(keys, self.pipeline([("HGETALL", key) for key in keys], as_bytes=True)):
            start = datetime.datetime.fromisoformat(key[len(prefix):-1])
            chunks[(start - EPOCH) // datetime.timedelta(microseconds=1)] = dict(zip(reply[::2], reply[1::2]))
        return chunks

    def counts(self, resolution, node=None):
        """{start in us: count} of everything there: the totals, or what one node has reported."""
        return counts_of(self.chunks(resolution), resolution, node)

    def audit(self):
        """Checks that in every key every total is the sum of its parts; fails with the first that is not. Returns {resolution: counts}."""
        found = {resolution: self.chunks(resolution) for resolution in WIDTH_US}
        for resolution, chunks in found.items():
            for base, chunk in chunks.items():
                sums = {}
                for field, value in chunk.items():
                    for slot, count in part(value).items() if field.startswith(b"n:") else ():
                        sums[slot] = sums.get(slot, 0) + count
                totals = {int(field): int(value) for field, value in chunk.items() if len(field) == 2}
                if b"final" not in chunk and totals != sums:
                    raise Failure(f"{resolution} {text_time(base, 3)}: totals {totals}, but the parts sum to {sums}")
        return {resolution: counts_of(chunks, resolution) for resolution, chunks in found.items()}


def counts_of(chunks, resolution, node=None):
    """{start in us: count} of chunks as they are in Redis."""
    counts, width_us = {}, WIDTH_US[resolution]
    for base, chunk in chunks.items():
        if node is None:
            found = {int(field): int(value) for field, value in chunk.items() if len(field) == 2}
        else:
            found = part(chunk.get(b"n:" + node.encode(), b""))
        for slot, count in found.items():
            counts[base + slot * width_us] = count
    return counts


class Sentinel(Redis):
    """redis-sentinel, which watches one master under the name `counts`."""

    def __init__(self, place, master, name="sentinel", down_after_ms=500, failover_timeout_ms=2000):
        super().__init__(place, name=name)
        self.config = self.directory / "sentinel.conf"
        self.config.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\nlogfile ''\n"
                               f"sentinel monitor counts 127.0.0.1 {master.port} 1\n"
                               f"sentinel down-after-milliseconds counts {down_after_ms}\n"
                               f"sentinel failover-timeout counts {failover_timeout_ms}\n")

    def program_words(self):
        return ["redis-sentinel", self.config]


def part(value):
    """A node's part of a chunk (redis/part.h) -> {slot: count}."""
    if not value:
        return {}
    width, total = value[0], int.from_bytes(value[5:12], "little")
    counts = list(value[12:]) if width == 1 else [int.from_bytes(value[i:i + width], "little") for i in range(12, len(value), width)]
    if sum(counts) != total:
        raise Failure(f"a part says {total}, and sums to {sum(counts)}")
    return {slot: count for slot, count in enumerate(counts) if count}
