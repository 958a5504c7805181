"""Objects in buckets: `IObjectReader` over boto3."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import starmap
from typing import TYPE_CHECKING

from artifact_pipeline.domain.errors import (
    ObjectReplacedError,
    PermanentError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.model.checksums import SHA256, Checksum
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress, Tier
from artifact_pipeline.domain.ports.object_store import Verifier
from artifact_pipeline.worker.s3.abilities import AWS, StoreAbilities
from artifact_pipeline.worker.s3.bandwidth import UNLIMITED, Bandwidth
from artifact_pipeline.worker.s3.checksums import (
    acknowledged_etag,
    composite,
    is_same_etag,
    sha256_checksum,
)
from artifact_pipeline.worker.s3.errors import missing_means_replaced, translated_errors
from artifact_pipeline.worker.s3.existence import head_of
from artifact_pipeline.worker.s3.kept_headers import kept_headers
from artifact_pipeline.worker.s3.part_sizes import likely_part_size
from artifact_pipeline.worker.s3.restoring import restoration_of
from artifact_pipeline.worker.s3.tiers import tier
from artifact_pipeline.worker.s3.verification import (
    checksums_of,
    claimed_sha256,
    metadata_of,
    of_sha256,
    sha256_of,
    strongest,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef

CHUNK = 256 * 1024
"""What the cache of a core holds while it is received, hashed and written."""
_FACTOR = 4
"""Parts that many times as large as the wanted ranges, or as small, are taken for ranges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3ObjectReader:
    """Reads whatever bucket an address names.

    Never by version: that needs another permission, and would continue with an object that
    another has replaced. An ETag tells as well which object it is.
    """

    client: "S3Client"
    bucket: str
    abilities: StoreAbilities = AWS
    bandwidth: Bandwidth = UNLIMITED

    def find(self, address: ObjectAddress) -> BucketObject | None:
        with _placed(address), translated_errors():
            head = head_of(self.client, address, checksums=True)
        return None if head is None else self._believed(described(address, head))

    def list(self, prefix: str, *, after: str = "") -> Iterator[BucketObject]:
        start: dict[str, str] = {"StartAfter": after} if after else {}
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket,
            Prefix=prefix,
            **start,  # type: ignore[arg-type]  # an option of its own
        )
        with translated_errors():
            for page in pages:
                for each in page.get("Contents", []):
                    yield BucketObject(
                        address=ObjectAddress(self.bucket, each["Key"]),
                        size=each["Size"],
                        version=each["ETag"],
                        modified_at=each["LastModified"],
                        tier=tier(each.get("StorageClass", "STANDARD")),
                    )

    def tier(self, name: str) -> Tier:
        return tier(name)

    def read(
        self, source: BucketObject, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        stop = source.size if stop is None else stop
        if start == stop:
            return  # HTTP has no range of no bytes
        with _placed(source.address), translated_errors():
            answer = self._get(source, start, stop)
            with closing(answer["Body"]) as body:
                _check(answer, source, start, stop)
                for chunk in body.iter_chunks(self.bandwidth.piece(CHUNK)):
                    self.bandwidth.take(len(chunk))
                    yield chunk

    def verifier(self, source: BucketObject) -> Verifier:
        """Return a check of SHA-256 if it is known, or of what one more request, a HEAD, says.

        An ETag alone does not do: whether it is an MD5 depends on how the object is encrypted. The
        checksum of a multipart object takes two more, for the size of its parts.
        Where S3 says nothing that can be compared, as of an object encrypted by KMS and uploaded
        without a checksum, the number of bytes has to do.
        """
        if source.sha256 is None and source.checksums is None:
            source = self._believed(look_at(self.client, source))
        sha256 = source.sha256 or claimed_sha256(source.metadata or {})
        if sha256 is not None:
            return of_sha256(sha256)
        said = {
            checksum.algorithm: str(checksum)
            for checksum in source.checksums or ()
            if self.abilities.is_digest(checksum)
        }
        return strongest(said, lambda parts: self._part_size(source, parts))

    def _believed(self, found: BucketObject) -> BucketObject:
        # A store that checks nothing may have other bytes than its metadata say, as when a worker
        # died before it had read them back. They may not be recorded before they are read.
        return found if self.abilities.checks_sha256 else replace(found, sha256=None)

    def range_size(self, source: BucketObject, wanted: int) -> int:
        """Derive it from the number of parts: a wrong guess only costs reading back."""
        checksum = source.checksum(SHA256)
        parts = 0 if checksum is None else checksum.parts
        if parts < 2 or source.size <= wanted or -(-source.size // wanted) == parts:  # noqa: PLR2004 - one part is the whole
            return wanted
        size = likely_part_size(source.size, parts) or wanted
        # Larger ones would lose more at a kill, and smaller ones cost more requests.
        return size if wanted <= size * _FACTOR and size <= wanted * _FACTOR else wanted

    def is_proven(self, source: BucketObject, digests: Sequence[bytes]) -> bool:
        if len(digests) == 1:
            return digests[0].hex() == source.sha256
        # The parts of the object were of that size if the checksum is the same. Its number of
        # parts counts as well: without it, it could be the SHA-256 of something else.
        return sha256_checksum(composite(digests)) == source.checksum(SHA256)

    def _get(self, source: BucketObject, start: int, stop: int) -> "GetObjectOutputTypeDef":
        bucket, key = source.address.bucket, source.address.key
        with missing_means_replaced():
            if stop - start == source.size:
                return self.client.get_object(Bucket=bucket, Key=key, IfMatch=source.version)
            wanted = f"bytes={start}-{stop - 1}"
            return self.client.get_object(
                Bucket=bucket, Key=key, IfMatch=source.version, Range=wanted
            )

    def _part_size(self, source: BucketObject, parts: int) -> int | None:
        """Return the parts' common size in bytes; None if there is none or it is unknown."""
        if parts == 1:
            return source.size
        size = self._size_of_part(source, 1)
        last = source.size - (parts - 1) * size
        if not 0 < last <= size:
            return None
        # Some tools upload parts of several sizes; the first and the last tell.
        return size if self._size_of_part(source, parts) == last else None

    def _size_of_part(self, source: BucketObject, number: int) -> int:
        with translated_errors(), missing_means_replaced():
            # Leave out IfMatch, which some servers compare with the ETag of the part.
            return self.client.head_object(
                Bucket=source.address.bucket, Key=source.address.key, PartNumber=number
            )["ContentLength"]


def look_at(client: "S3Client", source: BucketObject) -> BucketObject:
    """Return that very object with all that a HEAD says of it.

    Raises:
        ObjectReplacedError: another object, or none, is there now.
    """
    with _placed(source.address), translated_errors(), missing_means_replaced():
        head = client.head_object(
            Bucket=source.address.bucket,
            Key=source.address.key,
            IfMatch=source.version,
            ChecksumMode="ENABLED",
        )
    return described(source.address, head)


@contextmanager
def _placed(address: ObjectAddress) -> Iterator[None]:
    """Name the object in a refusal."""
    try:
        yield
    except PermanentError as error:
        error.place = f"s3://{address.bucket}/{address.key}"
        raise


def described(address: ObjectAddress, head: "HeadObjectOutputTypeDef") -> BucketObject:
    return BucketObject(
        address=address,
        size=head["ContentLength"],
        version=acknowledged_etag(head.get("ETag")),
        modified_at=head["LastModified"],
        tier=tier(head.get("StorageClass", "STANDARD")),
        version_id=head.get("VersionId"),
        sha256=sha256_of(head),
        checksums=tuple(starmap(Checksum.parse, checksums_of(head).items())),
        metadata=metadata_of(head),
        headers=kept_headers(head),
        restoration=restoration_of(head.get("Restore")),
    )


def _check(answer: "GetObjectOutputTypeDef", source: BucketObject, start: int, stop: int) -> None:
    """Check that it is the answer to the request.

    Raises:
        ObjectReplacedError: it is of another object.
        StoreUnavailableError: it has other bytes.
    """
    if not is_same_etag(acknowledged_etag(answer.get("ETag")), source.version):
        raise ObjectReplacedError
    whole = stop - start == source.size
    asked_for = None if whole else f"bytes {start}-{stop - 1}/{source.size}"
    if (answer.get("ContentLength"), answer.get("ContentRange")) != (stop - start, asked_for):
        sent = answer.get("ContentRange") or f"{answer.get('ContentLength')} bytes"
        wanted = asked_for or f"{source.size} bytes"
        raise StoreUnavailableError(f"GetObject: asked for {wanted}, but S3 sent {sent}")
