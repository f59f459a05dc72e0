"""The other Debian of the two, in a container: builds there what is needed, and runs the suites that depend on its libraries and
programs the most: the corpus and the smuggling tests (libmicrohttpd, haproxy), the store (hiredis, Redis) and the console.

The build is the quickest that gcc has, with warnings as errors; of the tests, those run that a library can fail and that take
little of a core. DEV_AFORO_LONG=1: the release build, and all tests of these suites.

Exit status 77 with the reason where there is no container engine, or no image debian:SUITE-slim of the other one. The packages
are a layer of an image that stays, by its name's end that of their list; the container and what was built in it go.
"""

import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIP = 77
SECONDS = 1200
TESTS_PACKAGES = "check haproxy python3 procps redis-server redis-tools util-linux"
STORE = [f"test_redis_store_{subject}" for subject in "closing errors lease lifetime loss merge read rights".split()]
TARGETS = " ".join(["aforod", "aforo", "fill_state", *STORE])
ALL_TESTS = r"^integration/test_(corpus|smuggling|console_(check|redis|reach|server|state))$|^redis/store_"
ALL = f"""set -e
mkdir /build && cd /source && tar -c --exclude=./build --exclude=./.git . | tar -xC /build && cd /build
tools/configure release -DAFORO_TESTS=ON -DAFORO_WERROR=ON
cmake --build --preset release --parallel "$(nproc)" --target {TARGETS} >/tmp/built || {{ tail -n 40 /tmp/built; exit 1; }}
echo "built; CPU of the shell, and of what it ran:"
times
ctest --preset release --parallel $((2 * $(nproc))) -R '{ALL_TESTS}'
echo "tested:"
times
"""
# Begun in this order, the longest first. Left out: a cut at every position of the corpus, and what puts load on a fleet.
QUICK_TESTS = """
    test_smuggling.Smuggling.test_proxy_that_prefers_chunks test_smuggling.Smuggling.test_proxy_that_takes_the_first_length
    test_smuggling.Smuggling.test_proxy_that_takes_the_last_length test_console_redis test_smuggling.Smuggling.test_haproxy
    test_smuggling.Smuggling.test_lax_haproxy test_console_server test_corpus.Corpus.test_byte_by_byte test_corpus.Endless
    test_console_check.Apart test_console_state test_console_reach test_corpus.Corpus.test_whole""".split()
QUICK = f"""set -e
trap 'echo "CPU of the shell, and of what it ran:"; times' EXIT
cmake -G Ninja -S /source -B /build -DAFORO_TESTS=ON -DAFORO_WERROR=ON -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O0 >/dev/null
cmake --build /build --parallel "$(nproc)" --target {TARGETS} >/tmp/built || {{ tail -n 40 /tmp/built; exit 1; }}
echo "built:"
times
cd /source/tests/integration
export DEV_AFORO_BIN=/build/bin
one() {{
    case $1 in
        test_redis_*) "/build/bin/$1" ;;
        *) python3 -B -m unittest -v "$1" ;;
    esac >"/tmp/$1.log" 2>&1 || {{ echo "FAILED $1"; tail -n 60 "/tmp/$1.log"; return 1; }}
    tail -n 4 "/tmp/$1.log" | grep -E '^(Ran [1-9]|100%: Checks: [1-9])' | sed "s|^|$1: |" || {{ echo "FAILED $1: nothing ran"; return 1; }}
}}
export -f one
printf '%s\\n' {' '.join([*QUICK_TESTS, *STORE])} | xargs -P $((2 * $(nproc))) -I NAME bash -c 'one NAME'
"""


def other():
    release = dict(line.rstrip().split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return "bookworm" if release.get("VERSION_CODENAME") == "trixie" else "trixie"


def docker(*words, **settings):
    return subprocess.run(["docker", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=SECONDS, **settings)


def reason_to_skip(image):
    if shutil.which("docker") is None:
        return "docker is not installed"
    if docker("info", stdin=subprocess.DEVNULL).returncode:
        return "no container engine is reachable (docker info fails)"
    if docker("image", "inspect", image).returncode and docker("pull", "-q", image).returncode:
        return f"there is no image {image}, and none can be pulled"
    return None


def packages():
    """Those that aforo is built of, as tools/setup has them, and those of these tests."""
    built_of = re.search(r"^packages=\(([^)]*)\)", (ROOT / "tools" / "setup").read_text(), re.M)[1]
    return " ".join([*built_of.split(), *TESTS_PACKAGES.split()])


def make_image(base):
    text = f"FROM {base}\nRUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends {packages()}\n"
    name = f"aforo-test-{base.partition(':')[2]}:{zlib.crc32(text.encode()):08x}"
    if docker("image", "inspect", name).returncode:
        done = docker("build", "-q", "-t", name, "-", input=text)
        if done.returncode:
            sys.exit(f"FAILED the packages: {done.stdout[-3000:]}")
    return name


def main():
    base = f"debian:{other()}-slim"
    why = reason_to_skip(base)
    if why:
        print(f"skipped: {why}")
        return SKIP
    started = time.monotonic()
    image = make_image(base)
    print(f"{base} with the packages: {time.monotonic() - started:.0f} s", flush=True)
    done = docker("run", "--rm", "--init", "--shm-size", "1g", "--ulimit", "nofile=20000:20000", "-v", f"{ROOT}:/source:ro", image, "bash", "-c",
                  ALL if os.environ.get("DEV_AFORO_LONG") else QUICK)
    print(done.stdout[-12000:])
    print(f"{base} on {platform.node()}: exit status {done.returncode} after {time.monotonic() - started:.0f} s")
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
