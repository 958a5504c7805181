"""What use cases need of the workspace."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.artifacts import (
    Artifact,
)
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.ports.jobs import IJobRepository as IJobRepository  # noqa: PLC0414 - re-exported
from artifact_pipeline.domain.ports.jobs import IRunRepository as IRunRepository  # noqa: PLC0414 - re-exported
from artifact_pipeline.domain.ports.transfers import IRequestedTransfers as IRequestedTransfers  # noqa: PLC0414 - re-exported
from artifact_pipeline.domain.ports.transfers import ITransferRepository as ITransferRepository  # noqa: PLC0414 - re-exported
from artifact_pipeline.domain.ports.transfers import ITransferRequests as ITransferRequests  # noqa: PLC0414 - re-exported


@runtime_checkable
class Source(Protocol):
    """The bytes of an artifact in the workspace."""

    @property
    def exact_size(self) -> int | None:
        """Bytes, where they are known without reading."""

    @property
    def largest_size(self) -> int:
        """Bytes that there can be at the most."""

    @property
    def links_left_out(self) -> int:
        """How many links led outside, or in a circle; known once all chunks were read."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes, the same at each call.

        Raises:
            SourceChangedError: the source changed while it was read.
        """


@runtime_checkable
class IWorkspace(Protocol):
    def source(self, artifact: Artifact) -> Source:
        """The artifact's source, or SourceMissingError, SourceEmptyError, SourceInvalidError."""


class IPartialFile(Protocol):
    """The bytes that are there so far. All but the last range have the same size."""

    @property
    def missing(self) -> Sequence[int]:
        """The numbers, from 0 on, of the ranges that are not there."""

    def write(self, at: int, chunk: bytes) -> None:
        """Bytes in their place; called by several threads at once."""

    def mark(self, number: int) -> None:
        """All bytes of the range were written; called by several threads at once."""

    def chunks(self) -> Iterator[bytes]:
        """All bytes in their order."""

    def finish(self, *, replace: bool) -> None:
        """Let the file appear in its place, whole and at once.

        Raises:
            TargetExistsError: there is a file already, and it is not to be replaced.
        """

    def discard(self) -> None:
        """Throw away what is there."""


class ITarget(Protocol):
    """Where the bytes of an object go."""

    @property
    def exists(self) -> bool:
        """Whether there is something in the place."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the file that is in the place.

        Raises:
            TargetExistsError: what is there is no file.
        """

    def partial(self, there: BucketObject, range_size: int) -> AbstractContextManager[IPartialFile]:
        """What an attempt before has fetched of that very object; or else nothing yet.

        It is nobody else's until it is left, and stays for the next attempt unless it was finished
        or discarded.

        Raises:
            TargetBusyError: another process has it.
            WorkspaceUnavailableError: there is no place to write to.
        """

    def discard(self) -> None:
        """Throw away what was fetched and not finished, unless somebody is at it."""
