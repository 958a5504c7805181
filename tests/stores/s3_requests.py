"""S3 requests and their answers, as a server between a client and another server sees them."""

from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.faults import s3_request

_OF_ONE_HOP = {"connection", "content-length", "expect", "host", "transfer-encoding"}
_REFUSAL = "<Error><Code>{code}</Code><Message>{code}</Message></Error>"


@dataclass
class Request:
    """One request on its way."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

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
    def part(self) -> tuple[str, int]:
        return self.query["uploadId"], int(self.query["partNumber"])


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_xml(self) -> bool:
        return self.body.lstrip().startswith(b"<?xml")

    @classmethod
    def refusing(cls, status: int, code: str) -> "Answer":
        headers = {"content-type": "application/xml"}
        return cls(status, headers, _REFUSAL.format(code=code).encode())


def forwarded(upstream: str, request: Request) -> Answer:
    connection = HTTPConnection(urlsplit(upstream).netloc, timeout=60)
    connection.request(request.method, request.target, request.body, request.headers)
    answered = connection.getresponse()
    headers = {name.lower(): value for name, value in answered.getheaders()}
    answer = Answer(answered.status, headers, answered.read())
    connection.close()
    return answer


def handler_of(answer_to: Callable[[Request], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = answer_to(Request(self.command, self.path, _kept(self.headers), body))
            length = str(len(answer.body))
            if self.command == "HEAD":
                length = answer.headers.get("content-length", "0")
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name not in _OF_ONE_HOP | {"date", "server"}:
                    self.send_header(name, value)
            if answer.status != HTTPStatus.NO_CONTENT:
                self.send_header("Content-Length", length)
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
