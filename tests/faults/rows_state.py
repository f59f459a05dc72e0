"""The state directory: refused with the reason, or repaired and exact; never a crash, never a wrong number."""

import os
import pathlib
import shutil
import signal
import struct
import subprocess

from faults import BIN, TIMEOUT_S, WIDTH_US, Failure, Skipped, difference, row, state_counts, wait_until

FILE = "counters.aforo"
HEADER = struct.Struct("<8sIIqq3q64s40sQQQ")  # struct state_header of counters/state/state_file.h
SMALL = ("--horizon", "30s", "--future", "2s")


def refused(run, server, *words):
    """The start ends with status 1 and one line that holds all the words."""
    status, said = server.refuses_to_start()
    lines = [line for line in said.splitlines() if line.startswith("aforod: ")]
    if status != 1 or len(lines) != 1:
        raise Failure(f"status {status}, expected one line and status 1: {said}")
    for word in words:
        if word not in lines[0]:
            raise Failure(f"'{word}' is not named: {lines[0]}")
    run.faults += 1
    return lines[0]


def refused_as_it_is(run, server, data, *words):
    """With these bytes as its file the server does not start, and does not write to it."""
    path = server.state / FILE
    path.write_bytes(data)
    refused(run, server, str(path), *words)
    if path.read_bytes() != data:
        raise Failure(f"a file that was refused was written to: {words or len(data)}")


def filled(run, *flags, name="aforod", orderly=True, requests=2000):
    """A server with counts, ended; (server, counts by resolution)."""
    server = run.server(*flags, name=name).start()
    load = run.load(server, connections=8, past_us=10_000_000, future_us=1_000_000, batch_every=20)
    load.progress(requests)
    load.stop()
    counts = {resolution: server.counts(resolution) for resolution in WIDTH_US}
    if orderly:
        server.stop()
    else:
        server.kill()
    run.tally(sum(counts["1min"].values()))
    return server, counts


def exact(server, counts, what):
    for resolution, expected in counts.items():
        found = server.counts(resolution)
        if found != expected:
            raise Failure(f"{what}: a wrong number, {resolution}: {difference(expected, found)}")


def header_checksum(header):
    """FNV-1a, as state_file.c."""
    value = 0xcbf29ce484222325
    for byte in header[:HEADER.size - 8]:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return value


def with_header(data, **changed):
    names = ("magic", "version", "shards", "horizon_us", "future_us", "c0", "c1", "c2", "node", "boot", "read_back",
             "clean", "checksum")
    fields = {**dict(zip(names, HEADER.unpack_from(data))), **changed}
    header = HEADER.pack(*fields.values())
    header = header[:-8] + struct.pack("<Q", header_checksum(header))
    return header + data[HEADER.size:]


@row("state-second-server", "two servers on one state directory: the second refuses, the first goes on")
def state_second_server(run):
    server = run.server().start()
    load = run.load(server, connections=8)
    load.progress()
    refused(run, run.server(name="second", state=server.state), "another server", str(server.state))
    linked = run.server(name="linked")
    linked.state.mkdir()
    (linked.state / FILE).hardlink_to(server.state / FILE)
    refused(run, linked, "another server uses this file", str(linked.state))
    load.progress()
    run.verify([server])


@row("state-versions", "another version or geometry: refused with both named, and left as it is")
def state_versions(run):
    server, counts = filled(run, *SMALL)
    path = server.state / FILE
    good = path.read_bytes()
    refused_as_it_is(run, server, with_header(good, version=7), "version 7", "version 1")
    path.write_bytes(good)
    server.flags = ["--horizon", "40s", "--future", "2s"]
    refused(run, server, "30s", "40s", str(path))
    server.flags = ["--horizon", "30s", "--future", "3s"]
    refused(run, server, "--future 2s", "--future 3s")
    server.flags = [*SMALL, "--node-id", "somebody-else"]
    refused(run, server, "somebody-else")
    if path.read_bytes() != good:
        raise Failure("a file of another geometry was written to")
    server.flags = list(SMALL)
    server.start()
    exact(server, counts, "after all refusals")


@row("state-truncated", "a truncated file is refused, and left as it is")
def state_truncated(run):
    server, counts = filled(run, *SMALL)
    path = server.state / FILE
    good = path.read_bytes()
    for size in [0, 1, 7, 8, 100, HEADER.size, 4096] + [run.random.randrange(len(good)) for _ in range(run.many(20, 200))]:
        refused_as_it_is(run, server, good[:size])
    path.write_bytes(good + bytes(5000))  # longer is what a cut-short growth leaves
    server.start()
    exact(server, counts, "a file that is too long")


@row("state-foreign", "a file of something else is refused, and left as it is")
def state_foreign(run):
    server, _ = filled(run, *SMALL)
    path = server.state / FILE
    good = path.read_bytes()
    for data in (b"hello\n", run.random.randbytes(len(good)), bytes(len(good)), b"\x7fELF" + good[4:], good[8:], good[::-1]):
        refused_as_it_is(run, server, data, "move")
    path.unlink()
    path.mkdir()
    refused(run, server, str(path))
    path.rmdir()
    server.state.rename(server.state.with_name("elsewhere"))
    server.state.write_text("a file where the directory should be")
    refused(run, server, str(server.state))


def flip_places(run, good, n):
    """Bits to flip: of the header, of what is not zero, of anything."""
    full = [i for i in range(0, len(good), 8) if any(good[i:i + 8])]
    for i in range(n):
        place = (run.random.randrange(HEADER.size) if i % 4 == 0 else
                 run.random.choice(full) + run.random.randrange(8) if i % 4 < 3 else run.random.randrange(len(good)))
        yield place, run.random.randrange(8)


def flip_bits(run, orderly):
    server, counts = filled(run, *SMALL, orderly=orderly)
    path = server.state / FILE
    good = path.read_bytes()
    refusals = 0
    for place, bit in flip_places(run, good, run.many(120, 5000)):
        bad = bytearray(good)
        bad[place] ^= 1 << bit
        path.write_bytes(bad)
        run.faults += 1
        server.spawn()
        try:
            server.ready()
        except Failure:
            if server.process.returncode != 1 or "aforod: " not in server.log():
                raise Failure(f"byte {place} bit {bit}: ended with {server.process.returncode}: "
                              f"{server.log()[-500:]}") from None
            refusals += 1
            continue
        exact(server, counts, f"byte {place} bit {bit}")
        server.conserved()
        server.kill()
    run.note(f"{refusals} of {run.faults} refused, the others exact")
    if not refusals:
        raise Failure("not one flipped bit was found")


@row("state-bit-flipped", "one flipped bit in a file that was closed in order: refused or exact")
def state_bit_flipped(run):
    flip_bits(run, True)


@row("state-bit-flipped-killed", "one flipped bit in a file of a killed server: refused or exact")
def state_bit_flipped_killed(run):
    flip_bits(run, False)


@row("state-read-only", "a directory or file that may not be written: refused with the reason")
def state_read_only(run):
    if os.geteuid() != 0:
        raise Skipped("only root can start a server as another user")
    server, _ = filled(run, *SMALL)
    server.as_user = "nobody"
    path = server.state / FILE
    run.place.dir.chmod(0o755)
    server.state.chmod(0o555)
    path.chmod(0o444)
    refused(run, server, str(path), "Permission denied")
    empty = run.server(*SMALL, name="empty", as_user="nobody")
    empty.state.mkdir(mode=0o555)
    refused(run, empty, str(empty.state), "Permission denied")
    below = run.server(*SMALL, name="below", state=empty.state / "new", as_user="nobody")
    refused(run, below, str(below.state), "Permission denied")


@row("state-disk-full", "a full disk when the file is made or grows: refused with the reason, and no half file left")
def state_disk_full(run):
    small = small_disk(run, "4m")
    server = run.server(state=small / "state")
    refused(run, server, "No space left", str(server.state))
    if list(server.state.iterdir()):
        raise Failure(f"left behind: {list(server.state.iterdir())}")
    fits = run.server(*SMALL, state=small / "fits", threads=1).start()
    load = run.load(fits, connections=4, past_us=1_000_000)
    load.progress()
    load.stop()
    counts = {resolution: fits.counts(resolution) for resolution in WIDTH_US}
    run.tally(sum(counts["1s"].values()))
    fits.stop()
    fits.threads = 64
    refused(run, fits, "No space left")
    fits.threads = 1
    fits.start()  # what does not grow needs no space
    exact(fits, counts, "after the refusal")


def small_disk(run, size):
    """A directory that is a disk of its own."""
    small = run.place.dir / "small"
    small.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", small], capture_output=True, text=True,
                          timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise Skipped(f"mount is not permitted here: {done.stderr.strip()}")
    run.place.at_close(subprocess.run, ["umount", "-l", str(small)])
    return small


@row("state-sparse", "a sparse copy of the file and a full disk: refused with the reason, and no SIGBUS later")
def state_sparse(run):
    small = small_disk(run, "8m")
    server, counts = filled(run, *SMALL)
    (small / "state").mkdir()
    subprocess.run(["cp", "--sparse=always", server.state / FILE, small / "state" / FILE], check=True, timeout=TIMEOUT_S)
    (small / "filler").write_bytes(b"")
    with open(small / "filler", "wb", buffering=0) as filler:
        try:
            while filler.write(bytes(4096)) == 4096:
                pass
        except OSError:
            pass  # full
    copy = run.server(*SMALL, name="copy", state=small / "state")
    refused(run, copy, "No space left", str(copy.state))
    (small / "filler").unlink()
    copy.start()
    exact(copy, counts, "with space again")
    copy.stop()


@row("state-closed-files", "stdin, stdout or stderr closed: no file or socket ever gets their numbers")
def state_closed_files(run):
    for closed in ("<&- 2>&-", "<&- >&- 2>&-", ">&-", "2>&-", "<&-"):
        server = run.server(*SMALL, "--log-level", "debug", name=f"aforod{run.faults}")
        server.wrap = ["sh", "-c", f'exec "$@" {closed}', "sh"]
        server.start()
        load = run.load(server, connections=8, past_us=10_000_000, future_us=1_000_000)
        load.progress(300)
        for number in (0, 1, 2):
            target = os.readlink(f"/proc/{server.process.pid}/fd/{number}")
            if target != "/dev/null" and not target.endswith(".log"):
                raise Failure(f"{closed}: descriptor {number} is {target}")
        server.signal(signal.SIGHUP)  # one more line for the log
        load.progress(300)
        load.stop()
        counts = {resolution: server.counts(resolution) for resolution in WIDTH_US}
        server.stop()
        server.wrap = []
        server.start()
        exact(server, counts, f"after a run with {closed}")
        server.stop()
        run.faults += 1
    run.tally(sum(sum(state_counts(server.state, "1s").values()) for server in run.place.programs))


@row("state-fifo", "a FIFO where the state file should be is refused, and no limit of file sizes ends it without a word")
def state_fifo(run):
    server = run.server(*SMALL)
    server.state.mkdir()
    os.mkfifo(server.state / FILE)
    refused(run, server, "is not a regular file", str(server.state))
    (server.state / FILE).unlink()
    server.wrap = ["sh", "-c", 'ulimit -f 100; exec "$@"', "sh"]
    refused(run, server, "ulimit -f", str(server.state))


@row("state-gone", "the state directory deleted or moved while running: said at once, in the log and by /healthz")
def state_gone(run):
    redis = run.redis().start()
    for name, harm in (("deleted", shutil.rmtree), ("moved", lambda state: state.rename(state.with_name("elsewhere")))):
        server = run.server(*SMALL, name=name, redis=redis).start()
        load = run.load(server, connections=8, past_us=10_000_000, future_us=1_000_000)
        load.progress(300)
        if server.request("GET", "/healthz").status != 200:
            raise Failure("not healthy before")
        harm(server.state)
        run.faults += 1
        wait_until(lambda: server.request("GET", "/healthz").status == 503, "healthz says so", 30)
        if server.health()["status"] != "state file gone":
            raise Failure(f"/healthz: {server.health()}")
        if 'level=error msg="the state file is gone' not in server.log() or str(server.state) not in server.log():
            raise Failure(f"not in the log: {server.log()[-1000:]}")
        load.progress(300)  # it counts on: refusing would lose for certain
        load.stop()
        if name == "moved":
            server.state.with_name("elsewhere").rename(server.state)
            wait_until(lambda: server.request("GET", "/healthz").status == 200, "back again", 30)
        server.stop()
    run.tally(sum(redis.counts("1s").values()))
    if run.counted != run.acked:
        raise Failure(f"an orderly stop flushes: {run.acked} acknowledged, {run.counted} in Redis")


@row("state-copied", "a plain copy under load is refused and says what to use; 'aforo backup' makes one that is whole")
def state_copied(run):
    server = run.server(*SMALL).start()
    load = run.load(server, connections=16, past_us=10_000_000, future_us=1_000_000)
    refusals = 0
    for i in range(run.many(6, 60)):
        load.progress(300)
        before = {resolution: server.counts(resolution) for resolution in ("1s", "1min")}
        copy = run.server(*SMALL, name=f"copy{i}")
        done = subprocess.run([BIN / "aforo", "backup", server.state, copy.state], capture_output=True, text=True,
                              timeout=TIMEOUT_S, check=False)
        if done.returncode:
            raise Failure(f"aforo backup: {done.stderr}")
        copy.start()
        run.faults += 1
        for resolution, counts in before.items():
            held = copy.counts(resolution)
            short = {start for start, count in counts.items() if held.get(start, 0) < count}
            if short:
                raise Failure(f"{resolution}: {len(short)} windows hold less than before the copy was made")
        if sum(copy.counts("1s").values()) != sum(copy.counts("1min").values()):
            raise Failure("the resolutions of the copy differ")
        if copy.health()["node"] != server.health()["node"]:
            raise Failure("the copy is another node")
        copy.stop()
        plain = run.server(*SMALL, name=f"plain{i}")
        subprocess.run(["cp", "-r", server.state, plain.state], check=True, timeout=TIMEOUT_S)
        plain.spawn()
        try:
            plain.ready()
            plain.stop()
        except Failure:
            if "aforo backup" not in plain.log():
                raise Failure(f"the remedy is not named: {plain.log()}") from None
            refusals += 1
    run.note(f"{refusals} of {run.faults} plain copies refused")
    run.verify([server], local=("1s", "1min"))


@row("power-loss", "the machine dies: at most what came after the last write to disk (1 s) is lost, the rest is exact")
def power_loss(run):
    for i in range(run.many(6, 60)):
        environment, steering = run.clock()
        server = run.server(*SMALL, name=f"aforod{i}", env=environment).start()
        load = run.load(server, connections=8, rate=3000, past_us=5_000_000)
        load.progress(2000)
        before = steering.msyncs()
        wait_until(lambda: steering.msyncs() - before >= 2, "the state is written to disk twice")
        run.pause_s(0.2, 0.6)
        load.pause()
        path = server.state / FILE
        synced = path.read_bytes()
        floor = {resolution: server.counts(resolution) for resolution in WIDTH_US}
        load.resume()
        load.progress(2000)
        server.kill()
        latest = path.read_bytes()
        # Of pages written to since the last msync, the disk has the old or the new, each for itself.
        mixed = b"".join(run.random.choice((synced, latest))[at:at + 4096] for at in range(0, len(latest), 4096))
        path.write_bytes(with_header(mixed, boot=b"another-boot"))
        run.faults += 1
        server.start()
        server.conserved()
        load.stop()
        judge_power_loss(server, load, floor)
        server.stop()
    run.tally(sum(sum(state_counts(server.state, "1s").values()) for server in run.place.programs))


def judge_power_loss(server, load, floor):
    for resolution, width in WIDTH_US.items():
        sent = {}
        for start, (n, _, refusals) in load.ledger.items():
            sent[start // width * width] = sent.get(start // width * width, 0) + n - refusals
        found = server.counts(resolution)
        for start in found.keys() | floor[resolution].keys():
            if not floor[resolution].get(start, 0) <= found.get(start, 0) <= sent.get(start, 0):
                raise Failure(f"{resolution} window {start}: {floor[resolution].get(start, 0)} were on the disk, "
                              f"{sent.get(start, 0)} sent, {found.get(start, 0)} counted")
    fine, coarse = server.counts("10ms"), server.counts("1s")
    if sum(fine.values()) != sum(coarse.values()):
        raise Failure("the resolutions do not agree")


@row("state-half-made", "what a start that was cut short left behind does not matter")
def state_half_made(run):
    server = run.server(*SMALL)
    server.state.mkdir()
    (server.state / (FILE + ".new")).write_bytes(run.random.randbytes(10000))
    server.start()
    load = run.load(server, connections=4, past_us=1_000_000)
    load.progress()
    run.faults = 1
    run.verify([server])
    if sorted(path.name for path in pathlib.Path(server.state).iterdir()) != [FILE, "opened.aforo"]:
        raise Failure(f"left behind: {list(server.state.iterdir())}")
    shutil.rmtree(server.state)
