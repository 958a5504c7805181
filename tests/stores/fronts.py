"""Fronts of an S3 server: the same objects by another host, port and path."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.stores.s3_requests import Answer, Request, forwarded, served

_LOOPBACK = "127.0.0.1"
_REGION = "us-east-1"
_SIGNATURE = "&X-Amz-Signature="
_SIGNED_AGAIN = {"host", "authorization", "x-amz-date", "x-amz-content-sha256"}


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

    upstream: str
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

    def answer(self, request: Request) -> Answer:
        self.seen.append((request.method, request.path))
        if self.path or self.domain:
            if not request.path.startswith(f"{self.path}/"):
                return Answer(404, body=b"not below the path")
            if not self._is_signed_for_it(request):
                return Answer(403, body=b"SignatureDoesNotMatch")
            request = self._signed_again(replace(request, target=self._target_behind(request)))
        return forwarded(self.upstream, request)

    def _is_signed_for_it(self, request: Request) -> bool:
        """Return whether a presigned URL was made for this host and path."""
        if not request.is_presigned:
            return True  # signed by a header, whose check needs more than the URL
        unsigned, _, signature = request.target.partition(_SIGNATURE)
        signed = AWSRequest(request.method, f"http://{request.headers['host']}{unsigned}")
        signed.context["timestamp"] = request.query["X-Amz-Date"]
        auth = S3SigV4QueryAuth(self.credentials, "s3", _REGION)
        text = auth.string_to_sign(signed, auth.canonical_request(signed))
        return bool(auth.signature(text, signed) == signature)

    def _target_behind(self, request: Request) -> str:
        if not self.domain:
            return request.target.removeprefix(self.path)
        bucket = request.headers["host"].partition(f".{self.domain}:")[0]
        return f"/{bucket}{request.target}"

    def _signed_again(self, request: Request) -> Request:
        path, _, query = request.target.partition("?")
        kept = "&".join(each for each in query.split("&") if not each.startswith("X-Amz-"))
        target = f"{path}?{kept}" if kept else path
        own = request.without(*_SIGNED_AGAIN).headers
        signed = AWSRequest(request.method, f"{self.upstream}{target}", own, request.body)
        S3SigV4Auth(self.credentials, "s3", _REGION).add_auth(signed)
        return Request(request.method, target, dict(signed.headers.items()), request.body)


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
    with served(front.answer) as port:
        front.port = port
        yield front
