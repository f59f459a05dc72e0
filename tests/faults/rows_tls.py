"""The same harm to a Redis that speaks TLS alone, and to connections that are encrypted: cut off in the middle of a record of
TLS or of its handshake, and half of one with nothing after it."""

import shutil

import rows_redis  # noqa: F401 - has the rows
from faults import Skipped, row, rows


def over_tls(name):
    function, promise = rows[name]

    def harm(run):
        if not shutil.which("openssl"):
            raise Skipped("openssl is not installed: there are no certificates")
        run.speak_tls()
        function(run)
    row(f"{name}-tls", f"{promise}; Redis by TLS")(harm)


for each in ("redis-killed", "reply-cut", "reply-half"):
    over_tls(each)
