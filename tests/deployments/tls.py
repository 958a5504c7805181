"""A private certificate authority, and Debian's Redis with a certificate of it."""

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis import Redis

from artifact_pipeline.worker.embedded.servers import RedisProcess, kept_port
from tests.deployments.programs import program

HOST = "127.0.0.1"
_DAY = timedelta(days=1)


class Authority:
    """Issues certificates.

    Args:
        directory: for all files.
        name: of the authority.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            self._builder(self._name, self._key.public_key(), 2 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, host: str = HOST, valid: timedelta = 2 * _DAY) -> tuple[Path, Path]:
        """Return the files of a certificate and its key.

        Args:
            name: of both files.
            host: an address or a name, for which the certificate is.
            valid: for so long from yesterday on.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(subject, key.public_key(), valid)
            .add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        files = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, valid: timedelta
    ) -> x509.CertificateBuilder:
        yesterday = datetime.now(UTC) - _DAY
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(yesterday)
            .not_valid_after(yesterday + valid)
        )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


class TlsRedis(RedisProcess):
    """Debian's Redis, which speaks nothing but TLS.

    Args:
        directory: for its log.
        authority: of its certificate, and of clients' if they need one.
        host: for which its certificate is.
        valid: how long its certificate is, from yesterday on.
        wants_clients: whether a client needs a certificate.
    """

    def __init__(
        self,
        directory: Path,
        authority: Authority,
        host: str = HOST,
        *,
        valid: timedelta = 2 * _DAY,
        wants_clients: bool,
    ) -> None:
        self.port = kept_port(self)
        name = f"redis-{self.port}"
        self._certificate, self._key = authority.issue(name, host, valid)
        options = {
            "bind": HOST,
            "port": 0,
            "tls-port": self.port,
            "tls-cert-file": self._certificate,
            "tls-key-file": self._key,
            "tls-ca-cert-file": authority.file,
            "tls-auth-clients": "yes" if wants_clients else "no",
            "save": "",
            "appendonly": "no",
            "dir": directory,
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        super().__init__(
            name,
            [program("redis-server"), *flags],
            env=os.environ,
            log=directory / f"{name}.log",
        )

    def url(self, options: str = "") -> str:
        return f"rediss://{HOST}:{self.port}/0{options and f'?{options}'}"

    def client(self) -> Redis:
        return Redis(
            host=HOST,
            port=self.port,
            ssl=True,
            ssl_cert_reqs="none",
            ssl_certfile=str(self._certificate),
            ssl_keyfile=str(self._key),
        )
