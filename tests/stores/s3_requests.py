"""S3 requests and their answers, as a server between a client and another server sees them."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from email.message import Message
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from tests.faults import s3_request

_LOOPBACK = "127.0.0.1"
_LENGTH = "content-length"
_OF_ONE_HOP = {"connection", _LENGTH, "expect", "transfer-encoding"}
"""Headers of one connection alone."""
_OF_THE_SERVER = {"date", "server"}
_REFUSAL = "<Error><Code>{code}</Code><Message>{code}</Message></Error>"


@dataclass
class Request:
    """One request on its way; the names of its headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        pairs = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[0] for name, values in pairs.items()}

    @property
    def operation(self) -> str:
        """What it is, as boto3 names it."""
        path, _, query = self.target.partition("?")
        return s3_request.Request(self.method, path, query, self.headers).operation

    @property
    def is_write(self) -> bool:
        return self.operation in {"PutObject", "UploadPart", "CompleteMultipartUpload"}

    @property
    def is_presigned(self) -> bool:
        return "X-Amz-Signature" in self.query

    @property
    def part(self) -> tuple[str, int]:
        return self.query["uploadId"], int(self.query["partNumber"])

    def without(self, *names: str) -> "Request":
        kept = {name: value for name, value in self.headers.items() if name not in names}
        return replace(self, headers=kept)

    def having(self, **headers: str) -> "Request":
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})


@dataclass
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_xml(self) -> bool:
        return self.body.lstrip().startswith(b"<?xml")

    @classmethod
    def refusing(cls, status: int, code: str) -> "Answer":
        headers = {"content-type": "application/xml"}
        return cls(status, headers, _REFUSAL.format(code=code).encode())

    def without(self, *names: str) -> "Answer":
        kept = {name: value for name, value in self.headers.items() if name not in names}
        return replace(self, headers=kept)

    def substituting(self, pattern: str, by: str | Callable[[re.Match[str]], str]) -> "Answer":
        """Replace what matches in the headers, and in a body of XML."""
        headers = {name: re.sub(pattern, by, value) for name, value in self.headers.items()}
        body = re.sub(pattern, by, self.body.decode()).encode() if self.is_xml else self.body
        return Answer(self.status, headers, body)


def forwarded(upstream: str, request: Request) -> Answer:
    """Return the answer of the server at this URL; the names of its headers in lower case."""
    with closing(HTTPConnection(urlsplit(upstream).netloc, timeout=60)) as connection:
        connection.request(request.method, request.target, request.body, request.headers)
        answered = connection.getresponse()
        headers = {name.lower(): value for name, value in answered.getheaders()}
        return Answer(answered.status, headers, answered.read())


@contextmanager
def served(answer_to: Callable[[Request], Answer]) -> Iterator[int]:
    """Answer requests to a free port of the loopback address, and yield the port."""
    with ThreadingHTTPServer((_LOOPBACK, 0), _handler_of(answer_to)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _handler_of(answer_to: Callable[[Request], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = answer_to(Request(self.command, self.path, _kept(self.headers), body))
            self.send_response(answer.status)
            for name, value in _sent(answer, self.command).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815 - as it is called

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
            """Leave the output to the tests."""

    return Handler


def _kept(headers: Message) -> dict[str, str]:
    return {
        name.lower(): value for name, value in headers.items() if name.lower() not in _OF_ONE_HOP
    }


def _sent(answer: Answer, method: str) -> dict[str, str]:
    """Return the headers of an answer, with its length."""
    dropped = _OF_ONE_HOP | _OF_THE_SERVER
    kept = {name: value for name, value in answer.headers.items() if name.lower() not in dropped}
    if answer.status == HTTPStatus.NO_CONTENT:
        return kept
    # The answer to a HEAD has the length of the object, and no content.
    lengths = [value for name, value in answer.headers.items() if name.lower() == _LENGTH]
    is_head = method == "HEAD" and lengths
    return {**kept, "Content-Length": lengths[0] if is_head else str(len(answer.body))}
