"""The partial file of a download.

A *partial file* has every byte at its offset already. Behind them, until it is finished, are the
identity of the object and a mark for each range: the SHA-256 of what was written there, or zeros.
So the one file is all that the next attempt needs. Nothing is flushed before the end: a mark that
outlives the bytes in a crash does not match them, and the range is fetched again.
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from artifact_pipeline.domain.errors import (
    FileSystemLimitError,
    PipelineError,
    TargetBusyError,
    TargetExistsError,
    UnexpectedError,
    WorkspaceNotWritableError,
    WorkspaceUnavailableError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.worker.workspace.failures import AWAY
from artifact_pipeline.worker.workspace.files import CHUNK
from artifact_pipeline.worker.workspace.naming import (
    Place,
    rename_without_replacing,
    sync_directory,
)
from artifact_pipeline.worker.workspace.writeback import start_writeback

_DIGEST_BYTES = hashlib.sha256().digest_size
_NO_MARK = bytes(_DIGEST_BYTES)

_IN_THE_WAY = {errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENOTDIR, errno.ENXIO}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM}
CANNOT_HOLD = {
    *(errno.EFBIG, errno.EOVERFLOW, errno.EMLINK),
    *(errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL),
}
"""As of a file above 4 GiB on FAT, or of a name with a colon on exFAT."""
_NOT_THERE = {errno.ENOENT, errno.EIO, errno.ENOLCK} | AWAY


@dataclass(frozen=True, slots=True)
class Layout:
    """The offsets in a partial file."""

    source: BucketObject
    range_size: int

    @property
    def ranges(self) -> int:
        return -(-self.source.size // self.range_size)

    @property
    def marks(self) -> int:
        return self.mark(0)

    @property
    def end(self) -> int:
        return self.mark(self.ranges)

    def mark(self, number: int) -> int:
        return self.source.size + _DIGEST_BYTES * (1 + number)

    @property
    def identity(self) -> bytes:
        address = self.source.address
        told = [address.bucket, address.key, self.source.version, self.source.size, self.range_size]
        return hashlib.sha256(json.dumps(told).encode()).digest()

    def restore(self, file: int, marks: bytes) -> None:
        """Put identity and marks back behind the bytes."""
        os.ftruncate(file, self.end)
        _write(file, marks, self.marks)
        _write(file, self.identity, self.source.size)

    def exists_or_begun(self, file: int) -> bool:
        """Return whether it is a partial file of this object; make an empty one so."""
        seen = os.fstat(file)
        if seen.st_nlink != 1:
            return False
        if not seen.st_size:
            os.ftruncate(file, self.end)
            # Last, so that a file that a kill leaves before has no identity.
            _write(file, self.identity, self.source.size)
            return True
        return self.is_of(file)

    def is_of(self, file: int) -> bool:
        """Return whether an attempt before began to fetch this object into the file."""
        is_as_long = os.fstat(file).st_size == self.end
        return is_as_long and os.pread(file, _DIGEST_BYTES, self.source.size) == self.identity


@dataclass(frozen=True, slots=True)
class PartialFile:
    """A file that is being downloaded.

    Attributes: `directory` and `file` are descriptors.
    """

    artifact: Artifact
    directory: int
    name: str
    partial_name: str
    file: int
    layout: Layout

    @property
    def marks(self) -> dict[int, bytes]:
        with writing(self.artifact):
            written = self._written_marks()
        starts = range(0, len(written), _DIGEST_BYTES)
        each = enumerate(written[start : start + _DIGEST_BYTES] for start in starts)
        return {number: mark for number, mark in each if mark != _NO_MARK}

    def write(self, at: int, chunk: bytes) -> None:
        with writing(self.artifact, kept=self.partial_name):
            _write(self.file, chunk, at)

    def mark(self, number: int, digest: bytes) -> None:
        with writing(self.artifact, kept=self.partial_name):
            # Before the mark: bytes that the kernel has failed to write must not have one.
            self._start_writeback(number)
            _write(self.file, digest, self.layout.mark(number))

    def _start_writeback(self, number: int) -> None:
        """Leave `finish` little to flush. A file of one range is flushed right after."""
        if self.layout.ranges > 1:
            at = number * self.layout.range_size
            stop = min(at + self.layout.range_size, self.layout.source.size)
            start_writeback(self.file, at, stop - at)

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        at, stop = start, self.layout.source.size if stop is None else stop
        with writing(self.artifact):
            while chunk := os.pread(self.file, min(CHUNK, stop - at), at):
                at += len(chunk)
                yield chunk

    def finish(self, *, replace: bool) -> None:
        with writing(self.artifact):
            if not replace and look(self.name, self.directory) is not None:
                raise in_the_way(self.artifact)  # as long as there is something to go on with
            marks = self._written_marks()
            # Do not undo it if it fails: the kernel may have dropped what it could not write, and
            # still show it to the next attempt, which would believe it.
            os.ftruncate(self.file, self.layout.source.size)
            os.fsync(self.file)
            try:
                self._move_into_place(replace=replace)
            except (OSError, PipelineError):
                self._keep_for_the_next_attempt(marks)
                raise
            sync_directory(self.directory)

    def _written_marks(self) -> bytes:
        return os.pread(self.file, self.layout.end - self.layout.marks, self.layout.marks)

    def _move_into_place(self, *, replace: bool) -> None:
        if not is_named(self.file, self.partial_name, self.directory):
            raise TargetBusyError(
                f"{self.artifact}: another process removed or replaced its partial file"
            )
        if replace:
            os.replace(
                self.partial_name,
                self.name,
                src_dir_fd=self.directory,
                dst_dir_fd=self.directory,
            )
        else:
            rename_without_replacing(
                Place(self.partial_name, self.directory), Place(self.name, self.directory)
            )

    def _keep_for_the_next_attempt(self, marks: bytes) -> None:
        """Put the marks back, or all bytes would be fetched again."""
        with suppress(OSError):
            # Once it has the other name, or both, it is the file that people read.
            if os.fstat(self.file).st_nlink == 1 and is_named(
                self.file, self.partial_name, self.directory
            ):
                self.layout.restore(self.file, marks)

    def discard(self) -> None:
        with writing(self.artifact), suppress(FileNotFoundError):
            os.unlink(self.partial_name, dir_fd=self.directory)


@contextmanager
def writing(artifact: Artifact, *, kept: str = "") -> Iterator[None]:
    """Translate errors of writes, without their cause: its path would appear in the logs.

    Args:
        artifact: what is written.
        kept: the name of the partial file that stays for the next attempt.

    Raises:
        TargetExistsError: what is in the place is no file, or a link is on the way.
        TargetBusyError: another process has it locked.
        WorkspaceNotWritableError: no room, or read-only.
        WorkspaceUnavailableError: no permission, or no workspace.
        FileSystemLimitError: the file system has no such large files, or no such names.
        UnexpectedError: anything else that the system answers.
    """
    try:
        yield
    except BlockingIOError:
        raise TargetBusyError(f"{artifact}: another process downloads it") from None
    except OSError as error:
        if error.errno in _IN_THE_WAY:
            raise in_the_way(artifact) from None
        if error.errno in _FULL:
            raise WorkspaceNotWritableError(
                f"{artifact}: no space left to write it{_remaining_file_hint(kept)}"
            ) from None
        if error.errno == errno.EROFS:
            raise WorkspaceNotWritableError(f"{artifact}: the workspace is read-only") from None
        if error.errno in _DENIED:
            raise WorkspaceUnavailableError(f"{artifact}: the worker may not write it") from None
        if error.errno in _NOT_THERE:
            raise WorkspaceUnavailableError from None
        said = f"{artifact}: {error.strerror or type(error).__name__}"
        if error.errno in CANNOT_HOLD:
            raise FileSystemLimitError(f"{said}: the target's file system cannot hold it") from None
        raise UnexpectedError(f"{said}: it cannot be written") from None


def _remaining_file_hint(partial_name: str) -> str:
    if not partial_name:
        return ""
    return f". What was fetched stays in {partial_name}: free space and ask again, or delete it"


def in_the_way(artifact: Artifact) -> TargetExistsError:
    return TargetExistsError(f"{artifact}: something else is at its target. Move it")


def look(name: str, directory: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def is_named(file: int, name: str, directory: int) -> bool:
    seen = look(name, directory)
    return seen is not None and os.path.samestat(seen, os.fstat(file))


def _write(file: int, data: bytes, at: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, at)
        at += written
        rest = rest[written:]
