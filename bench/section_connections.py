"""What connections cost: their memory when many are idle, and their coming and going."""

import contextlib
import resource
import socket

import peers
from measure import CLIENT_CORE, SERVER_CORE, Failure, load, median, memory_kib, now_us, ratio, usage
from report import number, table
from sections import section
from section_visible import post

IDLE = 10000
FILES_KEPT = 200
ROUNDS = 3
CHURN = ((1, 5000), (10, 5000), (10, 20000))
SOURCES = 8


def memory_row(name, pid):
    found = memory_kib(pid)
    return [name, *(number(found[key] / 1024, 1) for key in ("VmHWM", "Pss", "RssAnon"))], found


@contextlib.contextmanager
def open_connections(port, n):
    """n connections that have each had one request answered, and are idle."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < n + FILES_KEPT:
        raise Failure(f"this machine permits {most} open files, {n + FILES_KEPT} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (n + FILES_KEPT, most))
    with contextlib.ExitStack() as stack:
        connections = []
        for i in range(n):
            link = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10, (f"127.0.0.{1 + i % SOURCES}", 0)))
            link.sendall(post(now_us()))
            if not link.recv(4096).startswith(b"HTTP/1.1 204"):
                raise Failure(f"connection {i + 1} was not answered")
            connections.append(link)
        yield connections


@section("memory", "Memory: 2 threads, flush to Redis on")
def memory(bench):
    both = (SERVER_CORE, CLIENT_CORE)
    server = peers.Aforod(bench.place, threads=2, cores=both).start()
    rows = [memory_row("just started", server.process.pid)[0]]
    bench.say("5,000 requests/s")
    load(server.port, bench.seconds or 8, rate=5000)
    row, loaded = memory_row("5,000 requests/s, 64 connections", server.process.pid)
    rows.append(row)
    many = peers.Aforod(bench.place, "--max-connections", IDLE + FILES_KEPT, "--idle-timeout", "10m", name="aforod-many",
                        threads=2, cores=both).start()
    before = memory_kib(many.process.pid)
    bench.say(f"{IDLE} connections")
    with open_connections(many.port, IDLE):
        row, idle = memory_row(f"{IDLE:,} idle connections", many.process.pid)
    rows.append(row)
    bench.goals.at_most("peak at 5,000 requests/s", loaded["VmHWM"] / 1024, 16, 1, " MB")
    bench.goals.at_most(f"peak with {IDLE:,} idle connections", idle["VmHWM"] / 1024, 64, 1, " MB")
    each = (idle["Pss"] - before["Pss"]) * 1024 / IDLE
    return (table(["when", "peak (VmHWM) MB", "PSS MB", "anonymous MB"], rows)
            + f"\n{number(each, 0)} bytes per idle connection (PSS). Each has had one request answered. Peak and PSS hold "
            "what is touched of the mapped state file, too.\n")


@section("churn", "Connection churn")
def churn(bench):
    servers = [peers.Floor(bench.place).start(), peers.Aforod(bench.place, row="aforod, flush to Redis on").start()]
    rows, seconds = [], bench.seconds or 2
    for per_connection, rate in CHURN:
        found = {server: {"cpu_us": [], "p50_us": [], "p99_us": [], "p999_us": []} for server in servers}
        for i in range(ROUNDS):
            for server in servers:
                bench.say(f"{per_connection} a connection, {rate} requests/s, round {i + 1} of {ROUNDS}, {server.row}")
                before = usage(*server.pids)
                once = load(server.port, seconds, rate=rate, per_connection=per_connection)
                once["cpu_us"] = (usage(*server.pids) - before).total_s * 1e6 / once["requests"]
                for key, values in found[server].items():
                    values.append(once[key])
        for server, values in found.items():
            rows.append([per_connection, number(rate, 0), server.row, number(median(values["cpu_us"])),
                         number(ratio(values["cpu_us"], found[servers[0]]["cpu_us"])),
                         *(number(median(values[key]), 0) for key in ("p50_us", "p99_us", "p999_us"))])
    head = ["requests a connection", "requests/s", "server", "CPU us/request", "x floor", "p50 us", "p99 us", "p99.9 us"]
    return (f"Open loop; a latency begins when the request is due, with the making of its connection; medians of {ROUNDS} "
            f"rounds of {seconds} s in turn.\n\n" + table(head, rows))
