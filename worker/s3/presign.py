"""URLs that let their bearer do one thing, for a while."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from artifact_pipeline.domain.errors import ConfigurationError, InvalidRequestError
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.errors import translated_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LONGEST_SECONDS = 7 * 24 * 3600
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html"""

_HEADERS = {
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "Tagging": "x-amz-tagging",
}
_NO_TAGGING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Presigner:
    """Signs URLs without a request.

    Raises:
        ConfigurationError: S3 allows no such expiry.
    """

    client: "S3Client"
    expiration_seconds: int

    def __post_init__(self) -> None:
        # A client that was given to us may have boto3's default, SigV2 in some regions.
        hooks: Any = self.client.meta.events  # whose stubs know of no handler that answers
        hooks.register_first("choose-signer.s3", _sign_by_sigv4)
        if not _is_allowed(self.expiration_seconds):
            raise ConfigurationError(_refusal(self.expiration_seconds))

    @property
    def expires_in(self) -> timedelta:
        return timedelta(seconds=self.expiration_seconds)

    def put(
        self,
        address: ObjectAddress,
        encryption: Encryption | None = None,
        tagging: Mapping[str, str] = _NO_TAGGING,
    ) -> UploadLocation:
        """Return a URL to put the object to, and the headers that the client must send.

        Encryption and tags are signed as headers, because S3 ignores them in the query. Without
        both, a client needs the URL alone, and the bucket's default encrypts what it puts.
        """
        arguments = {**(encryption or Encryption()).arguments(), **tagging}
        headers = {_HEADERS[name]: value for name, value in arguments.items()}
        return UploadLocation(self._sign("put_object", address, arguments), headers)

    def get(self, address: ObjectAddress, expiration_seconds: int | None = None) -> UploadLocation:
        """Return a URL to get the object with, by default with the expiry of all.

        Raises:
            InvalidRequestError: S3 allows no such expiry.
        """
        seconds = self.expiration_seconds if expiration_seconds is None else expiration_seconds
        if not _is_allowed(seconds):
            raise InvalidRequestError(_refusal(seconds))
        return UploadLocation(self._sign("get_object", address, {}, seconds))

    def _sign(
        self,
        method: str,
        address: ObjectAddress,
        arguments: dict[str, str],
        expiration_seconds: int | None = None,
    ) -> str:
        with translated_errors():
            return self.client.generate_presigned_url(
                method,
                Params={"Bucket": address.bucket, "Key": address.key, **arguments},
                ExpiresIn=expiration_seconds or self.expiration_seconds,
            )


def _is_allowed(expiration_seconds: int) -> bool:
    return 0 < expiration_seconds <= _LONGEST_SECONDS


def _refusal(expiration_seconds: int) -> str:
    return f"expiration_seconds must be from 1 to {_LONGEST_SECONDS}, not {expiration_seconds}"


def _sign_by_sigv4(signature_version: object, **_event: object) -> str | None:
    return "s3v4-query" if str(signature_version).endswith("-query") else None
