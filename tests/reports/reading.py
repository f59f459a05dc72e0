"""Rows as the console prints them, from a server, a state directory or Redis."""

import hashlib
import json
import re
import subprocess

from definitions import WIDTHS
from figures import Number
from model import OTHER
from support import BIN, Failure, environment, text_time, us_of

TIMEOUT_S = 3600
AS_WRITTEN = json.JSONDecoder(parse_int=Number, parse_float=Number)  # json.loads would make one for each row


def key_of(report, row):
    """The key as the model has it, but for values, which are as JSON shows them; `(other)` of a sender is b"(other)"."""
    key = row.get("key", {})
    other = row.get("other", [])
    if other is True:
        return (OTHER,) * len(report.by)
    return tuple(OTHER if name in other else b"(other)" if key[name] == "(other)" else key[name] for name in report.by)


def text(report, width, since_us, *source):
    """All rows of one report and width, as JSON; no event is older than since_us."""
    begin = text_time(since_us // WIDTHS[width] * WIDTHS[width])
    words = [str(word) for word in (BIN / "aforo", "report", report.name, "--window", width, *source, "--from", begin, "--partial",
                                    "--format", "json")]
    done = subprocess.run(words, capture_output=True, timeout=TIMEOUT_S, env=environment(), check=False)
    if done.returncode:
        raise Failure(f"{' '.join(words)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def audit(*source):
    """What the console's own check says of it."""
    done = subprocess.run([str(word) for word in (BIN / "aforo", "check", *source)], capture_output=True, timeout=TIMEOUT_S,
                          env=environment(), check=False)
    if done.returncode:
        raise Failure(f"aforo check: {(done.stdout + done.stderr).decode(errors='replace')[:2000]}")


def mark(output):
    """Equal marks: the same rows. Whether a window is over changes with the time."""
    return hashlib.sha256(re.sub(rb'"state":"[a-z]+"', b"", output)).digest()


def rows(report, width, output):
    """{(start in us, key): {figure: value}}; numbers are Number, other values what JSON has."""
    found = {}
    for line in output.decode().splitlines()[1:]:
        if not line.startswith('{"start"'):
            continue
        row = AS_WRITTEN.decode(line.rstrip(","))
        place = (us_of(row["start"]), key_of(report, row))
        if place in found:
            raise Failure(f"report {report.name}, window {width}: {place} comes twice")
        if list(row["values"]) != report.show or list(row.get("key", {})) != report.by:
            raise Failure(f"report {report.name}, window {width}: {line}")
        found[place] = row["values"]
    return found
