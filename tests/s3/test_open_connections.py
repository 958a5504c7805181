"""A small request over an open connection ends as it would in botocore's own HTTP client."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import SHUT_WR, socket, socketpair
from threading import Thread
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session
from mypy_boto3_s3 import S3Client
from urllib3 import HTTPConnectionPool

from artifact_pipeline.worker.s3.open_connections import OpenConnections
from tests.s3.direct_steps import client_at, put
from tests.s3.recording_server import RecordingServer, Said

_HOST = "s3.example.com"
_ORIGIN = f"http://{_HOST}"
_BODY = b"the bytes"
_OK = b"HTTP/1.1 200 OK\r\n"
_EMPTY = b"Content-Length: 0\r\n\r\n"
_KEPT = (_EMPTY, b"body", b"no", b"0\r\n\r\n")
"""What answers end with after which the connection may be kept."""
ANSWERS = {
    "a plain success": _OK + b'ETag: "e"\r\n' + _EMPTY,
    "kept alive": _OK + b"Connection: keep-alive\r\n" + _EMPTY,
    "closed": _OK + b"Connection: close\r\n" + _EMPTY,
    "of HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + _EMPTY,
    "a body": _OK + b"Content-Length: 4\r\n\r\nbody",
    "in chunks": _OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n",
    "without a reason": b"HTTP/1.1 200\r\n" + _EMPTY,
    "a header twice": _OK + b"A: 1\r\nA: 2\r\n" + _EMPTY,
    "asked to go on": b"HTTP/1.1 100 Continue\r\n\r\n" + _OK + _EMPTY,
    "refused": b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 2\r\n\r\nno",
    "up to the end": _OK + b"A: 1\r\n\r\nuntil it closes",
    "nothing": b"",
    "a part of the head": _OK + b'ETag: "e',
    "no HTTP": b"SSH-2.0\r\n\r\n",
    "a part of the body": _OK + b"Content-Length: 4\r\n\r\nbo",
}


def by_session(session: URLLib3Session, request: AWSPreparedRequest) -> Any:
    return session.send(request)


def over_open_connection(session: URLLib3Session, request: AWSPreparedRequest) -> Any:
    return OpenConnections().exchange(session, request, _HOST, _ORIGIN)


Way = Callable[[URLLib3Session, AWSPreparedRequest], Any]


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_read_as_by_the_session(answer: bytes) -> None:
    theirs, ours = _outcome(by_session, answer), _outcome(over_open_connection, answer)
    assert ours == theirs


def _outcome(way: Way, answer: bytes) -> object:
    """Return what came of a request, what the server got, and whether the connection is kept."""
    received: list[bytes] = []
    with _connected(answer, received) as (session, pool):
        try:
            found = way(session, _request())
        except Exception as error:  # noqa: BLE001 - compared
            outcome: object = type(error), str(error)
        else:
            headers = {name.lower(): value for name, value in found.headers.items()}
            outcome = found.status_code, headers, found.content
        connection = pool._get_conn()
        is_kept = connection.sock is not None
    return outcome, received, is_kept


def _request(**headers: str) -> AWSPreparedRequest:
    named: Any = {"Content-Length": str(len(_BODY)), "User-Agent": "tests", **headers}
    return AWSPreparedRequest("PUT", f"{_ORIGIN}/bucket/key", named, _BODY, stream_output=False)


@contextmanager
def _connected(answer: bytes, received: list[bytes]) -> Iterator[tuple[URLLib3Session, Any]]:
    """Yield a session with an open connection, to a server that answers one request."""
    session = _session((5, 5))
    pool: Any = session._manager.connection_from_url(_ORIGIN)  # type: ignore[attr-defined]
    connection = pool._get_conn()
    connection.sock, server = socketpair()
    pool._put_conn(connection)
    thread = Thread(target=_serve, args=(server, answer, received))
    thread.start()
    try:
        yield session, pool
    finally:
        connection.close()
        thread.join()
        server.close()


def _session(timeouts: Any) -> URLLib3Session:
    """Return a session. Args: for connecting and reading, as botocore gives them."""
    return URLLib3Session(timeout=timeouts)


def _serve(server: socket, answer: bytes, received: list[bytes]) -> None:
    got = b""
    while not got.endswith(_BODY):
        got += server.recv(2**16)
    received.append(got)
    server.sendall(answer)
    if not answer.endswith(_KEPT):
        server.shutdown(SHUT_WR)


def test_an_answer_that_does_not_come_is_a_time_out() -> None:
    # Given a server that takes the request and says nothing
    session = _session((5, 0.01))
    pool: Any = session._manager.connection_from_url(_ORIGIN)  # type: ignore[attr-defined]
    connection = pool._get_conn()
    connection.sock, server = socketpair()
    pool._put_conn(connection)
    # When
    with server, pytest.raises(ReadTimeoutError):
        over_open_connection(session, _request())
    # Then
    assert connection.sock is None


def test_nothing_is_sent_without_an_open_connection() -> None:
    assert over_open_connection(URLLib3Session(), _request()) is None


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nX: 1", "a\rX: 1", "ä"])
def test_a_header_that_would_be_two_is_left_to_the_session(value: str) -> None:
    # Given an open connection, which is kept
    session = _session((5, 5))
    pool: Any = session._manager.connection_from_url(_ORIGIN)  # type: ignore[attr-defined]
    connection = pool._get_conn()
    connection.sock, server = socketpair()
    pool._put_conn(connection)
    # When
    with connection.sock, server:
        assert over_open_connection(session, _request(Named=value)) is None
        # Then nothing was sent
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.recv(1)


@pytest.mark.usefixtures("plain_botocore")
def test_puts_after_the_first_leave_urllib3_out(server: RecordingServer) -> None:
    # Given
    client = client_at(server)
    put(client)
    pool = _pool_of(client, server)
    before = pool.num_requests
    # When
    for _ in range(3):
        put(client)
    # Then they have one connection
    assert len(server.taken()) == 4
    assert (pool.num_requests, pool.num_connections) == (before, 1)


@pytest.mark.usefixtures("plain_botocore")
def test_a_connection_that_the_server_closes_is_opened_again(server: RecordingServer) -> None:
    # Given
    client = client_at(server)
    put(client)
    server.answers.append(Said(200, {"ETag": '"last"', "Connection": "close"}))
    # When
    etags = [put(client)["ETag"] for _ in range(3)]
    # Then
    assert etags == ['"last"', '"etag"', '"etag"']


@pytest.mark.usefixtures("plain_botocore")
@pytest.mark.parametrize(
    ("owner", "name"), [(URLLib3Session, "send"), (HTTPConnectionPool, "urlopen")]
)
def test_a_library_that_watches_the_http_client_sees_each_put(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    # Given
    client = client_at(server)
    put(client)
    seen: list[str] = []
    function = getattr(owner, name)

    def watched(*arguments: Any, **named: Any) -> Any:
        seen.append(name)
        return function(*arguments, **named)

    # When
    monkeypatch.setattr(owner, name, watched)
    put(client), put(client)
    # Then
    assert seen == [name, name]


def _pool_of(client: S3Client, server: RecordingServer) -> HTTPConnectionPool:
    session: Any = client._endpoint.http_session  # type: ignore[attr-defined]
    pool: HTTPConnectionPool = session._manager.connection_from_url(server.url)
    return pool
