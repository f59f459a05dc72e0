"""TLS to Redis: a single server, Sentinel and a cluster that speak nothing else; what is said of certificates that do not
fit; and that counts are exact when such a Redis dies under load."""

import contextlib
import http.client
import re
import shutil
import socket
import ssl
import subprocess
import threading
import unittest

from support import BIN, TIMEOUT_S, WIDTH_US, Case, Load, Program, compare, environment, flushed, now_us, wait_until
from support.authority import Authority, TlsRedis, TlsSentinel

SLOTS = 16384


class TlsCase(Case):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.place)
        self.pair = self.authority.issue("redis")

    def tls_redis(self, *options, pair=None, **settings):
        return TlsRedis(self.place, self.authority, pair or self.pair, *options, **settings).start()

    def trust(self, pair=True):
        """The flags of a client whom the servers of our CA take, and who takes them."""
        words = ["--redis-tls-ca", self.authority.cert]
        if pair:
            words += ["--redis-tls-cert", self.pair[0], "--redis-tls-key", self.pair[1]]
        return [str(word) for word in words]

    def aforo(self, *words, env=None):
        done = subprocess.run([str(word) for word in (BIN / "aforo", *words)], capture_output=True, text=True, timeout=TIMEOUT_S,
                              env=environment(**(env or {})), check=False)
        return done.returncode, done.stdout, done.stderr

    def wait_total(self, url, total):
        """Until that is what the console reads."""
        answer = []

        def so():
            answer[:] = self.aforo("total", "--redis", url, "--from", "-30m", *self.trust())
            return answer == [0, f"{total}\n", ""]
        wait_until(so, lambda: f"{total}: {answer}", every_s=0.1)


class Spoken(TlsCase):
    def test_all_programs_by_flags_and_by_environment(self):
        store = self.tls_redis()
        server = self.server(*self.trust(), redis=store)
        now = now_us()
        self.send(server, [now - i * 10_000 for i in range(500)])
        flushed([server], store)
        self.wait_total(store.url, 500)
        names = {flag[2:].upper().replace("-", "_"): value for flag, value in zip(self.trust()[::2], self.trust()[1::2])}
        by_environment = {f"AFORO_{name}": value for name, value in names.items()} | {"AFORO_REDIS": store.url}
        self.assertEqual(self.aforo("total", env=by_environment)[:2], (0, "500\n"))
        self.assertEqual(self.aforo("check", "--redis", store.url, "--server", f"http://127.0.0.1:{server.port}", *self.trust())[0], 0)
        status, said, error = self.aforo("diff", f"redis:{store.url}", f"state:{server.state}", *self.trust())
        self.assertEqual((status, said), (0, ""), error)
        view = Program(self.place, "serve", [BIN / "aforo", "serve", "--listen", "127.0.0.1:0"], environment(**by_environment))
        view.spawn()
        at = wait_until(lambda: re.search(r'msg="listening" address=\S+:(\d+)', view.log()), view.log)
        answer = []

        def shows_all():
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", int(at[1]), timeout=TIMEOUT_S)) as link:
                link.request("GET", "/counts/1min?last=2&partial=1&format=csv")
                answer[:] = link.getresponse().read().decode().splitlines()[1:]
            return sum(int(row.split(",")[1]) for row in answer) == 500
        wait_until(shows_all, lambda: answer, every_s=0.05)

    def test_whose_name_is_asked_for_and_sent(self):
        pair = self.authority.issue("named", "DNS:counts.example.org")
        seen = []
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*pair)
        context.sni_callback = lambda link, name, _: seen.append(name)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            def answer():
                for _ in range(2):
                    with contextlib.suppress(OSError), context.wrap_socket(listening.accept()[0], server_side=True) as link:
                        link.recv(1)
            thread = threading.Thread(target=answer)
            thread.start()
            url = f"rediss://127.0.0.1:{listening.getsockname()[1]}"
            _, _, error = self.aforo("total", "--redis", url, "--redis-tls-ca", self.authority.cert, "--redis-tls-name",
                                     "counts.example.org")
            self.assertNotIn("certificate", error)
            self.aforo("total", "--redis", url, "--redis-tls-ca", self.authority.cert)
            thread.join(TIMEOUT_S)
        self.assertEqual(seen, ["counts.example.org", None])


class Refused(TlsCase):
    """Each is one sentence: who, what, what to do."""

    def refusal(self, store, *flags):
        status, said, error = self.aforo("total", "--redis", store if isinstance(store, str) else store.url, "--timeout", "10s", *flags)
        self.assertEqual((status, said), (3, ""), error)
        self.assertEqual(error.count("\n"), 1, error)
        return error

    def test_certificates_of_the_server(self):
        other = Authority(self.place, "other")
        cases = {"expired": ("IP:127.0.0.1", -1, None, r"its certificate expired on \d{4}-\d\d-\d\d .*: renew it there"),
                 "named": ("DNS:a.example.org,IP:10.0.0.1", 30, None,
                           r"is for a.example.org, 10.0.0.1, not for 127.0.0.1: say by --redis-tls-name whose to take"),
                 "client": ("IP:127.0.0.1", 30, "clientAuth", r"not a server's \(extendedKeyUsage\): give it one with serverAuth")}
        for name, (names, days, usage, sentence) in cases.items():
            with self.subTest(name):
                store = self.tls_redis(pair=self.authority.issue(name, names, days, usage), name=name, clients="no")
                self.assertRegex(self.refusal(store, *self.trust(False)), rf"127\.0\.0\.1:{store.port}: .*{sentence}")
                self.aforo_takes(store, name == "named", "--redis-tls-verify", "ca")
                self.aforo_takes(store, True, "--redis-tls-verify", "off")
        store = self.tls_redis(name="trust", clients="no")
        self.assertRegex(self.refusal(store, "--redis-tls-ca", other.cert), r"signed by no CA of \S+other.crt: name the right one by --redis-tls-ca")
        self.assertRegex(self.refusal(store), r"signed by no CA that this system trusts: name its CA by --redis-tls-ca")
        self.aforo_takes(store, True)

    def aforo_takes(self, store, takes, *flags):
        status, _, error = self.aforo("total", "--redis", store.url, *self.trust(False), *flags)
        self.assertEqual(status, 0 if takes else 3, error)

    def test_certificates_of_ours(self):
        store = self.tls_redis()
        self.assertRegex(self.refusal(store, *self.trust(False)),
                         rf"127\.0\.0\.1:{store.port}: it wants a certificate of ours: name one by --redis-tls-cert and --redis-tls-key")
        cert, key = Authority(self.place, "other").issue("stranger")
        self.assertRegex(self.refusal(store, *self.trust(False), "--redis-tls-cert", cert, "--redis-tls-key", key),
                         r"does not take our certificate \S+ \(.+\): let its tls-ca-cert-file name who signed it")

    def test_either_side_without_tls(self):
        plain, store = self.redis(name="plain"), self.tls_redis()
        self.assertRegex(self.refusal(plain.url.replace("redis:", "rediss:"), *self.trust()),
                         r"does this port speak TLS\? \(without it: redis instead of rediss\)")
        self.assertRegex(self.refusal(store.url.replace("rediss:", "redis:")), r"does it speak TLS\? \(then rediss instead of redis\)")

    def test_files_and_flags_before_anything_is_started(self):
        cert, key = self.pair
        nothing, text = self.place.dir / "nothing", self.place.dir / "text"
        text.write_text("text")
        other = self.authority.issue("other")
        cases = {("--redis-tls-ca", nothing): r"--redis-tls-ca \S+/nothing: No such file or directory",
                 ("--redis-tls-ca", text): r"--redis-tls-ca \S+/text: has no certificate in PEM",
                 ("--redis-tls-ca", self.place.dir): r"--redis-tls-ca \S+: is not a regular file",
                 ("--redis-tls-cert", cert): r"--redis-tls-cert needs --redis-tls-key beside it",
                 ("--redis-tls-key", key): r"--redis-tls-key needs --redis-tls-cert beside it",
                 ("--redis-tls-cert", cert, "--redis-tls-key", other[1]): r"--redis-tls-key \S+: is not the key of --redis-tls-cert",
                 ("--redis-tls-cert", text, "--redis-tls-key", key): r"--redis-tls-cert \S+: is no chain of certificates in PEM",
                 ("--redis-tls-cert", cert, "--redis-tls-key", text): r"--redis-tls-key \S+: is no unencrypted key in PEM",
                 ("--redis-tls-verify", "perhaps"): r"--redis-tls-verify: 'perhaps' is none of full, ca, off"}
        for flags, sentence in cases.items():
            for number, command in enumerate((["aforod", "--listen", "127.0.0.1:0", "--state", nothing], ["aforo", "total"],
                                              ["aforo", "serve", "--listen", "127.0.0.1:0"])):
                with self.subTest(flags=flags, command=command):
                    done = subprocess.run([str(word) for word in (BIN / command[0], *command[1:], "--redis", "rediss://127.0.0.1:1",
                                                                  *flags)],
                                          capture_output=True, text=True, timeout=TIMEOUT_S, env=environment(), check=False)
                    self.assertRegex(done.stderr, sentence)
                    self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), number)
        done = subprocess.run([BIN / "aforod", "--redis", "redis://127.0.0.1:1", "--redis-tls-ca", cert], capture_output=True, text=True,
                              timeout=TIMEOUT_S, env=environment(), check=False)
        self.assertEqual((done.returncode, done.stderr), (
            2, "aforod: --redis-tls-ca: is of rediss://, and --redis names no Redis with TLS\n"))

    def test_the_server_says_it_and_goes_on_counting(self):
        store = self.tls_redis()
        wrong = Authority(self.place, "other")
        server = self.server("--redis-tls-ca", wrong.cert, redis=store)
        self.assertEqual(server.post("").status, 204)
        wait_until(lambda: "signed by no CA of" in server.log(), server.log)
        self.assertIn("signed by no CA of", server.health()["store"]["last_error"])


class Under(TlsCase):
    """Load, and a Redis that dies."""

    def exact(self, load, servers, store):
        totals = load.stop()
        flushed(servers, store)
        for resolution in WIDTH_US:
            compare([load], resolution, store.counts(resolution), "Redis")
        self.assertEqual(sum(store.counts("1min").values()), totals["acked"])
        store.audit()

    def test_exact_when_redis_is_killed(self):
        store = self.tls_redis("--appendonly", "yes", "--appendfsync", "no")
        servers = [self.server(*self.trust(), "--redis-timeout", "500ms", name=f"node{i}", redis=store) for i in range(2)]
        load = Load(self.place, servers[0], "load", seed=11, connections=16, rate=1500)
        for _ in range(3):
            load.progress(1000)
            store.kill()
            load.progress(300)
            store.start()
            wait_until(lambda: all(s.health()["store"]["connected"] for s in servers), "they have come back")
        self.exact(load, servers, store)

    def test_exact_when_certificates_are_renewed(self):
        store = self.tls_redis()
        flags = self.trust()
        server = self.server(*flags, "--redis-timeout", "500ms", redis=store)
        load = Load(self.place, server, "load", seed=12, connections=16, rate=1500)
        load.progress(500)
        for path in (self.authority.cert, self.authority.key, *self.pair):
            path.rename(f"{path}.old")
        self.authority = Authority(self.place)  # with the same names of files
        self.pair = self.authority.issue("redis")
        store.kill()
        store.take(self.authority, self.pair)
        store.start()
        load.progress(500)
        wait_until(lambda: server.health()["store"]["connected"], server.log)
        self.exact(load, [server], store)


class Topologies(TlsCase):
    @unittest.skipUnless(shutil.which("redis-sentinel"), "redis-sentinel is missing")
    def test_sentinel_leads_to_the_new_master(self):
        master = self.tls_redis("--tls-replication", "yes", name="redis0")
        replica = self.tls_redis("--tls-replication", "yes", "--replicaof", "127.0.0.1", str(master.port),
                                 "--repl-diskless-sync-delay", "0", name="redis1")
        sentinel = TlsSentinel(self.place, self.authority, self.pair, master).start()
        wait_until(lambda: len(sentinel.do("SENTINEL", "REPLICAS", "counts")) == 1, sentinel.log, every_s=0.1)
        url = f"rediss+sentinel://127.0.0.1:{sentinel.port}/counts"
        server = self.server(*self.trust(), "--redis-timeout", "500ms", redis=url)
        load = Load(self.place, server, "load", seed=13, connections=16, rate=2000)
        load.progress(500)
        wait_until(lambda: server.health()["store"]["connected"], server.log)
        master.kill()
        wait_until(replica.is_master, sentinel.log, 4 * TIMEOUT_S, 0.1)
        wait_until(lambda: server.health()["store"]["connected"], server.log)
        load.progress(500)
        totals = load.stop()
        flushed([server], replica)
        self.assertEqual(sum(replica.counts("1min").values()), totals["acked"])
        self.wait_total(url, totals["acked"])

    def test_cluster(self):
        nodes = [self.tls_redis("--tls-cluster", "yes", "--cluster-enabled", "yes", "--cluster-port", str(self.place.port()),
                                "--cluster-node-timeout", "1000", "--appendonly", "yes", "--appendfsync", "no", name=f"node{i}")
                 for i in range(3)]
        for i, node in enumerate(nodes):
            node.do("CLUSTER", "ADDSLOTSRANGE", i * SLOTS // 3, (i + 1) * SLOTS // 3 - 1)
            node.do("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for node in nodes[1:]:
            nodes[0].do("CLUSTER", "MEET", "127.0.0.1", node.port, node.options[node.options.index("--cluster-port") + 1])
        wait_until(lambda: all("cluster_state:ok" in node.do("CLUSTER", "INFO") for node in nodes), "the cluster is whole", every_s=0.1)
        url = f"rediss+cluster://127.0.0.1:{nodes[0].port},127.0.0.1:{nodes[1].port}"
        server = self.server(*self.trust(), "--redis-timeout", "500ms", redis=url)
        load = Load(self.place, server, "load", seed=14, connections=16, rate=2000)
        load.progress(500)
        nodes[2].kill()
        load.progress(500)
        nodes[2].start()
        wait_until(lambda: server.health()["store"]["connected"], server.log)
        load.progress(500)
        totals = load.stop()
        self.wait_total(url, totals["acked"])
        self.assertEqual(self.aforo("check", "--redis", url, "--from", "-30m", *self.trust())[0], 0)


if __name__ == "__main__":
    unittest.main()
