"""The target file of a download, which appears whole or not at all."""

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from artifact_pipeline.domain.errors import InvalidRequestError, TargetBusyError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.worker.workspace.directories import RootCheck, reached
from artifact_pipeline.worker.workspace.enclosure import is_regular
from artifact_pipeline.worker.workspace.files import CHUNK
from artifact_pipeline.worker.workspace.partial_file import (
    Layout,
    PartialFile,
    in_the_way,
    is_named,
    look,
    writing,
)

logger = logging.getLogger(__name__)

_MODE = 0o644
_TRIES = 10

_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: to open a FIFO that has no other end would block the worker without end.
_TO_READ = os.O_RDONLY | os.O_NONBLOCK | _NO_LINK
_TO_WRITE = os.O_RDWR | os.O_NONBLOCK | _NO_LINK


@dataclass(frozen=True, slots=True)
class Target:
    """The place of a file, and of its partial file, below an output root.

    Only the root itself may be a link: below it, users' programs write.

    Attributes:
        place: relative to the root; directories on the way are made if they are missing.
        check: of the root, before anything is read or made below it.

    Raises:
        InvalidRequestError: the place is not below the root.
    """

    artifact: Artifact
    root: Path
    place: str
    check: RootCheck | None = None

    def __post_init__(self) -> None:
        path = PurePosixPath(self.place)
        if path.is_absolute() or not path.name or ".." in path.parts:
            raise InvalidRequestError(f"{self.artifact}: its place is not below the output root")

    @property
    def exists(self) -> bool:
        with writing(self.artifact), self._reached(make=False) as directory:
            return directory is not None and look(self._name, directory) is not None

    def chunks(self) -> Iterator[bytes]:
        with writing(self.artifact), ExitStack() as opened:
            directory = opened.enter_context(self._reached(make=False))
            if directory is None:
                raise FileNotFoundError(errno.ENOENT, "")
            file = os.open(self._name, _TO_READ, dir_fd=directory)
            opened.callback(os.close, file)
            if not is_regular(os.fstat(file)):
                raise in_the_way(self.artifact)
            while chunk := os.read(file, CHUNK):
                yield chunk

    @contextmanager
    def partial(self, source: BucketObject, range_size: int) -> Iterator["PartialFile"]:
        with ExitStack() as opened:
            with writing(self.artifact):
                directory = opened.enter_context(self._reached(make=True))
                assert directory is not None  # noqa: S101 - it was made
                layout = Layout(source, range_size)
                file = self._locked(directory, layout)
                opened.callback(os.close, file)
            yield PartialFile(self.artifact, directory, self._name, self._partial, file, layout)

    def has_part_of_another(self, source: BucketObject, range_size: int) -> bool:
        with self._left() as left:
            if left is None:
                return False
            file, _directory = left
            # With two names it is finished, and nothing can be lost.
            is_unfinished = is_regular(seen := os.fstat(file)) and seen.st_nlink == 1
            return is_unfinished and not Layout(source, range_size).is_of(file)

    def discard(self) -> None:
        with self._left() as left:
            if left is None:
                return
            file, directory = left
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_named(file, self._partial, directory):
                os.unlink(self._partial, dir_fd=directory)

    @contextmanager
    def _left(self) -> Iterator[tuple[int, int] | None]:
        """Open what an attempt before has left, and yield it with its directory."""
        with writing(self.artifact), ExitStack() as opened:
            directory = opened.enter_context(self._reached(make=False))
            if directory is None or look(self._partial, directory) is None:
                yield None
                return
            file = os.open(self._partial, _TO_READ, dir_fd=directory)
            opened.callback(os.close, file)
            yield file, directory

    @property
    def _name(self) -> str:
        return PurePosixPath(self.place).name

    @property
    def _partial(self) -> str:
        return f".{self._name}.part"

    def _reached(self, *, make: bool) -> AbstractContextManager[int | None]:
        parent = PurePosixPath(self.place).parent
        return reached(self.root, parent, make=make, check=self.check)

    def _locked(self, directory: int, layout: Layout) -> int:
        """Return a descriptor of the partial file; no other process gets one while it is open."""
        for _ in range(_TRIES):
            with ExitStack() as opened:
                file = os.open(self._partial, _TO_WRITE | os.O_CREAT, _MODE, dir_fd=directory)
                opened.callback(os.close, file)
                if self._can_resume(file, directory, layout):
                    opened.pop_all()
                    return file
        raise TargetBusyError

    def _can_resume(self, file: int, directory: int, layout: Layout) -> bool:
        """Return whether it is locked and of this object; if not, it is deleted."""
        if not is_regular(os.fstat(file)):
            raise in_the_way(self.artifact)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between the opening and the lock, the process that had it may have finished it.
        if not is_named(file, self._partial, directory):
            return False
        if layout.exists_or_begun(file):
            return True
        self._log_restart(file)
        # Do not empty it: it may be the finished file under its other name, if a process was killed
        # between giving it the one and taking the other away.
        os.unlink(self._partial, dir_fd=directory)
        return False

    def _log_restart(self, file: int) -> None:
        seen = os.fstat(file)
        if seen.st_nlink == 1:  # else it is finished
            logger.info(
                "%s: the download starts from zero. Its partial file (%s bytes) is of another"
                " object, another size of ranges, or another release",
                self.artifact,
                f"{seen.st_size:,}",
            )
