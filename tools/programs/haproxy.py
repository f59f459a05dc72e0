"""haproxy with a configuration given by the caller."""

import os
import shutil
import socket

from .process import Failure, Program, wait_until


def haproxy_command(place, name, config):
    """Writes the configuration and returns the command that starts haproxy with it. Debian installs haproxy outside of users' PATH."""
    program = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise Failure("haproxy is missing: apt-get install haproxy")
    path = place.dir / f"{name}.cfg"
    path.write_text(config)
    return [program, "-db", "-f", path]


class Haproxy(Program):
    """`config` listens on 127.0.0.1:port."""

    def __init__(self, place, port, config, name="haproxy"):
        self.port = port
        super().__init__(place, name, haproxy_command(place, name, config))

    def start(self):
        self.spawn()

        def accepts():
            if not self.running():
                raise Failure(f"{self.name} ended:\n{self.log()[-2000:]}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False
        wait_until(accepts, lambda: f"{self.name} accepts connections\n{self.log()[-2000:]}")
        return self
