"""Events with fields under load: aforod is killed, and reads its definitions again, and each row of each report is what was sent; all
reports agree with the counts."""

import collections
import http.client
import json
import random
import threading
import unittest

from support import TIMEOUT_S, now_us, wait_until
from support.report_case import DEFINITIONS, NDJSON, ReportCase

SECOND = 1_000_000


class Sender(threading.Thread):
    """Sends batches until it is told to stop, and keeps the ledger: {client: [sent, acknowledged]}."""

    def __init__(self, server, seed):
        super().__init__(daemon=True)
        self.server, self.random = server, random.Random(seed)
        self.ledger = collections.defaultdict(lambda: [0, 0])
        self.stopping = threading.Event()
        self.batches, self.failure = 0, None

    def run(self):
        link = None
        try:
            link = self.send_all()
        finally:
            if link:
                link.close()

    def send_all(self):
        link = None
        while not self.stopping.is_set():
            clients = collections.Counter(self.random.randrange(50) for _ in range(200))
            now = now_us()
            body = "".join(f'{{"time":{now - self.random.randrange(30 * SECOND)},"client":{client},"price":1.25}}\n'
                           for client, n in clients.items() for _ in range(n))
            for client, n in clients.items():
                self.ledger[client][0] += n
            try:
                link = link or http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT_S)
                link.request("POST", "/events", body, {"Content-Type": NDJSON})
                report = json.loads(link.getresponse().read())
            except (OSError, http.client.HTTPException, ValueError):
                link.close()
                link = None
                self.stopping.wait(0.01)
                continue
            if report["rejected"] or "unfit" in report:
                self.failure = report
                break
            self.batches += 1
            for client, n in clients.items():
                self.ledger[client][1] += n
        return link

    def stop(self):
        self.stopping.set()
        self.join(TIMEOUT_S)
        if self.failure:
            raise AssertionError(self.failure)


class Load(ReportCase):
    def senders(self, server, n=2):
        senders = [Sender(server, seed) for seed in range(n)]
        for sender in senders:
            sender.start()
            self.addCleanup(sender.stop)
        return senders

    def progress(self, senders, batches):
        for sender in senders:
            goal = sender.batches + batches
            wait_until(lambda s=sender, g=goal: s.batches >= g, lambda: "the load goes on", TIMEOUT_S)

    def assert_ledger(self, server, senders):
        counts = self.count_by(server, "clients", "client")
        sent, acked = collections.Counter(), collections.Counter()
        for sender in senders:
            for client, (n, done) in sender.ledger.items():
                sent[client] += n
                acked[client] += done
        for client in sent.keys() | counts.keys():
            self.assertTrue(acked[client] <= counts.get(client, 0) <= sent[client],
                            (client, acked[client], counts.get(client), sent[client]))
        sums = collections.Counter()
        for _, key, values in self.rows(server, "spent"):
            self.assertEqual(round(float(values["sum(price)"]) * 100), 125 * values["count"])
            sums[key["client"]] += values["count"]
        self.assertEqual(dict(sums), counts)
        self.assertEqual(sum(counts.values()), server.conserved()["counted"])
        self.assert_agrees(server)

    def test_killed_under_load(self):
        server = self.server("--reports", self.define())
        senders = self.senders(server)
        for _ in range(8):
            self.progress(senders, 10)
            server.kill()
            server.start()
        self.progress(senders, 10)
        for sender in senders:
            sender.stop()
        self.assert_rows_and_counts(server, senders)

    def assert_rows_and_counts(self, server, senders):
        """As the ledger has it; what was counted last before a kill may lack in the statistics, never in the counts."""
        counts = self.count_by(server, "clients", "client")
        total = sum(values["count"] for _, _, values in self.rows(server, "all"))
        self.assertEqual(sum(counts.values()), total)
        self.assert_agrees(server)
        for client, count in counts.items():
            sent = sum(sender.ledger[client][0] for sender in senders)
            acked = sum(sender.ledger[client][1] for sender in senders)
            self.assertTrue(acked <= count <= sent, (client, acked, count, sent))

    def test_reloaded_under_load(self):
        path = self.define()
        server = self.server("--reports", path)
        senders = self.senders(server)
        for i in range(6):
            self.progress(senders, 5)
            if i % 2 == 0:
                path.write_text(DEFINITIONS + f"  - name: more\n    by: [client]\n    windows: [{i + 1}s]\n    show: [count]\n"
                                if 10 % (i + 1) == 0 else DEFINITIONS)
            else:
                path.write_text(DEFINITIONS)
            self.reload(server, "reports read again")
        self.progress(senders, 5)
        for sender in senders:
            sender.stop()
        self.assert_ledger(server, senders)


if __name__ == "__main__":
    unittest.main()
