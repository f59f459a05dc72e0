"""The one harness of all tests in Python. What starts programs lies in tools/programs; here is what only tests need.

tests/integration and tests/faults have a link to this directory, so that one test can be run there by its name alone.
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))

from programs import (BIN, CHUNK_TIME, CHUNK_US, EPOCH, ROOT, TIMEOUT_S, WIDTH_US, Answer, Failure, Haproxy,  # noqa: E402
                      Place, Program, Redis, RedisError, Sentinel, Server, environment, needs, now_us, text_time, us_of,
                      wait_until)

from .case import Case  # noqa: E402
from .counts import difference, flushed, state_counts, sums  # noqa: E402
from .link import read_to_end  # noqa: E402
from .load import Load, compare  # noqa: E402

STATE_FILE = "counters.aforo"
# A sanitizer has an allocator of its own, which keeps what was freed for a while: memory then says nothing of the program.
MEMORY_IS_OURS = not os.environ.get("DEV_AFORO_SANITIZE")

__all__ = ["BIN", "CHUNK_TIME", "CHUNK_US", "EPOCH", "MEMORY_IS_OURS", "ROOT", "STATE_FILE", "TIMEOUT_S", "WIDTH_US", "Answer", "Case",
           "Failure", "Haproxy", "Load", "Place", "Program", "Redis", "RedisError", "Sentinel", "Server", "compare", "difference",
           "environment", "flushed", "needs", "now_us", "read_to_end", "state_counts", "sums", "text_time", "us_of", "wait_until"]
