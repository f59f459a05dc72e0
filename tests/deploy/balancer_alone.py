"""deploy/balancer without a network: its arguments and errors, the commands for IPVS, what a server's answer means."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import shutil
import socket
import ssl
import sys
import tempfile
import threading
import time
import types
import unittest

from balancer import BALANCER, call
from support import TIMEOUT_S


class Arguments(unittest.TestCase):
    def test_wrong_ones_are_named(self):
        good = ("--listen", "192.0.2.1:80", "--server", "192.0.2.2:80")
        for words, said in {
            (): "--listen",
            good[:2]: "--server ADDRESS:PORT is missing",
            ("--listen", "node1:80"): "'node1:80' is not an address and a port: 192.0.2.1:8080",
            ("--listen", "192.0.2.1"): "'192.0.2.1' is not an address and a port",
            ("--listen", "192.0.2.256:80"): "'192.0.2.256:80' is not an address and a port",
            ("--listen", "127.0.0.1:80"): "'127.0.0.1:80': the kernel cannot translate",
            ("--listen", "0.0.0.0:80"): "'0.0.0.0:80': the kernel cannot translate",
            (*good, "--server", "192.0.2.3:0"): "'192.0.2.3:0': a port is 1 to 65535",
            (*good, "--server", "192.0.2.2:80"): "--server 192.0.2.2:80 is there twice",
            (*good, "--server", "192.0.2.1:80"): "--server 192.0.2.1:80 is --listen itself",
            (*good, "--server", "[2001:db8::2]:80"): "give both as IPv4, or both as IPv6",
            (*good, "--every", "1"): "'1' is not a duration from 10ms to 60m",
            (*good, "--fall", "0"): "'0' is not a number from 1 to 99",
            (*good, "--table", "a b"): "--table 'a b' is not a name",
            (*good, "--direct"): "--interface NAME is missing",
            (*good, "--interface", "eth0"): "--interface is for --direct",
            (*good, "--direct", "--interface", "a/b"): "--interface 'a/b' is not a name",
            (*good, "--direct", "--interface", "eth0", "--keep-source"): "--keep-source is for balancing without --direct",
            (*good, "--with", "ipvs", "--interface", "eth0"): "--interface is for --with nft",
            (*good, "--with", "ipvs", "--keep-source"): "--keep-source is for --with nft",
            (*good, "--with", "ipvs", "--direct", "--server", "192.0.2.3:81"): "its port must be that of --listen, 80",
            (*good, "--servers", "192.0.2.3:80"): "unrecognized arguments: --servers",
        }.items():
            with self.subTest(words):
                status, out, err = call(BALANCER, *words)
                self.assertEqual((status, out, err.count("\n")), (2, "", 1), err)
                self.assertIn(said, err)
                self.assertTrue(err.endswith("; aforo-balancer --help\n"), err)

    def test_help_names_every_flag_and_status(self):
        status, out, err = call(BALANCER, "--help")
        self.assertEqual((status, err), (0, ""))
        for word in ("--listen", "--server", "--with", "--check", "--remove", "Exit status"):
            self.assertIn(word, out)

    @unittest.skipUnless(os.geteuid() == 0, "not root: what root is told otherwise cannot be seen")
    def test_whoever_has_no_rights_is_told_what_is_missing(self):
        with tempfile.TemporaryDirectory(prefix="aforo-balancer-") as scratch:  # a checkout in root's home is closed to others
            os.chmod(scratch, 0o755)
            status, out, err = call(shutil.copy(BALANCER, scratch), "--listen", "192.0.2.1:80", "--server", "192.0.2.2:80",
                                    wrap=("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"))
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err, "aforo-balancer: changing the kernel's rules needs root, or CAP_NET_ADMIN: sudo aforo-balancer ...\n")


class Module(unittest.TestCase):
    """Parts of the program by themselves, with another program in the place of nft and ipvsadm."""

    def setUp(self):
        loader = importlib.machinery.SourceFileLoader("aforo_balancer", str(BALANCER))
        spec = importlib.util.spec_from_loader(loader.name, loader)
        self.program = importlib.util.module_from_spec(spec)
        sys.dont_write_bytecode = True
        loader.exec_module(self.program)
        scratch = tempfile.TemporaryDirectory(prefix="aforo-balancer-")
        self.addCleanup(scratch.cleanup)
        self.dir = pathlib.Path(scratch.name)
        path = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        os.environ["PATH"] = f"{self.dir}:{path}"

    def fake(self, name, script):
        path = self.dir / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def ipvs(self, direct=False, there=""):
        """The service, with what `ipvsadm --save` says; what is given to --restore is in the file `given`."""
        (self.dir / "there").write_text(there)
        self.fake("ipvsadm", f'case $1 in --save) cat {self.dir}/there ;; --restore) cat >{self.dir}/given ;; '
                             f'*) echo "$*" >{self.dir}/given ;; esac')
        return self.program.Ipvs(types.SimpleNamespace(listen=self.program.address("192.0.2.1:80"), direct=direct))

    def states(self, *states):
        return {self.program.address(f"192.0.2.{i}:8080"): state for i, state in enumerate(states, 2)}

    def given(self):
        path = self.dir / "given"
        return path.read_text() if path.exists() else ""

    def test_a_service_of_ipvs_is_made(self):
        up, draining, dead = self.program.UP, self.program.DRAINING, self.program.DEAD
        self.ipvs().apply(self.states(up, draining, dead))
        self.assertEqual(self.given(), "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 192.0.2.2:8080 -m -w 1\n"
                                       "-a -t 192.0.2.1:80 -r 192.0.2.3:8080 -m -w 0\n")

    def test_a_service_of_ipvs_is_changed(self):
        up, draining, dead = self.program.UP, self.program.DRAINING, self.program.DEAD
        there = ("-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 192.0.2.2:8080 -m -w 1\n-a -t 192.0.2.1:80 -r 192.0.2.3:8080 -m -w 1\n"
                 "-a -t 192.0.2.1:80 -r 192.0.2.4:8080 -m -w 1\n-A -t 192.0.2.9:80 -s wlc\n-a -t 192.0.2.9:80 -r 192.0.2.3:8080 -m -w 7\n")
        service = self.ipvs(there=there)
        self.assertTrue(service.holds(self.states(up, up, up)))
        self.assertFalse(service.holds(self.states(up, draining, up)))
        service.apply(self.states(up, draining, dead))
        self.assertEqual(self.given(), "-e -t 192.0.2.1:80 -r 192.0.2.3:8080 -m -w 0\n-d -t 192.0.2.1:80 -r 192.0.2.4:8080\n")

    def test_direct_ipvs_and_its_removal(self):
        up = self.program.UP
        self.ipvs(direct=True).apply(self.states(up))
        self.assertIn("-r 192.0.2.2:8080 -g -w 1\n", self.given())
        self.assertFalse(self.ipvs().remove())
        self.assertTrue(self.ipvs(there="-A -t 192.0.2.1:80 -s rr\n").remove())
        self.assertEqual(self.given(), "--delete-service --tcp-service 192.0.2.1:80\n")

    def test_what_is_missing_is_named_with_its_remedy(self):
        self.fake("ipvsadm", "echo \"Can't initialize ipvs: Protocol not available\" >&2; exit 255")
        service = self.program.Ipvs(types.SimpleNamespace(listen=self.program.address("192.0.2.1:80"), direct=False))
        with self.assertRaisesRegex(self.program.Trouble, r"the kernel has no IPVS .*Protocol not available.*modprobe ip_vs.*--with nft"):
            service.check(None)
        with self.assertRaisesRegex(self.program.Trouble, "no-such is missing: apt-get install package"):
            self.program.command("no-such", "package")

    def test_a_kernel_without_numgen(self):
        self.fake("nft", "case $1 in list) ;; *) echo 'Error: Could not process rule: No such file or directory' >&2; exit 1 ;; esac")
        self.program.setting = lambda name: "1"
        table = self.program.Nft(types.SimpleNamespace(listen=self.program.address("192.0.2.1:80"), keep_source=False, table="t"))
        with self.assertRaisesRegex(self.program.Trouble, "the kernel refuses the rules .*CONFIG_NFT_NUMGEN.*--with ipvs"):
            table.check(self.states(self.program.UP))

    def answered(self, answer, tls=None):
        """What the program makes of a server that answers so; None: not at all."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)

        def serve():
            link, _ = listening.accept()
            with (tls.wrap_socket(link, server_side=True) if tls else link) as link:
                link.recv(4096)
                if answer is None:
                    link.recv(1)  # until the other side gives up
                else:
                    link.sendall(answer)
        threading.Thread(target=serve, daemon=True).start()
        where = types.SimpleNamespace(ip="127.0.0.1", port=listening.getsockname()[1])
        return self.program.ask(where, 0.5 if answer is None else TIMEOUT_S, tls is not None)

    def test_what_answers_mean(self):
        body = b'{"status":"draining"}'
        head = b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n"
        self.assertEqual(self.answered(head % (200, 0)), (self.program.UP, "status 200", True))
        self.assertEqual(self.answered(head % (503, len(body)) + body), (self.program.DRAINING, "status 503, draining", True))
        self.assertEqual(self.answered(head % (404, 0)), (self.program.DRAINING, "status 404", True))
        self.assertEqual(self.answered(None), (self.program.DEAD, "timed out", False))
        for answer in (b"", b"SSH-2.0\r\n\r\n"):
            state, why, at_once = self.answered(answer)
            self.assertEqual((state, at_once), (self.program.DEAD, False), why)
        with socket.create_server(("127.0.0.1", 0)) as gone:
            where = types.SimpleNamespace(ip="127.0.0.1", port=gone.getsockname()[1])
        self.assertEqual(self.program.ask(where, TIMEOUT_S, False), (self.program.DEAD, "connection refused", True))

    def test_hostile_answers_end_no_watcher(self):
        chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nx"
        self.assertEqual(self.answered(chunks)[0], self.program.UP)
        for answer in (b"\0" * 100_000, b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 10_000, b"HTTP/1.1 999 x\r\n\r\n",
                       b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000):
            self.assertNotEqual(self.answered(answer)[0], self.program.UP, answer[:40])

    def test_a_server_that_drips_does_not_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            def drip():
                link, _ = listening.accept()
                with link, contextlib.suppress(OSError):
                    link.recv(4096)
                    for _ in range(200):
                        link.sendall(b"H")
                        time.sleep(0.05)
            threading.Thread(target=drip, daemon=True).start()
            where = types.SimpleNamespace(ip="127.0.0.1", port=listening.getsockname()[1])
            begin = time.monotonic()
            self.assertEqual(self.program.ask(where, 0.3, False), (self.program.DEAD, "timed out", False))
            self.assertLess(time.monotonic() - begin, 5)  # half of what it drips

    def test_what_a_server_says_is_one_line_of_the_log(self):
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.program.log("warn", "x", why='a\n\x1b[31m"b\u2028')
        self.assertEqual(said.getvalue().count("\n"), 1)
        self.assertIn(r'why="a\n\x1b[31m\"b\u2028"', said.getvalue())

    @unittest.skipIf(shutil.which("openssl") is None, "openssl is missing (package openssl)")
    def test_servers_with_tls_are_asked_with_tls(self):
        key, cert = self.dir / "key.pem", self.dir / "cert.pem"
        self.assertEqual(call("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                              "-subj", "/CN=x", "-keyout", key, "-out", cert)[0], 0)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.assertEqual(self.answered(b"HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n", context), (self.program.UP, "status 200", True))

    def test_answers_in_a_row(self):
        up, draining, dead = self.program.UP, self.program.DRAINING, self.program.DEAD
        options = types.SimpleNamespace(rise=2, fall=3)
        server = self.program.Server(None, options)
        seen = []
        for state, at_once in ((dead, False), (up, True), (up, True), (dead, False), (dead, False), (up, True), (dead, False), (dead, False),
                               (dead, False), (up, True), (up, True), (draining, True), (dead, False), (up, True), (dead, True)):
            server.note(state, "", at_once)
            seen.append(server.state)
        self.assertEqual(seen, [dead, dead, up, up, up, up, up, up, dead, dead, up, draining, draining, draining, dead])


if __name__ == "__main__":
    unittest.main()
