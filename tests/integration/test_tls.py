"""TLS: what is spoken, certificates read again, hostile handshakes, the console."""

import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

from support import BIN, TIMEOUT_S, Answer, Case, environment, now_us, text_time, wait_until
from support.corpus import answers

KINDS = {"ec": ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"), "rsa": ("rsa:2048",)}


def certificate(place, name, kind="ec"):
    """A key and a certificate of its own for 127.0.0.1; (certificate, key)."""
    cert, key = place.dir / f"{name}.crt", place.dir / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", *KINDS[kind], "-nodes", "-days", "30", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True,
                   capture_output=True, timeout=TIMEOUT_S)
    return cert, key


class TlsCase(Case):
    def tls_server(self, *flags, kind="ec", **settings):
        self.cert, self.key = certificate(self.place, f"server{len(self.place.programs)}", kind)
        server = self.place.server("--tls-cert", self.cert, "--tls-key", self.key, *flags, **settings)
        self.speak_tls(server, self.cert)
        return server.start()

    def speak_tls(self, server, cert):
        """From now on the harness's requests to it are encrypted, and believe this certificate only."""
        def connect():
            return self.context(cert).wrap_socket(socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S),
                                                  server_hostname="127.0.0.1")

        def request(method, path, body=None, headers=None):
            with contextlib.closing(ssl_client(server.port, self.context(cert))) as link:
                link.request(method, path, body, headers or {})
                answer = link.getresponse()
                return Answer(answer.status, answer.headers, answer.read())
        server.connect, server.request = connect, request

    @staticmethod
    def context(cert=None, low=ssl.TLSVersion.TLSv1_2, high=ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=cert)
        context.minimum_version, context.maximum_version = low, high
        return context


def ssl_client(port, context):
    import http.client
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_S, context=context)


POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


class Spoken(TlsCase):
    def test_versions(self):
        for kind in KINDS:
            server = self.tls_server(kind=kind, name="aforod-" + kind)  # each is asked by its own certificate
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                with self.subTest(kind=kind, version=version):
                    context = self.context(self.cert, version, version)
                    with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S),
                                             server_hostname="127.0.0.1") as link:
                        link.sendall(POST)
                        self.assertEqual(answers(link, 1), [204])
                        self.assertIn(link.cipher()[0], (
                            "TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
                            f"ECDHE-{'ECDSA' if kind == 'ec' else 'RSA'}-AES256-GCM-SHA384"))
        old = self.context(self.cert, ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
        old.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertRaises((ssl.SSLError, OSError)):
            old.wrap_socket(socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S), server_hostname="127.0.0.1")

    def test_what_is_not_tls_gets_nothing(self):
        server = self.tls_server()
        with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S) as link:
            link.sendall(POST)
            with contextlib.suppress(ConnectionResetError):
                self.assertNotIn(b"204", link.recv(4096))
        self.assertEqual(server.conserved()["received"], 0)

    def test_curl(self):
        if not shutil.which("curl"):
            self.skipTest("no curl")
        server = self.tls_server()

        def curl(*words):
            return subprocess.run(["curl", "-sS", "--max-time", str(TIMEOUT_S), "--noproxy", "*", *words,
                                   f"https://127.0.0.1:{server.port}/healthz"], capture_output=True, text=True, check=False)
        done = curl("--cacert", str(self.cert))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn('"status":"ok"', done.stdout)
        self.assertEqual(curl().returncode, 60)  # nobody we trust signed it

    def test_pipelines_batches_and_long_answers(self):
        """What the library's TLS keeps in its own buffers must not be left there until the next packet."""
        server = self.tls_server()
        with server.connect() as link:
            for n in (1, 2, 16, 128, 400):
                link.sendall(POST * n)
                self.assertEqual(answers(link, n), [204] * n)
            for byte in POST:
                link.sendall(bytes([byte]))
            self.assertEqual(answers(link, 1), [204])
        base = now_us() - 3_000_000_000
        lines = "".join(text_time(base + i * 10_000) + "\n" for i in range(0, 290_000, 3))
        answer = server.post_lines(lines)  # 2.6 MB
        self.assertEqual((answer.status, answer.json["accepted"]), (200, lines.count("\n")))
        self.assertEqual(sum(server.counts("10ms").values()), 548 + lines.count("\n"))
        text = server.request("GET", "/counts/10ms?from=2001-01-01T00:00:00Z&format=json").text
        self.assertGreater(len(text), 5_000_000)

    def test_many_ready_at_once(self):
        server = self.tls_server(threads=1)
        links = [server.connect() for _ in range(128)]
        try:
            for n in (64, 128):
                server.signal(signal.SIGSTOP)
                for link in links[:n]:
                    link.sendall(POST)
                server.signal(signal.SIGCONT)
                for link in links[:n]:
                    self.assertEqual(answers(link, 1), [204])
        finally:
            for link in links:
                link.close()

    def test_tokens_throttle_and_the_listener_for_reading(self):
        tokens = self.place.dir / "tokens"
        tokens.write_text("0123456789abcdef\n")
        server = self.tls_server("--ingest-token-file", tokens, "--admin-listen", "127.0.0.1:0")
        self.assertEqual(server.post("").status, 401)
        self.assertEqual(server.post("", {"Authorization": "Bearer 0123456789abcdef"}).status, 204)
        found = wait_until(lambda: re.search(r"admin_address=127\.0\.0\.1:(\d+)", server.log()), "it says where")
        server.port = int(found.group(1))
        stats = server.conserved()
        self.assertEqual((stats["counted"], stats["refused"]["unauthorised"]), (1, 1))

    def test_a_stop_in_order(self):
        server = self.tls_server()
        with server.connect() as link:
            link.sendall(POST)
            self.assertEqual(answers(link, 1), [204])
            self.assertEqual(server.stop(), 0)
        self.assertIn(" counted=1 ", server.log())


class ReadAgain(TlsCase):
    def reload(self, server):
        before = len(server.log())
        server.signal(signal.SIGHUP)
        return wait_until(lambda: 'msg="reloaded"' in server.log()[before:] and server.log()[before:], "it is reloaded")

    def test_new_handshakes_get_the_new_one_and_connections_go_on(self):
        server = self.tls_server(threads=2)
        old = server.connect()
        for turn in range(3):
            cert, key = certificate(self.place, f"next{turn}", "rsa" if turn % 2 else "ec")
            shutil.copy(cert, self.cert)
            shutil.copy(key, self.key)
            self.assertIn('msg="certificate read"', self.reload(server))
            self.speak_tls(server, cert)
            for _ in range(4):
                self.assertEqual(server.post("").status, 204)
            old.sendall(POST)
            self.assertEqual(answers(old, 1), [204])
        old.close()

    def test_what_is_wrong_leaves_the_old_one_in_force(self):
        server = self.tls_server()
        good = self.cert.read_bytes(), self.key.read_bytes()
        other_cert, other_key = certificate(self.place, "other")
        cases = [(other_cert.read_bytes(), good[1]), (good[0], other_key.read_bytes()), (b"", good[1]), (good[0], b""),
                 (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", good[1]), (good[0], None)]
        for cert, key in cases:
            self.cert.write_bytes(cert)
            self.key.write_bytes(key) if key is not None else self.key.unlink()
            said = self.reload(server)
            self.assertRegex(said, r'level=error msg="not read again: [^"]*" flag=--tls-cert error="')
            self.speak_tls(server, self.place.dir / "good.crt")
            (self.place.dir / "good.crt").write_bytes(good[0])
            self.assertEqual(server.post("").status, 204)

    def test_under_load_of_handshakes(self):
        server = self.tls_server()
        stop, wrong, done = threading.Event(), [], [0]
        both = self.place.dir / "both.crt"
        second, second_key = certificate(self.place, "second")
        both.write_bytes(self.cert.read_bytes() + second.read_bytes())
        pairs = [(second.read_bytes(), second_key.read_bytes()), (self.cert.read_bytes(), self.key.read_bytes())]
        self.speak_tls(server, both)

        def load():
            while not stop.is_set():
                try:
                    if server.post("").status != 204:
                        wrong.append("status")
                    done[0] += 1
                except OSError as error:
                    wrong.append(str(error))
        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        for turn in range(10):
            for path, content in zip((self.cert, self.key), pairs[turn % 2]):
                path.write_bytes(content)
            self.reload(server)
            seen = done[0]
            wait_until(lambda before=seen: wrong or done[0] >= before + 3, "handshakes go on")
        stop.set()
        for thread in threads:
            thread.join(TIMEOUT_S)
        self.assertEqual(wrong, [])


class Hostile(TlsCase):
    HELLO = bytes.fromhex("16030102000100")  # the beginning of a first message

    def cpu_s(self, server):
        with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_half_a_handshake_costs_no_core_and_is_closed(self):
        server = self.tls_server("--idle-timeout", "60s")
        links = []
        for _ in range(300):
            link = socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S)
            link.sendall(self.HELLO)
            links.append(link)
        before, begun = self.cpu_s(server), time.monotonic()
        for _ in range(20):  # others go on meanwhile
            self.assertEqual(server.post("").status, 204)
        time.sleep(2)
        share = (self.cpu_s(server) - before) / (time.monotonic() - begun)
        self.assertLess(share, 0.6)  # it was 2 cores before there was a watch
        for link in links:
            link.settimeout(15)
            try:
                self.assertEqual(link.recv(1), b"")
            except ConnectionResetError:
                pass
            link.close()
        self.assertLess(time.monotonic() - begun, 15)
        self.assertEqual(server.post("").status, 204)

    def test_a_handshake_that_stays_silent_after_the_first_message(self):
        server = self.tls_server()
        context = self.context(self.cert)
        links = []
        for _ in range(10):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            link = socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S)
            link.sendall(outgoing.read())
            self.assertTrue(link.recv(4096))
            links.append(link)
        before = self.cpu_s(server)
        time.sleep(1.5)
        self.assertLess(self.cpu_s(server) - before, 0.5)
        for link in links:
            link.settimeout(15)
            with contextlib.suppress(ConnectionResetError):
                while link.recv(4096):
                    pass
            link.close()
        self.assertEqual(server.post("").status, 204)

    def test_idle_connections_that_are_through_stay(self):
        server = self.tls_server()
        with server.connect() as link:
            time.sleep(7)  # longer than a handshake may take
            link.sendall(POST)
            self.assertEqual(answers(link, 1), [204])


class AtTheStart(TlsCase):
    def test_what_is_wrong_is_named(self):
        cert, key = certificate(self.place, "one")
        _, other = certificate(self.place, "two")
        empty = self.place.dir / "empty"
        empty.write_text("")
        for flags, named in ((("--tls-cert", cert), "--tls-key"), (("--tls-key", key), "--tls-cert"),
                             (("--tls-cert", cert, "--tls-key", other), str(other)),
                             (("--tls-cert", empty, "--tls-key", key), str(empty)),
                             (("--tls-cert", cert, "--tls-key", cert), str(cert)),
                             (("--tls-cert", cert, "--tls-key", "/nonexistent"), "/nonexistent"),
                             (("--tls-cert", self.place.dir, "--tls-key", key), str(self.place.dir))):
            with self.subTest(flags=flags):
                server = self.place.server(*flags, name=f"bad{len(self.place.programs)}")
                status, said = server.refuses_to_start()
                lines = [line for line in said.splitlines() if line.startswith("aforod: ")]
                self.assertEqual((status, len(lines)), (2, 1), said)
                self.assertIn(named, lines[0])

    def test_a_key_that_everybody_may_read_is_warned_of(self):
        server = self.tls_server()
        self.assertNotIn("everybody on this machine may read", server.log())
        self.key.chmod(0o644)
        before = len(server.log())
        server.signal(signal.SIGHUP)
        wait_until(lambda: 'msg="reloaded"' in server.log()[before:], "it is reloaded")
        self.assertIn("everybody on this machine may read this secret", server.log())


class Console(TlsCase):
    def test_it_reads_over_tls(self):
        server = self.tls_server()
        server.post("")

        def console(*flags):
            done = subprocess.run([BIN / "aforo", "1s", "--partial", "--last", "1", "--server", f"https://127.0.0.1:{server.port}",
                                   *flags], capture_output=True, text=True, timeout=TIMEOUT_S, env=environment(),
                                  check=False)
            return done.returncode, done.stdout, done.stderr
        status, out, err = console("--ca-file", self.cert)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"\A\d{4}-.*, 1\n\Z")
        for flags in ((), ("--ca-file", certificate(self.place, "other")[0]), ("--ca-file", "/nonexistent")):
            status, out, err = console(*flags)
            self.assertEqual((status, out, len(err.splitlines())), (1, "", 1))


if __name__ == "__main__":
    unittest.main()
