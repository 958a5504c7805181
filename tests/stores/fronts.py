"""Fronts of an S3 server: the same objects by another host, port and path."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_LOOPBACK = "127.0.0.1"
_REGION = "us-east-1"
_SIGNATURE = "&X-Amz-Signature="
_OF_THE_CONNECTION = {"connection", "transfer-encoding", "date", "server"}
_SIGNED_AGAIN = {"host", "authorization", "x-amz-date", "x-amz-content-sha256", "connection"}


@dataclass
class Front:
    """Forwards requests as they are, or from another path or from the hosts of buckets.

    The signature is of host and path. So a front that changes one of them checks presigned URLs
    itself, as the stores do that have such URLs, and signs what it forwards.

    Attributes:
        path: the requests are below it.
        domain: each bucket is a host in it; `resolve` finds them.
        seen: the method and the URL's path of each request.
    """

    upstream_port: int
    credentials: Credentials
    path: str = ""
    domain: str = ""
    port: int = 0
    seen: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.domain or _LOOPBACK}:{self.port}{self.path}"

    def url_of(self, bucket: str, key: str) -> str:
        """Return the URL that this front has for an object."""
        if self.domain:
            return f"http://{bucket}.{self.domain}:{self.port}/{key}"
        return f"{self.url}/{bucket}/{key}"

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(target)
        self.seen.append((method, parts.path))
        if self.path or self.domain:
            if not parts.path.startswith(f"{self.path}/"):
                return 404, {}, b"not below the path"
            if not self._is_signed_for_it(method, headers["Host"], target):
                return 403, {}, b"SignatureDoesNotMatch"
            bucket = headers["Host"].partition(f".{self.domain}:")[0]
            target = f"/{bucket}{target}" if self.domain else target.removeprefix(self.path)
            target, headers = self._signed_again(method, target, headers, body)
        return self._forwarded(method, target, headers, body)

    def _is_signed_for_it(self, method: str, host: str, target: str) -> bool:
        """Return whether a presigned URL was made for this host and path."""
        unsigned, is_presigned, signature = target.partition(_SIGNATURE)
        if not is_presigned:
            return True  # signed by a header, whose check needs more than the URL
        request = AWSRequest(method, f"http://{host}{unsigned}")
        request.context["timestamp"] = parse_qs(urlsplit(target).query)["X-Amz-Date"][0]
        auth = S3SigV4QueryAuth(self.credentials, "s3", _REGION)
        text = auth.string_to_sign(request, auth.canonical_request(request))
        return bool(auth.signature(text, request) == signature)

    def _signed_again(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[str, dict[str, str]]:
        path, _, query = target.partition("?")
        kept = "&".join(each for each in query.split("&") if not each.startswith("X-Amz-"))
        target = f"{path}?{kept}" if kept else path
        own = {name: v for name, v in headers.items() if name.lower() not in _SIGNED_AGAIN}
        request = AWSRequest(method, f"http://{_LOOPBACK}:{self.upstream_port}{target}", own, body)
        S3SigV4Auth(self.credentials, "s3", _REGION).add_auth(request)
        return target, dict(request.headers.items())

    def _forwarded(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        upstream = HTTPConnection(_LOOPBACK, self.upstream_port, timeout=30)
        try:
            upstream.request(method, target, body or None, headers)
            answer: HTTPResponse = upstream.getresponse()
            kept = {n: v for n, v in answer.getheaders() if n.lower() not in _OF_THE_CONNECTION}
            return answer.status, kept, answer.read()
        finally:
            upstream.close()


def resolve(monkeypatch: pytest.MonkeyPatch, domain: str) -> None:
    """Let every name in the domain be this machine's, in this process."""
    known = socket.getaddrinfo

    def find(host: Any, *arguments: Any, **options: Any) -> Any:
        is_ours = isinstance(host, str) and f".{host}".endswith(f".{domain}")
        return known(_LOOPBACK if is_ours else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", find)


@contextmanager
def fronting(front: Front) -> Iterator[Front]:
    """Listen on a free port of the loopback address."""
    with ThreadingHTTPServer((_LOOPBACK, 0), _handler_of(front)) as server:
        front.port = server.server_port
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield front
        finally:
            server.shutdown()
            thread.join()


def _handler_of(front: Front) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, content = front.answer(
                self.command, self.path, dict(self.headers.items()), body
            )
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() != "content-length":
                    self.send_header(name, value)
            # The answer to a HEAD has the object's length, and no content.
            length = {n.lower(): v for n, v in headers.items()}.get("content-length")
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve  # noqa: N815 - as http.server names them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
            """Standard error is for pytest."""

    return Handler
