"""TLS before the PostgreSQL of the tests, which has none, and a look at the passwords."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
# https://www.postgresql.org/docs/current/protocol-message-formats.html
_SSL_REQUEST = 80877103
_GSS_REQUEST = 80877104
_LOOK_AGAIN_SECONDS = 0.05
_CHUNK = 64 * 1024


class TlsFront:
    """Speaks TLS with clients and forwards what they say to a unix socket.

    A client that asks for no TLS is turned away.

    Args:
        upstream: the server's socket; it must ask for cleartext passwords, as RDS does.
        directory: for the certificate.
        password_of: returns what the server gets in place of a client's password.
    """

    def __init__(
        self, upstream: Path, directory: Path, password_of: Callable[[str], str] = str
    ) -> None:
        self._upstream = upstream
        self._password_of = password_of
        self.certificate = directory / "server.pem"
        self._context = _server_context(self.certificate)
        self._sockets: list[socket.socket] = []
        self._serving: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="tls-front")
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        # Closing alone does not wake a thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        while any(thread.is_alive() for thread in self._serving):
            for each in list(self._sockets):
                _end(each)
            for thread in self._serving:
                thread.join(_LOOK_AGAIN_SECONDS)

    def url(self, user: str, database: str, sslmode: str = "verify-full") -> str:
        """Return the URL by this front, which checks the certificate."""
        options = f"sslmode={sslmode}&sslrootcert={self.certificate}"
        return f"postgresql+psycopg://{user}@{HOST}:{self.port}/{database}?{options}"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self._serving.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        # Whatever ends this thread: a socket that is left to the garbage collector fails the test
        # in which it is collected.
        with ExitStack() as opened, suppress(OSError):
            opened.callback(_end, client)
            if not _asks_for_tls(client):
                return
            encrypted = self._context.wrap_socket(client, server_side=True)
            opened.callback(_end, encrypted)
            server = socket.socket(socket.AF_UNIX)
            opened.callback(_end, server)
            self._sockets += [encrypted, server]
            server.connect(str(self._upstream))
            self._log_in(encrypted, server)
            requests = threading.Thread(target=_pump, args=(encrypted, server), daemon=True)
            requests.start()
            _pump(server, encrypted)
            requests.join()

    def _log_in(self, client: socket.socket, server: socket.socket) -> None:
        server.sendall(_message(client, kind=False))
        client.sendall(_message(server))
        password = _message(client)
        token = self._password_of(password[5:-1].decode()).encode() + b"\0"
        server.sendall(password[:1] + struct.pack("!I", len(token) + 4) + token)


def _asks_for_tls(client: socket.socket) -> bool:
    while True:
        (code,) = struct.unpack("!4xI", _exactly(client, 8))
        if code == _SSL_REQUEST:
            client.sendall(b"S")
            return True
        if code != _GSS_REQUEST:
            return False
        client.sendall(b"N")


def _message(source: socket.socket, *, kind: bool = True) -> bytes:
    head = _exactly(source, 5 if kind else 4)
    (length,) = struct.unpack("!I", head[-4:])
    return head + _exactly(source, length - 4)


def _exactly(source: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        chunk = source.recv(size - len(read))
        if not chunk:
            raise ConnectionError
        read += chunk
    return read


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    _end(source)
    _end(target)


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


def _server_context(path: Path) -> ssl.SSLContext:
    """Write a self-signed certificate with its key to that path."""
    key = ec.generate_private_key(ec.SECP256R1())
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(addresses, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
