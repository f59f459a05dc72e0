"""aforod is killed with SIGKILL: under load, while it recycles, while it starts, while it stops, with other threads."""

import signal

from faults import Failure, row


def restarted(server):
    """Starts it again; returns whether it had something to complete."""
    before = len(server.log())
    server.start()
    return "left half done" in server.log()[before:]


def kill_and_restart(run, server, times, shortest_s=0.02, longest_s=0.3):
    repaired = 0
    for _ in range(times):
        run.pause_s(shortest_s, longest_s)
        run.kill9(server)
        repaired += restarted(server)
        server.conserved()
    run.note(f"{repaired} of {times} starts completed an event that the kill had cut in half")


@row("kill-under-load", "killed -9 under load: every acknowledged event counted once, here and in Redis")
def kill_under_load(run):
    redis = run.redis().start()
    server = run.server(redis=redis).start()
    run.load(server, connections=32)
    kill_and_restart(run, server, run.many(50, 1000), longest_s=run.many(0.12, 0.3))
    run.verify([server], redis)
    server.stop()
    run.verify_stopped([server], redis)


@row("kill-without-redis", "the same with no Redis: the state file alone")
def kill_without_redis(run):
    server = run.server(threads=1).start()
    run.load(server, connections=8, batch_every=3, lines=1000)
    kill_and_restart(run, server, run.many(20, 500))
    run.verify([server])


@row("kill-while-recycling", "killed while rings turn over (horizon 2 s): exact in Redis, and here as far as it is held")
def kill_while_recycling(run):
    redis = run.redis().start()
    server = run.server("--horizon", "2s", "--future", "1s", redis=redis).start()
    run.load(server, connections=16, batch_every=4, past_us=1_000_000, future_us=500_000)
    kill_and_restart(run, server, run.many(25, 300), 0.1, 0.5)
    run.verify([server], redis, local=("1s", "1min"))


def killed_under_load(run, times, kill):
    """`kill` ends the server in its own way, so often, and each time it starts again under load."""
    redis = run.redis().start()
    server = run.server(redis=redis, threads=2).start()
    load = run.load(server, connections=16)
    for _ in range(times):
        load.progress()
        kill(server)
        run.kill9(server)
        restarted(server)
    run.verify([server], redis)


@row("kill-while-starting", "killed at any moment of its start: the next start takes over as if nothing had been")
def kill_while_starting(run):
    def kill(server):
        for _ in range(4):
            run.kill9(server)
            server.spawn()
            run.pause_s(0, 0.03)
    killed_under_load(run, run.many(8, 100), kill)


@row("kill-while-making", "killed while it makes its state file: the next start makes it")
def kill_while_making(run):
    for i in range(run.many(20, 300)):
        server = run.server(name=f"aforod{i}")
        server.spawn()
        run.pause_s(0, 0.02)
        run.kill9(server)
        server.start()
        if server.post("").status != 204 or server.conserved()["counted"] != 1:
            raise Failure(f"{server.name} counts wrong after a kill while it was starting")
        run.sent = run.acked = run.counted = i + 1
        server.kill()


@row("kill-while-stopping", "killed between SIGTERM and the end: nothing acknowledged is missing")
def kill_while_stopping(run):
    def kill(server):
        server.signal(signal.SIGTERM)
        run.pause_s(0, 0.15)
    killed_under_load(run, run.many(20, 300), kill)


@row("threads-changed", "another number of threads at each start: shards of earlier runs stay and are summed")
def threads_changed(run):
    def kill(server):
        if run.random.random() < 0.5:
            server.stop()
        server.threads = run.random.choice([1, 2, 3, 5, 8])
    killed_under_load(run, run.many(12, 100), kill)
