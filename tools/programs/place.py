"""A place: everything that one test or measurement starts and writes."""

import pathlib
import shutil
import tempfile

from .aforod import Server
from .process import BIN, Port
from .redis import Redis


class Place:
    """What one test starts and writes."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="aforo-test-"))
        self.programs, self.held, self.closers = [], [], []

    def port(self):
        self.held.append(Port())
        return self.held[-1].number

    def server(self, *flags, **settings):
        return Server(self, *flags, **settings)

    def redis(self, *options, **settings):
        return Redis(self, *options, **settings)

    def at_close(self, call, *args):
        self.closers.append((call, args))

    def preloaded(self, name):
        """A path for LD_PRELOAD to a library of BIN, by a link from here, since LD_PRELOAD ends a name at a blank."""
        link = self.dir / name
        if not link.is_symlink():
            link.symlink_to((BIN / name).resolve())
        return str(link)

    def close(self):
        for program in reversed(self.programs):
            program.end()
        for call, args in reversed(self.closers):
            call(*args)
        for port in self.held:
            port.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
