"""A single file as the source of an artifact."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from artifact_pipeline.domain.errors import SourceEmptyError, SourceInvalidError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.workspace.enclosure import Enclosure, Stamp, is_regular
from artifact_pipeline.worker.workspace.failures import changed, lookup_errors, reading

CHUNK = 1024 * 1024
HELD = 64 * 1024
"""Bytes of a file that is read when it is looked at. To open it again would cost as much."""


class FileSource:
    """The bytes of one regular file, unchanged since this source was made.

    The bytes of a small file are in memory from then on.

    Args:
        real: the file's real path, relative to the enclosure.

    Raises:
        SourceMissingError: there is no such file.
        SourceEmptyError: it has no bytes.
        SourceInvalidError: it is something else than a regular file.
        SourceUnreadableError: the worker may not read it.
    """

    def __init__(self, artifact: Artifact, enclosure: Enclosure, real: str) -> None:
        self._artifact = artifact
        self._enclosure = enclosure
        self._real = real
        with lookup_errors(artifact):
            self._stamp, self._held = self._look()
        if not self._stamp.size:
            raise SourceEmptyError(f"{artifact}: the file has no bytes")

    @property
    def exact_size(self) -> int:
        return self._stamp.size

    @property
    def largest_size(self) -> int:
        return self._stamp.size

    @property
    def links_left_out(self) -> int:
        return 0

    def chunks(self) -> Iterator[bytes]:
        if self._held:
            return iter(self._held)
        return read(self._artifact, self._enclosure, self._real, self._stamp)

    @contextmanager
    def opened(self) -> Iterator["OpenFile"]:
        with ExitStack() as stack:
            # Only the opening: an error of what the file is read for is not the file's.
            with reading(self._artifact):
                descriptor = stack.enter_context(self._enclosure.opened(self._real))
            file = OpenFile(self._artifact, descriptor, self._stamp)
            file.check()
            yield file

    def _look(self) -> tuple[Stamp, list[bytes]]:
        """Return the stamp, and the bytes of a small file."""
        # Check before opening, because opening a device may already do something to it.
        if not is_regular(self._enclosure.look(self._real)):
            raise SourceInvalidError(f"{self._artifact}: not a regular file")
        with self._enclosure.opened(self._real) as descriptor:
            stamp = Stamp.of(os.fstat(descriptor))
            is_small = stamp.size <= HELD
            return stamp, list(_chunks(self._artifact, descriptor, stamp)) if is_small else []


@dataclass(frozen=True, slots=True)
class OpenFile:
    """The open file of a source, with the errors that `read` has."""

    artifact: Artifact
    descriptor: int
    stamp: Stamp

    @property
    def size(self) -> int:
        return self.stamp.size

    def read_into(self, buffer: memoryview, at: int) -> None:
        with reading(self.artifact):
            while buffer:
                count = os.preadv(self.descriptor, [buffer], at)
                if not count:
                    raise changed(self.artifact)
                buffer, at = buffer[count:], at + count

    def check(self) -> None:
        with reading(self.artifact):
            _check(self.artifact, self.descriptor, self.stamp)


def read(artifact: Artifact, enclosure: Enclosure, real: str, stamp: Stamp) -> Iterator[bytes]:
    """Yield the bytes of the file that has this stamp, also once they are read.

    Raises:
        SourceChangedError: it has another stamp, before the last chunk is out.
    """
    with reading(artifact), enclosure.opened(real) as descriptor:
        _check(artifact, descriptor, stamp)
        yield from _chunks(artifact, descriptor, stamp)


def _chunks(artifact: Artifact, descriptor: int, stamp: Stamp) -> Iterator[bytes]:
    left = stamp.size
    # Never past the size known at the start: a log that grows faster would have no end.
    while left:
        chunk = os.read(descriptor, min(CHUNK, left))
        left -= len(chunk)
        if not left or not chunk:
            _check(artifact, descriptor, stamp, left)
        yield chunk


def _check(artifact: Artifact, descriptor: int, stamp: Stamp, left: int = 0) -> None:
    seen = os.fstat(descriptor)
    if left or not is_regular(seen) or Stamp.of(seen) != stamp:
        raise changed(artifact)
