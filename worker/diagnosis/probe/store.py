"""The store that a probe asks, and the objects that several checks share."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from artifact_pipeline.domain.model.parts import MIN_PART
from artifact_pipeline.worker.diagnosis.probe.area import ProbeArea
from artifact_pipeline.worker.diagnosis.probe.outcomes import Refusal, refused
from artifact_pipeline.worker.s3.abilities import AWS, StoreAbilities
from artifact_pipeline.worker.s3.checksums import as_base64
from artifact_pipeline.worker.s3.encryption import Encryption

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY = b"123456789"
"""Of small objects."""
_TAIL = 1000
"""Bytes of a last part, which may be shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeObject:
    """A completed multipart upload of two parts.

    Attributes:
        listed: the parts, as ListParts had them before the upload was completed, or its refusal.
        completed: the answer to CompleteMultipartUpload.
        is_summed: whether the store took the parts with their SHA-256.
    """

    key: str
    parts: list[bytes]
    listed: list[dict[str, Any]] | Refusal
    completed: Mapping[str, Any]
    head: Mapping[str, Any]
    is_summed: bool

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)


class Probe:
    """One probe of one bucket.

    Attributes:
        abilities: of the store, as the settings choose them.
        has_tags: whether the settings have tags.
        asked: the arguments for the encryption that the settings ask for.
        part_size: of the larger parts, in bytes; S3 takes none below 5 MiB.
    """

    def __init__(  # noqa: PLR0913 - what a deployment has chosen
        self,
        client: "S3Client",
        bucket: str,
        *,
        encryption: Encryption,
        abilities: StoreAbilities = AWS,
        has_tags: bool = False,
        url_signs_encryption: bool = False,
        part_size: int = MIN_PART,
    ) -> None:
        self.client = client
        self.bucket = bucket
        self.encryption = encryption
        self.asked = encryption.arguments()
        self.abilities = abilities
        self.has_tags = has_tags
        self.url_signs_encryption = url_signs_encryption
        self.part_size = part_size
        self.area = ProbeArea(client, bucket)

    @cached_property
    def described(self) -> Mapping[str, Any]:
        """The encryption for all writes: what is asked for, unless the store refuses it.

        A policy of the bucket may refuse what is not encrypted. A store that knows no encryption
        must not fail the other checks because of it.
        """
        key = self.area.key("removal")
        refusal = refused(
            self.client.put_object, Bucket=self.bucket, Key=key, Body=b"{}", **self.asked
        )
        return self.asked if refusal is None else {}

    def put(self, key: str, body: bytes, **arguments: Any) -> Any:  # noqa: ANN401 - boto3's
        return self.client.put_object(
            Bucket=self.bucket, Key=key, Body=body, **{**self.described, **arguments}
        )

    def head(self, key: str) -> Mapping[str, Any]:
        return self.client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")

    def status_of_head(self, key: str) -> int:
        """Return the HTTP status of a HEAD."""
        try:
            answer = self.head(key)
        except ClientError as error:
            return Refusal.of(error).status
        status: int = answer["ResponseMetadata"]["HTTPStatusCode"]
        return status

    def upload_part(
        self,
        key: str,
        upload_id: str,
        number: int,
        body: bytes,
        **checksum: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Send a part, and return what CompleteMultipartUpload wants of it."""
        answer = self.client.upload_part(
            Bucket=self.bucket,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            Body=body,
            **checksum,
        )
        return {"PartNumber": number, "ETag": answer["ETag"], **checksum}

    def complete(
        self, key: str, upload_id: str, parts: list[dict[str, Any]], **condition: str
    ) -> Mapping[str, Any]:
        arguments: Any = {"MultipartUpload": {"Parts": parts}, **condition}
        answer = self.client.complete_multipart_upload(
            Bucket=self.bucket, Key=key, UploadId=upload_id, **arguments
        )
        self.area.completed(key, upload_id)
        return answer

    @cached_property
    def large(self) -> LargeObject | Refusal:
        """A multipart object, or its refusal; without checksums if they are refused."""
        summed = self._upload(is_summed=True)
        if isinstance(summed, LargeObject):
            return summed
        plain = self._upload(is_summed=False)
        return plain if isinstance(plain, LargeObject) else summed

    def _upload(self, *, is_summed: bool) -> LargeObject | Refusal:
        made: list[LargeObject] = []
        refusal = refused(lambda: made.append(self._uploaded(is_summed=is_summed)))
        return refusal or made[0]

    def _uploaded(self, *, is_summed: bool) -> LargeObject:
        key = self.area.key("large")
        algorithm = {"ChecksumAlgorithm": "SHA256"} if is_summed else {}
        upload_id = self.area.start(key, **self.described, **algorithm)
        parts = [bytes([number]) * size for number, size in enumerate((self.part_size, _TAIL))]
        sent = [
            self.upload_part(
                key,
                upload_id,
                number,
                body,
                **({"ChecksumSHA256": sha256_of(body)} if is_summed else {}),
            )
            for number, body in enumerate(parts, start=1)
        ]
        listed = self._listed(key, upload_id)
        completed = self.complete(key, upload_id, sent)
        return LargeObject(
            key=key,
            parts=parts,
            listed=listed,
            completed=completed,
            head=self.head(key),
            is_summed=is_summed,
        )

    def _listed(self, key: str, upload_id: str) -> list[dict[str, Any]] | Refusal:
        parts: list[dict[str, Any]] = []
        pages: Any = self.client.get_paginator("list_parts").paginate(
            Bucket=self.bucket, Key=key, UploadId=upload_id, PaginationConfig={"PageSize": 1}
        )
        refusal = refused(
            lambda: parts.extend(part for page in pages for part in page.get("Parts", []))
        )
        return refusal or parts


def sha256_of(body: bytes) -> str:
    """Return the SHA-256 as S3 writes it."""
    return as_base64(hashlib.sha256(body).digest())
