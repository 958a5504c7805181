"""What use cases need of any object store.

A version is a token that a store gives an object at each write; equal versions are one object. A
store that knows a stronger check, a cheaper copy or an archive says so by its answers: no use case
asks which store it is.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.artifacts import OpenUpload, StoredObject
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress, Tier
from artifact_pipeline.domain.model.preconditions import Precondition
from artifact_pipeline.domain.ports.workspace import Source


@runtime_checkable
class UploadProgress(Protocol):
    """How an upload and the holder of its lease speak to each other."""

    @property
    def upload_id(self) -> str | None:
        """The unfinished upload to go on with, by the id that the store gave it."""

    def started(self, upload_id: str) -> None:
        """Learn that the store has begun an upload that another attempt can continue."""

    def checkpoint(self) -> None:
        """Raise LeaseLostError if the upload must stop; called between parts."""


@runtime_checkable
class IObjectStore(Protocol):
    @property
    def endpoint(self) -> str:
        """The server's host, and its port if there is one."""

    def put(  # noqa: PLR0913 - what it is, where it goes, what it replaces
        self,
        key: str,
        source: Source,
        *,
        content_type: str,
        metadata: dict[str, str],
        precondition: Precondition,
        progress: UploadProgress,
    ) -> StoredObject:
        """Store the source under the key; return once the store acknowledged the checksum.

        An object with the same bytes that is there already, as from an attempt that died before
        it could record it, is taken for this one.

        Args:
            key: where it goes.
            source: its bytes.
            content_type: what they are.
            metadata: kept with the object.
            precondition: which object the write may find under the key.
            progress: the other end of the lease.

        Raises:
            ObjectReplacedError: there is another object than the one to be replaced.
        """

    def version(self, key: str) -> str | None:
        """Return the version of the object that is there now, if any."""

    def holds(self, stored: StoredObject) -> bool:
        """Return whether the bucket still has just this object."""

    def abort(self, key: str, upload_id: str) -> None:
        """Drop what there is of an unfinished upload. One that is gone is no error."""

    def open_uploads(self, prefix: str) -> Iterator[OpenUpload]:
        """Return the unfinished uploads below the prefix."""

    def location(self, key: str) -> UploadLocation:
        """Return the object's permanent URL."""


@runtime_checkable
class Verifier(Protocol):
    """Compares bytes that were read with what the store says of the object they come from."""

    @property
    def is_sure(self) -> bool:
        """Whether the store says more than how many there are."""

    def update(self, chunk: bytes) -> None:
        """Take the next bytes, in their order."""

    def check(self) -> None:
        """Raise ChecksumMismatchError if all bytes together are not the object's."""


@runtime_checkable
class IObjectReader(Protocol):
    @property
    def bucket(self) -> str:
        """The bucket where everything is stored. An address may name an earlier bucket."""

    def find(self, address: ObjectAddress) -> BucketObject | None:
        """Return the object that exists now, if any."""

    def list(self, prefix: str, *, after: str = "") -> Iterator[BucketObject]:
        """Yield all below the prefix in the order of the keys' bytes, in pages of a thousand.

        Args:
            prefix: of the keys.
            after: a key; those up to it are left out.
        """

    def tier(self, name: str) -> Tier:
        """Return the store's tier of this name, which a row has."""

    def read(
        self, source: BucketObject, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """Yield the bytes of just this object, from `start` to before `stop`.

        Raises:
            ObjectReplacedError: another object, or none, is there now.
            ArchivedError: it must be restored before.
            StoreUnavailableError: the store does not answer, or not to the end.
        """

    def verifier(self, source: BucketObject) -> Verifier:
        """Return the strongest check of all bytes that the store's answers allow."""

    def range_size(self, source: BucketObject, wanted: int) -> int:
        """Return the size of its parts if that is near the wanted one, else the wanted one.

        Ranges as large as the parts have the digests that the object's checksum is made of.
        """

    def is_proven(self, source: BucketObject, digests: Sequence[bytes]) -> bool:
        """Return whether the SHA-256 of its ranges, in order, prove that they are the object's.

        Asks the store nothing. False says only that they prove nothing, as where the object was
        uploaded in parts of another size.
        """


@runtime_checkable
class IObjectCopier(Protocol):
    @property
    def archive_tier(self) -> str:
        """The tier that objects are archived to unless another one is named."""

    def copy(  # noqa: PLR0913 - what it is, where it goes, what it replaces
        self,
        source: BucketObject,
        key: str,
        *,
        content_type: str,
        metadata: dict[str, str],
        precondition: Precondition,
        tier_name: str,
        progress: UploadProgress,
    ) -> StoredObject:
        """Copy to the key in the one bucket, which may be where it lies already.

        Nothing appears under the key before its size and SHA-256 are known to be the source's. A
        copy that was interrupted continues from its parts. It keeps the source's headers, metadata
        and tags.

        Args:
            source: the source; if it changes during the copy, nothing is copied.
            key: where it goes.
            content_type: of the copy, if the source has none.
            metadata: of the copy, beside the source's.
            precondition: which object the write may find under the key.
            tier_name: the name of its tier; empty for the one that the store chooses.
            progress: the other end of the lease.

        Raises:
            ObjectReplacedError: the source changed, or there is another object than the one to be
                replaced.
            ArchivedError: the source must be restored before.
            NotCopyableError: the source has something that a copy cannot keep.
        """

    def delete(self, addresses: Sequence[ObjectAddress]) -> dict[ObjectAddress, str]:
        """Delete them; return those that the store refused, with its code."""
