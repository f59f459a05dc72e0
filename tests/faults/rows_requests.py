"""Requests that are malformed, hostile, huge, slow or half sent, beside a load that must not notice."""

import contextlib
import socket
import time

from faults import Failure, difference, now_us, row, sums, text_time, wait_until
from support import read_to_end

REQUESTS = {  # what is sent -> how the answer begins; None: closed, with or without an answer
    b"GARBAGE\r\n\r\n": None,
    b"\x00\xff\xfe" * 100: None,
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": b"HTTP/1.1 400",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!": b"HTTP/1.1 400",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n": b"HTTP/1.1 400",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n": b"HTTP/1.1 400",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999999\r\n\r\n": b"HTTP/1.1 4",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n": b"HTTP/1.1 413",
    b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n": b"HTTP/1.1 400",
    b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n": None,
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\nvalue=tomorrow": b"HTTP/1.1 400",
    b"GET /" + b"a" * 10000 + b" HTTP/1.1\r\nHost: x\r\n\r\n": b"HTTP/1.1 4",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100000 + b"\r\n\r\n": b"HTTP/1.1 4",
    b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n": b"HTTP/1.1 405",
    b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n": b"HTTP/1.1 404",
}


def exchange(server, data):
    """Sends, and returns everything that comes until the other side closes or is silent."""
    with server.connect() as link:
        link.settimeout(1)
        received = b""
        try:
            link.sendall(data)
            while part := link.recv(65536):
                received += part
        except (TimeoutError, ConnectionError):
            pass
        return received


@row("hostile-requests", "malformed and hostile requests: 4xx or a closed connection, nothing counted, others unaffected")
def hostile_requests(run):
    server = run.server().start()
    load = run.load(server, connections=16, rate=4000)
    for _ in range(run.many(1, 20)):
        for data, begins in REQUESTS.items():
            received = exchange(server, data)
            if begins and not received.startswith(begins):
                raise Failure(f"{data[:80]} is answered with {received[:80]}")
            if received and not received.startswith(b"HTTP/1."):
                raise Failure(f"{data[:80]} is answered with {received[:80]}")
            server.conserved()
            run.faults += 1
        for _ in range(20):
            exchange_random(run, server)
    load.progress()
    run.verify([server])


def exchange_random(run, server):
    """A good request with bytes changed, cut anywhere, and left."""
    data = bytearray(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nnot-a-timestamp-here")
    for _ in range(run.random.randrange(1, 6)):
        data[run.random.randrange(len(data))] = run.random.randrange(256)
    with server.connect() as link:
        link.sendall(data[:run.random.randrange(len(data))])
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0" if run.random.random() < 0.5 else bytes(8))
    run.faults += 1


@row("slow-requests", "requests that come byte by byte, or stop half way: others unaffected; closed in the end")
def slow_requests(run):
    server = run.server("--header-timeout", "2s", "--body-timeout", "2s", "--idle-timeout", "2s", threads=1).start()
    load = run.load(server, connections=16, rate=run.many(5000, 0))  # steady: other tests run beside the bounded pass
    load.progress(5000)
    load.phase()
    time.sleep(1)
    before = load.phase()
    links = [server.connect() for _ in range(200)]
    for link in links:
        run.place.at_close(link.close)
    for i, link in enumerate(links):  # half way through a body, or through the headers
        link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + (b"Content-Length: 1000\r\n\r\nvalue=" if i % 4 < 2 else b"X: "))
    run.faults = len(links)
    deadline = time.monotonic() + 25
    for i in range(20):  # a byte a turn on half of them; the others are silent
        time.sleep(0.05)
        for link in links[::2]:
            with contextlib.suppress(OSError):  # it may have been closed, on a machine that stood still
                link.sendall(b"2")
    during = load.phase()
    run.note(f"before {before['rate']:.0f} requests/s, p99 {before['p99_us']:.0f} us; "
             f"with {len(links)} slow ones {during['rate']:.0f} requests/s, p99 {during['p99_us']:.0f} us")
    if during["rate"] < 0.5 * before["rate"]:
        raise Failure("the others felt it")
    wait_until(lambda: closed(links[1::2]), "silent ones are closed after --idle-timeout", 10)
    dripping = set(links[::2])
    while dripping and time.monotonic() < deadline:  # any byte keeps a connection from being idle
        time.sleep(0.2)
        dripping = {link for link in dripping if drip(link)}
    if dripping:
        raise Failure(f"{len(dripping)} requests that come byte by byte are still being waited for after 25 s")
    run.verify([server])


def drip(link):
    """Sends one more byte of a body that never ends in time; False when the other side has closed."""
    try:
        link.setblocking(False)
        if link.recv(4096) == b"":
            return False
    except BlockingIOError:
        pass
    except OSError:
        return False
    try:
        return link.send(b"2") == 1
    except OSError:
        return False


def closed(links):
    """Whether the other side has closed all of them; a 4xx before that is fine."""
    for link in links:
        try:
            link.setblocking(False)
            while data := link.recv(4096):
                if not data.startswith(b"HTTP/1.1 4"):
                    raise Failure(f"answered with {data[:80]}")
        except BlockingIOError:
            return False
        except ConnectionError:
            pass
    return True


@row("too-many-connections", "more connections than allowed: closed at once and counted, the allowed ones work")
def too_many_connections(run):
    server = run.server("--max-connections", "50", threads=1).start()
    links = [server.connect() for _ in range(50)]
    for link in links:
        run.place.at_close(link.close)
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    for link in links:
        link.sendall(request)
        if not link.recv(4096).startswith(b"HTTP/1.1 204"):
            raise Failure("an allowed connection does not work")
    for _ in range(30):
        with server.connect() as link:
            link.settimeout(3)
            try:
                link.sendall(request)
                received = link.recv(4096)
            except ConnectionError:
                received = b""
            except TimeoutError:
                raise Failure("one connection too many hangs: neither refused nor answered") from None
            if received and not received.startswith(b"HTTP/1.1 503"):
                raise Failure(f"one too many is answered with {received[:80]}")
        run.faults += 1
    links.pop().close()
    stats = wait_until(lambda: answered(server), "a place that is free again can be had")
    run.sent = run.acked = 50
    run.counted = stats["counted"]
    refused = sum(worker.get("connections_refused", 0) for worker in stats["workers"]) or stats.get("connections_refused", 0)
    if run.counted != 50 or refused < 30:
        raise Failure(f"{run.counted} counted of 50, {refused} of 30 refusals in a metric: {stats['workers']}")


def answered(server):
    try:
        return server.stats()
    except OSError:
        return None


def chunks(body, size):
    return b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + size]), body[i:i + size]) for i in range(0, len(body), size)) + b"0\r\n\r\n"


def whole_answer(server, data):
    """Sends all of it, then reads to the end of the connection; a reset on the way is a failure."""
    with server.connect() as link:
        try:
            link.sendall(data)
            return read_to_end(link)
        except ConnectionError as error:
            raise Failure(f"{len(data)} bytes were sent, and the answer was lost: {error}") from None


@row("batch-too-large", "a batch in chunks beyond --max-body: counted up to a line that the answer names, and nothing else")
def batch_too_large(run):
    server = run.server("--max-body", "1MiB").start()
    fit = (1 << 20) // 27
    base = now_us() // 1_000_000 * 1_000_000 - 1_800_000_000
    for turn in range(run.many(8, 200)):
        n = run.random.randrange(fit + 1, 3 * fit)  # up to 3.1 MB
        lines = "".join(text_time(base + i * 100) + "\n" for i in range(n)).encode()
        received = whole_answer(server, b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                                + chunks(lines, run.random.choice((1000, 4096, 65536, 1 << 20, n * 27))))
        says = b'{"accepted":%d,"rejected":0,"errors":[],"truncated":{"from_line":%d,' % (fit, fit + 1)
        if not received.startswith(b"HTTP/1.1 200 ") or says not in received:
            raise Failure(f"answered with {received[:300]}")
        run.faults += 1
        run.sent, run.acked = run.sent + n, run.acked + fit
        stats = server.conserved()
        if (stats["counted"], stats["refused"]["too_large"]) != (run.acked, turn + 1):
            raise Failure(f"{run.acked} were acknowledged in {turn + 1} batches: {stats['counted']} counted, {stats['refused']}")
    expected = sums({base + i * 100: run.faults for i in range(fit)})
    for resolution, windows in expected.items():
        found = server.counts(resolution)
        if found != windows:
            raise Failure(f"{resolution}: {difference(windows, found)}")
    run.counted = stats["counted"]
