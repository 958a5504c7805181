"""Small requests over the connections that botocore's HTTP client keeps open.

urllib3 and http.client take more time for a small PUT than all else. Here they only open the
connections, as they are configured to: with TLS, its certificates and time-outs. http.client also
reads each answer that is not a plain success.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from io import BufferedReader, BytesIO, RawIOBase
from ssl import SSLError
from typing import TYPE_CHECKING, Any

from botocore import exceptions
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPConnectionPool, HTTPHeaderDict
from urllib3 import HTTPResponse as Urllib3Response
from urllib3.exceptions import ClosedPoolError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE = 2**16
_LONGEST_HEAD = 2**16
_OK = b"HTTP/1.1 200 "
_FUNCTIONS: dict[type[Any], tuple[str, object]] = {
    URLLib3Session: ("send", URLLib3Session.send),
    HTTPConnectionPool: ("urlopen", HTTPConnectionPool.urlopen),
}
"""What libraries replace that watch or answer requests."""

_urllib3 = logging.getLogger("urllib3")


@dataclass(frozen=True, slots=True)
class PlainSuccess:
    """A 200 without a body. Attributes: `headers` by their names in lower case."""

    headers: Mapping[str, str]
    status_code: int = 200
    content: bytes = b""


@dataclass(slots=True)
class OpenConnections:
    """The connections of one client. Attributes: `pools` by the beginnings of their URLs."""

    pools: dict[str, Any] = field(default_factory=dict)

    def exchange(self, session: Any, request: Any, host: str, origin: str) -> Any:  # noqa: ANN401 - of botocore
        """Send a request with a body of bytes, and return the answer.

        Args:
            session: the HTTP session of the client.
            request: the prepared one.
            host: the value of its header.
            origin: its URL up to the path.

        Returns:
            The answer as botocore has it, or a plain success. None if no connection is open, or if
            only the session itself can send the request; then nothing was sent.

        Raises:
            HTTPClientError, ConnectionError: as the session.
        """
        if not _is_plain(session) or "Expect" in request.headers:
            return None
        head = _head(request, host, request.url.removeprefix(origin))
        pool = self._pool_of(session, origin)
        connection = None if head is None or pool is None else _taken(pool)
        if head is None or connection is None:
            return None
        try:
            return _exchange(connection, pool.timeout.read_timeout, request, head)
        except BaseException:
            connection.close()
            raise
        finally:
            pool._put_conn(connection)  # noqa: SLF001 - urllib3 has no public way

    def _pool_of(self, session: Any, origin: str) -> Any:  # noqa: ANN401 - of urllib3
        pool = self.pools.get(origin)
        if pool is None or pool.pool is None:  # closed
            if session._proxy_config.proxy_url_for(origin):  # noqa: SLF001 - nor has botocore
                return None
            pool = self.pools[origin] = session._manager.connection_from_url(origin)  # noqa: SLF001
        return pool


def _is_plain(session: Any) -> bool:  # noqa: ANN401 - of botocore
    """Return whether nothing watches the requests of the session, or answers them."""
    return (
        type(session) is URLLib3Session
        and "send" not in vars(session)
        and all(getattr(owner, name) is known for owner, (name, known) in _FUNCTIONS.items())
        and not _urllib3.isEnabledFor(logging.DEBUG)
    )


def _taken(pool: Any) -> Any:  # noqa: ANN401 - of urllib3
    """Return an open connection of the pool, or None."""
    try:
        connection = pool._get_conn()  # noqa: SLF001 - it drops those that the server has closed
    except ClosedPoolError:
        return None
    if connection.sock is None:
        pool._put_conn(connection)  # noqa: SLF001 - the same
        return None
    return connection


def _exchange(
    connection: Any,  # noqa: ANN401 - of urllib3
    timeout: float | None,
    request: Any,  # noqa: ANN401 - of botocore
    head: bytes,
) -> Any:  # noqa: ANN401
    url, sock = request.url, connection.sock
    try:
        if sock.gettimeout() != timeout:
            sock.settimeout(timeout)
        try:
            sock.sendall(head + request.body)
        except (BrokenPipeError, ConnectionResetError):
            """The server may have refused it before."""
        received = _received(sock)
        answer = _success(received)
        return answer or _other(connection, _Received(received, sock), request)
    except TimeoutError as error:
        raise exceptions.ReadTimeoutError(endpoint_url=url, error=error) from error
    except SSLError as error:
        raise exceptions.SSLError(endpoint_url=url, error=error) from error
    except (OSError, HTTPException) as error:
        raise exceptions.ConnectionClosedError(
            error=error, request=request, endpoint_url=url
        ) from error


def _head(request: Any, host: str, path: str) -> bytes | None:  # noqa: ANN401 - of botocore
    """Return the head of the request; None if http.client is to refuse a part of it."""
    lines = [
        f"{request.method} {path} HTTP/1.1",
        f"Host: {host}",
        "Accept-Encoding: identity",
        *(f"{name}: {value}" for name, value in request.headers.items()),
    ]
    text = "\r\n".join(lines)
    # A value with an end of line would be two headers.
    is_sound = text.isascii() and text.count("\n") == text.count("\r") == len(lines) - 1
    return f"{text}\r\n\r\n".encode("ascii") if is_sound else None


def _received(sock: Any) -> bytes:  # noqa: ANN401 - a socket, or one of TLS
    """Return what comes up to the end of the head; less if the connection ends."""
    received = b""
    while b"\r\n\r\n" not in received and len(received) < _LONGEST_HEAD:
        piece = sock.recv(_PIECE)
        if not piece:
            break
        received += piece
    return received


def _success(received: bytes) -> PlainSuccess | None:
    """Return the answer if it is a plain success; None if http.client is to read it."""
    head, end, body = received.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    if not end or body or not status.startswith(_OK):
        return None
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip():
            return None
        headers[name.lower()] = value.strip(" \t")
    is_kept = headers.get("connection", "keep-alive").lower() == "keep-alive"
    is_empty = headers.get("content-length") == "0" and "transfer-encoding" not in headers
    is_whole = is_kept and is_empty and len(headers) == len(lines)
    return PlainSuccess(headers) if is_whole else None


class _Received(RawIOBase):
    """A socket as http.client takes it, with bytes that were received before."""

    def __init__(self, received: bytes, sock: Any) -> None:  # noqa: ANN401 - as above
        self._received = received
        self._sock = sock

    def makefile(self, _mode: str) -> BufferedReader:
        return BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        if not self._received:
            return int(self._sock.recv_into(buffer))
        view = memoryview(buffer)
        piece, self._received = self._received[: len(view)], self._received[len(view) :]
        view[: len(piece)] = piece
        return len(piece)


def _other(connection: Any, received: Any, request: Any) -> Any:  # noqa: ANN401 - as above
    """Read an answer that is no plain success, as urllib3 would."""
    response = HTTPResponse(received, method=request.method)
    response.begin()
    content, headers = response.read(), HTTPHeaderDict(response.getheaders())
    if response.will_close:
        connection.close()
    raw = Urllib3Response(BytesIO(content), headers, response.status, preload_content=False)
    answer: Any = AWSResponse  # whose stubs want another class of headers
    return answer(request.url, response.status, headers, raw)
