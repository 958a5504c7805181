"""What use cases need of the workspace."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.objects import BucketObject


@runtime_checkable
class Source(Protocol):
    """The bytes of an artifact in the workspace."""

    @property
    def exact_size(self) -> int | None:
        """Bytes, where they are known without reading."""

    @property
    def largest_size(self) -> int:
        """The most bytes that there can be."""

    @property
    def links_left_out(self) -> int:
        """How many links led outside, or in a circle; known once all chunks were read."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes, the same at each call.

        Raises:
            SourceChangedError: the source changed while it was read.
        """


class IOpenFile(Protocol):
    """A file that is open, for reading at any place by several threads at once."""

    @property
    def size(self) -> int:
        """Bytes, as they were when the source was made."""

    def read_into(self, buffer: memoryview, at: int) -> None:
        """Fill the buffer with the bytes from `at` on.

        Raises:
            SourceChangedError: there are fewer.
        """

    def check(self) -> None:
        """Raise SourceChangedError if the file changed since the source was made."""


@runtime_checkable
class IReopenable(Protocol):
    """A source that can be read again at any place, so that no part of it need be in memory."""

    def opened(self) -> AbstractContextManager[IOpenFile]:
        """Open the file. Raises: SourceChangedError."""


@runtime_checkable
class IWorkspace(Protocol):
    def source(self, artifact: Artifact) -> Source:
        """Return the source. Raises: SourceMissingError, SourceEmptyError, SourceInvalidError."""


class IPartialFile(Protocol):
    """The file that a download writes to. All but the last range have the same size."""

    @property
    def marks(self) -> Mapping[int, bytes]:
        """The SHA-256 of each marked range, by its number from 0 on.

        A mark says what was written. After a crash the file may hold something else.
        """

    def write(self, at: int, chunk: bytes) -> None:
        """Write bytes at their place; called by several threads at once."""

    def mark(self, number: int, digest: bytes) -> None:
        """Record that all of a range was written, with its SHA-256; called by several threads."""

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Read the bytes from `start` to before `stop` in order; fewer where the file ends."""

    def finish(self, *, replace: bool) -> None:
        """Flush the file and give it its name, whole and at once.

        Raises:
            TargetExistsError: there is a file already, and it is not to be replaced.
        """

    def discard(self) -> None:
        """Delete the file."""


class ITarget(Protocol):
    """The place of a downloaded file."""

    @property
    def exists(self) -> bool:
        """Return whether the place is taken."""

    def chunks(self) -> Iterator[bytes]:
        """Read the file that is in the place.

        Raises:
            TargetExistsError: something else than a file exists there.
        """

    def partial(
        self, source: BucketObject, range_size: int
    ) -> AbstractContextManager[IPartialFile]:
        """Open what an earlier attempt has fetched of this object, or an empty file.

        It is locked until the context ends, and stays for the next attempt unless it was finished
        or discarded.

        Raises:
            TargetBusyError: another process has it.
            WorkspaceUnavailableError: there is no place to write to.
        """

    def has_part_of_another(self, source: BucketObject, range_size: int) -> bool:
        """Return whether an attempt before has begun with another object, and not finished it.

        `partial` would delete what it has fetched.
        """

    def discard(self) -> None:
        """Delete what was fetched and not finished, unless another process holds it."""
