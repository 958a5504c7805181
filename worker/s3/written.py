"""What an upload writes, and the object that is there afterwards."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from artifact_pipeline.domain.errors import ObjectReplacedError
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.worker.s3.abilities import Checksum
from artifact_pipeline.worker.s3.checksums import (
    acknowledged_etag,
    composite,
    is_same,
    sha256_checksum,
)
from artifact_pipeline.worker.s3.existence import head_of
from artifact_pipeline.worker.s3.read_back import check_stored, digest_of
from artifact_pipeline.worker.s3.reading import S3ObjectReader, described
from artifact_pipeline.worker.s3.upload_parts import opened_parts
from artifact_pipeline.worker.s3.write_fence import WriteFence, is_refusal

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
        reader: S3ObjectReader,
        fence: WriteFence,
    ) -> bool:
        """Return whether the object at the key has these bytes.

        It is read where the store has no SHA-256 of it. Its metadata may have one, but of bytes
        that the store may never have got.
        """
        if head["ContentLength"] != self.size:
            return False
        if reader.abilities.checksum is Checksum.SHA256:
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


def check_written(
    reader: S3ObjectReader,
    answer: Mapping[str, Any],
    content: Content,
    fence: WriteFence,
    *,
    is_proven: bool,
) -> None:
    """Check that the content is what is stored now.

    Args:
        reader: of its bucket.
        answer: to the write.
        content: what was sent.
        fence: of the write.
        is_proven: whether the answer's checksum has shown it; else the object is read.

    Raises:
        ObjectReplacedError: another object is there already.
        ChecksumMismatchError: the store has other bytes.
    """
    etag = acknowledged_etag(answer.get("ETag"))
    if is_proven:
        fence.look_after(etag)
    else:
        check_stored(reader, fence.address, etag, content.sha256, fence.progress.checkpoint)


def found_instead(
    reader: S3ObjectReader,
    error: ClientError | ObjectReplacedError,
    content: Content,
    create: Mapping[str, Any],
    fence: WriteFence,
) -> "HeadObjectOutputTypeDef":
    """Return the existing object if it has the same content as a write that was refused.

    Args:
        reader: of its bucket.
        error: of the write.
        content: what was sent.
        create: the arguments of the write.
        fence: of the write.

    Raises:
        ObjectReplacedError: it is something else, or gone.
        ClientError: the error means something else.
    """
    if not is_refusal(error):
        raise error
    head = head_of(reader.client, fence.address, checksums=True)
    if head is None or not content.is_of(head, reader, fence):
        raise ObjectReplacedError from error
    existing = head.get("StorageClass", "STANDARD")
    if create.get("StorageClass", existing) != existing:
        raise ObjectReplacedError from error
    return head


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
