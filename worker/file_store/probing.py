"""Whether a directory can be a store: it is one, can be written, and keeps its promises."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from artifact_pipeline.domain.errors import UnsupportedByStoreError
from artifact_pipeline.worker.file_store.descriptions import write_all
from artifact_pipeline.worker.file_store.failures import translated
from artifact_pipeline.worker.file_store.key_locks import locked, try_lock
from artifact_pipeline.worker.file_store.layout import OWN, version_of
from artifact_pipeline.worker.file_store.root import StoreRoot
from artifact_pipeline.worker.file_store.uploads import CONTENT, About, FileUpload, remove_upload

_NAME = "probe"
_PUBLISHED = "published"


def probe(root: StoreRoot) -> None:
    """Write a file as an upload does, and remove it.

    Raises:
        StoreUnavailableError: it is away, no store, full, or read-only.
        AccessDeniedError: this user may not write to it.
        UnsupportedByStoreError: the file system lacks something that the store needs.
    """
    with translated(_NAME), locked(root, _NAME, _uninterrupted), _upload(root) as upload:
        _check_locks(upload)
        _check_times(upload)


@contextmanager
def _upload(root: StoreRoot) -> Iterator[FileUpload]:
    upload = FileUpload.begin(root, About(_NAME, 1))
    try:
        with upload:
            yield upload
    finally:
        remove_upload(root, upload.id)


def _check_locks(upload: FileUpload) -> None:
    again = os.open(CONTENT, os.O_RDWR | os.O_CLOEXEC, dir_fd=upload.directory)
    try:
        if try_lock(again):
            raise UnsupportedByStoreError(
                "the locks of its file system do not exclude others. Mount it with locks"
            )
    finally:
        os.close(again)


def _check_times(upload: FileUpload) -> None:
    write_all(upload.content, b"x")
    upload.finish(1)
    version = upload.stamp(None)
    os.rename(CONTENT, _PUBLISHED, src_dir_fd=upload.directory, dst_dir_fd=upload.directory)
    seen = os.stat(_PUBLISHED, dir_fd=upload.directory)
    if version_of(seen) != version:
        raise UnsupportedByStoreError(
            "its file system does not keep the time of modification that a file is given"
        )


def free_bytes(root: StoreRoot) -> int:
    """Return how many bytes this user can still write."""
    with root.reached(PurePosixPath(OWN), make=False) as own:
        state = os.statvfs(root.path if own is None else own)
    return state.f_bavail * state.f_frsize


def _uninterrupted() -> None:
    """Do nothing: no lease guards a probe."""
