"""Sends requests, many on the way at once, and holds each answer against the model."""

import json
import re
import socket

from support import Failure

PATIENCE_S = 900
NOTED = 10  # lines that an answer names
LENGTH = re.compile(rb"\r\nContent-Length: ([0-9]+)\r\n")


class Link:
    """One connection."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.waiting = b""

    def close(self):
        self.socket.close()

    def more(self):
        received = self.socket.recv(1 << 20)
        if not received:
            raise Failure(f"the server closed the connection after {self.waiting!r}")
        self.waiting += received

    def answer(self):
        """(status, body)"""
        while (end := self.waiting.find(b"\r\n\r\n")) < 0:
            self.more()
        head = self.waiting[:end + 4]
        length = LENGTH.search(head)
        whole = end + 4 + (int(length[1]) if length else 0)
        while len(self.waiting) < whole:
            self.more()
        body, self.waiting = self.waiting[end + 4:whole], self.waiting[whole:]
        return int(head[9:12]), body


def send(link, model, node, requests):
    """Sends them one behind the other; the model counts what is acknowledged."""
    link.socket.sendall(b"".join(request.bytes for request in requests))
    for request in requests:
        status, body = link.answer()
        check = check_single if request.single else check_batch
        wrong = check(model, node, request, status, body)
        if wrong:
            raise Failure(f"{node}: {wrong}\n{request.bytes[:1000]!r}\nis answered {status} {body[:1000]!r}")


def count(model, node, request, event):
    """Counts an event. Returns the fields that keep it out of a report, or None: it is refused."""
    if event is None or event.refused:
        model.nodes[node].refused += 1
        return None
    return model.count(node, event.us, {**request.shared, **event.found})


def check_single(model, node, request, status, body):
    (_, event), = request.events
    unfit = count(model, node, request, event)
    if unfit is None:
        expected = 400 if event.refused == "malformed" else 422
    else:
        expected = 200 if unfit else 204
    if status != expected:
        return f"{expected} is meant, {unfit}"
    named = [name for name in unfit or () if f"{name}: ".encode() in body]
    more = re.search(rb"; and ([0-9]+) more field", body)
    if unfit and len(unfit) != len(named) + (int(more[1]) if more else 0):
        return f"unfit {sorted(unfit)} are meant"
    return ""


def check_batch(model, node, request, status, body):
    accepted, refused, unfit = 0, [], []
    for line, event in request.events:
        fields = count(model, node, request, event)
        if fields is None:
            refused.append(line)
        else:
            accepted += 1
            unfit += [(line, name) for name in fields]
    answer = json.loads(body)
    if (status, answer["accepted"], answer["rejected"]) != (200, accepted, len(refused)):
        return f"{accepted} are meant to be accepted, {len(refused)} rejected"
    if [error["line"] for error in answer["errors"]] != refused[:NOTED]:
        return f"errors in {refused[:NOTED]} are meant"
    named = [(each["line"], each["field"]) for each in answer.get("unfit", [])]
    if len(named) != min(NOTED, len(unfit)) or not set(named) <= set(unfit) or [line for line, _ in named] != \
            [line for line, _ in unfit[:NOTED]]:
        return f"unfit {unfit[:NOTED]} are meant"
    return ""
