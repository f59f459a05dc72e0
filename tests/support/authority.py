"""Certificates, by openssl; and servers of Redis that speak TLS alone."""

import socket
import ssl
import subprocess

from programs import TIMEOUT_S, Redis, Sentinel

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """A CA of its own."""

    def __init__(self, place, name="ca"):
        self.place, self.name = place, name
        self.cert, self.key = self.path("crt"), self.path("key")
        self.openssl("req", "-x509", *KEY, "-days", "30", "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert)

    def path(self, ending, name=None):
        return self.place.dir / f"{name or self.name}.{ending}"

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=TIMEOUT_S)

    def issue(self, name, names="IP:127.0.0.1", days=30, usage=None):
        """(certificate, its key) for these names; days -1: it has expired."""
        cert, key, request, extensions = (self.path(ending, name) for ending in ("crt", "key", "csr", "ext"))
        lines = [f"subjectAltName={names}"] if names else []
        extensions.write_text("\n".join([*lines, *([f"extendedKeyUsage={usage}"] if usage else [])]))
        self.openssl("req", *KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        sign = ("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-extfile", extensions,
                "-out", cert)
        try:
            self.openssl(*sign, "-days", days)
        except subprocess.CalledProcessError:  # openssl 3.5 takes no days that are over, but takes dates
            self.openssl(*sign, "-not_before", "20200101000000Z", "-not_after", "20200102000000Z")
        return cert, key


class TlsRedis(Redis):
    """redis-server that has no port without TLS. It asks for a certificate of its CA, unless clients is "no"."""

    def __init__(self, place, authority, pair, *options, name="redis", clients="yes"):
        super().__init__(place, *options, name=name)
        self.url = f"rediss://127.0.0.1:{self.port}"
        self.clients = clients
        self.take(authority, pair)

    def take(self, authority, pair):
        """From the next start on."""
        self.context = ssl.create_default_context(cafile=authority.cert)
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.context.load_cert_chain(*pair)
        self.words = ["--tls-cert-file", pair[0], "--tls-key-file", pair[1], "--tls-ca-cert-file", authority.cert,
                      "--tls-auth-clients", self.clients]

    def program_words(self):
        return ["redis-server", "--port", "0", "--tls-port", self.port, *self.words, "--bind", "127.0.0.1", "--dir", self.directory,
                "--save", "", *self.options]

    def connect(self):
        return self.context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S))


class TlsSentinel(TlsRedis):
    """redis-sentinel, which watches one master under the name `counts`; all by TLS."""

    def __init__(self, place, authority, pair, master, name="sentinel"):
        super().__init__(place, authority, pair, name=name)
        plain = Sentinel(place, master, name=f"{name}-plain")  # its file has all but TLS
        self.config = self.directory / "sentinel.conf"
        self.config.write_text("\n".join([
            f"port 0\ntls-port {self.port}\ntls-replication yes",
            *(f"{word[2:]} {value}" for word, value in zip(self.words[::2], self.words[1::2])),
            *(line for line in plain.config.read_text().splitlines() if not line.startswith(("port ", "dir "))),
            f"dir {self.directory}\n"]))

    def program_words(self):
        return ["redis-sentinel", self.config]

