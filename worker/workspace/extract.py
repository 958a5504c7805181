"""Unpacking archives from any source."""

import fcntl
import os
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.workspace.archive_rules import OLD, UNFINISHED, Entry, ExtractLimits
from artifact_pipeline.worker.workspace.directories import RootCheck, opened_directory, reached
from artifact_pipeline.worker.workspace.naming import sync_directory
from artifact_pipeline.worker.workspace.partial_file import look, writing
from artifact_pipeline.worker.workspace.removal import remove_tree
from artifact_pipeline.worker.workspace.unpacked_tree import UnpackedTree
from artifact_pipeline.worker.workspace.unpacking import Unpacker

_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC
_DEFAULT = ExtractLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """The result of unpacking a zip.

    Attributes: `kept` are names at the top that were there already, and stayed.
    """

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
        encoding: of names in the archive that do not name their encoding.
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
            replace: whether an existing entry at the top is replaced.

        Raises:
            UnsafeArchiveError: it is broken, or would do harm.
            TargetBusyError: another process unpacks to the same place.
            WorkspaceUnavailableError: it cannot be written.
            FileSystemLimitError: the file system there cannot hold one of the entries.
        """
        with writing(self.artifact), ExitStack() as opened:
            archive = opened.enter_context(self._opened())
            entries = self._unpacker.entries(archive)
            into = opened.enter_context(self._reached(self.into))
            assert into is not None  # noqa: S101 - it was made
            opened.enter_context(locked(into))
            size = self._unpack(archive, entries, into)
            kept = _move_into_place(into, replace=replace)
        files = sum(not entry.is_directory for entry in entries)
        return Extracted(files=files, bytes=size, kept=kept)

    @property
    def _unpacker(self) -> Unpacker:
        return Unpacker(artifact=self.artifact, limits=self.limits, encoding=self.encoding)

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        with ExitStack() as opened:
            above = opened.enter_context(self._reached(self.archive.parent))
            file = os.open(self.archive.name, os.O_RDONLY | _NO_LINK, dir_fd=above)
            stream = opened.enter_context(os.fdopen(file, "rb"))
            yield opened.enter_context(self._unpacker.open(stream))

    def _reached(self, directory: PurePosixPath) -> AbstractContextManager[int | None]:
        return reached(self.root, directory, make=True, check=self.check)

    def _unpack(self, archive: zipfile.ZipFile, entries: list[Entry], into: int) -> int:
        with unfinished(into) as directory, UnpackedTree(directory) as tree:
            return sum(self._unpacker.unpack(archive, entry, tree) for entry in entries)


@contextmanager
def unfinished(into: int) -> Iterator[int]:
    """Make a private directory to unpack to, so that no other user can put a link into it."""
    os.mkdir(UNFINISHED, 0o700, dir_fd=into)
    with opened_directory(UNFINISHED, into) as directory:
        yield directory


@contextmanager
def locked(into: int) -> Iterator[None]:
    """Keep other processes out, and clear what a killed one has left, now and at the end.

    What was put away and has nothing in its place, as after a failure, is put back.
    """
    fcntl.flock(into, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        _clear(into)
        yield
    finally:
        _clear(into)


def _move_into_place(into: int, *, replace: bool) -> tuple[str, ...]:
    kept = []
    with opened_directory(UNFINISHED, into) as unpacked:
        for name in sorted(os.listdir(unpacked)):  # noqa: PTH208 - of a descriptor
            if look(name, into) is not None:
                if not replace:
                    kept.append(name)
                    continue
                _put_away(name, into)
            os.rename(name, name, src_dir_fd=unpacked, dst_dir_fd=into)
        sync_directory(into)
    return tuple(kept)


def _put_away(name: str, into: int) -> None:
    with suppress(FileExistsError):
        os.mkdir(OLD, 0o700, dir_fd=into)
    with opened_directory(OLD, into) as old:
        os.rename(name, name, src_dir_fd=into, dst_dir_fd=old)


def _put_back(into: int) -> None:
    if look(OLD, into) is None:
        return
    with opened_directory(OLD, into) as old:
        for name in os.listdir(old):  # noqa: PTH208 - of a descriptor
            if look(name, into) is None:
                os.rename(name, name, src_dir_fd=old, dst_dir_fd=into)


def _clear(into: int) -> None:
    # First, and nothing is removed if it fails: there is no other copy of it.
    _put_back(into)
    _remove_unfinished(into)
    if look(OLD, into) is not None:
        # A kill may leave half of what is removed, which must not be put back.
        os.rename(OLD, UNFINISHED, src_dir_fd=into, dst_dir_fd=into)
        _remove_unfinished(into)


def _remove_unfinished(into: int) -> None:
    if look(UNFINISHED, into) is not None:
        remove_tree(UNFINISHED, into)
