"""What open live pages ask, without a browser: so many viewers on connections of their own, in the rounds of view/page/page.js.

    python3 viewers.py PORT VIEWERS SECONDS [BEFORE]

Prints one line of JSON: {"rounds": of one viewer, "answers": 200, "refused": others}, without those of the first BEFORE seconds, in which
the server finds out how many they are."""

import json
import re
import selectors
import socket
import sys
import time

POLL_MS, REREAD, NODES, WHOLE = 250, 2, 4, 60
WIDTH_MS = {"10ms": 10, "1s": 1000, "1min": 60_000}
SPAN_MS = {"10ms": 10_000, "1s": 600_000, "1min": 86_400_000}
REREAD_MS = {"10ms": 2100, "1s": 75_000, "1min": 7_200_000}
TIMEOUT_S = 5


def questions(turn, before, every):
    """The paths that a page asks for in round number `turn` since 1970, after round `before`; it asks every `every` rounds."""
    def due(every):
        return turn // every != before // every
    back = SPAN_MS if due(WHOLE) else {name: ms + (every - 1) * POLL_MS for name, ms in REREAD_MS.items()}
    words = [f"{name}={-(-back[name] // WIDTH_MS[name]) + 1}" for name in (WIDTH_MS if due(REREAD) else ["10ms"])]
    return ["/live?" + "&".join(words + ["nodes=1"] * due(NODES))] + ["/reports"] * due(WHOLE)  # the server has no reports


class Viewer:
    """One connection, which sends its questions one after another."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked, self.held, self.status = [], b"", []
        self.before, self.every = None, 1  # its last round; rounds between questions, as the server says

    def ask(self, paths):
        self.asked = list(paths)
        self.send()

    def send(self):
        self.socket.sendall(f"GET {self.asked[0]} HTTP/1.1\r\nHost: page\r\n\r\n".encode())

    def take(self):
        """Reads what has arrived; True when everything is answered."""
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise ConnectionError("the server closed a viewer's connection")
        self.held += piece
        if not is_whole(self.held):
            return False
        self.status.append(int(self.held[9:12]))
        told = re.search(rb'"next_ms":(\d+)', self.held)
        self.every = int(told[1]) // POLL_MS if told else self.every
        self.held = b""
        del self.asked[0]
        if self.asked:
            self.send()
        return not self.asked


def is_whole(answer):
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    if b"chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(head.partition(b"Content-Length: ")[2].split()[0])


def view(port, viewers, seconds, before=0):
    """Runs rounds of all viewers until the time is over; those of the first `before` seconds are not reported."""
    some = [Viewer(port) for _ in range(viewers)]
    ready, rounds, end = selectors.DefaultSelector(), 0, time.time() + before + seconds
    for viewer in some:
        ready.register(viewer.socket, selectors.EVENT_READ, viewer)
    turn = int(time.time() * 1000) // POLL_MS + 1
    while time.time() < end:
        if rounds and end - time.time() > seconds:
            rounds = 0
            for viewer in some:
                viewer.status = []
        time.sleep(max(0, turn * POLL_MS / 1000 - time.time()))
        due = [viewer for viewer in some if turn % viewer.every == 0]
        waiting = len(due)
        for viewer in due:
            viewer.ask(questions(turn, viewer.before or turn - 1, viewer.every))
            viewer.before = turn
        while waiting:
            events = ready.select(TIMEOUT_S)
            if not events:
                raise TimeoutError("a viewer waits for an answer")
            waiting -= sum(key.data.take() for key, _ in events)
        rounds += 1
        turn = max(turn, int(time.time() * 1000) // POLL_MS) + 1
    status = [one for viewer in some for one in viewer.status]
    for viewer in some:
        viewer.socket.close()
    # without reports /reports is 404
    return {"rounds": rounds, "answers": status.count(200), "refused": len(status) - status.count(200) - status.count(404)}


if __name__ == "__main__":
    print(json.dumps(view(int(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:]))))
