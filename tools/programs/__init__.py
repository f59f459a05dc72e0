"""Real programs for tests and measurements: aforod, redis-server and its sentinel, haproxy, on ports and in directories of their
own, and networks for them.

A Place holds everything that one test starts; closing it ends every process and removes every file. A process also dies
with the program that started it (setpriv --pdeathsig), so that nothing is left behind when a test is killed. Neither tests/ nor
bench/ owns this: tests/support builds the tests' harness on it, bench/measure.py what the benchmarks need.
"""

from .aforod import SOME_DAY, Answer, Server, rows_of, us_of
from .haproxy import Haproxy, haproxy_command
from .network import Machine, Network, why_no_network
from .place import Place
from .process import (BIN, EPOCH, ROOT, TIMEOUT_S, Failure, Port, Program, environment, needs, now_us, text_time,
                      wait_until)
from .redis import CHUNK_TIME, CHUNK_US, WIDTH_US, Redis, RedisError, Sentinel, part

__all__ = ["BIN", "CHUNK_TIME", "CHUNK_US", "EPOCH", "ROOT", "SOME_DAY", "TIMEOUT_S", "WIDTH_US", "Answer", "Failure", "Haproxy", "Machine",
           "Network", "Place", "Port", "Program", "Redis", "RedisError", "Sentinel", "Server", "environment", "haproxy_command", "needs",
           "now_us", "part", "rows_of", "text_time", "us_of", "wait_until",
           "why_no_network"]
