"""A front of an S3 server that answers some requests as other stores do."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from tests.stores.s3_requests import Answer, Request, forwarded, served

_WITH_ETAG = {"PutObject", "HeadObject", "GetObject", "CompleteMultipartUpload"}

Forward = Callable[[Request], Answer]
Lie = Callable[[Request, Forward], Answer]
"""Answers a request, or has the server behind it answer it."""


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
        lambda request: (
            Answer.refusing(status, code) if header in {"", *request.headers} else request
        ),
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


@contextmanager
def lying_s3(upstream: str, *lies: Lie) -> Iterator[str]:
    """Forward each request to the server at this URL, with lies, and yield the front's own URL."""
    forward: Forward = partial(forwarded, upstream)
    for lie in lies:
        forward = _through(lie, forward)
    with served(forward) as port:
        yield f"http://127.0.0.1:{port}"


def _through(lie: Lie, forward: Forward) -> Forward:
    return lambda request: lie(request, forward)
