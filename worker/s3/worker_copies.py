"""Copies through the worker, for stores that cannot copy an object themselves."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from artifact_pipeline.domain.errors import ObjectReplacedError
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.preconditions import Precondition
from artifact_pipeline.domain.ports.object_store import IObjectReader, UploadProgress
from artifact_pipeline.worker.s3.checksums import composite, sha256_checksum
from artifact_pipeline.worker.s3.read_back import digest_of, find_same
from artifact_pipeline.worker.s3.store import S3ObjectStore
from artifact_pipeline.worker.s3.write_fence import allows


@dataclass(frozen=True, slots=True)
class ObjectSource:
    """An object as the source of an upload, read in ranges.

    Each range is read whole before it is passed on: a connection that waited until the parts
    before it were sent could be closed by the store.
    """

    original: BucketObject
    reader: IObjectReader
    range_size: int
    links_left_out: int = 0

    @property
    def exact_size(self) -> int:
        return self.original.size

    @property
    def largest_size(self) -> int:
        return self.original.size

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes.

        Raises:
            ObjectReplacedError: the object changed.
            ChecksumMismatchError: the bytes are not those that the store says the object has.
        """
        size = self.original.size
        verifier = self.reader.verifier(self.original)
        if not size:
            # Reading no bytes asks for nothing, and so would not notice another object.
            find_same(self.reader, self.original.address, self.original.version)
        for start in range(0, size, self.range_size):
            stop = min(start + self.range_size, size)
            read = b"".join(self.reader.read(self.original, start, stop))
            verifier.update(read)
            yield read
        verifier.check()


@dataclass(frozen=True, slots=True)
class WorkerCopies:
    """Reads an object in ranges and uploads it, with bounded memory.

    It is verified and resumed as any upload.
    """

    store: S3ObjectStore
    reader: IObjectReader

    def copy(
        self,
        original: BucketObject,
        key: str,
        *,
        create: dict[str, Any],
        precondition: Precondition,
        progress: UploadProgress,
    ) -> StoredObject:
        """Copy the object.

        Args:
            original: the source.
            key: of the copy.
            create: content type, metadata and all other headers of the copy, as the arguments of
                PutObject and CreateMultipartUpload.
            precondition: which object the copy may find under its key.
            progress: the other end of the lease.

        Raises:
            ObjectReplacedError: the source changed, or there is another object than the one to be
                replaced.
            ArchivedError: the source must be restored before.
            ChecksumMismatchError: the copy is not the source.
        """
        source = ObjectSource(original, self.reader, self.store.part_size)
        existing = self._existing(original, key, create, precondition, progress)
        if existing is not None:
            if progress.upload_id is not None:
                self.store.abort(key, progress.upload_id)
            return existing
        return self.store.write(
            key, source, create=create, precondition=precondition, progress=progress
        )

    def _existing(
        self,
        original: BucketObject,
        key: str,
        create: dict[str, Any],
        precondition: Precondition,
        progress: UploadProgress,
    ) -> StoredObject | None:
        """Return the copy if an earlier attempt has made it.

        Otherwise all bytes would be sent before the store could refuse them.

        Raises:
            ObjectReplacedError: another object is there.
        """
        found = self.reader.find(ObjectAddress(self.store.bucket, key))
        if found is None or allows(precondition, found.version):
            return None
        wanted = create.get("StorageClass", found.tier_name)
        if (found.size, found.tier_name) != (original.size, wanted):
            raise ObjectReplacedError
        sha256 = original.sha256 or digest_of(self.reader, original, progress.checkpoint)
        # Do not believe the metadata of the copy: it may never have been verified.
        if digest_of(self.reader, found, progress.checkpoint) != sha256:
            raise ObjectReplacedError
        checksum = sha256_checksum(composite([bytes.fromhex(sha256)]))
        return replace(found.as_stored(sha256, checksum), bytes_sent=0)
