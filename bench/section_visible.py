"""How long it takes until an event that was sent can be read: from the node, and from Redis."""

import random
import socket
import time

import peers
from measure import CLIENT_CORE, SERVER_CORE, Failure, now_us, on_core, text_time
from report import number, table
from sections import section

SAMPLES = 200
TIMEOUT_S = 5


class Wire:
    """A connection that asks one question again and again."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, question):
        self.socket.sendall(question)

    def ask(self, question):
        self.socket.sendall(question)
        return self.socket.recv(65536)

    def close(self):
        self.socket.close()


def post(us):
    body = f"value={text_time(us)}"
    return (f"POST / HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def question_to_node(us):
    start, end = (text_time(us // 10000 * 10000 + ahead).replace(" ", "T") for ahead in (0, 10000))
    text = f"GET /counts/10ms?from={start}Z&to={end}Z&partial=1 HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    return text, lambda answer: answer.endswith(b", 1\n")


def question_to_redis(us):
    second, part = text_time(us)[:19].replace(" ", "T"), f"{us // 10000 % 100:02d}"
    words = ["HGET", f"aforo:{{10ms:{second}}}", part]
    text = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    return text.encode(), lambda answer: answer == b"$1\r\n1\r\n"


def sample(events, questions, make):
    """Microseconds from the sending of an event until it is read; each in a 10 ms window that held none."""
    time.sleep(0.011 + random.random() * 0.02)  # a window of its own, at any moment of the flush interval
    us = now_us()
    question, is_there = make(us)
    request = post(us)
    begin = time.perf_counter()
    events.send(request)
    while not is_there(questions.ask(question)):
        if time.perf_counter() - begin > TIMEOUT_S:
            raise Failure(f"an event is not to be read after {TIMEOUT_S} s")
    found = (time.perf_counter() - begin) * 1e6
    if not events.socket.recv(4096).startswith(b"HTTP/1.1 204"):
        raise Failure("an event was refused")
    return found


def percentile(values, share):
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


@section("visibility", "Visibility: from the sending of an event until it can be read")
def visibility(bench):
    servers = {interval: peers.Aforod(bench.place, "--flush-interval", interval, name=f"aforod-{interval}", threads=2,
                                      cores=(SERVER_CORE, CLIENT_CORE)).start() for interval in ("100ms", "5ms")}
    kinds = [("at the node, GET /counts", servers["100ms"], servers["100ms"].port, question_to_node, 1000),
             ("in Redis, flush every 100 ms", servers["100ms"], servers["100ms"].redis.port, question_to_redis, 110000),
             ("in Redis, flush every 5 ms", servers["5ms"], servers["5ms"].redis.port, question_to_redis, 10000)]
    samples = SAMPLES if bench.seconds is None else 20 * bench.seconds
    rows = []
    for name, server, port, make, most_us in kinds:
        bench.say(f"{name}, {samples} events")
        events, questions = Wire(server.port), Wire(port)
        with on_core(CLIENT_CORE):
            found = [sample(events, questions, make) for _ in range(samples)]
        events.close()
        questions.close()
        rows.append([name, *(number(value, 0) for value in (percentile(found, 0.5), percentile(found, 0.99), max(found)))])
        bench.goals.at_most(f"p99 {name}", percentile(found, 0.99) / 1000, most_us / 1000, 2, " ms")
    return (f"{samples} single events on 2 threads, polled without a pause.\n\n"
            + table(["readable", "p50 us", "p99 us", "max us"], rows))
