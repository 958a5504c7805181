"""Unfinished uploads: each in its own directory, until its file gets its final name.

The directory has the file with the bytes, and marks: the SHA-256 of each part whose bytes are on
the disk. A mark is written after its bytes were flushed, so the next attempt can believe it even
after a crash of the machine.
"""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from uuid import uuid4

from artifact_pipeline.domain.model.artifacts import OpenUpload
from artifact_pipeline.worker.file_store.descriptions import MODE, NEW, TO_READ, write_all
from artifact_pipeline.worker.file_store.key_locks import try_lock
from artifact_pipeline.worker.file_store.layout import UPLOADS, version_of
from artifact_pipeline.worker.file_store.root import StoreRoot
from artifact_pipeline.worker.workspace.directories import opened_directory
from artifact_pipeline.worker.workspace.partial_file import is_named, look
from artifact_pipeline.worker.workspace.removal import remove_tree

CONTENT = "content"
_MARKS = "marks"
_ABOUT = "about.json"
_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST_BYTES = hashlib.sha256().digest_size
_LONGEST = 64 * 1024
_WRITE = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_STEPS_NS = (1, 1_000, 1_000_000, 1_000_000_000, 2_000_000_000)
"""By how much a later write is later: the coarsest file systems count in two seconds."""
_SPREAD_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class About:
    """What the directory of an upload says of it."""

    key: str
    part_size: int


class FileUpload:
    """An upload under way, which no other process continues while this one has it open.

    Attributes:
        id: of the upload.
        directory: a descriptor of its directory.
        content: a descriptor of the file with its bytes.
        marks: the SHA-256 of the parts that are on the disk, in their order.
    """

    def __init__(self, upload_id: str, opened: ExitStack, directory: int) -> None:
        self.id = upload_id
        self.directory = directory
        self._opened = opened
        self.content = self._open(CONTENT)
        self._marks = self._open(_MARKS)
        self.marks = _digests(self._marks)

    @classmethod
    def begin(cls, root: StoreRoot, about: About) -> Self:
        """Make the directory of a new upload."""
        upload_id = uuid4().hex
        with ExitStack() as stack:
            uploads = stack.enter_context(root.reached(UPLOADS, make=True))
            assert uploads is not None  # noqa: S101 - it was made
            os.mkdir(upload_id, dir_fd=uploads)
            try:
                directory = stack.enter_context(opened_directory(upload_id, uploads))
                _write_about(directory, about)
                for name in (CONTENT, _MARKS):
                    os.close(os.open(name, NEW, MODE, dir_fd=directory))
                upload = cls(upload_id, stack, directory)
            except OSError:
                # Each attempt would leave one while the store is full.
                remove_tree(upload_id, uploads)
                raise
            try_lock(upload.content)  # no other process knows it yet
            upload._opened = stack.pop_all()
            return upload

    @classmethod
    def resume(cls, root: StoreRoot, upload_id: str | None, about: About) -> Self | None:
        """Open the upload of an earlier attempt; None if it is gone or another process has it."""
        if upload_id is None or not _ID.fullmatch(upload_id):
            return None
        with ExitStack() as stack:
            try:
                uploads = stack.enter_context(root.reached(UPLOADS, make=True))
                assert uploads is not None  # noqa: S101 - it was made
                directory = stack.enter_context(opened_directory(upload_id, uploads))
                if _read_about(directory) != about:
                    return None
                upload = cls(upload_id, stack, directory)
            except FileNotFoundError:
                return None
            # Between the opening and the lock, its holder may have finished it.
            if not try_lock(upload.content) or not upload.exists:
                return None
            upload._opened = stack.pop_all()
            return upload

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._opened.close()

    @property
    def exists(self) -> bool:
        """Return whether its file has not got its final name yet, and was not removed."""
        # A kill can leave both names. Then its bytes belong to an object.
        has_one_name = os.fstat(self.content).st_nlink == 1
        return has_one_name and is_named(self.content, CONTENT, self.directory)

    def mark(self, digests: list[bytes]) -> None:
        """Record that the next parts are written, once their bytes are on the disk."""
        os.fdatasync(self.content)
        write_all(self._marks, b"".join(digests), len(self.marks) * _DIGEST_BYTES)
        self.marks += digests

    def forget_from(self, number: int) -> None:
        """Forget the marks from this part on, before other bytes are written there."""
        os.ftruncate(self._marks, number * _DIGEST_BYTES)
        os.fsync(self._marks)
        del self.marks[number:]

    def finish(self, size: int) -> None:
        """Bring all bytes to the disk, and cut the file to this size."""
        os.ftruncate(self.content, size)
        os.fsync(self.content)

    def stamp(self, after: os.stat_result | None) -> str:
        """Give the finished file a version that no other write of the key has; return it.

        Args:
            after: of the file that it will replace, which is always older.
        """
        natural = os.fstat(self.content).st_mtime_ns
        # A clock that ticks slowly would give one version to two writes in one tick.
        wanted = natural - natural % _SPREAD_NS + secrets.randbelow(_SPREAD_NS)
        seen = self._set_time(wanted)
        for step in _STEPS_NS:
            if after is None or seen.st_mtime_ns > after.st_mtime_ns:
                break
            seen = self._set_time(max(wanted, after.st_mtime_ns + step))
        return version_of(seen)

    def _set_time(self, mtime_ns: int) -> os.stat_result:
        os.utime(self.content, ns=(mtime_ns, mtime_ns))
        # Read the time that the file system keeps, which may be coarser.
        return os.fstat(self.content)

    def _open(self, name: str) -> int:
        file = os.open(name, _WRITE, dir_fd=self.directory)
        self._opened.callback(os.close, file)
        return file


def open_uploads(root: StoreRoot, prefix: str) -> Iterator[OpenUpload]:
    """Yield the uploads to keys below the prefix."""
    with root.reached(UPLOADS, make=False) as uploads:
        if uploads is None:
            return
        names = os.listdir(uploads)  # noqa: PTH208 - of a descriptor
        for upload_id in sorted(filter(_ID.fullmatch, names)):
            with suppress(FileNotFoundError, NotADirectoryError):
                with opened_directory(upload_id, uploads) as directory:
                    about = _read_about(directory)
                    begun = datetime.fromtimestamp(_begun(directory), UTC)
                # An upload that a kill left without a description counts as below every prefix, or
                # nothing would ever remove it.
                key = prefix if about is None else about.key
                if key.startswith(prefix):
                    yield OpenUpload(
                        key=key,
                        upload_id=upload_id,
                        initiated_at=begun,
                        listed_at=datetime.now(UTC),
                    )


def remove_upload(root: StoreRoot, upload_id: str) -> None:
    """Remove what there is of an upload; a process that is at it can no longer finish it."""
    if not _ID.fullmatch(upload_id):
        return
    with root.reached(UPLOADS, make=False) as uploads:
        if uploads is not None:
            # Two processes may remove it at once.
            with suppress(FileNotFoundError):
                remove_tree(upload_id, uploads)


def remove_finished(root: StoreRoot, upload_id: str | None) -> None:
    """Remove what a kill has left of an upload after its file had got its final name."""
    if upload_id is None or not _ID.fullmatch(upload_id):
        return
    with suppress(FileNotFoundError), root.reached(UPLOADS, make=True) as uploads:
        assert uploads is not None  # noqa: S101 - it was made
        with opened_directory(upload_id, uploads) as directory:
            existing = look(CONTENT, directory)
        if existing is None or existing.st_nlink != 1:
            remove_tree(upload_id, uploads)


def _begun(directory: int) -> float:
    # The time of the directory itself changes with what is in it.
    try:
        return os.stat(_ABOUT, dir_fd=directory, follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return os.fstat(directory).st_mtime


def _write_about(directory: int, about: About) -> None:
    file = os.open(_ABOUT, NEW, MODE, dir_fd=directory)
    try:
        write_all(file, json.dumps({"key": about.key, "part_size": about.part_size}).encode())
    finally:
        os.close(file)


def _read_about(directory: int) -> About | None:
    try:
        file = os.open(_ABOUT, TO_READ, dir_fd=directory)
    except FileNotFoundError:
        return None
    try:
        return About(**json.loads(os.read(file, _LONGEST)))
    except (ValueError, TypeError):
        return None
    finally:
        os.close(file)


def _digests(marks: int) -> list[bytes]:
    size = os.fstat(marks).st_size
    content = os.pread(marks, size, 0)
    whole = len(content) // _DIGEST_BYTES
    return [content[n * _DIGEST_BYTES : (n + 1) * _DIGEST_BYTES] for n in range(whole)]
