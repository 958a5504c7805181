"""Giving a finished upload its final name: at once, and only in the place that it may take."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

from artifact_pipeline.domain.errors import RefusedByStoreError, StoreConflictError
from artifact_pipeline.domain.model.preconditions import Create, Precondition
from artifact_pipeline.domain.ports.object_store import UploadProgress
from artifact_pipeline.worker.file_store.descriptions import (
    Description,
    remove_description,
    write_description,
)
from artifact_pipeline.worker.file_store.key_locks import locked
from artifact_pipeline.worker.file_store.layout import place_of, version_of
from artifact_pipeline.worker.file_store.root import StoreRoot
from artifact_pipeline.worker.file_store.uploads import CONTENT, FileUpload
from artifact_pipeline.worker.workspace.enclosure import is_regular
from artifact_pipeline.worker.workspace.naming import (
    Place,
    rename_without_replacing,
    sync_directory,
)
from artifact_pipeline.worker.workspace.partial_file import look

_TRIES = 10


@dataclass(frozen=True, slots=True)
class Publication:
    """A finished upload, and where it goes.

    Attributes:
        description: of the object that it becomes.
    """

    root: StoreRoot
    key: str
    upload: FileUpload
    description: Description

    def publish(self, precondition: Precondition, progress: UploadProgress) -> str | None:
        """Let the object appear, and return its version; None if the precondition is not met.

        Raises:
            LeaseLostError: another worker may have taken the transfer over.
            StoreConflictError: the upload was removed.
        """
        with locked(self.root, self.key, progress.checkpoint):
            # Check within the lock: a worker that takes the lease over now finds what appears here.
            progress.checkpoint()
            try:
                return self._move_into_place(precondition)
            except FileExistsError:
                # Another process that does not see this lock was faster.
                return None

    def _move_into_place(self, precondition: Precondition) -> str | None:
        for _ in range(_TRIES):
            try:
                with self._reached() as directory:
                    existing = find_file(directory, self._place.name, self.key)
                    if not precondition.allows(None if existing is None else version_of(existing)):
                        return None
                    return self._move_into_directory(directory, existing, precondition)
            except FileNotFoundError:
                if not self.upload.exists:
                    break
                # A deletion of the last file in the directory has removed that too.
        raise StoreConflictError(f"{self.key}: the upload was removed while it was under way")

    def _move_into_directory(
        self, directory: int, existing: os.stat_result | None, precondition: Precondition
    ) -> str:
        name, upload = self._place.name, self.upload
        version = upload.stamp(existing)
        write_description(
            self.description,
            unfinished=upload.directory,
            directory=directory,
            name=name,
            version=version,
        )
        if isinstance(precondition, Create):
            old, new = Place(CONTENT, upload.directory), Place(name, directory)
            rename_without_replacing(old, new, reserves=False)
        else:
            os.replace(CONTENT, name, src_dir_fd=upload.directory, dst_dir_fd=directory)
        sync_directory(directory)
        if existing is not None:
            remove_description(directory, name, version_of(existing))
        return version

    @property
    def _place(self) -> PurePosixPath:
        return place_of(self.key)

    @contextmanager
    def _reached(self) -> Iterator[int]:
        with self.root.reached(self._place.parent, make=True) as directory:
            assert directory is not None  # noqa: S101 - it was made
            yield directory


def find_file(directory: int, name: str, key: str) -> os.stat_result | None:
    """Return what a look at the file says; None if it is missing.

    Raises:
        RefusedByStoreError: it is something else than a file.
    """
    existing = look(name, directory)
    if existing is not None and not is_regular(existing):
        raise RefusedByStoreError(
            f"{key}: a directory, a link or the like is in its place in ARTIFACTS_STORE. Move it"
        )
    return existing
