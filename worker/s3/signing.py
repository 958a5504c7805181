"""Signatures of requests whose body has a known digest.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from botocore.auth import SIGNED_HEADERS_BLACKLIST, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

_ALGORITHM = "AWS4-HMAC-SHA256"
_KEYS = 16
"""Keys that are kept: one for each day, region and secret."""


@dataclass(frozen=True, slots=True)
class UnsignedRequest:
    """A request that is to be signed.

    Attributes:
        query: as the URL has it.
        host: as the signature has it.
        payload: the digest of the body, or what stands in its place.
    """

    method: str
    path: str
    query: str
    host: str
    headers: dict[str, Any]
    payload: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature holds for. Attributes: `timestamp` as in the header."""

    timestamp: str
    region: str
    service: str

    @property
    def day(self) -> str:
        return self.timestamp[:8]

    def __str__(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def sign(request: UnsignedRequest, credentials: ReadOnlyCredentials, scope: Scope) -> None:
    """Add the headers of the signature."""
    headers = request.headers
    headers["X-Amz-Date"] = scope.timestamp
    if credentials.token:
        headers["X-Amz-Security-Token"] = credentials.token
    headers["X-Amz-Content-SHA256"] = request.payload
    names, canonical = _canonical(request)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{scope.timestamp}\n{scope}\n{digest}"
    key = _key(credentials.secret_key, scope.day, scope.region, scope.service)
    headers["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names},"
        f" Signature={_hmac(key, text).hex()}"
    )


def host_of(url: str) -> str:
    """Return the host of the URL as signatures have it."""
    signer: Any = S3SigV4Auth(ReadOnlyCredentials("", "", None), "", "")
    return str(signer.headers_to_sign(AWSRequest(url=url))["host"])


def _canonical(request: UnsignedRequest) -> tuple[str, str]:
    """Return the names of the headers that are signed, and the request in its canonical form."""
    signed = {"host": request.host}
    for name, value in request.headers.items():
        lower = name.lower()
        if lower not in SIGNED_HEADERS_BLACKLIST:
            signed[lower] = " ".join(value.split())
    in_order = sorted(signed)
    lines = "".join([f"{name}:{signed[name]}\n" for name in in_order])
    query = "&".join(sorted(request.query.split("&")))
    names = ";".join(in_order)
    where = f"{request.method}\n{request.path}\n{query}"
    return names, f"{where}\n{lines}\n{names}\n{request.payload}"


@lru_cache(_KEYS)
def _key(secret: str, day: str, region: str, service: str) -> bytes:
    key = _hmac(f"AWS4{secret}".encode(), day)
    for part in (region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
