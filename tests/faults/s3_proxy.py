"""A reverse proxy before an S3 server, for what goes wrong between a client and S3."""

import re
import socket
import socketserver
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any, Self

from tests.faults.s3_faults import Hold, S3Fault, S3Faults
from tests.faults.s3_request import Request
from tests.faults.wire import Framing, Head, Peer, Sink, discard

__all__ = ["FaultyS3", "Hold", "Request", "S3Fault"]

_HOST = "127.0.0.1"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
_CHECKSUM = "x-amz-checksum-sha256"
_CHECKSUM_HEADER = re.compile(rb"(?im)^(" + _CHECKSUM.encode() + rb": *)([^\r\n]+)")
_CHECKSUM_ELEMENT = re.compile(rb"(<ChecksumSHA256>)([^<]+)")


class FaultyS3(S3Faults):
    """Forwards requests one for one, on a free port of the loopback address.

    A connection has a thread of its own, and each request a connection of its own to the server,
    which may thus be restarted in between.
    """

    def __init__(self, upstream_port: int) -> None:
        super().__init__()
        self.port = 0
        self._upstream_port = upstream_port
        self._open: set[socket.socket] = set()
        self._is_ended = False

    def __enter__(self) -> Self:
        self._server = _Server(self._serve)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            self._is_ended = True
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
        self.heal()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self.port}"

    def _serve(self, connection: socket.socket) -> None:
        """Answer the requests that come, until the client closes or a fault ends it."""
        with suppress(OSError), self._peer(connection) as client:
            goes_on = True
            while goes_on and (head := client.read_head()):
                goes_on = self._answer(client, head)

    def _answer(self, client: Peer, head: Head) -> bool:
        """Whether the connection goes on afterwards.

        Raises:
            OSError: the client is to be reset.
        """
        request = Request.of(head)
        self._count(request)
        self._stop_if_held(request, self._holds)
        fault = self._pick_fault(request)
        if fault is not None and fault is not S3Fault.WRONG_CHECKSUM:
            self._count_fault(fault)
        match fault:
            case S3Fault.RESET:
                raise ConnectionResetError
            case S3Fault.SLOW_DOWN:
                return _slow_down(client, request)
            case S3Fault.TIME_OUT:
                _copy_body(client, head, discard)
                client.copy_rest(discard)
                return False
        with self._peer(socket.create_connection((_HOST, self._upstream_port))) as upstream:
            _forward(client, upstream, head, fault)
            answer = _final_head(upstream)
            self._stop_if_held(request, self._answer_holds)
            return self._forward_answer(client, upstream, request, answer, fault)

    def _forward_answer(
        self, client: Peer, upstream: Peer, request: Request, answer: Head, fault: S3Fault | None
    ) -> bool:
        framing = Framing.of_answer(answer, request.method)
        match fault:
            case S3Fault.LOST_ANSWER:
                upstream.copy_body(framing, discard)
                raise ConnectionResetError
            case S3Fault.TRUNCATED_ANSWER:
                _forward_half(upstream, client, answer, framing)
                return False
            case S3Fault.WRONG_CHECKSUM:
                named = _naming_the_checksum(answer, request)
                if _forward_altered(client, upstream, named, framing):
                    self._count_fault(fault)
            case _:
                client.send(answer.raw)
                upstream.copy_body(framing, client.send)
        return framing.is_chunked or framing.size is not None

    @contextmanager
    def _peer(self, connection: socket.socket) -> Iterator[Peer]:
        with connection:
            with self._lock:
                if self._is_ended:
                    raise ConnectionAbortedError
                self._open.add(connection)
            try:
                with Peer(connection) as peer:
                    yield peer
            finally:
                with self._lock:
                    self._open.discard(connection)


class _Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        super().__init__((_HOST, 0), socketserver.BaseRequestHandler)
        self._serve = serve

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - inherited
        self._serve(request)


def _forward(client: Peer, upstream: Peer, head: Head, fault: S3Fault | None) -> None:
    """The request, as it is or with a fault."""
    forwarded = head.without("expect")  # it is us who tell the client to go on
    if fault is S3Fault.CUT_REQUEST:
        _let_go_on(client, head)
        _forward_half(client, upstream, forwarded, Framing.of_request(head))
        raise ConnectionResetError
    upstream.send(forwarded.raw)
    if fault is S3Fault.CORRUPTED_BODY:
        _copy_corrupted(client, head, upstream.send)
    else:
        _copy_body(client, head, upstream.send)


def _copy_body(client: Peer, head: Head, sink: Sink) -> None:
    _let_go_on(client, head)
    client.copy_body(Framing.of_request(head), sink)


def _copy_corrupted(client: Peer, head: Head, sink: Sink) -> None:
    _let_go_on(client, head)
    size = Framing.of_request(head).size or 0
    client.copy(size // 2, sink)
    client.copy(1, lambda byte: sink(bytes([byte[0] ^ 1])))
    client.copy(size - size // 2 - 1, sink)


def _let_go_on(client: Peer, head: Head) -> None:
    if head.headers.get("expect", "").lower() == "100-continue":
        client.send(_CONTINUE)


def _forward_half(source: Peer, target: Peer, head: Head, framing: Framing) -> None:
    """Half of the body; of a message without one half of the head; of chunks none."""
    if framing.size == 0:
        target.send(head.raw[: len(head.raw) // 2])
        return
    target.send(head.raw)
    source.copy((framing.size or 0) // 2, target.send)


def _slow_down(client: Peer, request: Request) -> bool:
    # Before the body, as S3 does: a client that expects a word about it does not send it then.
    head = (
        "HTTP/1.1 503 Slow Down\r\n"
        "Content-Type: application/xml\r\n"
        f"Content-Length: {len(_SLOW_DOWN)}\r\n"
        "Connection: close\r\n"
        "\r\n"
    )
    client.send(head.encode() + (b"" if request.method == "HEAD" else _SLOW_DOWN))
    client.end()
    return False


def _final_head(upstream: Peer) -> Head:
    while head := upstream.read_head():
        if not head.start[1].startswith("1"):
            return head
    raise ConnectionAbortedError("closed without an answer")


def _naming_the_checksum(answer: Head, request: Request) -> Head:
    """What S3 answers to a PUT with a checksum; ministack is silent about it."""
    checksum = request.headers.get(_CHECKSUM, "")
    is_named = _CHECKSUM in answer.headers
    if is_named or not checksum or request.operation != "PutObject" or answer.start[1] != "200":
        return answer
    return Head(answer.raw[:-2] + f"{_CHECKSUM}: {checksum}\r\n\r\n".encode())


def _forward_altered(client: Peer, upstream: Peer, answer: Head, framing: Framing) -> bool:
    """Whether there was a checksum to alter."""
    head, count = _CHECKSUM_HEADER.subn(_with_another, answer.raw)
    client.send(head)
    if count or "xml" not in answer.headers.get("content-type", ""):
        upstream.copy_body(framing, client.send)
        return count > 0
    body = bytearray()
    upstream.copy_body(framing, body.extend)
    altered, count = _CHECKSUM_ELEMENT.subn(_with_another, bytes(body))
    client.send(altered)
    return count > 0


def _with_another(match: re.Match[bytes]) -> bytes:
    # Of the same length; a composite one ends with a hyphen and the number of parts.
    digest, hyphen, parts = match[2].partition(b"-")
    return match[1] + b64encode(sha256(digest).digest()) + hyphen + parts
