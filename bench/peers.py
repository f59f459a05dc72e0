"""The servers that the bench sets side by side. All are pinned to the server's core; every Redis to the client's."""

import shutil
import socket
import subprocess

from measure import BIN, CLIENT_CORE, HERE, SERVER_CORE, Program, Redis, Server, on_core, wait_until

LUA_MODULE = "/usr/lib/nginx/modules/ngx_http_lua_module.so"


class Missing(Exception):
    """This machine has not the packages of a peer."""


def debian(*packages):
    """The versions of packages, for the names of rows; Missing without them."""
    versions = []
    for package in packages:
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=False)
        if done.returncode or not done.stdout:
            raise Missing(f"no package {package}")
        versions.append(done.stdout.rpartition(":")[2].partition("-")[0].partition("+")[0])
    return versions


class Peer(Program):
    """A server that answers on its port."""

    def __init__(self, place, name, command, row=None, body="event"):
        super().__init__(place, name, command)
        self.row, self.body, self.redis = row or name, body, None

    def start(self):
        with on_core(SERVER_CORE):
            self.spawn()
        wait_until(self.accepts, lambda: f"{self.name} answers\n{self.log()[-1000:]}")
        return self

    def accepts(self):
        if not self.running():
            raise Missing(f"{self.name} does not start: {self.log()[-300:]}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    @property
    def pids(self):
        """All processes that one request costs."""
        return [self.process.pid] + ([self.redis.process.pid] if self.redis and self.counts_redis else [])

    counts_redis = False


class Floor(Peer):
    def __init__(self, place, *mode):
        self.port = place.port()
        super().__init__(place, "-".join(["floor", *mode]), [BIN / "bench-floor", self.port, *mode], row="floor")


class Aforod(Server):
    """aforod, with a Redis of its own unless told otherwise."""

    def __init__(self, place, *flags, name="aforod", row="aforod", redis=True, threads=1, cores=(SERVER_CORE,)):
        self.row, self.body, self.cores = row, "event", cores
        super().__init__(place, *flags, name=name, redis=start_redis(place, name) if redis else None, threads=threads)

    def start(self):
        with on_core(*self.cores):
            self.spawn()
        self.ready()
        return self

    @property
    def pids(self):
        return [self.process.pid]


def start_redis(place, name, *options):
    with on_core(CLIENT_CORE):
        return Redis(place, *options, name=f"{name}-redis").start()


def configured(place, name, **values):
    """A peer's configuration with its words in capitals replaced, in the place's directory."""
    text = (HERE / "peers" / name).read_text()
    for word, value in {"DIR": place.dir, **values}.items():
        text = text.replace(word, str(value))
    path = place.dir / name
    path.write_text(text)
    return path


def nginx(place):
    return nginx_with(place, "nginx.conf", "libnginx-mod-http-lua")


def nginx_reports(place):
    """`keyed` and `billing` of the section reports; GET /rows answers with them."""
    return nginx_with(place, "reports-nginx.conf", "libnginx-mod-http-lua", "lua-cjson")


def nginx_with(place, config, *modules):
    version, lua, *json = debian("nginx", *modules)
    port = place.port()
    words = ["nginx", "-p", LUA_MODULE.rpartition("/modules/")[0], "-c", configured(place, config, PORT=port)]
    row = f"nginx {version} + Lua {lua}" + "".join(f" + cjson {it}" for it in json) + ", shared dict"
    peer = Peer(place, f"{config.partition('.')[0]}-{port}", words, row=row)
    peer.port = port
    return peer


def node(place):
    return node_with(place, "node.js")


def node_reports(place):
    """The same as nginx_reports."""
    return node_with(place, "reports-node.js")


def node_with(place, program):
    if not shutil.which("node"):
        raise Missing("no package nodejs")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    port = place.port()
    peer = Peer(place, f"{program.partition('.')[0]}-{port}", ["node", HERE / "peers" / program, port], row=f"Node.js {version}, Maps")
    peer.port = port
    return peer


def webdis(place):
    version, = debian("webdis")
    redis = start_redis(place, "webdis")
    port = place.port()
    peer = Peer(place, "webdis", ["webdis", configured(place, "webdis.json", REDIS_PORT=redis.port, PORT=port)],
                row=f"webdis {version} + its Redis", body="webdis")
    peer.port, peer.redis, peer.counts_redis = port, redis, True
    return peer
