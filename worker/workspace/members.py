"""Single files out of a zip that stays where it is."""

import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import IO, cast

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.workspace.archive_rules import Entry, ends_of
from artifact_pipeline.worker.workspace.directories import RootCheck, reached
from artifact_pipeline.worker.workspace.extract import locked, unfinished
from artifact_pipeline.worker.workspace.files import CHUNK
from artifact_pipeline.worker.workspace.naming import Place, rename_without_replacing
from artifact_pipeline.worker.workspace.partial_file import in_the_way, look, writing
from artifact_pipeline.worker.workspace.ranged_file import RangedFile
from artifact_pipeline.worker.workspace.unpacked_tree import UnpackedTree
from artifact_pipeline.worker.workspace.unpacking import Unpacker

_TO_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Present(Enum):
    """What is where a member would go."""

    NOTHING = "nothing"
    SAME = "the same bytes"
    OTHER = "something else"


class RemoteZip:
    """A zip that is read by ranged requests; to make one reads its list of entries.

    Raises:
        UnsafeArchiveError: it is broken, or would do harm.
    """

    def __init__(self, unpacker: Unpacker, stream: RangedFile) -> None:
        self.unpacker = unpacker
        self._stream = stream
        self._archive = unpacker.open(cast("IO[bytes]", stream))
        self.entries = unpacker.entries(self._archive)

    def expect(self, wanted: Sequence[Entry]) -> None:
        """Announce which entries are unpacked next, in the order of their offsets."""
        ends = ends_of(self._archive)
        starts = [entry.info.header_offset for entry in wanted]
        self._stream.expect([(start, ends[start]) for start in starts])

    def unpack(self, entry: Entry, tree: UnpackedTree) -> int:
        """Write an entry, and verify it. Raises: as `Unpacker.unpack`."""
        return self.unpacker.unpack(self._archive, entry, tree)

    def read(self, entry: Entry) -> Iterator[bytes]:
        """Yield the bytes of an entry, and verify them. Raises: as `Unpacker.chunks`."""
        self.expect([entry])
        yield from self.unpacker.chunks(self._archive, entry)

    def close(self) -> None:
        """End what is still being read."""
        self._archive.close()
        self._stream.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDirectory:
    """The directory for single files of one artifact's zip; each keeps its path in the zip.

    Attributes:
        into: relative to the root; made if it is missing.
        check: of the root, before anything is read or made below it.
    """

    artifact: Artifact
    root: Path
    into: PurePosixPath
    check: RootCheck | None = None

    def path(self, entry: Entry) -> Path:
        return self.root / self.into / entry.name

    @contextmanager
    def opened(self) -> Iterator["OpenMemberDirectory"]:
        """Keep other processes out.

        Raises:
            TargetBusyError: another process unpacks to the same place.
            WorkspaceUnavailableError: it cannot be written.
        """
        with writing(self.artifact), ExitStack() as opened:
            into = opened.enter_context(reached(self.root, self.into, make=True, check=self.check))
            assert into is not None  # noqa: S101 - it was made
            opened.enter_context(locked(into))
            unpacked = opened.enter_context(unfinished(into))
            yield OpenMemberDirectory(
                self.artifact,
                opened.enter_context(UnpackedTree(into)),
                opened.enter_context(UnpackedTree(unpacked)),
            )


@dataclass(frozen=True, slots=True)
class OpenMemberDirectory:
    """The open directory.

    Attributes:
        unpacked: is hidden, for files that are not complete.
        taken: the files that were put in their places, by device and inode.
    """

    artifact: Artifact
    target: UnpackedTree
    unpacked: UnpackedTree
    taken: set[tuple[int, int]] = field(default_factory=set)

    def present(self, entry: Entry) -> Present:
        """Compare what is in the entry's place with its size and CRC-32."""
        with writing(self.artifact):
            *above, name = entry.parts
            directory = self.target.find_directory(tuple(above))
            seen = None if directory is None else look(name, directory)
            if directory is None or seen is None:
                return Present.NOTHING
            if not stat.S_ISREG(seen.st_mode) or seen.st_size != entry.info.file_size:
                return Present.OTHER
            is_same = _crc32(name, directory) == entry.info.CRC
            return Present.SAME if is_same else Present.OTHER

    def take(self, stored: RemoteZip, entry: Entry, *, replace: bool) -> int:
        """Unpack an entry to its place, where it appears whole; return its size.

        Raises:
            TargetExistsError: there is something, and it is not to be replaced, or no file.
            UnsafeArchiveError, FileSystemLimitError, WorkspaceUnavailableError: as `Unpacker`.
        """
        with writing(self.artifact):
            size = stored.unpack(entry, self.unpacked)
            *above, name = entry.parts
            old = Place(name, self.unpacked.make_directory(tuple(above)))
            new = Place(name, self.target.make_directory(tuple(above)))
            if replace:
                self._replace(old, new)
            else:
                rename_without_replacing(old, new)
            if seen := look(new.name, new.directory):
                self.taken.add((seen.st_dev, seen.st_ino))
        return size

    def _replace(self, old: Place, new: Place) -> None:
        seen = look(new.name, new.directory)
        if seen is not None:
            # If a file system folds the names of two members, each would replace the other.
            is_taken = (seen.st_dev, seen.st_ino) in self.taken
            if is_taken or stat.S_ISDIR(seen.st_mode):
                raise in_the_way(self.artifact)
        os.replace(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory)


def _crc32(name: str, directory: int) -> int:
    crc = 0
    with os.fdopen(os.open(name, _TO_READ, dir_fd=directory), "rb") as file:
        while chunk := file.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc
