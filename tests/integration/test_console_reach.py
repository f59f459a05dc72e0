"""Exit status 3 of aforo: its source cannot be reached. 1 stays for what answers and does not do, 2 for wrong usage."""

import socket
import threading
import unittest

from support import Case, now_us, text_time
from support.console import aforo

UNREACHABLE = 3


class Reach(Case):
    def nobody(self):
        """A port where nobody listens."""
        return self.place.port()

    def status_is(self, expected, *words, **settings):
        status, out, err = aforo(*words, cwd=self.place.dir, **settings)
        self.assertEqual((status, bool(err)), (expected, True), f"aforo {' '.join(map(str, words))}: {out}{err}")

    def sources(self):
        return (("--server", f"http://127.0.0.1:{self.nobody()}"), ("--redis", f"redis://127.0.0.1:{self.nobody()}"),
                ("--redis", f"redis+cluster://127.0.0.1:{self.nobody()}"),
                ("--redis", f"redis+sentinel://127.0.0.1:{self.nobody()}/master"), ("--state", self.place.dir / "nowhere"))

    def test_every_command_that_reads_a_source(self):
        for source in self.sources():
            for command in (("1s",), ("10ms", "--total"), ("total",), ("reports",), ("report", "all"), ("check",)):
                with self.subTest(command=command, source=source):
                    self.status_is(UNREACHABLE, *command, *source)

    def test_the_others(self):
        self.status_is(UNREACHABLE, "status", "--server", f"http://127.0.0.1:{self.nobody()}")
        self.status_is(UNREACHABLE, "backup", self.place.dir / "nowhere", self.place.dir / "copy")
        self.status_is(UNREACHABLE, "log", "cat", self.place.dir / "nowhere")
        self.status_is(UNREACHABLE, "log", "check", self.place.dir / "nowhere")

    def test_one_of_several_servers(self):
        server = self.server()
        for order in ((server.port, self.nobody()), (self.nobody(), server.port)):
            words = [word for port in order for word in ("--server", f"http://127.0.0.1:{port}")]
            self.status_is(UNREACHABLE, "status", *words)
            self.status_is(UNREACHABLE, "check", *words)

    def test_who_accepts_and_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            self.status_is(UNREACHABLE, "1s", "--server", f"http://127.0.0.1:{port}", "--timeout", "200ms")
            self.status_is(UNREACHABLE, "1s", "--redis", f"redis://127.0.0.1:{port}", "--timeout", "200ms")

            def end_at_once():
                link, _ = silent.accept()
                link.recv(4096)
                link.close()
            thread = threading.Thread(target=end_at_once)
            while True:  # what the calls before have left in the queue
                silent.settimeout(0.1)
                try:
                    silent.accept()[0].close()
                except TimeoutError:
                    break
            silent.settimeout(None)
            thread.start()
            self.status_is(UNREACHABLE, "1s", "--server", f"http://127.0.0.1:{port}")
            thread.join()

    def test_what_answers_and_does_not_do_is_1(self):
        tokens = self.place.dir / "readers"
        tokens.write_text("reader-0123456789\n")
        tokens.chmod(0o600)
        server = self.place.server("--read-token-file", tokens).start()
        self.status_is(1, "1s", "--server", f"http://127.0.0.1:{server.port}")
        self.status_is(1, "status", "--server", f"http://127.0.0.1:{server.port}")
        server.kill()
        redis = self.redis("--requirepass", "secret")
        self.status_is(1, "1s", "--redis", redis.url)
        self.status_is(1, "1s", "--redis", f"redis://:wrong@127.0.0.1:{redis.port}")
        broken = self.place.dir / "broken"
        broken.mkdir()
        (broken / "counters.aforo").write_bytes(b"nonsense" * 1024)
        self.status_is(1, "1s", "--state", broken)
        away = self.place.server(redis=f"redis://127.0.0.1:{self.nobody()}", name="away").start()
        self.status_is(0, "total", "--server", f"http://127.0.0.1:{away.port}")
        self.assertEqual(aforo("status", "--server", f"http://127.0.0.1:{away.port}")[0], 1, "its store is away")

    def test_usage_is_2_and_success_0(self):
        self.status_is(2, "1s", "--server", "nonsense")
        server = self.server()
        server.post(f"value={text_time(now_us() - 5_000_000)}")
        self.assertEqual(aforo("1s", "--server", f"http://127.0.0.1:{server.port}")[0], 0)


if __name__ == "__main__":
    unittest.main()
