"""Unpacking what somebody else has packed."""

import errno
import fcntl
import os
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from domain.artifacts import Artifact
from domain.errors import FileSystemLimitError, UnsafeArchiveError
from worker.workspace.archive_rules import (
    BROKEN,
    OLD,
    UNFINISHED,
    Entry,
    ExtractLimits,
    check_directory,
    checked,
)
from worker.workspace.directories import RootCheck, reached
from worker.workspace.entry_names import shown
from worker.workspace.files import CHUNK
from worker.workspace.partial_file import CANNOT_HOLD, look, writing
from worker.workspace.removal import remove_tree
from worker.workspace.unpacked_tree import UnpackedTree

_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | _NO_LINK
_DEFAULT = ExtractLimits()
_CANNOT_HOLD = {
    **dict.fromkeys(CANNOT_HOLD),
    **dict.fromkeys((errno.EINVAL, errno.ENOENT), "the name is not allowed there"),
    **dict.fromkeys((errno.EPERM, errno.EACCES), "the name is reserved there"),
    # Two that differ are refused before: it takes them for one, as by their case.
    **dict.fromkeys((errno.EEXIST, errno.EISDIR), "the name is another entry's there"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """Attributes: `kept` are names at the top that were there already, and stayed."""

    files: int
    bytes: int
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """Of one archive, below a root that users' programs write into as well.

    Attributes:
        archive: relative to the root.
        into: the directory for what is in it, relative to the root; made if it is missing.
        check: of the root, before anything is read or made below it.
        encoding: of names in the archive that do not say it themselves.
    """

    artifact: Artifact
    root: Path
    archive: PurePosixPath
    into: PurePosixPath
    limits: ExtractLimits = _DEFAULT
    check: RootCheck | None = None
    encoding: str | None = None

    def __call__(self, *, replace: bool) -> Extracted:
        """Unpack all of it, or nothing.

        Args:
            replace: whether what is there already under a name at the top gives way.

        Raises:
            UnsafeArchiveError: it is broken, or would do harm.
            TargetBusyError: another process unpacks to the same place.
            WorkspaceUnavailableError: it cannot be written.
            FileSystemLimitError: the file system there cannot hold one of the entries.
        """
        with writing(self.artifact), ExitStack() as opened:
            archive = opened.enter_context(self._opened())
            entries = self._entries(archive)
            into = opened.enter_context(self._reached(self.into))
            assert into is not None  # noqa: S101 - it was made
            fcntl.flock(into, fcntl.LOCK_EX | fcntl.LOCK_NB)
            opened.callback(_clear, into)
            _clear(into)  # what a killed process has left
            size = self._unpack(archive, entries, into)
            kept = _let_appear(into, replace=replace)
        files = sum(not entry.is_directory for entry in entries)
        return Extracted(files=files, bytes=size, kept=kept)

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        with ExitStack() as opened:
            above = opened.enter_context(self._reached(self.archive.parent))
            file = os.open(self.archive.name, os.O_RDONLY | _NO_LINK, dir_fd=above)
            stream = opened.enter_context(os.fdopen(file, "rb"))
            with self._translated():
                check_directory(stream, self.limits)
                archive = opened.enter_context(zipfile.ZipFile(stream))
            yield archive

    def _reached(self, directory: PurePosixPath) -> AbstractContextManager[int | None]:
        return reached(self.root, directory, make=True, check=self.check)

    def _entries(self, archive: zipfile.ZipFile) -> list[Entry]:
        with self._translated():
            return checked(archive, self.limits, self.encoding)

    def _unpack(self, archive: zipfile.ZipFile, entries: list[Entry], into: int) -> int:
        # Nobody else's, so that nothing is swapped for a link while it is written.
        os.mkdir(UNFINISHED, 0o700, dir_fd=into)
        unfinished = os.open(UNFINISHED, _DIRECTORY, dir_fd=into)
        try:
            with UnpackedTree(unfinished) as tree:
                return sum(self._unpack_one(archive, entry, tree) for entry in entries)
        finally:
            os.close(unfinished)

    def _unpack_one(self, archive: zipfile.ZipFile, entry: Entry, tree: UnpackedTree) -> int:
        written = 0
        with self._held(entry):
            if entry.is_directory:
                tree.make_directory(entry.parts)
                return 0
            with os.fdopen(tree.create(entry.parts), "wb") as target:
                for chunk in self._chunks(archive, entry):
                    written += len(chunk)
                    target.write(chunk)
        if written != entry.info.file_size:
            raise self._unsafe(f"entry {entry.number}: it has another size than it says")
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

    def _chunks(self, archive: zipfile.ZipFile, entry: Entry) -> Iterator[bytes]:
        # `zipfile` gives no more bytes than the entry says it has, and compares its CRC.
        with self._translated(), archive.open(entry.info) as source:
            while chunk := source.read(CHUNK):
                yield chunk

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except UnsafeArchiveError as error:
            raise self._unsafe(str(error)) from None
        except BROKEN:
            # From None: it may quote a name, which could be anything.
            raise self._unsafe("the archive is broken") from None
        except OSError as error:
            if error.errno != errno.EINVAL:  # as of an offset before the beginning
                raise
            raise self._unsafe("the archive is broken") from None

    def _unsafe(self, what: str) -> UnsafeArchiveError:
        return UnsafeArchiveError(f"{self.artifact}: {what}")


def _let_appear(into: int, *, replace: bool) -> tuple[str, ...]:
    unfinished = os.open(UNFINISHED, _DIRECTORY, dir_fd=into)
    kept = []
    try:
        for name in sorted(os.listdir(unfinished)):  # noqa: PTH208 - of a descriptor
            if look(name, into) is not None:
                if not replace:
                    kept.append(name)
                    continue
                _put_away(name, into)
            os.rename(name, name, src_dir_fd=unfinished, dst_dir_fd=into)
        os.fsync(into)
    finally:
        os.close(unfinished)
    return tuple(kept)


def _put_away(name: str, into: int) -> None:
    with suppress(FileExistsError):
        os.mkdir(OLD, 0o700, dir_fd=into)
    old = os.open(OLD, _DIRECTORY, dir_fd=into)
    try:
        os.rename(name, name, src_dir_fd=into, dst_dir_fd=old)
    finally:
        os.close(old)


def _clear(into: int) -> None:
    for name in (UNFINISHED, OLD):
        if look(name, into) is not None:
            remove_tree(name, into)
