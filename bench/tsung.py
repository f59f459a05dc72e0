"""Tsung as a load of the bench: the scenario of tsung/, against any server."""

import os
import pathlib
import re
import shutil
import signal
import subprocess

from measure import CLIENT_CORE, HERE, MARGIN_S, Failure, on_core
from peers import Missing
from programs import Port

SCENARIO = HERE.parent / "tsung"


class Tsung:
    """`users` a second, a connection with `hits` requests each."""

    def __init__(self, place, users=500, hits=10):
        for program in ("tsung", "erlc", "epmd"):
            if shutil.which(program) is None:
                raise Missing(f"no {program} (packages tsung, erlang-base)")
        self.place, self.users, self.hits, self.runs = place, users, hits, 0
        self.dir = place.dir / "tsung"
        self.dir.mkdir()
        subprocess.run(["erlc", "-o", self.dir, SCENARIO / "aforo_ts.erl"], check=True, capture_output=True)
        self.name_server = Port()  # an epmd of our own: it neither meets another Tsung nor stays behind
        self.env = {**os.environ, "HOME": str(self.dir), "ERL_EPMD_PORT": str(self.name_server.number), "ERL_EPMD_ADDRESS": "127.0.0.1",
                    "ERL_CRASH_DUMP": str(self.dir / "erl_crash.dump"),  # not where the caller happens to be
                    "ERL_FLAGS": "-kernel inet_dist_use_interface {127,0,0,1}"}
        place.at_close(self.close)

    def close(self):
        subprocess.run(["epmd", "-kill"], env=self.env, capture_output=True, check=False)
        self.name_server.close()

    def scenario(self, port, seconds):
        """tsung/run says why the pace is what it is."""
        late = self.users * 0.0004 if self.users < 1250 else 0.5
        values = {"THEPORT": port, "RATE": self.users, "HITS": self.hits, "LOOPS": seconds - 1,
                  "PACE": f"{(self.users + 3 * self.users ** 0.5) / (1 - late):.1f}"}
        text = (SCENARIO / "tsung.xml").read_text()
        for name, value in values.items():
            text = re.sub(f'ENTITY {name} "[^"]*"', f'ENTITY {name} "{value}"', text)
        path = self.dir / f"{self.runs}.xml"
        path.write_text(text)
        return path

    def load(self, port, seconds, status=204):
        """{requests, answers}: how many were sent, and answered with this status."""
        self.runs += 1
        log = self.dir / f"log{self.runs}"
        log.mkdir()
        with on_core(CLIENT_CORE):
            process = subprocess.Popen(["tsung", "-n", "-w", "0", "-I", "127.0.0.1", "-X", self.dir, "-f", self.scenario(port, seconds), "-l",
                                        log, "start"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(seconds + MARGIN_S)
        except subprocess.TimeoutExpired:
            raise Failure("Tsung does not end") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        text = "".join(path.read_text() for path in pathlib.Path(log).glob("*/tsung.log"))
        found = {name: sum(int(n) for n in re.findall(rf"^stats: {word} (\d+) ", text, re.M))
                 for name, word in (("requests", "request"), ("answers", status))}
        if not found["answers"] or found["answers"] != found["requests"]:
            raise Failure(f"Tsung: {found['requests']} requests, {found['answers']} of them answered {status}")
        return found
