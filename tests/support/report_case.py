"""What the tests of events with fields share: definitions, rows as a state directory has them, and that these agree with the counts."""

import collections
import json
import re
import signal

from programs import wait_until

from .case import Case
from .console import aforo

DEFINITIONS = """
fields:
  client: {from: [form.client, query.client, json.client, line.client, header.X-Client], type: int}
  route:  [json.web.route, form.route, line.route]
  price:  {from: [form.price, json.price, line.price], type: decimal2}
reports:
  - name: clients
    by: [client]
    windows: [1min]
    show: [count]
  - name: spent
    by: [client]
    windows: [1min]
    show: [count, sum(price)]
    when: price
  - name: all
    windows: [1s, 1min]
    show: [count]
"""
FORM, JSON, NDJSON = "application/x-www-form-urlencoded", "application/json", "application/x-ndjson"


class ReportCase(Case):
    def define(self, text=DEFINITIONS, name="reports.yaml"):
        path = self.place.dir / name
        path.write_text(text)
        return path

    def reload(self, server, says):
        before = len(server.log())
        server.signal(signal.SIGHUP)
        return wait_until(lambda: re.search(f'msg="{says}', server.log()[before:]) and server.log()[before:],
                          lambda: f"{says} is logged\n{server.log()[before:]}")

    def rows(self, server, report, window="1min"):
        """[(key, values)] of all windows, with the window's start in the key."""
        status, out, err = aforo("report", report, "--window", window, "--state", server.state, "--from", "2001-09-09 01:46:40",
                                 "--partial", "--format", "json")
        self.assertEqual(status, 0, err)
        return [(row["start"], row.get("key", {}), row["values"]) for row in json.loads(out)["rows"]] if out else []

    def count_by(self, server, report, field):
        """{value: count} over all windows."""
        counts = collections.Counter()
        for _, key, values in self.rows(server, report):
            counts[key[field] if field else None] += values["count"]
        return dict(counts)

    def assert_agrees(self, server, report="all"):
        """A report without a condition has in each window as many events as the counts have."""
        for window in ("1s", "1min"):
            rows = collections.Counter()
            for start, _, values in self.rows(server, report, window):
                rows[start] += values["count"]
            answer = server.request("GET", f"/counts/{window}?from=2001-09-09T01:46:40Z&partial=1&format=json").json
            counts = {row["start"]: row["count"] for row in answer["windows"] if row["count"]}
            self.assertEqual(dict(rows), counts, window)
