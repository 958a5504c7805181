"""The store: `IObjectStore` over files."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from artifact_pipeline.domain.errors import ObjectReplacedError, TransferError
from artifact_pipeline.domain.model.artifacts import OpenUpload, StoredObject
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.preconditions import Precondition
from artifact_pipeline.domain.ports.object_store import UploadProgress
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.worker.file_store.descriptions import Description
from artifact_pipeline.worker.file_store.failures import translated
from artifact_pipeline.worker.file_store.layout import place_of
from artifact_pipeline.worker.file_store.publishing import Publication
from artifact_pipeline.worker.file_store.reading import FileObjectReader
from artifact_pipeline.worker.file_store.root import StoreRoot
from artifact_pipeline.worker.file_store.uploads import (
    About,
    FileUpload,
    open_uploads,
    remove_finished,
    remove_upload,
)
from artifact_pipeline.worker.file_store.writing import Written, write_source


@dataclass(frozen=True, slots=True, kw_only=True)
class FileObjectStore:
    """Stores objects as files.

    Attributes:
        root: of the store.
        part_size: of large objects, in bytes.
        resumable_from: the size from which on an interrupted upload is resumed.
    """

    root: StoreRoot
    part_size: int
    resumable_from: int
    reader: FileObjectReader = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reader", FileObjectReader(root=self.root))

    @property
    def endpoint(self) -> str:
        # A share can be away on one host alone. Tables and logs have no path.
        return f"store of {socket.gethostname()}"[:255]

    def put(  # noqa: PLR0913 - as the port has it
        self,
        key: str,
        source: Source,
        *,
        content_type: str,
        metadata: dict[str, str],
        precondition: Precondition,
        progress: UploadProgress,
    ) -> StoredObject:
        return self.write(
            key,
            source,
            content_type=content_type,
            metadata=metadata,
            headers={},
            precondition=precondition,
            progress=progress,
        )

    def write(  # noqa: PLR0913 - as the port has it, and what else is kept
        self,
        key: str,
        source: Source,
        *,
        content_type: str,
        metadata: Mapping[str, str],
        headers: Mapping[str, Any],
        precondition: Precondition,
        progress: UploadProgress,
    ) -> StoredObject:
        """Store the source with these headers in its description. Otherwise as `put`."""
        place_of(key)  # before anything is made
        with translated(key):
            upload = self._upload(key, progress)
            try:
                with upload:
                    written = self._written(upload, source, progress)
                    description = Description(
                        content_type=content_type,
                        metadata=metadata,
                        sha256=written.sha256,
                        checksum=str(written.checksum),
                        part_size=self.part_size,
                        headers=headers,
                    )
                    publication = Publication(self.root, key, upload, description)
                    version = publication.publish(precondition, progress)
                stored = self._stored(key, written, version)
            except BaseException:
                if progress.upload_id != upload.id:  # no other attempt can go on with it
                    self._clean_up(upload)
                raise
            self._clean_up(upload)
            return stored

    def _clean_up(self, upload: FileUpload) -> None:
        # Do this after its files were closed: NFS keeps a removed file while it is open. If it
        # fails, the next reconcile removes them.
        with suppress(OSError, TransferError):
            remove_upload(self.root, upload.id)

    def holds(self, stored: StoredObject) -> bool:
        found = self._find(stored.key)
        return found is not None and (found.size, found.version) == (stored.size, stored.version)

    def version(self, key: str) -> str | None:
        found = self._find(key)
        return None if found is None else found.version

    def abort(self, key: str, upload_id: str) -> None:
        with translated(key):
            remove_upload(self.root, upload_id)

    def open_uploads(self, prefix: str) -> Iterator[OpenUpload]:
        with translated(prefix):
            yield from open_uploads(self.root, prefix)

    def location(self, key: str) -> UploadLocation:
        return UploadLocation(self.root.url_of(key))

    def _upload(self, key: str, progress: UploadProgress) -> FileUpload:
        about = About(key, self.part_size)
        resumed = FileUpload.resume(self.root, progress.upload_id, about)
        if resumed is not None:
            return resumed
        remove_finished(self.root, progress.upload_id)
        return FileUpload.begin(self.root, about)

    def _written(self, upload: FileUpload, source: Source, progress: UploadProgress) -> Written:
        return write_source(
            upload,
            source,
            part_size=self.part_size,
            resumable_from=self.resumable_from,
            progress=progress,
        )

    def _stored(self, key: str, written: Written, version: str | None) -> StoredObject:
        if version is None:
            version = self._same(key, written)
        return StoredObject(
            key=key,
            size=written.size,
            sha256=written.sha256,
            checksum=written.checksum,
            version=version,
            bytes_sent=written.bytes_sent,
        )

    def _same(self, key: str, written: Written) -> str:
        """Return the version of the object that is there, if it has the same bytes.

        Raises:
            ObjectReplacedError: it has others, or is gone.
        """
        found = self._find(key)
        if found is None or found.size != written.size:
            raise ObjectReplacedError
        if self.reader.sha256_of(found) != written.sha256:
            raise ObjectReplacedError
        return found.version

    def _find(self, key: str) -> BucketObject | None:
        return self.reader.find(ObjectAddress(self.reader.bucket, key))
