"""The other Debian of the two, in a container: builds there what is needed, and runs the suites that depend on its libraries and
programs the most: the corpus and the smuggling tests (libmicrohttpd, haproxy), the store (hiredis, Redis) and the console.

Exit status 77 with the reason where there is no container engine, or no image debian:SUITE-slim of the other one. The packages
are a layer of an image that stays, by its name's end that of their list; the container and what was built in it go.
"""

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
TESTS = r"^integration/test_(corpus|smuggling|console_(check|redis|reach|server|state))$|^redis/store_"
INSIDE = f"""set -e
mkdir /build && cd /source && tar -c --exclude=./build --exclude=./.git . | tar -xC /build && cd /build
tools/configure release -DAFORO_TESTS=ON -DAFORO_WERROR=ON
cmake --build --preset release --parallel "$(nproc)" --target aforod aforo fill_state {' '.join(STORE)} >/tmp/built || {{ tail -n 40 /tmp/built; exit 1; }}
echo "built; CPU of the shell, and of what it ran:"
times
ctest --preset release --parallel $((2 * $(nproc))) -R '{TESTS}'
echo "tested:"
times
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
    done = docker("run", "--rm", "--init", "--shm-size", "1g", "--ulimit", "nofile=20000:20000", "-v", f"{ROOT}:/source:ro", image, "bash", "-c", INSIDE)
    print(done.stdout[-12000:])
    print(f"{base} on {platform.node()}: exit status {done.returncode} after {time.monotonic() - started:.0f} s")
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
