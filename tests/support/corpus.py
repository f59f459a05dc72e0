"""Reads tests/corpus, whose README says what the lines mean; and what tests of raw connections share."""

import collections
import ctypes
import pathlib
import re
import socket

from programs import now_us, text_time

DIRECTORY = pathlib.Path(__file__).resolve().parents[1] / "corpus"
GOOD = "POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n\\r\\n"
HOUR_US = 3_600_000_000

# data: what is sent; counts, refuses: after how many bytes an event is; ends: the server closes; waits: for more;
# twice: the last answer may come twice; may: a status that may come besides
Request = collections.namedtuple("Request", "name data answers ends waits twice counts refuses may", defaults=[None])


def macros():
    now = now_us()
    return {"post": "POST / HTTP/1.1\\r\\nHost: x\\r\\n", "events": "POST /events HTTP/1.1\\r\\nHost: x\\r\\n",
            "get": "GET /healthz HTTP/1.1\\r\\nHost: x\\r\\n", "good": GOOD + "{!}", "unseen": GOOD, "now": text_time(now),
            "old": text_time(now - 2 * HOUR_US), "ahead": text_time(now + HOUR_US)}


def bytes_of(text):
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


def parse(text):
    """The bytes, and where the marks stand in them."""
    known = macros()
    text = re.sub(r"\{(\w+)\}", lambda found: known[found[1]], text)
    again = 1
    while again:
        text, again = re.subn(r"\{([^{}]+)\*(\d+)\}", lambda found: found[1] * int(found[2]), text)
    data, marks = b"", {"!": [], "?": []}
    for i, piece in enumerate(re.split(r"\{([!?])\}", text)):
        if i % 2:
            marks[piece].append(len(data))
        else:
            data += bytes_of(piece)
    return data, marks["!"], marks["?"]


def library():
    """The version of libmicrohttpd that the programs of this machine run with."""
    version = ctypes.CDLL("libmicrohttpd.so.12").MHD_get_version
    version.restype = ctypes.c_char_p
    return version().decode("ascii")


def read_differences():
    """(file, what) -> (answers, counted, refused) where this machine's library does not answer as the corpus says."""
    path, found = DIRECTORY / f"libmicrohttpd-{library()}", {}
    for line in path.read_text(encoding="ascii").splitlines() if path.exists() else ():
        if line and not line.startswith("#"):
            file, what, answers, tally = line.split(" | ")
            assert (file, what) not in found, line
            found[file, what] = (answers, *map(int, tally.split()))
    return found


def as_answered(request, difference):
    """The request, with what another library makes of it: never more that is counted."""
    answers, counted, refused = difference
    assert counted <= len(request.counts), f"{request.name}: counted, where the corpus has it refused"
    may, surely = re.fullmatch(r"(?:\((\d+)\))? ?(.*)", answers).groups()
    return request._replace(answers=[int(code) for code in re.findall(r"\d+", surely)], ends=answers.endswith("."), waits=False,
                            may=may and int(may), counts=request.counts[:counted],
                            refuses=(request.refuses + [len(request.data)] * refused)[:refused])


def read_corpus():
    """All requests, with timestamps of this moment, and the answers of this machine's library."""
    requests, differences = [], read_differences()
    for path in sorted(DIRECTORY.glob("*.txt")):
        for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            answers, what, text = line.split(" | ", 2)
            data, counts, refuses = parse(text)
            request = Request(f"{path.name}:{number}: {what}", data, [int(code) for code in re.findall(r"\d+", answers)],
                              answers.endswith(".") and not answers.endswith("..."), answers.endswith("..."),
                              "*" in answers, counts, refuses)
            difference = differences.pop((path.name, what), None)
            requests.append(as_answered(request, difference) if difference else request)
    assert not differences, f"not in the corpus: {differences}"
    return requests


def statuses(received):
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]


def answers_to(request, received):
    """The statuses, without the one that may come besides."""
    return [code for code in statuses(received) if code != request.may]


def acknowledged(received):
    """Events that the answers say were counted."""
    return statuses(received).count(204) + sum(int(n) for n in re.findall(rb'"accepted":(\d+)', received))


def receive(link, enough=lambda received: False):
    """Everything until the other side closes, or there is enough; (bytes, closed). The link has a time-out."""
    received = b""
    while not enough(received):
        try:
            part = link.recv(65536)
        except ConnectionError:
            return received, True
        except TimeoutError:
            return received, False
        if not part:
            return received, True
        received += part
    return received, False


def answers(link, n):
    """The statuses of n answers of a connection that stays open; of fewer, when it is closed or silent before."""
    return statuses(receive(link, lambda received: received.count(b"\r\n\r\n") >= n)[0])


def send(link, data):
    """False when the other side has closed before it was all sent: it may."""
    try:
        link.sendall(data)
        return True
    except ConnectionError:
        return False
    except TimeoutError:
        return False


def connect(port, source="127.0.0.1"):
    link = socket.create_connection(("127.0.0.1", port), 10, (source, 0))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link
