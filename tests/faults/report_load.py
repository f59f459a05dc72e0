"""Events with fields, sent as fast as is wanted by several connections, and the ledger of them: which were sent, and which answers came.

What an answer never told, the report `groups` does: events are sent in groups of up to 50, each with a bit of its own, and the sum
of the bits says which of them were counted. So what every row of every other report must be is known exactly."""

import http.client
import json
import random
import threading
import time

from faults import TIMEOUT_S, Failure, now_us, text_time, wait_until

__all__ = ["ReportLoad"]

GROUP = 50  # bits of a sum below 2^53
KINDS = ("application/x-ndjson", "text/plain", "application/x-www-form-urlencoded")


class Request:
    """Groups that go to the server in one request: {number: [events]}."""

    def __init__(self, groups):
        self.groups, self.answered, self.accepted = groups, False, 0

    def events(self):
        return [event for group in self.groups.values() for event in group]


def as_json(event):
    us, client, delta, group, mask, ms, price, route = event
    paid = "" if price is None else f',"price":"{price // 100}.{price % 100:02d}"'
    return f'{{"time":{us},"client":{client},"delta":{delta},"group":{group},"mask":{mask},"ms":{ms}{paid},"route":"{route}"}}\n'


def as_pairs(event, separator):
    us, client, delta, group, mask, ms, price, route = event
    paid = "" if price is None else f"price={price // 100}.{price % 100:02d}{separator}"
    return separator.join((f"client={client}", f"delta={delta}", f"group={group}", f"mask={mask}", f"ms={ms}", f"{paid}route={route}"))


def body_of(kind, events):
    if kind == KINDS[0]:
        return "/events", "".join(map(as_json, events))
    if kind == KINDS[1]:
        return "/events", "".join(f"{text_time(event[0])} {as_pairs(event, ' ')}\n" for event in events)
    return "/", f"value={text_time(events[0][0])}&{as_pairs(events[0], '&')}"


class Sender(threading.Thread):
    """One connection after the other; what it sent is its own until it is paused."""

    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load, self.random = load, random.Random(f"{load.seed}.{number}")
        self.requests, self.link = [], None
        self.going, self.idle, self.ending = threading.Event(), threading.Event(), False
        self.answered, self.failure = 0, None
        self.going.set()

    def run(self):
        try:
            while not self.ending:
                if not self.going.is_set():
                    self.idle.set()
                    self.going.wait()
                    self.idle.clear()
                    continue
                self.send()
        except Exception as error:  # the row says so
            self.failure = error
        finally:
            self.idle.set()
            if self.link:
                self.link.close()

    def new_event(self, group, place):
        load, pick = self.load, self.random.random
        us = now_us() + load.offset_us - int(pick() * load.past_us)
        return (us, int(pick() * load.clients), int(pick() * 2001) - 1000, group, 1 << place, int(pick() * pick() * 2000),
                int(pick() * 10000) if pick() < 0.7 else None, f"/r{int(pick() * load.routes)}")

    def new_request(self, events):
        groups = {}
        while events > 0:
            number = self.load.next_group()
            groups[number] = [self.new_event(number, place) for place in range(min(GROUP, events))]
            events -= GROUP
        return Request(groups)

    def send(self):
        kind = self.random.choice(KINDS)
        request = self.new_request(1 if kind == KINDS[2] else 1 + int(self.random.random() * self.load.size))
        path, body = body_of(kind, request.events())
        if not self.connected():
            return
        self.requests.append(request)
        try:
            self.link.request("POST", path, body, {"Content-Type": kind})
            answer = self.link.getresponse()
            self.take(request, answer.status, answer.read())
        except (OSError, http.client.HTTPException):
            self.link.close()
            self.link = None
        if self.load.rate:
            time.sleep(self.random.random() * 2 / self.load.rate)

    def connected(self):
        """There is a connection; while there is no server, nothing is sent."""
        if self.link is None:
            link = http.client.HTTPConnection("127.0.0.1", self.load.server.port, timeout=TIMEOUT_S)
            try:
                link.connect()
                self.link = link
            except OSError:
                time.sleep(0.005)
        return self.link is not None

    def take(self, request, status, body):
        said = json.loads(body) if status == 200 and body.startswith(b"{") else {}
        request.accepted = said.get("accepted", int(status == 204))
        if status not in (200, 204) or status == 200 and not said or said.get("rejected") or "unfit" in said:
            raise Failure(f"{status} {body[:500]}")
        request.answered = True
        self.answered += 1


class ReportLoad:
    """All senders to one server. `rate`: requests a second and sender, 0: as fast as it goes. `offset_us`: what the server's clock is
    ahead of ours."""

    numbers = 0
    lock = threading.Lock()

    def __init__(self, run, server, senders=3, size=150, rate=0, past_us=30_000_000, clients=20, routes=12):
        self.server, self.seed, self.size, self.rate = server, run.random.randrange(1 << 32), size, rate
        self.past_us, self.offset_us, self.clients, self.routes = past_us, 0, clients, routes
        self.senders = [Sender(self, number) for number in range(senders)]
        run.place.at_close(self.end)
        for sender in self.senders:
            sender.start()

    @classmethod
    def next_group(cls):
        with cls.lock:
            cls.numbers += 1
            return cls.numbers

    def end(self):
        for sender in self.senders:
            sender.ending = True
            sender.going.set()
        for sender in self.senders:
            sender.join(TIMEOUT_S)

    def fail(self):
        for sender in self.senders:
            if sender.failure:
                raise Failure(f"the load failed: {sender.failure!r}")

    def progress(self, requests=10):
        """Waits until each sender has so many more answers."""
        for sender in self.senders:
            goal = sender.answered + requests
            wait_until(lambda one=sender, enough=goal: one.failure or one.answered >= enough, "the load goes on")
        self.fail()

    def pause(self):
        """Nothing is in flight afterwards."""
        for sender in self.senders:
            sender.going.clear()
        for sender in self.senders:
            sender.idle.wait(TIMEOUT_S)
        self.fail()

    def resume(self):
        for sender in self.senders:
            sender.idle.clear()
            sender.going.set()

    def requests(self):
        return [request for sender in self.senders for request in sender.requests]

    def counted(self, masks):
        """The events that were counted, by {group: the sum of their bits}. Fails when an acknowledged one is missing."""
        events = []
        for request in self.requests():
            found = [event for number, group in request.groups.items() for event in group if masks.get(number, 0) & event[4]]
            if request.answered and len(found) != request.accepted:
                raise Failure(f"{request.accepted} events of groups {list(request.groups)} were acknowledged, {len(found)} counted")
            events += found
        return events
