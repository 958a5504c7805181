"""A front of an S3 server that answers some requests as other stores do."""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_WITH_ETAG = {"PutObject", "HeadObject", "GetObject", "CompleteMultipartUpload"}
_HOP = {"connection", "content-length", "expect", "transfer-encoding"}
"""Headers of one connection alone."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        asked = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[0] for name, values in asked.items()}

    @property
    def key(self) -> str:
        return urlsplit(self.path).path

    @property
    def is_presigned(self) -> bool:
        return "X-Amz-Signature" in self.query

    @property
    def operation(self) -> str:
        """The name that S3 gives it."""
        subresources = self.query.keys() - {"X-Amz-Signature"}
        for method, subresource, has_source, operation in _OPERATIONS:
            if (method, has_source) == (self.method, "x-amz-copy-source" in self.headers) and (
                not subresource or subresource in subresources
            ):
                return operation
        return self.method

    def without(self, *names: str) -> "Request":
        kept = {name: value for name, value in self.headers.items() if name not in names}
        return replace(self, headers=kept)

    def having(self, **headers: str) -> "Request":
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})


_OPERATIONS = (
    ("PUT", "partNumber", True, "UploadPartCopy"),
    ("PUT", "partNumber", False, "UploadPart"),
    ("PUT", "", True, "CopyObject"),
    ("PUT", "", False, "PutObject"),
    ("POST", "uploads", False, "CreateMultipartUpload"),
    ("POST", "uploadId", False, "CompleteMultipartUpload"),
    ("POST", "delete", False, "DeleteObjects"),
    ("GET", "uploadId", False, "ListParts"),
    ("GET", "uploads", False, "ListMultipartUploads"),
    ("GET", "list-type", False, "ListObjectsV2"),
    ("GET", "tagging", False, "GetObjectTagging"),
    ("GET", "", False, "GetObject"),
    ("HEAD", "", False, "HeadObject"),
    ("DELETE", "uploadId", False, "AbortMultipartUpload"),
    ("DELETE", "", False, "DeleteObject"),
)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def without(self, *names: str) -> "Answer":
        kept = {name: value for name, value in self.headers.items() if name.lower() not in names}
        return replace(self, headers=kept)

    def substituting(self, pattern: str, by: str | Callable[[re.Match[str]], str]) -> "Answer":
        """Replace what matches in the headers, and in a body of XML."""
        headers = {name: re.sub(pattern, by, value) for name, value in self.headers.items()}
        is_xml = self.body.startswith(b"<")
        body = re.sub(pattern, by, self.body.decode()).encode() if is_xml else self.body
        return Answer(self.status, headers, body)


Forward = Callable[[Request], Answer]
Lie = Callable[[Request, Forward], Answer]
"""Answers a request, or has the server behind it answer it."""


def error(status: int, code: str) -> Answer:
    return Answer(status, body=f"<Error><Code>{code}</Code></Error>".encode())


def on(operation: str, altered: Callable[[Request], Request | Answer]) -> Lie:
    """Alter each request of the operation, or answer it."""

    def lie(request: Request, forward: Forward) -> Answer:
        if request.operation != operation:
            return forward(request)
        made = altered(request)
        return made if isinstance(made, Answer) else forward(made)

    return lie


def answering(operation: str, altered: Callable[[Answer], Answer]) -> Lie:
    """Alter each answer to the operation."""

    def lie(request: Request, forward: Forward) -> Answer:
        answer = forward(request)
        return altered(answer) if request.operation == operation else answer

    return lie


def ignoring(operation: str, *headers: str) -> Lie:
    return on(operation, lambda request: request.without(*headers))


def refusing(operation: str, status: int, code: str, header: str = "") -> Lie:
    """Refuse the operation, or only where it has that header."""
    return on(
        operation,
        lambda request: error(status, code) if header in {"", *request.headers} else request,
    )


def ignoring_sha256(operation: str) -> Lie:
    """Take any SHA-256, and answer the right one."""

    def mended(request: Request) -> Request:
        if "x-amz-checksum-sha256" not in request.headers:
            return request
        digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
        return request.having(x_amz_checksum_sha256=digest)

    return on(operation, mended)


class OtherETags:
    """Gives objects other ETags, and knows them again."""

    def __init__(self, pattern: str, other: Callable[[str], str]) -> None:
        self._pattern = pattern
        self._other = other
        self._real: dict[str, str] = {}

    def __call__(self, request: Request, forward: Forward) -> Answer:
        conditions = {
            name.replace("-", "_"): self._real.get(request.headers[name].strip('"'), "")
            for name in ("if-match", "x-amz-copy-source-if-match")
            if request.headers.get(name, "").strip('"') in self._real
        }
        answer = forward(request.having(**conditions))
        if request.operation not in _WITH_ETAG:
            return answer
        return answer.substituting(self._pattern, self._named)

    def _named(self, match: re.Match[str]) -> str:
        other = self._other(match[0])
        self._real[other] = match[0]
        return other


class LyingS3:
    """Forwards each request to the server, with lies; on a port of the loopback address."""

    def __init__(self, port: int, *lies: Lie) -> None:
        self._upstream = port
        self._lies = lies
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: Request) -> Answer:
        forward: Forward = self._forward
        for lie in self._lies:
            forward = _through(lie, forward)
        return forward(request)

    def _forward(self, request: Request) -> Answer:
        connection = HTTPConnection("127.0.0.1", self._upstream, timeout=60)
        try:
            connection.request(request.method, request.path, request.body, request.headers)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {
                    name.lower(): value
                    for name, value in self.headers.items()
                    if name.lower() not in _HOP
                }
                self._send(front.answer(Request(self.command, self.path, headers, body)))

            def _send(self, answer: Answer) -> None:
                self.send_response_only(answer.status)
                has_length = self.command == "HEAD"
                for name, value in answer.headers.items():
                    if has_length or name.lower() not in _HOP:
                        self.send_header(name, value)
                if not has_length:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(b"" if has_length else answer.body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _through(lie: Lie, forward: Forward) -> Forward:
    return lambda request: lie(request, forward)
