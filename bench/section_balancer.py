"""What a load balancer in front costs, beside what it balances: docs/scaling.md counts in these figures."""

import peers
from measure import SERVER_CORE, haproxy_command, median, ratio, usage, wrk
from report import number, table
from sections import section

ROUNDS = 3

CONFIG = """
defaults
    mode {mode}
    timeout connect 5s
    timeout client 30s
    timeout server 30s
global
    nbthread 1
listen events
    bind 127.0.0.1:{port}
    server aforod 127.0.0.1:{to}
"""


def haproxy(place, mode, to):
    version, = peers.debian("haproxy")
    name, port = f"haproxy-{mode}", place.port()
    command = haproxy_command(place, name, CONFIG.format(mode=mode, port=port, to=to))
    peer = peers.Peer(place, name, command, row=f"through haproxy {version}, mode {mode}")
    peer.port = port
    return peer


@section("balancer", "A load balancer in front: CPU of both")
def balancer(bench):
    aforod = bench.start(peers.Aforod, row="directly")
    ways = [aforod] + [way for way in (bench.start(haproxy, mode, aforod.port) for mode in ("tcp", "http")) if way]
    seconds = bench.seconds or 2
    found = {way.row: {"aforod": [], "way": [], "rps": []} for way in ways}
    for i in range(ROUNDS):
        for way in ways:
            bench.say(f"round {i + 1} of {ROUNDS}, {way.row}")
            others = [] if way is aforod else way.pids
            before, before_way = usage(*aforod.pids), usage(*others)
            said = wrk(way.port, "event.lua", "event", seconds=seconds)
            per_request = 1e6 / said["requests"]
            cost = found[way.row]
            cost["aforod"].append((usage(*aforod.pids) - before).total_s * per_request)
            cost["way"].append((usage(*others) - before_way).total_s * per_request)
            cost["rps"].append(said["requests"] / said["seconds"])
    rows = [[row, number(median(cost["aforod"])), number(median(cost["way"])), number(ratio(cost["way"], cost["aforod"])),
             number(median(cost["rps"]), 0)] for row, cost in found.items()]
    return (f"`wrk -t1 -c64`, single requests; aforod and haproxy, a thread each, share core {SERVER_CORE}; medians of {ROUNDS} "
            f"rounds of {seconds} s in turn.\n\n"
            + table(["way", "aforod: CPU us/request", "haproxy: CPU us/request", "haproxy : aforod", "requests/s"], rows))
