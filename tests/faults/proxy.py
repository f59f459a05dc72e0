"""A TCP proxy that does to replies what networks do: cuts in the middle, delivers half and then nothing, delays, refuses,
slows down (a line each delay_s, as a Redis that takes so long over each command) or drips (a byte each delay_s).

It has one thread, driven by a selector, so that what it does is in one order. `mode` may be set from any thread."""

import selectors
import socket
import threading
import time

PASS, CUT, HALF, DELAY, REFUSE, CUT_REQUEST = "pass", "cut", "half", "delay", "refuse", "cut-request"
SLOW, DRIP = "slow", "drip"


class Proxy:
    def __init__(self, place, target_port, random, delay_s=0.6):
        self.target_port, self.random, self.delay_s = target_port, random, delay_s
        self.mode, self.harm = PASS, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self.pairs, self.late, self.stopping = {}, [], False
        self.next_due = 0
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        place.at_close(self.stop)

    def stop(self):
        self.stopping = True
        self.thread.join()
        for one in list(self.pairs):
            self.close(one)
        self.listener.close()
        self.selector.close()

    def run(self):
        while not self.stopping:
            for key, _ in self.selector.select(0.01 if self.late else 0.1):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj in self.pairs:
                    self.forward(key.fileobj)
            now = time.monotonic()
            due = [entry for entry in self.late if entry[0] <= now]
            self.late = [entry for entry in self.late if entry[0] > now]
            for _, to, data in due:
                self.send(to, data)

    def accept(self):
        client, _ = self.listener.accept()
        if self.mode == REFUSE:
            self.harm += 1
            client.close()
            return
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port), 1)
        except OSError:
            client.close()
            return
        for one, other, is_reply in ((client, server, False), (server, client, True)):
            self.pairs[one] = [other, is_reply, False]  # the last: deliver nothing any more
            self.selector.register(one, selectors.EVENT_READ)

    def forward(self, source):
        other, is_reply, mute = self.pairs[source]
        try:
            data = source.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self.close(source)
        elif not mute:
            self.deliver(source, other, is_reply, data)

    def deliver(self, source, other, is_reply, data):
        mode = self.mode
        part = data[:self.random.randrange(len(data))]
        if is_reply and mode == DELAY:
            self.harm += 1
            self.late.append((time.monotonic() + self.delay_s, other, data))
        elif is_reply and mode in (SLOW, DRIP):
            self.harm += 1
            for piece in data.splitlines(True) if mode == SLOW else (data[i:i + 1] for i in range(len(data))):
                self.next_due = max(self.next_due, time.monotonic()) + self.delay_s
                self.late.append((self.next_due, other, piece))
        elif is_reply and mode == HALF:
            self.harm += 1
            self.pairs[source][2] = True
            self.send(other, part)
        elif mode == CUT and is_reply or mode == CUT_REQUEST and not is_reply:
            self.harm += 1
            self.send(other, part)
            self.close(source)
        else:
            self.send(other, data)

    def send(self, to, data):
        if to in self.pairs and data:
            try:
                to.sendall(data)
            except OSError:
                self.close(to)

    def cut_all(self):
        """Called from another thread: the peers see their connections end; the loop cleans up."""
        for one in list(self.pairs):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self, one):
        for end in (one, self.pairs.get(one, [None])[0]):
            if end in self.pairs:
                self.selector.unregister(end)
                del self.pairs[end]
                end.close()
