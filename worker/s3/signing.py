"""Signatures of requests whose body has a known digest, by botocore's signer."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.auth import SIGNED_HEADERS_BLACKLIST, UNSIGNED_PAYLOAD, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials


@dataclass(slots=True)
class UnsignedRequest:
    """A request as botocore's signer takes it, with headers in a plain dictionary.

    Attributes:
        host: as the signature has it.
        context: with the time of the signature, and the region and the name of the service.
    """

    method: str
    url: str
    host: str
    headers: dict[str, Any]
    context: dict[str, Any]
    params: Mapping[str, str] = field(default_factory=dict)


def sign(request: UnsignedRequest, credentials: ReadOnlyCredentials, sha256: bytes) -> None:
    """Add the headers of the signature. Args: credentials, and the digest of the body."""
    signing = request.context["signing"]
    signer = _Signer(credentials, signing["signing_name"], signing["region"])
    signer.sha256 = sha256
    signer.sign(request)


def host_of(url: str) -> str:
    """Return the host of the URL as signatures have it."""
    signer: Any = S3SigV4Auth(ReadOnlyCredentials("", "", None), "", "")
    return str(signer.headers_to_sign(AWSRequest(url=url))["host"])


class _Named(dict[str, str]):
    def get_all(self, name: str) -> list[str]:
        return [self[name]]


_Base: Any = S3SigV4Auth  # whose stubs lack what is not public


class _Signer(_Base):  # type: ignore[misc]
    """botocore's signer without e-mail headers and objects of `hmac`, which take most of its time.

    Attributes:
        sha256: of the body.
    """

    sha256: bytes

    def sign(self, request: UnsignedRequest) -> None:
        """Sign as `add_auth` does, at the time that the context has."""
        self._modify_request_before_signing(request)
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))

    def payload(self, request: UnsignedRequest) -> str:
        is_signed = self._should_sha256_sign_payload(request)
        return self.sha256.hex() if is_signed else UNSIGNED_PAYLOAD

    def headers_to_sign(self, request: UnsignedRequest) -> _Named:
        lower = {name.lower(): value for name, value in request.headers.items()}
        signed = {name: lower[name] for name in lower if name not in SIGNED_HEADERS_BLACKLIST}
        return _Named(signed, host=request.host)

    def _sign(self, key: bytes, msg: str, hex: bool = False) -> str | bytes:  # noqa: A002, FBT001, FBT002 - as it is called
        digest = hmac.digest(key, msg.encode(), "sha256")
        return digest.hex() if hex else digest
