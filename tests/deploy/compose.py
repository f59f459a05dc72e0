"""docker-compose.yml for real: three counters behind the load balancer, Tsung's container as the load, and one counter
killed in the middle. What Tsung saw acknowledged is compared with what the three scripts print inside a container.

DEBIAN (bookworm or trixie) is what the servers stand on; REDIS_IMAGE and LB_IMAGE are what is beside them. Exit status 77
with the reason where there is no Docker engine, or one of these images cannot be had. Then the profile `monitoring` is started, as
far as its images can be had: Prometheus finds all counters and takes all rules, Grafana shows the dashboard (--monitoring: this
alone). Everything it starts belongs to a compose project of this checkout alone and is removed at the end; the images stay, so
that the next run builds nothing.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from programs import Failure, Port, wait_until  # noqa: E402

SKIP = 77
COMMAND_S = 120  # any one command, but:
BUILD_S = 600
LOAD_S = 150
SETTLE_S = 30
REPLICAS = 3
SCRIPTS = ("print_reqs_per_10ms.sh", "print_reqs_per_sec.sh", "print_reqs_per_min.sh")
REDIS = ("--redis", "redis://redis:6379")
ITSELF = ("--server", "http://127.0.0.1:8080")


def check(holds, sentence):
    print(f"{'ok    ' if holds else 'FAILED'} {sentence}", flush=True)
    if not holds:
        raise Failure(sentence)


def settles(holds, what, timeout_s=SETTLE_S):
    """Each look at a container takes a program of Docker's."""
    wait_until(holds, what, timeout_s, 0.3)


def call(*command, timeout_s=COMMAND_S, env=None, may_fail=False):
    """Runs it to its end; returns what it wrote to standard output."""
    done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout_s, check=False)
    if done.returncode and not may_fail:
        raise Failure(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout


def works(*command):
    try:
        return shutil.which(command[0]) is not None and subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def can_be_had(image):
    return works("docker", "image", "inspect", image) or works("docker", "pull", image)


def reason_to_skip():
    if shutil.which("docker") is None:
        return "docker is not installed"
    if not works("docker", "info"):
        return "no Docker engine is reachable (docker info fails)"
    if not works("docker", "compose", "version") and not works("docker-compose", "version"):
        return "neither docker compose nor docker-compose is installed"
    base = f"debian:{os.environ.get('DEBIAN', 'trixie')}-slim"
    for image in filter(None, (base, os.environ.get("REDIS_IMAGE"), os.environ.get("LB_IMAGE"))):
        if not can_be_had(image):
            return f"there is no image {image}, and none can be pulled"
    return None


class Project:
    """The services of docker-compose.yml, under a name of this checkout's own."""

    def __init__(self):
        self.held = [Port() for _ in range(3)]  # until the end of the process
        self.port, self.prometheus, self.grafana = (held.number for held in self.held)
        self.compose = ("docker", "compose") if works("docker", "compose", "version") else ("docker-compose",)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AFORO_", "COMPOSE_"))}
        self.env = {**kept, "COMPOSE_PROJECT_NAME": f"aforotest{zlib.crc32(str(ROOT).encode()):08x}",
                    "LB_PUBLISH": f"127.0.0.1:{self.port}", "PROMETHEUS_PUBLISH": f"127.0.0.1:{self.prometheus}",
                    "GRAFANA_PUBLISH": f"127.0.0.1:{self.grafana}", "VIEW_PUBLISH": "127.0.0.1:0", "COMPOSE_INTERACTIVE_NO_CLI": "1"}

    def do(self, *words, timeout_s=COMMAND_S, may_fail=False):
        return call(*self.compose, *words, timeout_s=timeout_s, env=self.env, may_fail=may_fail)

    def up(self, replicas):
        self.do("up", "-d", "--no-recreate", "--scale", f"aforo={replicas}")

    def down(self):
        self.do("--profile", "load", "--profile", "monitoring", "down", "-v", "--remove-orphans", "-t", "20", may_fail=True)

    def left(self):
        """Containers, volumes and networks of this project."""
        label = f"label=com.docker.compose.project={self.env['COMPOSE_PROJECT_NAME']}"
        return [name for listing in (("ps", "-a"), ("volume", "ls"), ("network", "ls"))
                for name in call("docker", *listing, "-q", "--filter", label).split()]

    def listed(self, form, *filters):
        """A line of each container of this project that is a service's; asked of the engine, for compose takes a second of CPU."""
        labels = (f"com.docker.compose.project={self.env['COMPOSE_PROJECT_NAME']}", "com.docker.compose.oneoff=False", *filters)
        return call("docker", "ps", "-a", "--no-trunc", "--format", form,
                    *(word for label in labels for word in ("--filter", f"label={label}"))).splitlines()

    def replicas(self):
        """Ids of the counters' containers, the oldest number first."""
        number = '{{.Label "com.docker.compose.container-number"}} {{.ID}}'
        return [line.split()[1] for line in sorted(self.listed(number, "com.docker.compose.service=aforo"), key=lambda line: int(line.split()[0]))]

    def healthy(self):
        statuses = self.listed("{{.Status}}")
        return bool(statuses) and all("(healthy)" in status for status in statuses)

    def check_shares_are_not_read(self):
        for path in ("/", "/live?1s=3", "/nodes", "/reports", "/counts/1s", "/stats", "/metrics"):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5).close()
            except urllib.error.HTTPError as answer:
                if answer.code == 404 and b"in Redis" in answer.read():
                    continue
            raise Failure(f"{path} of one replica is read through the load balancer")

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False


def rows_sum(text):
    return sum(int(line.rsplit(", ", 1)[1]) for line in text.splitlines())


def printed(container, source, since):
    """{script: the sum of the rows it prints inside that container}, of one call for all: each takes a program of Docker's."""
    told = call("docker", "exec", container, "sh", "-ec",
                f"for script in {' '.join(SCRIPTS)}; do $script \"$@\"; echo end; done", "sh", *source, "--from", since, "--partial")
    return {script: rows_sum(rows) for script, rows in zip(SCRIPTS, told.split("end\n")[:-1], strict=True)}


def node_of(container):
    """The node id that the server of that container said last that it has."""
    log = subprocess.run(["docker", "logs", container], capture_output=True, text=True, timeout=COMMAND_S, check=True)
    return re.findall(r'msg="?listening"? .*\bnode=(\S+)', log.stderr + log.stdout)[-1]


def in_redis(project, since):
    """What the scripts print from Redis, once that is the sum of what the counters themselves print."""
    total = own = {}

    def equal():
        nonlocal total, own
        shares = [printed(container, ITSELF, since) for container in project.replicas()]
        own = {script: sum(share[script] for share in shares) for script in SCRIPTS}
        total = printed(project.replicas()[0], REDIS, since)
        return total == own
    settles(equal, lambda: f"Redis ({total}) has the sum of the counters ({own})")
    return total


class Load:
    """Tsung's container against the load balancer, and what it reports."""

    def __init__(self, project, rate, hits, seconds):
        self.asked = rate * hits * seconds
        self.process = subprocess.Popen(
            [*project.compose, "run", "--rm", "-T", "tsung", str(rate), str(hits), str(seconds)],
            cwd=ROOT, env=project.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def text(self):
        return "\n".join(self.lines)

    def is_under_way(self):
        if self.process.poll() is not None:
            raise Failure(f"Tsung ended early:\n{self.text()}")
        return re.search(r"^ *\d+ s: [1-9]\d* events counted$", self.text(), re.M)

    def report(self):
        """(sent, acknowledged, exit status)."""
        try:
            status = self.process.wait(LOAD_S)
        except subprocess.TimeoutExpired:
            raise Failure(f"Tsung does not end within {LOAD_S} s:\n{self.text()}") from None
        self.reader.join(COMMAND_S)
        print("".join(f"       | {line}\n" for line in self.lines if line), end="")

        def number(pattern):
            return sum(int(n) for n in re.findall(rf"^  {pattern} +(\d+)\b", self.text(), re.M))
        # A connection that failed may have carried one request that Tsung does not list as one.
        sent, acknowledged = number("requests") + number(r"error\S*"), number("answers 204")
        if not sent:
            raise Failure(f"no report of Tsung:\n{self.text()}")
        return sent, acknowledged, status

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(COMMAND_S)


def moment():
    return time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime())


def without_a_fault(project, loads, since):
    loads.append(Load(project, 100, 10, 10))
    sent, acknowledged, status = loads[-1].report()
    check(status in (0, 3) and sent == acknowledged > loads[-1].asked // 2, f"{sent} sent, all {acknowledged} acknowledged")
    counted = in_redis(project, since)
    check(set(counted.values()) == {acknowledged}, f"counted: {counted}")
    shares = [printed(container, ITSELF, since)[SCRIPTS[1]] for container in project.replicas()]
    check(min(shares) > 0, f"each counter had a share: {shares}")
    return acknowledged


def with_one_killed(project, loads, since, before):
    victim = project.replicas()[1]
    node = node_of(victim)
    loads.append(Load(project, 300, 10, 14))
    settles(loads[-1].is_under_way, "events are counted", LOAD_S)
    call("docker", "kill", "-s", "KILL", victim)
    print(f"       killed {victim[:12]}, node {node}", flush=True)
    time.sleep(3)
    call("docker", "start", victim)
    print("       started it again", flush=True)
    sent, acknowledged, _ = loads[-1].report()
    check(acknowledged >= 0.99 * sent > loads[-1].asked // 2,
          f"{acknowledged} of {sent} acknowledged: the other two carried on")
    counted = {script: n - before for script, n in in_redis(project, since).items()}
    check(len(set(counted.values())) == 1, f"counted: {counted}")
    check(acknowledged <= counted[SCRIPTS[0]] <= sent,
          f"acknowledged {acknowledged} <= counted {counted[SCRIPTS[0]]} <= sent {sent}")
    check(node_of(victim) == node, f"the killed counter is node {node} again")
    return before + counted[SCRIPTS[0]]


def crash(containers):
    """SIGKILL from outside to all of them at once, so that the restart policy sees a crash; False where these processes
    are not of this machine."""
    pids = {c["Id"]: c["State"]["Pid"] for c in json.loads(call("docker", "inspect", *containers))}
    for container, pid in pids.items():
        try:
            if container not in pathlib.Path(f"/proc/{pid}/cgroup").read_text():
                return False
        except OSError:
            return False
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    settles(lambda: all(c["RestartCount"] == 1 and c["State"]["Running"]
                           for c in json.loads(call("docker", "inspect", *containers))), "the engine has restarted all")
    return True


def restarts_and_scaling(project, since, total):
    expected = dict.fromkeys(SCRIPTS, total)
    nodes = [node_of(container) for container in project.replicas()]
    check(len(set(nodes)) == REPLICAS, f"as many nodes as counters: {nodes}")
    if crash(project.replicas()):
        settles(project.healthy, "all are healthy")
        check([node_of(container) for container in project.replicas()] == nodes,
              "all crashed at once: restarted, each with its own node id")
    project.do("restart", "-t", "20", "aforo")
    check([node_of(container) for container in project.replicas()] == nodes, "after a restart each has its own node id")
    settles(project.healthy, "all are healthy")
    check(in_redis(project, since) == expected, "and its counts")
    project.up(2)
    check(len(project.replicas()) == 2 and printed(project.replicas()[0], REDIS, since) == expected,
          "one removed: Redis has what it had")
    project.up(REPLICAS)
    settles(project.healthy, "all are healthy")
    check(sorted(node_of(container) for container in project.replicas()) == sorted(nodes),
          "one added: it takes over what the removed one left in the volume")
    project.do("up", "-d", "--force-recreate", "-t", "20", "--scale", f"aforo={REPLICAS}")
    settles(project.healthy, "all are healthy")
    check(sorted(node_of(container) for container in project.replicas()) == sorted(nodes),
          "all made anew: the same nodes")
    check(in_redis(project, since) == expected, "with the same counts")


def asked(port, path):
    """What is answered there, as JSON; None while nothing is."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return json.load(answer)
    except (OSError, urllib.error.URLError, ValueError):
        return None


def prometheus_watches(project, replicas):
    project.do("--profile", "monitoring", "up", "-d", "--no-recreate", "--scale", f"aforo={replicas}", "prometheus")

    def targets():
        found = asked(project.prometheus, "/api/v1/targets?state=active")
        return [target["health"] for target in found["data"]["activeTargets"]] if found else None
    settles(lambda: targets() == ["up"] * replicas, lambda: f"Prometheus finds {replicas} counters: {targets()}", 60)
    print(f"ok     Prometheus scrapes {replicas} counters, all of them are up", flush=True)
    wanted = set(re.findall(r"- alert: (\w+)", (ROOT / "deploy" / "prometheus" / "aforo.rules.yml").read_text()))

    def rules():
        groups = asked(project.prometheus, "/api/v1/rules")["data"]["groups"]
        return {rule["name"]: (rule["health"], rule["state"]) for group in groups for rule in group["rules"]}
    settles(lambda: {health for health, _ in rules().values()} == {"ok"}, rules)
    found = rules()
    check(set(found) == wanted, f"all {len(wanted)} alerts are in force, and can be evaluated")
    firing = sorted(name for name, (_, state) in found.items() if state == "firing")
    check(not firing, f"none of them fires: {firing}")


def grafana_shows(project):
    project.do("--profile", "monitoring", "up", "-d", "--no-recreate", "--no-deps", "grafana")
    settles(lambda: (asked(project.grafana, "/api/health") or {}).get("database") == "ok", "Grafana is well", 60)
    found = asked(project.grafana, "/api/search?type=dash-db") or []
    check([board["title"] for board in found] == [json.loads((ROOT / "deploy" / "grafana" / "aforo.json").read_text())["title"]],
          f"Grafana has the dashboard: {found}")


def monitoring(project, replicas):
    images = {name: re.search(rf"image: (\S*{name}\S*:\S+)", (ROOT / "docker-compose.yml").read_text())[1] for name in ("prometheus", "grafana")}
    for name, watch in (("prometheus", lambda: prometheus_watches(project, replicas)), ("grafana", lambda: grafana_shows(project))):
        if can_be_had(images[name]):
            watch()
        else:
            print(f"       not started: there is no image {images[name]}, and it cannot be pulled", flush=True)


def a_wrong_setting(project):
    """Detached: `run` in the foreground now and then misses what a container says that ends at once."""
    container = project.do("run", "-d", "--no-deps", "-e", "AFORO_HORIZON=soon", "aforo").split()[-1]
    status = call("docker", "wait", container).strip()
    said = subprocess.run(["docker", "logs", container], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=COMMAND_S, check=False)
    call("docker", "rm", container)
    check(status == "2" and "aforod: AFORO_HORIZON: 'soon' is not a duration" in said.stdout + said.stderr,
          f"a wrong setting ends the container with status 2 and says which: {status} {(said.stdout + said.stderr).strip()}")


def run(project, loads):
    project.down()  # of a run that was killed
    started = time.monotonic()
    project.do("--profile", "load", "build", timeout_s=BUILD_S)
    print(f"       both images built in {time.monotonic() - started:.0f} s", flush=True)
    since = moment()
    project.up(REPLICAS)
    settles(lambda: project.healthy() and project.answers(), "all containers are healthy", 60)
    project.check_shares_are_not_read()
    check(len(project.replicas()) == REPLICAS, f"{REPLICAS} counters are up")
    total = without_a_fault(project, loads, since)
    total = with_one_killed(project, loads, since, total)
    restarts_and_scaling(project, since, total)
    a_wrong_setting(project)
    monitoring(project, REPLICAS)


def run_monitoring(project, _):
    """With the images that there are."""
    project.down()
    project.up(REPLICAS)
    settles(project.healthy, "all containers are healthy", 60)
    monitoring(project, REPLICAS)


def main():
    reason = reason_to_skip()
    if reason:
        print(f"skipped: {reason}")
        return SKIP
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    project, loads, status = Project(), [], 1
    try:
        (run_monitoring if "--monitoring" in sys.argv else run)(project, loads)
        status = 0
    except (Failure, subprocess.SubprocessError) as error:
        print(f"FAILED {error}")
        print(project.do("logs", "--no-color", "--tail", "40", may_fail=True))
    finally:
        for load in loads:
            load.stop()
        project.down()
    left = project.left()
    print(f"{'FAILED' if left else 'ok    '} left behind: {left or 'nothing'}")
    return status or (1 if left else 0)


if __name__ == "__main__":
    sys.exit(main())
