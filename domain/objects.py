"""Objects as a bucket tells of them, and what is done with those that are there already."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from domain.artifacts import Artifact, StoredObject
from domain.ports import UploadProgress

ARCHIVE_TIERS = ("GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
"""Storage classes where objects cost less and reading them more; what is in one is left there."""


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    bucket: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketObject:
    """An object that is in a bucket.

    Attributes:
        size: bytes.
        sha256: of the whole object, hexadecimal; None where the answer does not say.
        modified_at: when it was put there.
        checksums: what S3 says of the bytes beside that, by algorithm and as it writes them, those
            of parts with a hyphen and their number; None where it was not asked.
        metadata: what its uploader left with it, by lower-case names; None where it was not asked.
    """

    address: ObjectAddress
    size: int
    etag: str
    modified_at: datetime
    storage_class: str = "STANDARD"
    version_id: str | None = None
    sha256: str | None = None
    checksums: Mapping[str, str] | None = field(default=None, compare=False)
    metadata: Mapping[str, str] | None = field(default=None, compare=False)

    def is_marked_as(self, artifact: Artifact) -> bool:
        """Return whether the pipeline wrote it as this artifact; clients leave no metadata."""
        return artifact.metadata.items() <= (self.metadata or {}).items()

    def as_stored(self, sha256: str, s3_checksum: str) -> StoredObject:
        """Return it as a record has it, with the checksums of its bytes."""
        return StoredObject(
            key=self.address.key,
            size=self.size,
            sha256=sha256,
            s3_checksum=s3_checksum,
            etag=self.etag,
            version_id=self.version_id,
            storage_class=self.storage_class,
        )

    @property
    def is_archived(self) -> bool:
        return self.storage_class in ARCHIVE_TIERS


@runtime_checkable
class Verifier(Protocol):
    """Compares bytes that were read with what S3 says of the object they come from."""

    @property
    def is_sure(self) -> bool:
        """Whether S3 says more than how many there are."""

    def update(self, chunk: bytes) -> None:
        """Take the next bytes, in their order."""

    def check(self) -> None:
        """Once all bytes were taken; ChecksumMismatchError if they are not the object's."""


@runtime_checkable
class IObjectReader(Protocol):
    @property
    def bucket(self) -> str:
        """Where everything is stored. An address may name another bucket, of times before."""

    def find(self, address: ObjectAddress) -> BucketObject | None:
        """What is there now, if anything."""

    def list(self, prefix: str) -> Iterator[BucketObject]:
        """All that is below the prefix, in pages of a thousand."""

    def read(self, there: BucketObject, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes of that very object, from `start` to before `stop`.

        Raises:
            ObjectReplacedError: another object, or none, is there now.
            ArchivedError: it must be restored before.
            S3UnavailableError: S3 does not answer, or not to the end.
        """

    def verifier(self, there: BucketObject) -> Verifier:
        """For all bytes of the object; the strongest check that what S3 says of it allows."""

    def range_size(self, there: BucketObject, wanted: int) -> int:
        """Return the size of its parts if that is near the wanted one, else the wanted one.

        Ranges as large as the parts have the digests that the object's checksum is made of.
        """

    def is_proven(self, there: BucketObject, digests: Sequence[bytes]) -> bool:
        """Return whether the SHA-256 of its ranges, in order, prove that they are the object's.

        Asks S3 nothing. False says only that they prove nothing, as where the object was uploaded
        in parts of another size.
        """


@runtime_checkable
class IObjectCopier(Protocol):
    def copy(  # noqa: PLR0913 - what it is, where it goes, what it replaces
        self,
        there: BucketObject,
        key: str,
        *,
        content_type: str,
        metadata: dict[str, str],
        replaces: str | None,
        storage_class: str,
        progress: UploadProgress,
    ) -> StoredObject:
        """Copy within S3, to the key in the one bucket, which may be where it lies already.

        Nothing appears under the key before its size and SHA-256 are known to be the source's. A
        copy that was interrupted goes on from its parts.

        Args:
            there: what is copied; should it change meanwhile, nothing is.
            key: where it goes.
            content_type: of the copy.
            metadata: of the copy.
            replaces: the ETag of the object that it may replace; None where there is none.
            storage_class: of the copy.
            progress: the other end of the lease.

        Raises:
            ObjectReplacedError: the source changed, or there is another object than the one to be
                replaced.
            ArchivedError: the source must be restored before.
        """

    def delete(self, addresses: Sequence[ObjectAddress]) -> dict[ObjectAddress, str]:
        """Delete them, a thousand with each request; what S3 refused, with its code."""
