"""Unpacking the entries of a zip, with every failure named."""

import errno
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from artifact_pipeline.domain.errors import FileSystemLimitError, UnsafeArchiveError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.workspace.archive_rules import (
    BROKEN,
    Entry,
    ExtractLimits,
    check_directory,
    checked,
)
from artifact_pipeline.worker.workspace.entry_names import shown
from artifact_pipeline.worker.workspace.extra_fields import mtime_ns_of
from artifact_pipeline.worker.workspace.files import CHUNK
from artifact_pipeline.worker.workspace.partial_file import CANNOT_HOLD
from artifact_pipeline.worker.workspace.unpacked_tree import UnpackedTree

_DEFAULT = ExtractLimits()
_CANNOT_HOLD = {
    **dict.fromkeys(CANNOT_HOLD),
    **dict.fromkeys((errno.EINVAL, errno.ENOENT), "the name is not allowed there"),
    **dict.fromkeys((errno.EPERM, errno.EACCES), "the name is reserved there"),
    # Two that differ are refused before: it takes them for one, as by their case.
    **dict.fromkeys((errno.EEXIST, errno.EISDIR), "the name is another entry's there"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacker:
    """Of one artifact's zip.

    Attributes:
        encoding: of names in the zip that do not name their encoding.
    """

    artifact: Artifact
    limits: ExtractLimits = _DEFAULT
    encoding: str | None = None

    def open(self, stream: IO[bytes]) -> zipfile.ZipFile:
        """Return the zip that a stream has. Raises: UnsafeArchiveError."""
        with self._translated():
            check_directory(stream, self.limits)
            return zipfile.ZipFile(stream)

    def entries(self, archive: zipfile.ZipFile) -> list[Entry]:
        """Check the entries and return them. Raises: UnsafeArchiveError."""
        with self._translated():
            return checked(archive, self.limits, self.encoding)

    def unpack(self, archive: zipfile.ZipFile, entry: Entry, tree: UnpackedTree) -> int:
        """Write an entry, whose bytes have its CRC-32; return its size.

        Raises:
            UnsafeArchiveError: its bytes are not those that were packed.
            FileSystemLimitError: the file system cannot hold it.
        """
        written = 0
        with self._held(entry):
            if entry.is_directory:
                tree.make_directory(entry.parts)
                return 0
            with os.fdopen(tree.create(entry.parts, entry.mode), "wb") as target:
                for chunk in self.chunks(archive, entry):
                    written += len(chunk)
                    target.write(chunk)
                target.flush()  # a later write would change the time again
                _set_time(target.fileno(), entry)
        if written != entry.info.file_size:
            raise self._unsafe(
                f"entry {entry.number}: its size differs from the size in the zip's list"
            )
        return written

    @contextmanager
    def _held(self, entry: Entry) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # The directory is ours and could be made, so what fails is this one entry.
            if error.errno not in _CANNOT_HOLD:
                raise
            why = _CANNOT_HOLD[error.errno] or error.strerror
            said = f"the target's file system cannot hold entry {entry.number}: {why}"
            raise FileSystemLimitError(f"{self.artifact}: {said}: {shown(entry.name)}") from None

    def chunks(self, archive: zipfile.ZipFile, entry: Entry) -> Iterator[bytes]:
        """Yield the bytes of an entry; after the last ones its CRC-32 was compared.

        Raises:
            UnsafeArchiveError: the bytes are not those that were packed.
        """
        # `zipfile` gives at most as many bytes as the entry says, and compares its CRC.
        with self._translated(entry), archive.open(entry.info) as source:
            while chunk := source.read(CHUNK):
                yield chunk

    @contextmanager
    def _translated(self, entry: Entry | None = None) -> Iterator[None]:
        where = f": entry {entry.number}: {shown(entry.name)}" if entry else ""
        try:
            yield
        except UnsafeArchiveError as error:
            raise self._unsafe(str(error)) from None
        except BROKEN:
            # From None: it may quote a name, which could be anything.
            raise self._unsafe(f"the archive is damaged{where}") from None
        except OSError as error:
            if error.errno != errno.EINVAL:  # as of an offset before the beginning
                raise
            raise self._unsafe(f"the archive is damaged{where}") from None

    def _unsafe(self, what: str) -> UnsafeArchiveError:
        return UnsafeArchiveError(f"{self.artifact}: {what}")


def _set_time(file: int, entry: Entry) -> None:
    mtime_ns = mtime_ns_of(entry.info.extra)
    if mtime_ns is not None:
        # Not every file system has such times, and only the bytes count.
        with suppress(OSError):
            os.utime(file, ns=(mtime_ns, mtime_ns))
