"""Who may write, who may read: tokens, their files read again, the listener for reading, what is warned of."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

from support import BIN, TIMEOUT_S, Case, Server, environment, now_us, text_time, wait_until

INGEST, INGEST_2, READ = "ingest-0123456789abcdef", "second-ingest-0123456789", "read-0123456789abcdef+/=="
READS = ("/", "/stats", "/counts/10ms", "/counts/1s?last=3", "/counts/1min?format=json")


def bearer(token):
    return {"Authorization": "Bearer " + token}


class AccessCase(Case):
    def file(self, name, text, mode=0o600):
        path = self.place.dir / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def tokens(self, *tokens, name="tokens"):
        return self.file(name, "".join(token + "\n" for token in tokens))

    def reload(self, server, says="reloaded"):
        before = len(server.log())
        server.signal(signal.SIGHUP)
        return wait_until(lambda: re.search(f'msg="{says}"', server.log()[before:]) and server.log()[before:],
                          lambda: f"{says} is logged\n{server.log()[before:]}")

    def check_conservation(self):
        """Afterwards, as whoever may read."""
        for program in self.place.programs:
            if isinstance(program, Server) and program.running():
                program.stats = lambda p=program: p.request("GET", "/stats", headers=bearer(READ)).json
        super().check_conservation()


class Tokens(AccessCase):
    def test_writing_needs_the_token_of_writers(self):
        server = self.server("--ingest-token-file", self.tokens(INGEST, "# comment", INGEST_2))
        event = f"value={text_time(now_us())}"
        self.assertEqual(server.post(event, bearer(INGEST)).status, 204)
        self.assertEqual(server.post(event, bearer(INGEST_2)).status, 204)
        self.assertEqual(server.post(event, {"authorization": "bEaReR  " + INGEST}).status, 204)
        answer = server.request("POST", "/events", text_time(now_us()), bearer(INGEST))
        self.assertEqual((answer.status, answer.json["accepted"]), (200, 1))
        wrong = [{}, bearer("x"), bearer(INGEST + "x"), bearer(INGEST[:-1]), bearer(INGEST.upper()), bearer(""),
                 {"Authorization": INGEST}, {"Authorization": "Basic " + INGEST}, bearer("# comment"),
                 bearer("x" * 1000), {"X-Authorization": "Bearer " + INGEST}]
        for headers in wrong:
            for path, body in (("/", event), ("/events", text_time(now_us()))):
                with self.subTest(headers=headers, path=path):
                    answer = server.request("POST", path, body, headers)
                    self.assertEqual((answer.status, answer.headers["WWW-Authenticate"]), (401, "Bearer"))
        stats = server.conserved()  # reading is open: there is no token for it
        self.assertEqual((stats["counted"], stats["refused"]["unauthorised"]), (4, 2 * len(wrong)))
        self.assertNotIn("0123456789", server.log())

    def test_reading_needs_the_token_of_readers(self):
        server = self.server("--read-token-file", self.tokens(READ), "--ingest-token-file",
                             self.tokens(INGEST, name="writers"))
        for path in READS:
            with self.subTest(path=path):
                self.assertEqual(server.request("GET", path, headers=bearer(READ)).status, 200)
                for headers in ({}, bearer(INGEST), bearer("x")):
                    answer = server.request("GET", path, headers=headers)
                    self.assertEqual((answer.status, answer.headers["WWW-Authenticate"]), (401, "Bearer"))
                    self.assertEqual(server.request("HEAD", path, headers=headers).status, 401)
        self.assertEqual(server.post("value=", bearer(READ)).status, 401)
        self.assertEqual(server.request("GET", "/healthz").status, 200)
        self.assertEqual(server.request("GET", "/nothing").status, 404)
        stats = server.request("GET", "/stats", headers=bearer(READ)).json
        self.assertEqual((stats["received"], stats["refused"]["unauthorised"]), (1, 1))  # a read is no event
        self.assertEqual(sum(worker["reads_refused"] for worker in stats["workers"]), 6 * len(READS))

    def test_reading_only(self):
        server = self.server("--read-token-file", self.tokens(READ))
        self.assertEqual(server.post("").status, 204)
        self.assertEqual(server.request("GET", "/counts/1s").status, 401)

    def test_a_connection_is_kept_after_a_refusal_and_a_large_body_is_not_read(self):
        server = self.server("--ingest-token-file", self.tokens(INGEST))
        with server.connect() as link:
            event = f"value={text_time(now_us())}".encode()
            small = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 32\r\n%s\r\n" + event
            self.assertEqual(len(event), 32)
            link.sendall(small % b"" + small % f"Authorization: Bearer {INGEST}\r\n".encode())
            got = b""
            while got.count(b"HTTP/1.1") < 2 or not got.endswith(b"\r\n\r\n"):
                part = link.recv(4096)
                self.assertTrue(part, got)
                got += part
            self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", got), [b"401", b"204"])
            link.sendall(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n")
            self.assertIn(b" 401 ", link.recv(4096))
            self.assertEqual(link.recv(4096), b"")
        self.assertEqual(server.conserved()["refused"]["unauthorised"], 2)

    def test_received_is_counted_and_refused_at_every_moment(self):
        server = self.server("--ingest-token-file", self.tokens(INGEST))
        end = time.monotonic() + 2

        def load(token):
            link = server.connect()
            request = (f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                       f"Authorization: Bearer {token}\r\n\r\n").encode()
            while time.monotonic() < end:
                link.sendall(request * 8)
                got = b""
                while got.count(b"HTTP/1.1") < 8:
                    got += link.recv(65536)
            link.close()
        threads = [threading.Thread(target=load, args=(token,)) for token in (INGEST, "x", INGEST, "y" * 30)]
        for thread in threads:
            thread.start()
        looks = 0
        while time.monotonic() < end:
            server.conserved()
            looks += 1
        for thread in threads:
            thread.join(TIMEOUT_S)
        stats = server.conserved()
        self.assertGreater(min(stats["counted"], stats["refused"]["unauthorised"], looks), 5)


class ReadAgain(AccessCase):
    def test_new_tokens_count_and_old_ones_do_not(self):
        path = self.tokens(INGEST)
        server = self.server("--ingest-token-file", path, threads=3)
        for turn in range(5):
            new = f"token-of-turn-{turn:04d}"
            path.write_text(f"{new}\n")
            said = self.reload(server)
            self.assertIn("tokens=1", said)
            for _ in range(6):  # connections of their own: every worker
                self.assertEqual(server.post("", bearer(new)).status, 204)
                self.assertEqual(server.post("", bearer(INGEST)).status, 401)

    def test_a_bad_file_keeps_what_was_in_force(self):
        path = self.tokens(INGEST)
        server = self.server("--ingest-token-file", path)
        bad = ("", "# none\n", "short\n", "two tokens-on-one-line-xxxxxx\n", "secret!!!!!!!!!!!!!!!!!!!!!\n", None)
        for text in bad:
            with self.subTest(text=text):
                if text is None:
                    path.unlink()
                else:
                    path.write_text(text)
                said = self.reload(server)
                self.assertRegex(said, r'level=error msg="not read again: what was read before stays in force" '
                                       r'flag=--ingest-token-file error="')
                self.assertNotIn("secret", said)
                self.assertEqual(server.post("", bearer(INGEST)).status, 204)
                self.assertEqual(server.post("", bearer("short")).status, 401)
        path.write_text("token-of-afterwards\n")
        self.reload(server)
        self.assertEqual(server.post("", bearer("token-of-afterwards")).status, 204)

    def test_sighup_without_files_ends_nothing(self):
        server = self.server()
        self.reload(server)
        self.assertEqual(server.post("").status, 204)

    def test_sighup_on_the_way_out_ends_nothing_sooner(self):
        server = self.server("--drain", "1s")
        server.signal(signal.SIGTERM)
        wait_until(lambda: 'msg="draining"' in server.log(), "it drains")
        server.signal(signal.SIGHUP)
        self.assertEqual(server.wait(), 0)
        self.assertIn('msg="stopped"', server.log())

    def test_under_load_no_request_with_a_token_of_both_files_is_refused(self):
        path = self.tokens(INGEST)
        server = self.server("--ingest-token-file", path)
        stop, wrong = threading.Event(), []

        def load():
            request = (f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                       f"Authorization: Bearer {INGEST}\r\n\r\n").encode()
            with server.connect() as link:
                while not stop.is_set():
                    link.sendall(request)
                    got = link.recv(4096)
                    if b" 204 " not in got:
                        wrong.append(got)
                        return
        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for turn in range(20):
            path.with_suffix(".new").write_text(f"{INGEST}\nother-token-{turn:06d}\n")
            os.replace(path.with_suffix(".new"), path)
            self.reload(server)
        stop.set()
        for thread in threads:
            thread.join(TIMEOUT_S)
        self.assertEqual(wrong, [])


class AtTheStart(AccessCase):
    def refused(self, *flags):
        server = self.place.server(*flags, name=f"bad{len(self.place.programs)}")
        status, said = server.refuses_to_start()
        lines = [line for line in said.splitlines() if line.startswith("aforod: ")]
        self.assertEqual((status, len(lines)), (2, 1), said)
        self.assertFalse(server.state.exists())
        return lines[0]

    def test_files_that_are_wrong(self):
        for flag in ("--ingest-token-file", "--read-token-file"):
            for path in ("/nonexistent/file", self.file("empty", ""), self.file("bad", "x\n"), self.place.dir,
                         self.file("open", INGEST + "\n", 0o602)):
                with self.subTest(flag=flag, path=path):
                    said = self.refused(flag, path)
                    self.assertIn(flag, said)
                    self.assertIn(str(path), said)

    def test_a_file_that_everybody_may_read_is_warned_of(self):
        server = self.server("--ingest-token-file", self.file("tokens", INGEST + "\n", 0o644))
        self.assertRegex(server.log(), r'level=warn msg="everybody on this machine may read this secret[^"]*" '
                                       r'file="[^"]*/tokens"')

    def warnings(self, *flags):
        """What is warned of, by a server in a network of its own: it listens everywhere, and nobody reaches it."""
        alone = next((words for words in (["unshare", "-n"], ["unshare", "-rn"])
                      if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0), None)
        if alone is None:
            self.skipTest("no network namespace can be made here")
        server = self.place.server(*flags, name=f"alone{len(self.place.programs)}")
        server.wrap = alone
        server.spawn()
        wait_until(lambda: 'msg="listening"' in server.log() or not server.running(), "it listens")
        server.kill()
        said = server.log()
        self.assertIn('msg="listening"', said)
        return [(text.split(":")[0], flag)
                for text, flag in re.findall(r'level=warn msg="([^"]*)" flag=(--[a-z-]*)', said)]

    def test_what_is_open_to_others_is_warned_of(self):
        write, read, clear = "whoever reaches this address may write", "whoever reaches this address may read", \
            "tokens travel unencrypted"
        tokens, everywhere = self.tokens(INGEST), "--listen=0.0.0.0:0"
        self.assertEqual(self.warnings("--listen=127.0.0.1:0"), [])
        self.assertEqual(self.warnings("--listen=127.0.0.1:0", "--ingest-token-file", tokens), [])
        self.assertEqual(self.warnings(everywhere), [(write, "--listen"), (read, "--listen")])
        self.assertEqual(self.warnings("--listen=[::]:0"), [(write, "--listen"), (read, "--listen")])
        self.assertEqual(self.warnings(everywhere, "--admin-listen=127.0.0.1:0", "--ingest-token-file", tokens),
                         [(clear, "--listen")])
        self.assertEqual(self.warnings("--listen=127.0.0.1:0", "--admin-listen=0.0.0.0:0"),
                         [(read, "--admin-listen")])


class Admin(AccessCase):
    def start(self, *flags, **settings):
        server = self.place.server(*flags, env={"AFORO_ADMIN_LISTEN": "127.0.0.1:0"}, **settings)
        server.spawn()
        found = wait_until(lambda: re.search(r"admin_address=127\.0\.0\.1:(\d+)", server.log()), "it listens")
        server.ready()
        server.main, server.admin = server.port, int(found.group(1))
        return server

    def ask(self, server, port, *words, **more):
        server.port = port
        try:
            return server.request(*words, **more)
        finally:
            server.port = server.admin  # where statistics are asked for afterwards

    def test_each_listener_has_its_own(self):
        server = self.start()
        for path in READS:
            self.assertEqual(self.ask(server, server.admin, "GET", path).status, 200, path)
            self.assertEqual(self.ask(server, server.main, "GET", path).status, 405 if path == "/" else 404, path)
        for port in (server.main, server.admin):
            self.assertEqual(self.ask(server, port, "GET", "/healthz").status, 200)
        self.assertEqual(self.ask(server, server.main, "POST", "/", "").status, 204)
        self.assertEqual(self.ask(server, server.main, "POST", "/events", text_time(now_us())).status, 200)
        answer = self.ask(server, server.main, "GET", "/")
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "POST"))
        answer = self.ask(server, server.admin, "POST", "/", "")
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"))
        self.assertEqual(self.ask(server, server.admin, "POST", "/events", text_time(now_us())).status, 404)
        twice = self.ask(server, server.admin, "POST", "/", "", headers={"Transfer-Encoding": "chunked",
                                                                         "Content-Length": "0"})
        self.assertEqual(twice.status, 400)
        stats = server.conserved()
        self.assertEqual((stats["received"], stats["counted"]), (2, 2))
        self.assertGreater(stats["admin"]["requests"], 5)
        self.assertEqual(server.stop(), 0)

    def test_tokens_of_readers_are_asked_for_there(self):
        server = self.start("--read-token-file", self.tokens(READ))
        for path in READS:
            self.assertEqual(self.ask(server, server.admin, "GET", path).status, 401)
            self.assertEqual(self.ask(server, server.admin, "GET", path, headers=bearer(READ)).status, 200)
        self.assertEqual(self.ask(server, server.admin, "GET", "/healthz").status, 200)
        self.assertEqual(self.ask(server, server.main, "POST", "/", "").status, 204)
        server.port = server.admin

    def test_slow_readers_there_do_not_hold_up_events(self):
        server = self.start(threads=1)
        base = now_us() - 3_000_000_000
        lines = "".join(text_time(base + i * 10_000) + "\n" for i in range(0, 290_000, 9))
        self.assertEqual(self.ask(server, server.main, "POST", "/events", lines).status, 200)
        links = []
        for _ in range(100):  # each asks for megabytes and reads nothing
            link = socket.create_connection(("127.0.0.1", server.admin), TIMEOUT_S)
            link.sendall(b"GET /counts/10ms?from=2001-01-01T00:00:00Z&format=json HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
            links.append(link)
        took = []
        with socket.create_connection(("127.0.0.1", server.main), TIMEOUT_S) as link:
            for _ in range(300):
                begun = time.monotonic()
                link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                self.assertIn(b" 204 ", link.recv(4096))
                took.append(time.monotonic() - begun)
        for link in links:
            link.close()
        self.assertLess(sorted(took)[-3], 1)  # who is held up by readers is so many times; a machine may stand still once
        server.port = server.admin

    def test_an_address_that_is_wrong_is_named(self):
        for value, status in (("nonsense", 2), ("127.0.0.1:99999", 2), ("192.0.2.1:1", 1)):
            server = self.place.server("--admin-listen", value, name=f"bad{status}{len(value)}")
            ended, said = server.refuses_to_start()
            lines = [line for line in said.splitlines() if line.startswith("aforod: ")]
            self.assertEqual((ended, len(lines)), (status, 1), said)
            self.assertIn("--admin-listen: ", lines[0])


class Console(AccessCase):
    def run_console(self, server, *flags, **env):
        done = subprocess.run([BIN / "aforo", "1s", "--partial", "--last", "1", "--server", f"http://127.0.0.1:{server.port}", *flags],
                              capture_output=True, text=True, timeout=TIMEOUT_S, env=environment(**env), check=False)
        return done.returncode, done.stdout, done.stderr

    def test_it_sends_the_token_of_its_file(self):
        path = self.tokens("# readers", READ, "another-0123456789abcdef")
        server = self.server("--read-token-file", path)
        self.assertEqual(server.post("").status, 204)
        for flags, env in ((("--token-file", path), {}), ((), {"AFORO_READ_TOKEN_FILE": str(path)}),
                           ((), {"AFORO_READ_TOKEN": READ}),
                           (("--token-file", path), {"AFORO_READ_TOKEN_FILE": "/nonexistent"})):
            status, out, err = self.run_console(server, *flags, **env)
            self.assertEqual((status, err), (0, ""))
            self.assertRegex(out, r"\A\d{4}-.*, 1\n\Z")
        for flags, env in (((), {}), ((), {"AFORO_READ_TOKEN": "wrong"}),
                           (("--token-file", self.tokens(INGEST, name="wrong")), {})):
            status, out, err = self.run_console(server, *flags, **env)
            self.assertEqual((status, out), (1, ""))
            self.assertIn("401", err)
        for wrong in ("/nonexistent/file", self.file("empty", "")):
            status, out, err = self.run_console(server, "--token-file", wrong)
            self.assertEqual((status, out), (1, ""))
            self.assertIn(str(wrong), err)
        self.assertNotIn("0123456789", json.dumps(err))


if __name__ == "__main__":
    unittest.main()
