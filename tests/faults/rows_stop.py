"""The end: SIGTERM under load, a second one, the grace time, and the service manager's protocol."""

import os
import re
import signal
import socket
import statistics
import time

from faults import TIMEOUT_S, Failure, row, wait_until


@row("sigterm-under-load", "SIGTERM: requests in flight finish, all is flushed, exit 0 within the grace time")
def sigterm_under_load(run):
    redis = run.redis().start()
    server = run.server("--grace", "60s", redis=redis).start()
    load = run.load(server, connections=32, batch_every=10)
    longest = 0.0
    for _ in range(run.many(10, 100)):
        load.progress(1000)
        begin = time.monotonic()
        status = server.stop()
        longest = max(longest, time.monotonic() - begin)
        run.faults += 1
        if status:
            raise Failure(f"ended with {status}")
        if longest > 30:
            raise Failure(f"took {longest:.1f} s of a grace of 60 s")
        server.start()
    load.progress()
    if server.stop():
        raise Failure("ended with an error")
    run.note(f"the longest took {longest * 1000:.0f} ms")
    run.verify_stopped([server], redis)
    tally = dict(pair.split("=") for pair in re.findall(r"\w+=\d+", server.log().splitlines()[-1]))
    if int(tally["received"]) != int(tally["counted"]) + sum(int(v) for k, v in tally.items() if k.startswith("refused_")):
        raise Failure(f"the last line of the log does not add up: {server.log().splitlines()[-1]}")


@row("sigterm-redis-away", "SIGTERM while Redis hangs: ends within the grace time; the next start sends what was left")
def sigterm_redis_away(run):
    redis = run.redis().start()
    server = run.server("--grace", "1s", "--redis-timeout", "200ms", redis=redis).start()
    load = run.load(server, connections=16)
    for _ in range(run.many(3, 30)):
        load.progress()
        redis.signal(signal.SIGSTOP)
        begin = time.monotonic()
        status = server.stop()
        took = time.monotonic() - begin
        run.faults += 1
        if status or took > 15:  # Redis hangs for good, and so would a server that waits for it
            raise Failure(f"ended with {status} after {took:.1f} s of a grace of 1 s")
        redis.signal(signal.SIGCONT)
        server.start()
    run.verify([server], redis)


@row("sigterm-twice", "a second SIGTERM ends at once; nothing acknowledged is lost")
def sigterm_twice(run):
    redis = run.redis().start()
    server = run.server("--grace", "60s", "--redis-timeout", "200ms", redis=redis).start()
    load = run.load(server, connections=16)
    for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)):
        load.progress()
        redis.signal(signal.SIGSTOP)
        before = len(server.log())
        server.signal(first)
        wait_until(lambda at=before: 'msg="stopping"' in server.log()[at:], "the first signal is taken")
        run.pause_s(0.1, 0.4)
        if not server.running():
            raise Failure("did not wait for Redis at all")
        server.signal(second)
        status = server.wait(30)  # half of the grace time
        if status == 0:
            raise Failure("ended as if it had finished")
        run.faults += 1
        redis.signal(signal.SIGCONT)
        server.start()
    run.verify([server], redis)


@row("sigterm-slow-request", "SIGTERM while a request is half sent: it may finish, and is counted; after the grace it may not")
def sigterm_slow_request(run):
    body = b"value="
    for finishes in (True, False):
        server = run.server("--grace", "60s" if finishes else "2s", name=f"finishes-{finishes}").start()
        link = server.connect()
        run.place.at_close(link.close)
        link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\nval" % len(body))
        wait_until(lambda one=server: one.stats()["connections"] >= 2, "the half request is there")  # the other is ours
        begin = time.monotonic()
        server.signal(signal.SIGTERM)
        wait_until(lambda one=server: 'msg="stopping"' in one.log(), "it stops")
        time.sleep(0.5)
        if not server.running():
            raise Failure("did not wait for the request in flight")
        if finishes:
            link.sendall(body[3:])
            answer = link.recv(4096)
            if not answer.startswith(b"HTTP/1.1 400"):  # an empty value is malformed: an answer all the same
                raise Failure(f"answered with {answer[:80]}")
        if server.wait() or time.monotonic() - begin > 15:  # half of --body-timeout, which must not be what ended it
            raise Failure("did not end in order, or not by the grace time")
        if f"refused_malformed={int(finishes)}" not in server.log().splitlines()[-1]:
            raise Failure(server.log().splitlines()[-1])
        run.faults += 1


WATCHDOG_S = 2  # aforod says something twice as often: a second is room for a machine that is busy


@row("service-manager", "READY=1, WATCHDOG=1 in time, STOPPING=1 to the socket that the environment names")
def service_manager(run):
    abstract = f"@aforo-{os.getpid()}-{run.seed}"
    for name in (str(run.place.dir / "notify"), abstract):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
            manager.settimeout(TIMEOUT_S)
            server = run.server(name=f"aforod{run.faults}", env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": str(WATCHDOG_S * 1_000_000)})
            server.spawn()
            first = manager.recv(4096).decode()
            if "READY=1" not in first.split("\n"):
                raise Failure(f"said first: {first}")
            if server.post("").status != 204:
                raise Failure("said to be ready and is not")
            gaps = []
            for _ in range(run.many(5, 30)):
                begin = time.monotonic()
                said = manager.recv(4096).decode()
                gaps.append(time.monotonic() - begin)
                if said != "WATCHDOG=1":
                    raise Failure(f"said: {said}")
            if statistics.median(gaps) > WATCHDOG_S:  # a program that is too slow is so in each
                raise Failure(f"the watchdog of {WATCHDOG_S} s heard nothing for {', '.join(f'{gap:.2f}' for gap in gaps)} s")
            server.signal(signal.SIGTERM)
            while "STOPPING=1" not in (said := manager.recv(4096).decode()).split("\n"):
                if said != "WATCHDOG=1":
                    raise Failure(f"said: {said}")
            server.wait()
            run.faults += 1
    quiet = run.server(name="quiet", env={"NOTIFY_SOCKET": str(run.place.dir / "nobody")}).start()
    if quiet.stop():
        raise Failure("a service manager that does not listen is no reason to fail")
