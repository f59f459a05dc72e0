"""The load client with its ledger, and the one comparison of what was counted with what it wrote down."""

import subprocess

from programs import BIN, TIMEOUT_S, WIDTH_US, Failure, environment, text_time, wait_until


class Load:
    """The load client and what it wrote down: window start -> [sent, acknowledged, refused]. `wrap`: what it is started by;
    server.port is one of the loopback, or with an address, 192.0.2.1:80."""

    def __init__(self, place, server, name, seed, wrap=(), **settings):
        self.place, self.server = place, server
        self.ledger_path = place.dir / f"{name}.ledger"
        self.errors = open(place.dir / f"{name}.log", "wb")
        place.at_close(self.errors.close)
        words = [f"{key}={value}" for key, value in {"seed": seed, **settings}.items()]
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *wrap, BIN / "fault_load", str(server.port), self.ledger_path, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, bufsize=1, env=environment())
        place.at_close(self.end)
        self.totals, self.ledger = None, None

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(TIMEOUT_S)
        self.process.stdin.close()
        self.process.stdout.close()

    def say(self, word):
        """One command and its answer, {name: number}."""
        self.process.stdin.write(word + "\n")
        answer = self.process.stdout.readline()
        if not answer:
            raise Failure(f"the load client ended: {(self.place.dir / self.errors.name).read_text()}")
        return {key: float(value) for key, value in (pair.split("=") for pair in answer.split()[1:])}

    def progress(self, requests=200):
        """Waits until so many more requests were acknowledged."""
        goal = self.say("tally")["acked"] + requests
        wait_until(lambda: self.say("tally")["acked"] >= goal, lambda: f"the load goes on: {self.say('tally')}")

    def pause(self):
        return self.say("pause")

    def resume(self):
        return self.say("resume")

    def phase(self):
        """Rate and latencies since the last call."""
        return self.say("phase")

    def stop(self):
        if self.totals is None:
            self.totals = {key: int(value) for key, value in self.say("stop").items()}
            if self.process.wait(TIMEOUT_S):
                raise Failure("the load client failed")
            self.ledger = {}
            for line in self.ledger_path.read_text().splitlines():
                start, *entry = map(int, line.split())
                self.ledger[start] = entry
            if self.totals["acked"] == 0:
                raise Failure(f"the load counted nothing: {self.totals}")
        return self.totals


def bounds(loads, resolution):
    """{window start: (acknowledged, sent and not refused)} over all loads."""
    width, result = WIDTH_US[resolution], {}
    for load in loads:
        for start, (sent, acked, refused) in load.ledger.items():
            low, high = result.get(start // width * width, (0, 0))
            result[start // width * width] = (low + acked, high + sent - refused)
    return result


def compare(loads, resolution, counts, where):
    """acknowledged <= counted <= sent in every window."""
    limits = bounds(loads, resolution)
    wrong = [(start, *limits.get(start, (0, 0)), counts.get(start, 0)) for start in limits.keys() | counts.keys()
             if not limits.get(start, (0, 0))[0] <= counts.get(start, 0) <= limits.get(start, (0, 0))[1]]
    if wrong:
        start, low, high, found = min(wrong)
        lost = sum(max(0, low - found) for _, low, _, found in wrong)
        doubled = sum(max(0, found - high) for _, _, high, found in wrong)
        raise Failure(f"{where}, {resolution}: {len(wrong)} of {len(limits)} windows are wrong, {lost} events lost, "
                      f"{doubled} too many; first {text_time(start, 3)}: {low} acknowledged, {high} sent, {found} counted")
