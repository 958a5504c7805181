"""Copies and deletions within the store: `IObjectCopier` over files."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from artifact_pipeline.domain.each import for_each, until_unavailable
from artifact_pipeline.domain.errors import (
    ObjectReplacedError,
    PermanentError,
    PipelineError,
    UnsupportedByStoreError,
)
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.checksums import SHA256
from artifact_pipeline.domain.model.objects import STANDARD, BucketObject, ObjectAddress
from artifact_pipeline.domain.model.preconditions import Precondition
from artifact_pipeline.domain.ports.object_store import UploadProgress
from artifact_pipeline.worker.file_store.descriptions import remove_descriptions
from artifact_pipeline.worker.file_store.failures import translated
from artifact_pipeline.worker.file_store.key_locks import locked
from artifact_pipeline.worker.file_store.layout import OWN, is_key, place_of
from artifact_pipeline.worker.file_store.publishing import find_file
from artifact_pipeline.worker.file_store.reading import CONTENT_TYPE, PART_SIZE, FileObjectReader
from artifact_pipeline.worker.file_store.root import StoreRoot
from artifact_pipeline.worker.file_store.store import FileObjectStore
from artifact_pipeline.worker.workspace.directories import opened_directory
from artifact_pipeline.worker.workspace.naming import sync_directory


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file of the store as the source of a copy."""

    original: BucketObject
    reader: FileObjectReader
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
            ObjectReplacedError: the file changed.
            ChecksumMismatchError: the bytes differ from its description.
        """
        verifier = self.reader.verifier(self.original)
        for chunk in self.reader.read(self.original):
            verifier.update(chunk)
            yield chunk
        verifier.check()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileObjectCopier:
    """Copies by reading and writing, and so with the same guarantees as an upload."""

    store: FileObjectStore
    reader: FileObjectReader

    @property
    def archive_tier(self) -> str:
        """Refuse. Raises: UnsupportedByStoreError: a directory has one tier."""
        raise UnsupportedByStoreError(
            "ARTIFACTS_STORE is a directory, which has no archive tiers. Move its files by the"
            " means of the file system"
        )

    def copy(  # noqa: PLR0913 - as the port has it
        self,
        original: BucketObject,
        key: str,
        *,
        content_type: str,
        metadata: dict[str, str],
        precondition: Precondition,
        tier_name: str,
        progress: UploadProgress,
    ) -> StoredObject:
        if tier_name not in {"", STANDARD.name}:
            raise UnsupportedByStoreError(
                f"{key}: ARTIFACTS_STORE is a directory, which has no storage class {tier_name}"
            )
        source = self._source(original)
        existing = self._existing(source, key, precondition)
        if existing is not None:
            return existing
        headers = dict(source.headers or {})
        headers.pop(PART_SIZE, None)
        return self.store.write(
            key,
            FileSource(source, self.reader),
            content_type=headers.pop(CONTENT_TYPE, content_type),
            metadata={**(source.metadata or {}), **metadata},
            headers=headers,
            precondition=precondition,
            progress=progress,
        )

    def delete(self, addresses: Sequence[ObjectAddress]) -> dict[ObjectAddress, str]:
        answers = list(until_unavailable(for_each(self._delete, addresses)))
        failed = {each: error for each, error in answers if isinstance(error, PipelineError)}
        passing = [error for error in failed.values() if not isinstance(error, PermanentError)]
        if passing and len(passing) == len(answers):
            raise passing[0]
        return {address: str(error) for address, error in failed.items()}

    def _source(self, original: BucketObject) -> BucketObject:
        """Return that very object with all that its description says."""
        found = self.reader.find(original.address)
        if found is None or found.version != original.version:
            raise ObjectReplacedError
        return found

    def _existing(
        self, source: BucketObject, key: str, precondition: Precondition
    ) -> StoredObject | None:
        """Return the copy if an earlier attempt has made it.

        Raises:
            ObjectReplacedError: another object is there.
        """
        found = self.reader.find(ObjectAddress(self.reader.bucket, key))
        if precondition.allows(None if found is None else found.version):
            return None
        if found is None or found.size != source.size:
            raise ObjectReplacedError
        sha256 = self.reader.sha256_of(found)
        if sha256 != self.reader.sha256_of(source):
            raise ObjectReplacedError
        return found.as_stored(sha256, found.checksum(SHA256))

    def _delete(self, address: ObjectAddress) -> None:
        root = self.reader.root_of(address)
        if root is None or not is_key(address.key):
            return  # there is no such object
        with translated(address.key), locked(root, address.key, _uninterrupted):
            _delete_file(root, address.key)
            _remove_empty(root, place_of(address.key).parent)


def _delete_file(root: StoreRoot, key: str) -> None:
    place = place_of(key)
    with root.reached(place.parent, make=False) as directory:
        if directory is None:
            return
        if find_file(directory, place.name, key) is not None:
            os.unlink(place.name, dir_fd=directory)
        # Remove also those that a kill has left of a missing file.
        remove_descriptions(directory, place.name)
        sync_directory(directory)


def _remove_empty(root: StoreRoot, directory: PurePosixPath) -> None:
    """Remove the directory and those above it that are empty.

    The system removes none that has something in it; a write that has just made the same one makes
    it again.
    """
    while directory.name:
        with root.reached(directory.parent, make=False) as above:
            if above is not None and not _remove_if_empty(directory.name, above):
                return
        directory = directory.parent


def _remove_if_empty(name: str, above: int) -> bool:
    """Return whether the directory is gone."""
    try:
        with opened_directory(name, above) as opened, suppress(OSError):
            os.rmdir(OWN, dir_fd=opened)
        os.rmdir(name, dir_fd=above)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _uninterrupted() -> None:
    """Do nothing: no lease guards a deletion."""
