"""The world that tests/faults/wander walks in: a few nodes, each behind a proxy of its own, one Redis, a clock for each of
them, and the ledger of what was acknowledged.

World time is the machine's plus base_us: `pass` moves all clocks at once. A party's own clock may be off that by `skew`.

What must hold at every moment, whatever has happened: no window of Redis has more than was acknowledged, and each total is
the sum of its parts. What must hold at a quiet point, with everybody there again: Redis and each server have all of it.
Only what nobody could still know is left out: `frozen` is what lies further back than a horizon after time has passed, and
is to stay at Redis for its time to live as long as Redis loses nothing."""

import datetime
import http.client
import os
import random
import shutil
import subprocess
import time

import proxy
from faults import WIDTH_US, Failure, Place, RedisError, Steering, difference, now_us, text_time, wait_until
from support import CHUNK_TIME, CHUNK_US, EPOCH
from wander_node import HOUR, MINUTE, SECOND, Node

__all__ = ["HEALED_S", "IMPATIENT_S", "World", "chunk_key"]

SPOTS_S = (0, 0.3, 3, 20, 75, 200, 340, 1500, 2700)  # so long before the sequence began
HORIZON_MARGIN_US = 4 * MINUTE  # no event is nearer to the edge: a sequence takes less
STUCK_S = 20      # all say that all is sent, and nothing changes: it will stay wrong
HEALED_S = 60     # whatever they say
IMPATIENT_S = 32  # the same while a sequence is shortened: longer than a lease lasts
TTL_SLACK_S = 180  # a minute's difference is not worth a write; and a sequence takes its time
SMALL_DISK = "400m"


def chunk_key(resolution, number):
    start = EPOCH + datetime.timedelta(microseconds=number * CHUNK_US[resolution])
    return f"aforo:2:{{{resolution}:{start.strftime(CHUNK_TIME[resolution])}}}"


class World:
    """Everything of one sequence."""

    def __init__(self, setting, healed_s=HEALED_S):
        self.setting, self.healed_s = setting, healed_s
        self.stuck_s = STUCK_S if healed_s == HEALED_S else STUCK_S / 2
        self.random = random.Random(1)  # of the proxies: where they cut
        self.place = Place()
        self.steerings, self.base_us = {}, 0
        self.states = self.place.dir
        self.small = setting["disk"] and self.mount()
        self.redis_clock, self.redis_skew_us = self.clock("redis"), 0
        self.redis = self.new_redis("redis", *(("--appendonly", "yes", "--appendfsync", "no") if setting["aof"] else ()))
        self.redis_paused = self.saved = False
        self.copy, self.copies = None, 0
        self.ledger, self.frozen, self.cutoff_us = {}, {}, 0
        self.writes = {}          # (resolution, chunk) -> {node number: world time of the last event}
        self.orphans = False      # Redis has counts of a name that is no more
        self.set_back = False     # Redis' clock was: what it wrote then may live too short for `pass`
        self.unnudged = False     # deleted chunks are found in their turn only
        self.nudged = []          # (node, process id) of those who should have noticed one
        self.began_us = self.now_us()
        self.nodes, self.events, self.quiet_points = [], 0, 0

    def open(self):
        """Starts everything."""
        self.redis.start()
        self.nodes = [Node(self, number, setting) for number, setting in enumerate(self.setting["nodes"])]
        ids = [node.setting["id"] for node in self.nodes]
        for node in self.nodes:
            node.pure = ids.count(node.setting["id"]) == 1
            node.start()

    def close(self):
        for node in self.nodes:
            node.resume()
        self.place.close()

    def mount(self):
        """A small disk, where that is permitted."""
        directory = self.place.dir / "disk"
        directory.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "none", directory], capture_output=True,
                              timeout=30, check=False)
        if done.returncode:
            return False
        self.place.at_close(subprocess.run, ["umount", "-l", str(directory)])
        self.states = directory
        return True

    # ---- clocks -------------------------------------------------------------------------------------------------------------

    def clock(self, name):
        self.steerings[name] = Steering(self.place.dir / f"{name}.steering")
        self.place.at_close(self.steerings[name].close)
        self.steerings[name].offset(self.base_us)
        return self.steerings[name]

    def steered(self, name):
        return {"LD_PRELOAD": self.place.preloaded("fault_clock.so"), "DEV_AFORO_CLOCK": str(self.steerings[name].path)}

    def now_us(self):
        return now_us() + self.base_us

    def set_redis_clock(self, skew_us):
        if abs(skew_us) >= HOUR or abs(self.redis_skew_us) >= HOUR:
            self.lossy()
            self.unnudged = True
        self.set_back = self.set_back or skew_us < 0
        self.redis_skew_us = skew_us
        self.redis_clock.offset(self.base_us + skew_us)

    def all_right(self):
        """Every clock shows the world's time."""
        if self.redis_skew_us:
            self.set_redis_clock(0)
        for node in self.nodes:
            node.set_clock(0)

    def pass_time(self, us):
        """From a quiet point on: all clocks go on by so much. What is then further back than this is frozen."""
        before_us, was_frozen = self.now_us(), self.frozen
        gone_us = self.cutoff_us  # what was further back then, and is not frozen, may be gone
        self.base_us += us
        self.redis_clock.offset(self.base_us)
        for node in self.nodes:
            node.set_clock(0)
        self.began_us = self.now_us()
        self.cutoff_us = before_us + 30 * SECOND
        self.frozen = {}
        for resolution in WIDTH_US:
            for start, count in self.sums(self.ledger, resolution).items():
                if start < gone_us and (resolution, start) not in was_frozen:
                    continue
                if self.lives_until(resolution, start // CHUNK_US[resolution]) > self.now_us() + 5 * MINUTE:
                    self.frozen[resolution, start] = count

    # ---- Redis --------------------------------------------------------------------------------------------------------------

    def new_redis(self, name, *options):
        redis = self.place.redis("--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0", *options, name=name)
        redis.env = {**redis.env, **self.steered("redis")}
        return redis

    def redis_up(self):
        return self.redis.running() and not self.redis_paused

    def may_lose(self):
        """Redis may lose what it has: it is not the only one that has it."""
        return not self.orphans and not any(node.only_redis for node in self.nodes)

    def lossy(self):
        self.frozen = {}

    def save(self):
        """Not while it saves for a replica."""
        wait_until(lambda: "rdb_bgsave_in_progress:0" in self.redis.do("INFO", "persistence"), "the other SAVE ends")
        self.redis.do("SAVE")
        self.saved = True

    def resume_redis(self):
        if self.redis_paused:
            self.redis.signal(18)
        self.redis_paused = False

    def kill_redis(self, how):
        """With all it has ("with"), with what it saved last ("older"), with nothing ("empty")."""
        self.resume_redis()
        if how == "with" and not self.setting["aof"]:
            self.save()
        self.redis.kill()
        if how == "empty":
            self.lossy()
            self.saved = False
            for path in self.redis.directory.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        elif how == "older" and not self.setting["aof"]:
            self.lossy()

    # ---- the ledger ---------------------------------------------------------------------------------------------------------

    @staticmethod
    def sums(ledger, resolution):
        width, sums = WIDTH_US[resolution], {}
        for start, count in ledger.items():
            sums[start // width * width] = sums.get(start // width * width, 0) + count
        return sums

    def spot_us(self, node, spot):
        """A moment that is the same all through the sequence, within the node's horizon; spot 0 is now."""
        furthest_s = (node.horizon_us() - HORIZON_MARGIN_US) / SECOND
        spots = [s for s in SPOTS_S if s <= furthest_s]
        back_s = spots[spot % len(spots)]
        return self.now_us() if back_s == 0 else self.began_us - int(back_s * SECOND)

    def send(self, node, times, count):
        """So many events at each of these times, in one batch. What is acknowledged goes into the ledger. With its clock off,
        a server may refuse all of one time."""
        if not node.up():
            return False
        try:
            answer = node.server.post_lines([text_time(us) for us in times for _ in range(count)])
        except (OSError, http.client.HTTPException) as error:
            wait_until(lambda: not node.running(), lambda: f"an answer: {error}", 1)
            node.alive()
            raise Failure(f"{node.server.name}: {error}") from None
        accepted = answer.json["accepted"] if answer.status == 200 else 0
        off = node.skew_us != 0
        if accepted != count * len(times) and (not off or accepted):
            raise Failure(f"{node.server.name} took {accepted} of {count * len(times)} events: {answer.status} {answer.text}")
        for us in times if accepted else ():
            self.note(node, us, count)
        return accepted > 0

    def note(self, node, us, count):
        start = us // WIDTH_US["10ms"] * WIDTH_US["10ms"]
        for ledger in (self.ledger, node.own):
            ledger[start] = ledger.get(start, 0) + count
        for resolution, width in CHUNK_US.items():
            self.writes.setdefault((resolution, start // width), {})[node.number] = self.now_us()
        node.dirty = True
        self.events += count

    def expected(self, resolution):
        """(what must be there, what may be there)."""
        may = self.sums(self.ledger, resolution)
        must = {start: count for start, count in may.items()
                if start >= self.cutoff_us or (resolution, start) in self.frozen}
        return must, may

    # ---- what must hold -----------------------------------------------------------------------------------------------------

    def glance(self):
        """At every moment. Returns {resolution: counts} of Redis, None when it does not answer."""
        for node in self.nodes:
            node.alive()
        if not self.redis_up():
            return None
        try:
            there = self.redis.audit()
        except (OSError, RedisError):
            return None
        for resolution, counts in there.items():
            _, may = self.expected(resolution)
            for start, count in sorted(counts.items()):
                if count > may.get(start, 0):
                    raise Failure(f"doubled: {resolution} {text_time(start, 3)}: {may.get(start, 0)} were acknowledged, Redis "
                                  f"has {count}")
        return there

    def lacking(self, there):
        """The first that is not yet as it must be; empty: nothing."""
        for resolution, counts in there.items():
            must, _ = self.expected(resolution)
            here = {start: count for start, count in counts.items() if start in must or start >= self.cutoff_us}
            if here != must:
                return f"Redis, {resolution}: {difference(must, here)}"
        for node in self.nodes:
            if not node.pure:
                continue
            for resolution in WIDTH_US:
                must = {s: n for s, n in self.sums(node.own, resolution).items() if s >= self.cutoff_us}
                here = {s: n for s, n in node.server.counts(resolution).items() if s >= self.cutoff_us}
                if here != must:
                    return f"{node.server.name} itself, {resolution}: {difference(must, here)}"
        return ""

    def wake(self):
        """Everybody is there again, and undisturbed."""
        for node in self.nodes:
            node.resume()
            node.between.mode = proxy.PASS
        self.resume_redis()
        self.all_right()
        if not self.redis.running():
            self.redis.start()
        for node in self.nodes:
            if not node.running():
                node.alive()
                node.start()

    def settle(self, still_s=0.3):
        """A quiet point: wakes all, waits until everything is as it must be, and looks again a moment later."""
        self.wake()
        begin = changed = time.monotonic()
        last, turn_s = None, self.turn_s()
        while True:
            there = self.glance()
            wrong = self.lacking(there) if there else "Redis does not answer"
            health = [node.server.health()["store"] for node in self.nodes]
            calm = all(store["connected"] and not store["lag_ms"] for store in health)
            if not wrong and calm:
                break
            now = time.monotonic()
            state = (wrong, calm)
            changed = now if state != last or not calm else changed
            last = state
            if now - changed > self.stuck_s + turn_s or now - begin > self.healed_s + turn_s:
                raise Failure(f"not healed after {now - begin:.0f} s: {wrong or 'not all is sent'}\n  " + "\n  ".join(
                    f"{node.server.name}: {store}" for node, store in zip(self.nodes, health)))
            time.sleep(0.1)
        self.stays(still_s)
        self.lives_long_enough()
        for node in self.nodes:
            node.agreed, node.only_redis, node.dirty = True, False, False
        self.unnudged, self.nudged = False, []
        self.quiet_points += 1

    def stays(self, still_s):
        end = time.monotonic() + still_s
        while time.monotonic() < end:
            time.sleep(0.2)
            there = self.glance()
            wrong = self.lacking(there) if there else "Redis does not answer"
            if wrong:
                raise Failure(f"it was right, and then it was not: {wrong}")
        for node in self.nodes:
            node.server.conserved()

    def lives_until(self, resolution, number):
        """World time: so long each of those who counted in a chunk needs it."""
        writers = self.writes[resolution, number]
        return max(at + self.nodes[node].ttl_us(resolution) for node, at in writers.items())

    def lives_long_enough(self):
        """No chunk lives shorter than the one needs it who needs it for longest; unless Redis' clock was ever set back."""
        chunks = [(resolution, number) for resolution, number in sorted(self.writes)
                  if not self.set_back and number * CHUNK_US[resolution] >= self.cutoff_us]
        keys = [chunk_key(resolution, number) for resolution, number in chunks]
        for (resolution, number), key, ttl_s in zip(chunks, keys, self.redis.pipeline([("TTL", key) for key in keys])):
            wanted_s = (self.lives_until(resolution, number) - self.now_us()) / SECOND - TTL_SLACK_S
            if ttl_s < wanted_s:
                raise Failure(f"{key} lives for {ttl_s} s more; somebody needs it for {wanted_s:.0f} s")

    def turn_s(self):
        """How long it takes until each chunk was compared in its turn (four a second), when one was deleted unseen: by
        nobody, or by a server that was ended before it could tell the others."""
        unseen = self.unnudged or any(node.server.process.pid != pid for node, pid in self.nudged)
        if not unseen:
            return 0
        known = [sum(len({start // CHUNK_US[r] for start in node.own}) for r in WIDTH_US) / 4 + node.horizon_us() / SECOND / 512
                 for node in self.nodes]  # 512 places of the memory are looked at in a second
        return max(known, default=0) * 1.5 + 3

    # ---- directories --------------------------------------------------------------------------------------------------------

    @staticmethod
    def take_copy(source, target, sparse=False):
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-r", f"--sparse={'always' if sparse else 'auto'}", source, target], check=True, timeout=60)

    def fill_disk(self):
        """Nothing more fits on the small disk. Returns the file to remove."""
        path = self.states / "filler"
        with open(path, "wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError:
                    os.fsync(file.fileno())
        return path
