"""What an upload writes, and the object that is there afterwards."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.ports.object_store import IObjectReader
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.worker.s3.abilities import Checksum
from artifact_pipeline.worker.s3.checksums import (
    acknowledged_etag,
    composite,
    is_same,
    sha256_checksum,
)
from artifact_pipeline.worker.s3.read_back import digest_of
from artifact_pipeline.worker.s3.reading import described
from artifact_pipeline.worker.s3.upload_parts import opened_parts
from artifact_pipeline.worker.s3.write_fence import WriteFence

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of an object.

    Attributes:
        sha256: of all of them, hexadecimal.
        checksum: the SHA-256 as S3 has it, of the parts if they are sent in parts.
    """

    size: int
    sha256: str
    checksum: str

    def is_of(
        self,
        head: "HeadObjectOutputTypeDef",
        reader: IObjectReader,
        fence: WriteFence,
        checksum: Checksum,
    ) -> bool:
        """Return whether the object at the key has these bytes.

        It is read where the store has no SHA-256 of it. Its metadata may have one, but of bytes
        that the store may never have got.
        """
        if head["ContentLength"] != self.size:
            return False
        if checksum is Checksum.SHA256:
            return is_same(self.checksum, head.get("ChecksumSHA256"))
        found = described(fence.address, head)
        return digest_of(reader, found, fence.progress.checkpoint) == self.sha256


def content_of(source: Source, part_size: int, checkpoint: Callable[[], None]) -> Content:
    """Return what an upload of the source in parts would store. Nothing is sent.

    Args:
        source: the source.
        part_size: of each part but the last, in bytes.
        checkpoint: called between parts.
    """
    whole, digests, size = hashlib.sha256(), list[bytes](), 0
    with opened_parts(source, part_size, whole) as parts:
        for part in parts:
            checkpoint()
            digests.append(part.sha256)
            size += part.size
    return Content(size, whole.hexdigest(), composite(digests))


def stored_object(
    content: Content,
    create: Mapping[str, Any],
    fence: WriteFence,
    answer: Mapping[str, Any],
    *,
    bytes_sent: int,
) -> StoredObject:
    """Return the object as S3 has answered it to a write, or to a look at it."""
    return StoredObject(
        key=fence.address.key,
        size=content.size,
        sha256=content.sha256,
        version=acknowledged_etag(answer.get("ETag")),
        version_id=answer.get("VersionId"),
        checksum=sha256_checksum(content.checksum),
        bytes_sent=bytes_sent,
        tier_name=answer.get("StorageClass", create.get("StorageClass", "STANDARD")),
    )
