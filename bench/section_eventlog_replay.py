"""What it takes to count a kept log again, with and without reports, and to compare it with the state that counted it live."""

import resource
import subprocess
import time

import peers
from measure import BIN, CLIENT_CORE, SERVER_CORE, Failure, median, now_us, text_time
from report import ROOT, number, table
from report_traffic import Sender, Traffic
from sections import section

RATE = 5000  # events a second of the log
HOUR_S = 3600
PER_BODY_S = 4
ROUNDS = 3
WEB_EVENTS, LONG_WEB_EVENTS = 1_000_000, 4_000_000  # making the tables takes as long for few as for many
WEB = ROOT / "examples" / "web.yaml"
REPORTS = """
reports:
  - {name: seconds, windows: [1s], show: [count, digest]}
  - {name: minutes, windows: [1min], show: [count, rate, first, last]}
  - {name: hours, windows: [1h], show: [count]}
"""


def run(*words):
    """Wall and CPU seconds of the console program, and what it printed."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([BIN / "aforo", *map(str, words)], capture_output=True, text=True, check=False, timeout=600)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise Failure(f"aforo {words[0]}: {done.stdout[:200]}{done.stderr[:200]}")
    return time.monotonic() - begin, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def send_times(server, seconds):
    """So many seconds of times alone, ending now; how many they were."""
    sender = Sender(server.port)
    begin = now_us() // 1_000_000 - seconds
    parts = [f".{i * (1_000_000 // RATE):06d}\n" for i in range(RATE)]
    for at in range(0, seconds, PER_BODY_S):
        days = [text_time((begin + at + i) * 1_000_000)[:19] for i in range(min(PER_BODY_S, seconds - at))]
        sender.post("/events", "".join(day + part for day in days for part in parts).encode(), "text/plain")
    sender.close()
    return seconds * RATE


def log_of(bench, name, fill):
    """A log, the state directory that counted it live, and how many events they have; nobody has them open."""
    server = peers.Aforod(bench.place, "--event-log", bench.place.dir / name, "--horizon", "2h", "--max-body", "64MiB", name=name,
                          redis=False, threads=2, cores=(SERVER_CORE, CLIENT_CORE)).start()
    events = fill(server)
    server.stop()
    return bench.place.dir / name, server.state, events


def send_web(server, n):
    traffic = Traffic(n)
    sender = Sender(server.port)
    for body in traffic.bodies:
        sender.post_events(body)
    sender.close()
    return n


@section("replay", "A kept log, counted again, and compared")
def replay(bench):
    seconds = HOUR_S if bench.seconds is None else 60 * bench.seconds
    reports = bench.place.dir / "reports.yaml"
    reports.write_text(REPORTS)
    bench.say(f"{seconds} s of {RATE} events a second")
    times, state, n = log_of(bench, "times", lambda server: send_times(server, seconds))
    web, _, web_n = log_of(bench, "web", lambda server: send_web(server, WEB_EVENTS))
    long_web, _, long_web_n = log_of(bench, "long", lambda server: send_web(server, LONG_WEB_EVENTS))
    kinds = [("times alone, the counts", n, ("replay", times, "--total")),
             ("times alone, the counts and three reports", n,
              ("replay", times, "--reports", reports, "--report", "hours")),
             ("objects of a web log, the counts", web_n, ("replay", web, "--total")),
             ("objects of a web log, the counts and three reports (examples/web.yaml)", web_n,
              ("replay", web, "--reports", WEB, "--report", "slow")),
             ("four times as many, the counts and three reports", long_web_n,
              ("replay", long_web, "--reports", WEB, "--report", "slow")),
             ("times alone, diff of the log and the state", n, ("diff", f"log:{times}", f"state:{state}"))]
    rows, found = [], {}
    for name, events, words in kinds:
        bench.say(name)
        rounds = [run(*words) for _ in range(ROUNDS)]
        wall, cpu = median([r[0] for r in rounds]), median([r[1] for r in rounds])
        found[name] = wall, cpu
        rows.append([name, events, number(wall), number(cpu), number(events / wall / 1e6), number(events / cpu / 1e6)])
    names = [kind[0] for kind in kinds]
    for name, events, _ in (kinds[1], kinds[3], kinds[4]):
        bench.goals.at_least(f"M events a second, {name}", events / found[name][0] / 1e6, 5, 2)
    if seconds == HOUR_S:
        bench.goals.at_most("an hour, the counts", found[names[0]][0], 5, 2, " s")
        bench.goals.at_most("an hour, the counts and three reports", found[names[1]][0], 5, 2, " s")
        bench.goals.at_most("an hour, diff", found[names[5]][0], 10, 2, " s")
    return (f"All cores; the median of {ROUNDS} rounds. Sealed files, in the page cache.\n\n"
            + table(["what", "events", "s", "CPU s", "M events/s", "M events a CPU s"], rows))
