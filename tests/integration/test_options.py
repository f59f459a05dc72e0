"""The flags of aforod: each as --flag value, --flag=value and environment variable; help; what is wrong is named."""

import os
import pathlib
import pty
import re
import subprocess
import unittest

from support import BIN, TIMEOUT_S, Case, environment, wait_until

GOOD = {"listen": "127.0.0.1:0", "threads": "3", "state": "/tmp/x", "node-id": "a.B_c-9", "horizon": "2h", "future": "1m",
        "clock": "arrival", "redis": "redis://127.0.0.1:1", "flush-interval": "10ms", "redis-timeout": "100ms",
        "redis-tls-verify": "ca", "redis-ttl-10ms": "3h", "redis-ttl-1s": "8d", "redis-ttl-1min": "500d", "max-body": "4KiB",
        "max-connections": "100", "idle-timeout": "1s", "drain": "0s", "grace": "1s", "log-level": "debug",
        "limit-per-client": "1000/s", "max-header": "4KiB", "header-timeout": "5s", "body-timeout": "20s",
        "max-connections-per-address": "50", "banner": "off", "time-field": "ts,at", "event-log-size": "1GiB",
        "event-log-keep": "30d", "event-log-sync": "100ms", "event-log-when-full": "refuse"}
ELSEWHERE = ("admin-listen", "event-log", "reports", "ingest-token-file", "read-token-file", "sandbox", "tls-cert", "tls-key",
             "redis-tls-ca", "redis-tls-cert", "redis-tls-key", "redis-tls-name")
BAD = {"listen": ["nonsense", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999"], "threads": ["x", "-1", "257", "1.5", ""],
       "node-id": ["a b", "ä", "x" * 64, "a/b", "a}"], "horizon": ["0s", "100ms", "25h", "1x", "80abc", "1500ms"],
       "future": ["2h", "x", "10"], "clock": ["wall"], "redis": ["http://x", "nonsense"],
       "flush-interval": ["0s", "x", "-5ms"], "redis-timeout": ["0s", "x"], "max-body": ["x", "-1", "10XiB", "1e6"],
       "max-connections": ["0", "x"], "idle-timeout": ["0s", "x"], "drain": ["x", "2h"], "grace": ["x", "-1s"],
       "log-level": ["loud"], "banner": ["loud"],
       "redis-tls-verify": ["some"], "redis-ttl-10ms": ["x"], "redis-ttl-1s": ["0s"], "redis-ttl-1min": ["1"],
       "admin-listen": ["nonsense", "127.0.0.1"], "limit-per-client": ["10", "x", "-1/s", "1.5/s", "10/m", "1000001/s", "/s"],
       **{flag: ["/nonexistent/file"] for flag in ELSEWHERE[2:]}}


def aforod(*words, **env):
    done = subprocess.run([BIN / "aforod", *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
                          env=environment(**env), stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def variable(flag):
    return "AFORO_" + flag.upper().replace("-", "_")


class Help(unittest.TestCase):
    def test_help_fits_a_screen_and_shows_every_flag_with_its_default(self):
        status, out, err = aforod("--help")
        self.assertEqual((status, err), (0, ""))
        self.assertLessEqual(len(out.splitlines()), 24)
        self.assertLessEqual(max(map(len, out.splitlines())), 80)
        for flag in [*GOOD, *ELSEWHERE]:
            self.assertIn("--" + flag + " ", out)
        for default in ("127.0.0.1:8080", "./aforo-state", "1h", "10s", "event", "100ms", "1s", "64MiB", "10000", "60s",
                        "info", "2h", "7d", "400d"):
            self.assertIn(default, out)

    def test_help_all_explains_every_flag(self):
        status, out, err = aforod("--help-all")
        self.assertEqual((status, err), (0, ""))
        explained = [line.split()[0] for line in out.splitlines() if line.startswith("  --")]
        self.assertEqual(sorted(explained), sorted({"--" + flag for flag in [*GOOD, *ELSEWHERE]}))

    def test_version(self):
        status, out, err = aforod("--version")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"\Aaforod \d+\.\d+\.\d+\n\Z")


class Wrong(unittest.TestCase):
    def assert_refused(self, result, name, statuses=(2,)):
        status, out, err = result
        self.assertIn(status, statuses)
        self.assertEqual(out, "")
        self.assertRegex(err, r"\Aaforod: [^\n]+\n\Z")
        self.assertIn(name, err)

    def test_values_that_are_wrong(self):
        for flag, values in BAD.items():
            for value in values:
                with self.subTest(flag=flag, value=value):
                    words = ("--state", "/nonexistent/dir", "--listen", "127.0.0.1:0", f"--{flag}={value}")
                    # a wrong flag is status 2, whether it shows in its form or in its use
                    self.assert_refused(aforod(*words), "--" + flag)

    def test_bounds_are_in_units_that_people_write(self):
        for flag, value, bounds in (("horizon", "48h", "1 s to 24 h"), ("max-body", "2T", "64 B to 1 TiB"),
                                    ("future", "2h", "0 s to 1 h"), ("redis-ttl-1s", "1ms", "1 s to 3650 d"),
                                    ("redis-timeout", "2min", "10 ms to 1 min"), ("threads", "300", "0 to 256"),
                                    ("limit-per-client", "2000000/s", "0 to 1000000/s")):
            with self.subTest(flag=flag):
                status, _, err = aforod(f"--{flag}={value}")
                self.assertEqual((status, err), (2, f"aforod: --{flag}: {value} is out of range ({bounds})\n"))

    def test_the_words_of_a_choice_are_named_and_the_nearest_one(self):
        for word, said in {"--clock=arival": "--clock: 'arival' is neither event nor arrival; did you mean arrival?",
                           "--banner=loud": "--banner: 'loud' is none of auto, on, off",
                           "--sandbox=": "--sandbox: '' is neither on nor off",
                           "--log-level=dbug": "--log-level: 'dbug' is none of error, warn, info, debug; "
                                               "did you mean debug?"}.items():
            with self.subTest(word=word):
                self.assertEqual(aforod(word), (2, "", f"aforod: {said}\n"))

    def test_nothing_is_no_value_of_a_flag(self):
        for flag, argument in {"redis": "URL", "state": "DIR", "node-id": "ID", "admin-listen": "ADDR:PORT",
                               "tls-cert": "PATH"}.items():
            with self.subTest(flag=flag):
                said = f"aforod: --{flag}: is empty: say which {argument}, or leave it out\n"
                self.assertEqual(aforod(f"--{flag}="), (2, "", said))
                self.assertEqual(aforod(f"--{flag}", ""), (2, "", said))

    def test_help_that_cannot_be_written_is_an_error(self):
        for program in ("aforod", "aforo"):
            for word in ("--help", "--version"):
                with open("/dev/full", "w", encoding="utf-8") as full:
                    done = subprocess.run([BIN / program, word], stdout=full, stderr=subprocess.PIPE, text=True,
                                          timeout=TIMEOUT_S, check=False, env=environment())
                self.assertEqual((done.returncode, done.stderr),
                                 (1, f"{program}: standard output: No space left on device\n"))

    def test_sizes_as_people_write_them(self):
        for text, taken in (("64M", True), ("64MB", True), ("1k", True), ("1KiB", True), ("64m", False), ("64mb", False)):
            with self.subTest(text=text):
                status, _, err = aforod(f"--max-body={text}", "--state", "/nonexistent/dir", "--listen", "127.0.0.1:0")
                self.assertEqual("--max-body" in err, not taken, err)
                self.assertEqual(status, 1 if taken else 2)

    def test_the_environment_is_named_when_it_is_wrong(self):
        for flag, values in BAD.items():
            if values[0]:
                with self.subTest(flag=flag):
                    status, _, err = aforod("--state", "/nonexistent/dir", **{variable(flag): values[0]})
                    self.assertIn(status, (1, 2))
                    self.assertTrue(variable(flag) in err or "--" + flag in err, err)

    def test_flags_that_do_not_exist(self):
        for word in ("--colour", "-x", "--redis-ttl", "extra", "--", "--listen"):
            with self.subTest(word=word):
                if word == "--":
                    self.assert_refused(aforod(word, "extra"), "extra")
                else:
                    self.assert_refused(aforod(word), word)

    def test_what_cannot_start_says_why(self):
        self.assert_refused(aforod("--listen", "127.0.0.1:0", "--state", "/nonexistent/a/b"), "/nonexistent/a/b", (1,))

    def test_the_nearest_flag_is_named(self):
        for word, said in {"--horizn": "--horizn: no such flag; did you mean --horizon?",
                           "--limit-per-clint=5/s": "--limit-per-clint=5/s: no such flag; did you mean --limit-per-client?",
                           "--colour": "--colour: no such flag; see --help",
                           "-listen": "-l: no such flag; flags begin with --, see --help",
                           "--version=1": "--version=1: takes no value; see --help"}.items():
            with self.subTest(word=word):
                self.assertEqual(aforod(word), (2, "", f"aforod: {said}\n"))

    def test_variables_that_do_not_exist(self):
        for name, meant in {"AFORO_HORIZN": "AFORO_HORIZON", "AFORO_THREDS": "AFORO_THREADS"}.items():
            for program in ("aforod", "aforo"):
                with self.subTest(name=name, program=program):
                    done = subprocess.run([BIN / program, *(["1s"] if program == "aforo" else [])], capture_output=True,
                                          text=True, timeout=TIMEOUT_S, check=False, env=environment(**{name: "1"}))
                    self.assertEqual((done.returncode, done.stdout, done.stderr),
                                     (2, "", f"{program}: {name}: no such variable; did you mean {meant}?\n"))

    def test_help_answers_beside_a_wrong_variable(self):
        for word in ("--help", "--help-all", "--version"):
            status, out, err = aforod(word, AFORO_HORIZN="1", AFORO_THREADS="x")
            self.assertEqual((status, err), (0, ""))
            self.assertIn("aforod", out)


class Taken(Case):
    def start(self, flags, env):
        server = self.place.server(*flags, env=env, name=f"aforod{len(self.place.programs)}")
        return server.start()

    def test_every_flag_in_all_three_ways(self):
        common = {key: value for key, value in GOOD.items() if key not in ("listen", "state", "threads", "redis")}
        for way in ("word", "equals", "environment"):
            with self.subTest(way=way):
                flags, env = [], {}
                for flag, value in common.items():
                    if way == "word":
                        flags += ["--" + flag, value]
                    elif way == "equals":
                        flags.append(f"--{flag}={value}")
                    else:
                        env[variable(flag)] = value
                server = self.start(flags, env)
                self.assertEqual(server.health()["node"], GOOD["node-id"])
                self.assertEqual(server.post_lines("x" * 5000).status, 413)  # --max-body
                self.assertEqual(server.post("value=1").status, 204)  # --clock arrival
                with server.connect() as link:  # --idle-timeout
                    link.settimeout(15)
                    self.assertEqual(link.recv(1), b"")

    def test_a_variable_that_is_set_to_nothing_sets_nothing(self):
        """docker-compose.yml passes every setting on, also those that nobody has set."""
        server = self.start(["--node-id", "flag"], {variable(flag): "" for flag in [*GOOD, *ELSEWHERE] if flag != "state"})
        self.assertEqual(server.health()["node"], "flag")

    def test_a_flag_beats_the_environment(self):
        server = self.start(["--node-id", "flag"], {"AFORO_NODE_ID": "environment"})
        self.assertEqual(server.health()["node"], "flag")

    def test_variables_of_the_console_and_of_kubernetes_are_passed_over(self):
        server = self.start([], {"AFORO_SERVER": "http://127.0.0.1:1", "AFORO_READ_TOKEN": "x", "AFORO_SERVICE_HOST": "10.0.0.1",
                                 "AFORO_PORT": "tcp://10.0.0.1:8080", "AFORO_PORT_8080_TCP": "tcp://10.0.0.1:8080"})
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.log().count("passed over"), 1)
        self.assertIn('msg="passed over what Kubernetes sets for a service of this name" variables=3\n', server.log())

    def test_port_0_is_any_and_the_chosen_one_is_logged(self):
        server = self.place.server("--listen", "127.0.0.1:0")
        server.spawn()
        try:
            found = wait_until(lambda: re.search(r'level=info msg="listening" address=127\.0\.0\.1:(\d+)', server.log()),
                               "the port is logged")
            server.port = int(found.group(1))
            self.assertEqual(server.request("GET", "/healthz").status, 200)
        finally:
            server.kill()

    def test_log_level(self):
        quiet = self.start(["--log-level", "error"], {})
        self.assertEqual(quiet.stop(), 0)
        self.assertEqual(quiet.log(), "")

    def test_every_log_line_is_logfmt(self):
        server = self.start(["--log-level", "debug"], {})
        server.post("value=x")
        server.stop()
        for line in server.log().splitlines():
            self.assertRegex(line, r'\A(\w+=("([^"\\]|\\.)*"|[^\s"]*)( |\Z))+\Z')


def banner(url, read_url=None, token="", read_token=""):
    return (f"\naforod on {url} (stop: Ctrl-C)\n\n"
            f"  send an event:    curl -X POST{token} {url}/ --data \"value=$(date -u '+%F %T.%6N')\"\n"
            f"  see the counts:   curl{read_token} \"{read_url or url}/counts/1s?partial=1\"\n\n")


class Banner(Case):
    """What it says on standard output; the log is on standard error."""

    def started(self, *flags, **kwargs):
        server = subprocess.Popen([BIN / "aforod", "--state", self.place.dir / "state", "--threads", "1", *flags],
                                  stdin=subprocess.DEVNULL, env=environment(), text=True, **kwargs)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        return server

    def said(self, *flags):
        server = self.started(*flags, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with server.stdout, server.stderr:
            log = ""
            while "listening" not in log:
                log = server.stderr.readline()
                self.assertTrue(log, "it ended")
            # It comes right after: when the server ends in order, all of it is there.
            server.terminate()
            out = server.stdout.read()
            server.stderr.read()
        address, admin = (re.search(rf"\b{name}=(\S+)", log) for name in ("address", "admin_address"))
        return out, address.group(1), admin and admin.group(1)

    def test_it_names_where_it_listens(self):
        out, address, _ = self.said("--banner", "on", "--listen", "127.0.0.1:0")
        self.assertEqual(out, banner(f"http://{address}"))
        ipv6 = pathlib.Path("/proc/net/if_inet6")
        for listen, host in {":0": None, "0.0.0.0:0": "127.0.0.1", "[::]:0": "[::1]"}.items():
            with self.subTest(listen=listen):
                if host == "[::1]" and not (ipv6.exists() and ipv6.read_text()):
                    self.skipTest("no IPv6 here")
                out, address, _ = self.said("--banner", "on", "--listen", listen)
                host = host or {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}[address.rpartition(":")[0]]
                self.assertEqual(out, banner(f"http://{host}:{address.rpartition(':')[2]}"))

    def test_it_says_how_to_send_and_read_with_tokens_elsewhere(self):
        tokens = self.place.dir / "tokens"
        tokens.write_text("0123456789abcdef0123456789abcdef\n")
        tokens.chmod(0o600)
        out, address, admin = self.said("--banner", "on", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
                                        "--ingest-token-file", tokens, "--read-token-file", tokens)
        token = ' -H "Authorization: Bearer TOKEN"'
        self.assertEqual(out, banner(f"http://{address}", f"http://{admin}", token, token))

    def test_its_commands_work(self):
        server = self.server()
        lines = banner(f"http://127.0.0.1:{server.port}").splitlines()
        for line, said in ((lines[3], ""), (lines[4], ", 1\n")):
            done = subprocess.run(["bash", "-c", line.partition(":")[2].replace("curl", "curl -sS", 1)], capture_output=True,
                                  text=True, timeout=TIMEOUT_S, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout.endswith(said), done.stdout)

    def test_without_a_terminal_nobody_is_told(self):
        for flags in ([], ["--banner", "off"]):
            self.assertEqual(self.said("--listen", "127.0.0.1:0", *flags)[0], "")

    def test_a_terminal_is_told(self):
        ours, theirs = pty.openpty()
        server = self.started("--listen", "127.0.0.1:0", stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        seen = []
        with open(ours, "rb", buffering=0) as terminal:
            wait_until(lambda: seen.append(terminal.read(4096)) or b"see the counts" in b"".join(seen), "the banner is there")
            server.kill()

    def test_a_start_that_fails_says_nothing_else(self):
        first = self.server()
        server = self.started("--banner", "on", "--listen", f"127.0.0.1:{first.port}", stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        with server.stdout:
            self.assertEqual(server.stdout.read(), "")
        self.assertEqual(server.wait(TIMEOUT_S), 1)


class CannotStart(Case):
    def test_port_in_use(self):
        first = self.server()
        second = self.place.server(name="second")
        second.port = first.port
        status, said = second.refuses_to_start()
        self.assertEqual(status, 1)
        lines = [line for line in said.splitlines() if line.startswith("aforod: ")]
        self.assertEqual(len(lines), 1, said)
        self.assertIn(str(first.port), lines[0])

    def test_state_directory_without_a_parent(self):
        server = self.place.server(state="/nonexistent/dir/state")
        status, said = server.refuses_to_start()
        self.assertEqual((status, said.count("aforod: ")), (1, 1))
        self.assertIn("/nonexistent/dir/state", said)


if __name__ == "__main__":
    unittest.main()
