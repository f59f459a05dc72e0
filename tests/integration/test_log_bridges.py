"""The bridges of docs/eventlog.md, as the page has them, between a log under load and real servers: whatever is killed, each record
arrives, and once."""

import importlib.util
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

from support import BIN, ROOT, Case, Program, environment, now_us, wait_until

PAGE = ROOT / "docs" / "eventlog.md"
LONG = bool(os.environ.get("DEV_AFORO_LONG"))
KILLS = 30 if LONG else 6
POSTGRES = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
HAS_PIKA = importlib.util.find_spec("pika") is not None
RABBIT = shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin")


def bridge(word):
    """The command of the page that has the word."""
    found = [block for block in re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL) if word in block]
    assert len(found) == 1, found
    return found[0]


def children(pid):
    """The processes below one, by id."""
    try:
        own = [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return own + [below for child in own for below in children(child)]


class Sender:
    """A program of its own sends, so that this one has time."""

    def __init__(self, case):
        program = ("import sys, time; sys.path.insert(0, sys.argv[1]); from support import *; import http.client, json\n"
                   "taken = 0\n"
                   "def send(body, kind):\n"
                   "    global taken\n"
                   "    try:\n"
                   "        link = http.client.HTTPConnection('127.0.0.1', int(sys.argv[2]), timeout=5)\n"
                   "        link.request('POST', '/events', body.encode(errors='surrogateescape'), {'Content-Type': kind})\n"
                   "        taken += json.loads(link.getresponse().read())['accepted']\n"
                   "    except (OSError, http.client.HTTPException, ValueError):\n"
                   "        time.sleep(0.02)\n"
                   "for turn in range(100000):\n"
                   "    now = text_time(now_us())\n"
                   "    send(''.join(f'{now} n={turn} what=\"a\\\\tb \\udcff ä\"\\n' for _ in range(20)), 'text/plain')\n"
                   "    send(''.join('{\"value\":\"%s\",\\t\"odd\":\"\\\\u0000 \\\\\\\\ \\\\udc80 \\\\\"é\"}\\n' % now for _ in range(20)),\n"
                   "         'application/x-ndjson')\n"
                   "    time.sleep(0.005)\n"
                   "    print(taken, flush=True)\n")
        self.path = case.place.dir / "sent"
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", sys.executable, "-B", "-c", program,
                                             ROOT / "tests" / "integration", str(case.aforod.port)], stdout=out, env=environment())
        case.addCleanup(self.end)

    def end(self):
        """How many events were acknowledged."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)
        return int(self.path.read_text().split()[-1])


class Bridges(Case):
    def setUp(self):
        super().setUp()
        self.random = random.Random(14)
        self.aforod = self.server("--event-log", self.place.dir / "events", "--node-id", "one", threads=2)
        (self.place.dir / "examples").symlink_to(ROOT / "examples")
        self.env = environment(PATH=f"{BIN}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
        self.running = None
        self.addCleanup(self.kill_bridge)

    def cat(self):
        return subprocess.run([BIN / "aforo", "log", "cat", "events", "--number"], capture_output=True, timeout=60, check=True,
                              cwd=self.place.dir).stdout.decode(errors="surrogateescape").splitlines()

    def start_bridge(self, command):
        with open(self.place.dir / "bridge.log", "ab") as log:
            self.running = subprocess.Popen(["bash", "-c", f"exec {command}"], stdout=log, stderr=log, env=self.env,
                                            cwd=self.place.dir, start_new_session=True)

    def kill_bridge(self):
        if self.running and self.running.poll() is None:
            os.killpg(self.running.pid, signal.SIGKILL)
        if self.running:
            self.running.wait(30)

    def kill_something(self, command):
        what = self.random.choice(["bridge", "follower", "command", "aforod"])
        if what == "bridge":
            self.kill_bridge()
        elif what == "follower":
            self.running.kill()
            self.running.wait(30)
        elif what == "command":
            for child in children(self.running.pid):
                try:
                    os.kill(child, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # it had just ended
        else:
            self.aforod.kill()
            time.sleep(self.random.uniform(0, 0.1))
            self.aforod.start()
        if self.running.poll() is not None:
            self.start_bridge(command)

    def carry(self, command, arrived):
        """Events flow, things are killed, and in the end what has arrived is what the log has. arrived: {key: line}"""
        sender = Sender(self)
        self.start_bridge(command)
        for _ in range(KILLS):
            time.sleep(self.random.uniform(0.2, 0.7))
            self.kill_something(command)
        acknowledged = sender.end()
        wait_until(lambda: self.aforod.stats()["connections"] <= 1, "its last request is done")
        expected = {tuple(json.loads(line)[name] for name in ("node", "shard", "sequence")): line for line in self.cat()}
        self.assertGreaterEqual(len(expected), acknowledged)
        self.assertGreater(acknowledged, 0)
        wait_until(lambda: len(arrived()) >= len(expected), lambda: f"{len(arrived())} of {len(expected)} have arrived\n" +
                   (self.place.dir / "bridge.log").read_text()[-2000:], every_s=0.2)
        self.running.terminate()
        self.assertEqual(self.running.wait(30), 0, (self.place.dir / "bridge.log").read_text()[-2000:])
        found = arrived()
        self.assertEqual(found.keys() ^ expected.keys(), set())
        for key, line in expected.items():
            self.assertEqual(found[key], line)

    def test_redis(self):
        redis = self.redis()

        def arrived():
            found = {}
            for stream in redis.do("KEYS", "*"):
                self.assertTrue(stream.startswith("{events}:one:"), stream)
                (entries,) = redis.pipeline([("XRANGE", stream, "-", "+")], as_bytes=True)
                for name, (_, line) in entries:
                    found["one", int(stream.rpartition(":")[2]), int(name.split(b"-")[0])] = line.decode(errors="surrogateescape")
            return found
        self.carry(bridge("redis-cli").replace("-p 6379", f"-p {redis.port}"), arrived)

    @unittest.skipUnless(POSTGRES, "no package postgresql")
    def test_postgresql(self):
        folder = POSTGRES[-1].parent
        data, user = self.place.dir / "postgresql", "postgres" if os.geteuid() == 0 else None
        data.mkdir()
        self.place.dir.chmod(0o755)
        if user:
            shutil.chown(data, user)
        initdb = Program(self.place, "initdb", [folder / "initdb", "-D", data / "data", "-U", "events", "-A", "trust", "--no-sync",
                                                "--no-instructions", "--locale", "C", "--encoding", "UTF8"], as_user=user)
        initdb.spawn()
        self.assertEqual(initdb.wait(120), 0, initdb.log())
        server = Program(self.place, "postgres", [folder / "postgres", "-D", data / "data", "-k", data, "-c", "listen_addresses=",
                                                  "-c", "fsync=off"], as_user=user)
        server.spawn()
        self.env.update(PGHOST=str(data), PGUSER="events", PGDATABASE="postgres")

        def ask(question):
            return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-c", question], capture_output=True, env=self.env, timeout=60,
                                  check=False)
        wait_until(lambda: ask("select 1").returncode == 0, server.log, every_s=0.05)

        def arrived():
            lines = ask("select record from events").stdout.decode(errors="surrogateescape").splitlines()
            found = {tuple(json.loads(line)[name] for name in ("node", "shard", "sequence")): line for line in lines}
            self.assertEqual(len(found), len(lines))
            return found
        self.carry(bridge("psql"), arrived)
        self.assertEqual(ask("select count(*) from events where time not between now() - interval '1 hour' and now()").stdout, b"0\n")

    @unittest.skipUnless(LONG and RABBIT and HAS_PIKA, "not the long form, or no package rabbitmq-server or python3-pika")
    def test_rabbitmq(self):
        import pika  # noqa: PLC0415 - of a package that only this one needs
        home = self.place.dir / "rabbitmq"
        home.mkdir()
        own = {"ERL_EPMD_PORT": str(self.place.port()), "ERL_EPMD_ADDRESS": "127.0.0.1", "HOME": str(home)}
        epmd = Program(self.place, "epmd", ["epmd"], environment(**own))
        epmd.spawn()
        port = self.place.port()
        server = Program(self.place, "rabbitmq", [RABBIT], environment(
            **own, RUNNING_UNDER_SYSTEMD="1", RABBITMQ_NODENAME=f"aforo{port}@localhost", RABBITMQ_NODE_IP_ADDRESS="127.0.0.1", RABBITMQ_NODE_PORT=str(port),
            RABBITMQ_DIST_PORT=str(self.place.port()), RABBITMQ_MNESIA_BASE=str(home / "mnesia"), RABBITMQ_LOG_BASE=str(home),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(home / "plugins"), RABBITMQ_CONFIG_FILE=str(home / "none")))
        server.spawn()
        url = f"amqp://localhost:{port}/%2F"

        def connection():
            try:
                return pika.BlockingConnection(pika.URLParameters(url))
            except pika.exceptions.AMQPError:
                return None
        wait_until(connection, server.log, 60, every_s=0.5).close()
        found, repeated = {}, 0

        def arrived():
            nonlocal repeated
            with connection() as link:
                channel = link.channel()
                channel.queue_declare("events", durable=True)
                while True:
                    method, properties, line = channel.basic_get("events", auto_ack=True)
                    if method is None:
                        return found
                    node, shard, sequence = properties.message_id.split("/")
                    key, line = (node, int(shard), int(sequence)), line.decode(errors="surrogateescape").rstrip("\n")
                    repeated += key in found
                    self.assertEqual(found.setdefault(key, line), line)
        self.carry(bridge("rabbitmq.py").replace("amqp://localhost:5672/%2F", url), arrived)

    @unittest.skipUnless(shutil.which("kcat"), "no package kcat")
    def test_kafka(self):
        """There is no server: kcat takes the page's flags, and ends with an error, so that no batch is taken for delivered."""
        self.send(self.aforod, [now_us()])
        command = bridge("kcat").replace("localhost:9092", "127.0.0.1:1").replace("-X acks", "-X message.timeout.ms=100 -X acks")
        self.start_bridge(command)
        wait_until(lambda: "tried again" in (self.place.dir / "bridge.log").read_text(), "the batch is not taken")
        self.assertNotRegex((self.place.dir / "bridge.log").read_text(), "(?i)usage|unknown|no such configuration")
        self.assertNotIn("one 1 2", (self.place.dir / "kafka.place").read_text())


if __name__ == "__main__":
    unittest.main()
