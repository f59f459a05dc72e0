"""How long it takes until an event that was sent can be read: from the node, and from Redis."""

import random
import socket
import time

import peers
from measure import CLIENT_CORE, SERVER_CORE, Failure, now_us, on_core, text_time
from report import number, table
from sections import section

SAMPLES = 400  # where each takes but a moment; half of it where it takes a tenth of a second
TIMEOUT_S = 5


class Wire:
    """A connection that asks one question again and again."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, question):
        self.socket.sendall(question)

    def ask(self, question, is_whole):
        self.socket.sendall(question)
        answer = b""
        while not is_whole(answer):
            piece = self.socket.recv(65536)
            if not piece:
                raise Failure(f"closed after {answer!r}")
            answer += piece
        return answer

    def close(self):
        self.socket.close()


def post(us):
    body = f"value={text_time(us)}"
    return (f"POST / HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def is_whole_page(answer):
    head, end, body = answer.partition(b"\r\n\r\n")
    if b"chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    return bool(end) and len(body) >= int(head.partition(b"Content-Length: ")[2].split()[0])


def is_whole_value(answer):
    return answer == b"$-1\r\n" or (answer.startswith(b"$1") and len(answer) == 7)


# Each question: what to send, when its answer is whole, and when the event is in it.
def question_to_node(us):
    start, end = (text_time(us // 10000 * 10000 + ahead).replace(" ", "T") for ahead in (0, 10000))
    text = f"GET /counts/10ms?from={start}Z&to={end}Z&partial=1 HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    return text, is_whole_page, lambda answer: b", 1\n" in answer


def question_to_redis(us):
    second, part = text_time(us)[:19].replace(" ", "T"), f"{us // 10000 % 100:02d}"
    words = ["HGET", f"aforo:2:{{10ms:{second}}}", part]
    text = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    return text.encode(), is_whole_value, lambda answer: answer == b"$1\r\n1\r\n"


def sample(events, questions, make, interval_s):
    """Microseconds from the sending of an event until it is read; each in a 10 ms window that held none."""
    time.sleep(0.011 + random.random() * interval_s)  # a window of its own, at any moment of the flush interval
    us = now_us()
    question, is_whole, is_there = make(us)
    request = post(us)
    begin = time.perf_counter()
    events.send(request)
    while not is_there(questions.ask(question, is_whole)):
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
    slow, fast = servers["100ms"], servers["5ms"]
    samples = SAMPLES if bench.seconds is None else 40 * bench.seconds
    kinds = [("at the node, GET /counts", slow, slow.port, question_to_node, 1, 0.005, samples),
             ("in Redis, flush every 100 ms", slow, slow.redis.port, question_to_redis, 110, 0.1, samples // 2),
             ("in Redis, flush every 5 ms", fast, fast.redis.port, question_to_redis, 10, 0.005, samples)]
    rows = []
    for name, server, port, make, most_ms, interval_s, n in kinds:
        bench.say(f"{name}, {n} events")
        events, questions = Wire(server.port), Wire(port)
        with on_core(CLIENT_CORE):
            found = [sample(events, questions, make, interval_s) for _ in range(n)]
        events.close()
        questions.close()
        figures = (percentile(found, 0.5), percentile(found, 0.99), max(found))
        rows.append([name, n, *(number(value, 0) for value in figures)])
        bench.goals.at_most(f"p99 {name}", percentile(found, 0.99) / 1000, most_ms, 2, " ms")
    return ("Single events, 2 threads, polled without a pause by a client that takes its share of the same cores.\n\n"
            + table(["readable", "events", "p50 us", "p99 us", "max us"], rows))
