"""Restarts that nobody notices: behind a load balancer by --drain, and alone by a listening socket that outlives aforod."""

import re
import signal
import socket
import subprocess
import time
import unittest

from support import BIN, TIMEOUT_S, WIDTH_US, Case, Haproxy, Load, Program, Server, compare, flushed, wait_until

EVENT = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
DRAIN_S = 4  # haproxy asks ten times a second; so it notices on a machine that is busy, too

# No second try of any kind: what a server refuses, or leaves without an answer, fails. Connections to the servers are
# kept and shared by all clients, the hardest case for a server that goes away.
HAPROXY = """
global
    stats socket {control}
defaults
    mode http
    retries 0
    http-reuse always
    timeout connect 5s
    timeout check 10s
    timeout client 30s
    timeout server 30s
frontend events
    bind 127.0.0.1:{port}
    default_backend servers
backend servers
    balance roundrobin
    option httpchk GET /healthz
    http-check expect status 200
    default-server check inter 100ms fall 1 rise 1
{servers}
"""


class Balancer(Haproxy):
    def __init__(self, place, servers):
        port = place.port()
        self.control = place.dir / "haproxy.sock"
        lines = "\n".join(f"    server {server.name} 127.0.0.1:{server.port}" for server in servers)
        super().__init__(place, port, HAPROXY.format(control=self.control, port=port, servers=lines))

    def status(self):
        """{server: "UP" or "DOWN ..."}."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(TIMEOUT_S)
            link.connect(str(self.control))
            link.sendall(b"show stat -1 4 -1\n")
            text = b"".join(iter(lambda: link.recv(65536), b"")).decode()
        head, *rows = [line.split(",") for line in text.splitlines() if line]
        return {row[head.index("svname")]: row[head.index("status")] for row in rows}

    def wait_for(self, server, status):
        def so():
            try:
                return self.status()[server.name].startswith(status)
            except (OSError, KeyError):
                return False
        wait_until(so, lambda: f"haproxy sees {server.name} {status}\n{self.log()[-2000:]}")


class Activated(Server):
    """aforod with a listening socket of ours as file 3."""

    def __init__(self, place, listening, *flags, fds="1", pid="$$", **settings):
        super().__init__(place, *flags, **settings)
        self.listening = listening
        self.port = listening.getsockname()[1] if listening.family == socket.AF_INET else 0
        self.variables = f"LISTEN_PID={pid} LISTEN_FDS={fds} LISTEN_FDNAMES=aforod.socket"

    def spawn(self):
        fd = self.listening.fileno()
        url = [] if self.redis is None else ["--redis", self.redis.url]
        words = [str(word) for word in (BIN / "aforod", "--listen", "127.0.0.1:1", "--state", self.state, "--threads",
                                        self.threads, *url, *self.flags)]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "sh", "-c", f'{self.variables} exec "$@" 3<&{fd}', "sh", *words],
                env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[fd], cwd=self.place.dir)


class Rolling(Case):
    def servers(self, store):
        return [self.server("--drain", f"{DRAIN_S}s", name=f"node{i}", redis=store) for i in range(3)]

    def balancer(self, servers):
        balancer = Balancer(self.place, servers).start()
        for server in servers:
            balancer.wait_for(server, "UP")
        return balancer

    def restart_in_turn(self, balancer, servers):
        for server in servers:
            begin = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertGreaterEqual(time.monotonic() - begin, DRAIN_S)
            balancer.wait_for(server, "DOWN")
            server.start()
            balancer.wait_for(server, "UP")

    def test_no_request_fails_and_counts_are_exact(self):
        store = self.redis()
        servers = self.servers(store)
        balancer = self.balancer(servers)
        load = Load(self.place, balancer, "load", seed=5, connections=32, rate=1000)
        load.progress(1000)
        self.restart_in_turn(balancer, servers)
        load.progress(1000)
        totals = load.stop()
        self.assertEqual({key: totals[key] for key in ("lost", "other", "unsure", "connects", "connects_failed")},
                         {"lost": 0, "other": 0, "unsure": 0, "connects": 32, "connects_failed": 0}, totals)
        self.assertGreater(totals["requests"], 5000)
        flushed(servers, store)
        for resolution in WIDTH_US:
            compare([load], resolution, store.counts(resolution), "Redis")
        self.assertEqual(sum(store.counts("1min").values()), totals["acked"])
        for server in servers:
            self.assertGreater(server.stats()["counted"], 500, "this one had its share")

    def test_wrk_sees_no_error(self):
        store = self.redis()
        servers = self.servers(store)
        balancer = self.balancer(servers)
        script = self.place.dir / "post.lua"
        script.write_text('wrk.method = "POST"\nfunction delay() return 20 end\n')  # ms: the balancer must keep up
        wrk = Program(self.place, "wrk", ["wrk", "-t1", "-c32", "-d600s", "--timeout", "30s", "-s", script, f"http://127.0.0.1:{balancer.port}/"])
        wrk.spawn()
        wait_until(lambda: sum(s.stats()["counted"] for s in servers) > 1000, "the load is there")
        self.restart_in_turn(balancer, servers)
        self.assertTrue(wrk.running(), "the load lasted longer than the restarts")
        wrk.signal(signal.SIGINT)  # then it prints what it saw
        self.assertEqual(wrk.wait(), 0)
        said = wrk.log()
        self.assertNotIn("Socket errors", said)
        self.assertNotIn("Non-2xx", said)
        answered = int(re.search(r"(\d+) requests in", said).group(1))
        flushed(servers, store)
        counted = sum(store.counts("1min").values())
        self.assertTrue(answered <= counted <= answered + 32, f"{answered} answered, {counted} counted; 32 were in flight")


class Draining(Case):
    def test_healthz_says_503_at_once_while_requests_are_answered(self):
        server = self.server("--drain", "5s")
        with server.connect() as old:
            old.sendall(EVENT)
            self.assertNotIn(b"close", old.recv(4096))
            begin = time.monotonic()
            server.signal(signal.SIGTERM)
            answer = wait_until(lambda: (a := server.request("GET", "/healthz")).status == 503 and a, "503")
            self.assertEqual(answer.json["status"], "draining")
            self.assertEqual(answer.headers["Connection"], "close")
            posted = 0
            closing = 0
            while closing < 20 and posted < 200:  # the other worker wakes up a moment later, perhaps
                answer = server.post("")
                self.assertEqual(answer.status, 204)
                posted += 1
                closing = closing + 1 if answer.headers["Connection"] == "close" else 0
            self.assertEqual(closing, 20)
            old.sendall(EVENT)
            received = b"".join(iter(lambda: old.recv(4096), b""))
            self.assertTrue(received.startswith(b"HTTP/1.1 204"), received)
            self.assertIn(b"\r\nConnection: close\r\n", received)
            self.assertTrue(server.running(), "all of this while it drained")
        self.assertEqual(server.wait(), 0)
        self.assertGreaterEqual(time.monotonic() - begin, 5)
        self.assertIn(f"counted={posted + 2} ", server.log().splitlines()[-1])

    def test_a_second_signal_ends_it_at_once(self):
        server = self.server("--drain", "1h")
        server.post("")
        server.signal(signal.SIGTERM)
        wait_until(lambda: 'msg="draining"' in server.log(), "it drains")
        self.assertTrue(server.running())
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), -signal.SIGTERM)

    def test_the_service_manager_is_told_how_long_it_takes(self):
        path = self.place.dir / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(path))
            manager.settimeout(TIMEOUT_S)
            server = self.server("--drain", "1s", "--grace", "3s", env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"})
            self.assertEqual(manager.recv(4096), b"READY=1")
            server.signal(signal.SIGTERM)
            said = []
            while b"STOPPING=1\nEXTEND_TIMEOUT_USEC=9000000" not in said:
                said.append(manager.recv(4096))
            self.assertEqual(manager.recv(4096), b"WATCHDOG=1", "it shows signs of life while it drains")
            self.assertEqual(server.wait(), 0)

    def test_who_has_just_been_accepted_is_answered(self):
        """It has a second for its first request, of which a busy machine may leave none: then it is tried again."""
        for attempt in range(10):
            server = self.server("--grace", "5s", name=f"server{attempt}")
            with server.connect() as late:
                wait_until(lambda server=server: server.stats()["connections"] >= 2, "it is accepted")
                signalled = time.monotonic()
                server.signal(signal.SIGTERM)
                wait_until(lambda server=server: 'msg="stopping"' in server.log(), "it stops")
                time.sleep(0.3)
                late.sendall(EVENT)
                if time.monotonic() - signalled < 0.8:
                    self.assertTrue(late.recv(4096).startswith(b"HTTP/1.1 204"))
                    self.assertEqual(server.wait(), 0)
                    return
        self.fail("in ten tries the machine left no second for it")


class Activation(Case):
    def listening(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, listens=True):
        link = socket.socket(family, kind)
        self.addCleanup(link.close)
        link.bind(("127.0.0.1", 0) if family == socket.AF_INET else str(self.place.dir / "unix.sock"))
        if listens:
            link.listen(4096)
        return link

    def restart_under_load(self, *flags):
        store = self.redis()
        server = Activated(self.place, self.listening(), *flags, redis=store).start()
        wait_until(lambda: "socket=inherited" in server.log(), "it says whose socket it is")
        load = Load(self.place, server, "load", seed=7, connections=64, rate=1500)
        for _ in range(5):
            load.progress(1000)
            self.assertEqual(server.stop(), 0)
            time.sleep(0.1)
            server.start()
        load.progress(1000)
        totals = load.stop()
        self.assertEqual({key: totals[key] for key in ("lost", "other", "unsure", "connects_failed")},
                         {"lost": 0, "other": 0, "unsure": 0, "connects_failed": 0}, totals)
        self.assertGreaterEqual(totals["connects"], 6 * 64)
        flushed([server], store)
        for resolution in WIDTH_US:
            compare([load], resolution, store.counts(resolution), "Redis")
        self.assertEqual(sum(server.counts("1min").values()), totals["acked"])

    def test_restarts_under_load_refuse_nobody(self):
        self.restart_under_load()

    def test_restarts_with_drain_under_load_refuse_nobody(self):
        self.restart_under_load("--drain", "300ms")

    def test_who_connects_in_between_is_answered_by_the_next(self):
        server = Activated(self.place, self.listening()).start()
        self.assertEqual(server.stop(), 0)
        waiting = [server.connect() for _ in range(100)]
        for link in waiting:
            self.addCleanup(link.close)
            link.sendall(EVENT)
        server.start()
        for link in waiting:
            self.assertTrue(link.recv(4096).startswith(b"HTTP/1.1 204"))
        self.assertEqual(server.stats()["counted"], 100)

    def test_a_socket_that_is_none_is_named(self):
        cases = {"is not a stream socket": (self.listening(kind=socket.SOCK_DGRAM, listens=False), "1"),
                 "does not listen": (self.listening(listens=False), "1"),
                 "is not an IPv4 or IPv6 socket": (self.listening(socket.AF_UNIX), "1"),
                 "LISTEN_FDS is '2'": (self.listening(), "2"),
                 "LISTEN_FDS is '1x'": (self.listening(), "1x")}
        for number, (sentence, (link, fds)) in enumerate(cases.items()):
            with self.subTest(sentence):
                server = Activated(self.place, link, fds=fds, name=f"aforod{number}")
                status, said = server.refuses_to_start()
                self.assertEqual(status, 1, said)
                self.assertIn(sentence, said)

    def test_the_variables_of_another_process_are_not_ours(self):
        server = self.server(env={"LISTEN_PID": "1", "LISTEN_FDS": "1"})
        wait_until(lambda: "socket=own" in server.log(), lambda: server.log())
        self.assertEqual(server.post("").status, 204)


if __name__ == "__main__":
    unittest.main()
