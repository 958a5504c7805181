"""What use cases need of batches."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batch_states import PaceChange
from artifact_pipeline.domain.model.batches import (
    Batch,
    BatchFilter,
    BatchMode,
    BatchPriority,
    BatchProgress,
    Listed,
    Member,
    Preview,
)
from artifact_pipeline.domain.model.release_windows import ReleaseWindow
from artifact_pipeline.domain.model.transfers import Transfer


@runtime_checkable
class IBatchSnapshots(Protocol):
    """Members that are frozen before anything is requested."""

    def freeze(
        self,
        which: BatchFilter,
        *,
        requested_by: str,
        expires_in: timedelta,
        listed: Iterable[Listed] | None = None,
        has_source: Callable[[Artifact], bool] | None = None,
    ) -> int:
        """Freeze what fits the filter now, and return the snapshot's id.

        Args:
            which: the filter.
            requested_by: who asks.
            expires_in: how long the snapshot can be started.
            listed: the lines of a file; the members are among these.
            has_source: whether an artifact can be uploaded; by default each is taken to be.
        """

    def preview(self, batch_id: int) -> Preview:
        """Return what the snapshot has frozen. Raises: NotFoundError."""

    def delete(self, batch_id: int) -> None:
        """Remove a snapshot that was not started."""


@runtime_checkable
class IBatches(Protocol):
    """Batches, by the rules of `domain.model.batch_states`.

    Each method raises NotFoundError for an unknown batch, and InvalidRequestError for an action
    that is not possible in the batch's state.
    """

    def get(self, batch_id: int) -> Batch:
        """Return the batch."""

    def newest(self, limit: int, *, before: int | None = None) -> list[Batch]:
        """Return batches and snapshots, newest first.

        Args:
            limit: how many.
            before: the id of the last batch of the page before.
        """

    def start(  # noqa: PLR0913 - all that is decided at the start
        self,
        batch_id: int,
        *,
        requested_by: str,
        reason: str,
        mode: BatchMode,
        rate: float | None,
        max_in_flight: int,
        is_forced: bool,
        notify: str | None = None,
        bytes_per_second: int | None = None,
        between: ReleaseWindow | None = None,
        priority: BatchPriority = BatchPriority.NORMAL,
        action_id: int | None = None,
    ) -> Batch:
        """Have the frozen members of that mode transferred; the next dispatch begins.

        Args: `action_id` in the audit trail, which ends in the same transaction.
        """

    def pause(self, batch_id: int) -> Batch:
        """Release no further member. Those that are requested already go on."""

    def resume(self, batch_id: int) -> Batch:
        """Release members again."""

    def change(self, batch_id: int, pace: PaceChange) -> Batch:
        """Change the pace, hours or priority from the next dispatch on."""

    def cancel(self, batch_id: int) -> int:
        """End the batch, cancel its active transfers, and return how many there were."""

    def progress(self, batch_id: int) -> BatchProgress:
        """Count what became of the members."""

    def members(self, batch_id: int) -> Iterator[Member]:
        """Yield every member in its order, with its outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What one release of members came to.

    Attributes: `turns` counts the members that were passed over as well.
    """

    turns: int = 0
    transfers: Sequence[Transfer] = ()


class IBatchReleases(Protocol):
    def running(self) -> Sequence[Sequence[int]]:
        """Return the ids of the batches that are neither paused nor at an end.

        Those of one priority are together, the highest first. Among these, the batch with the
        fewest members in flight is the first, so that none is always behind another.
        """

    def release(self, batch_id: int, limit: int) -> Released:
        """Request the next members in their order, in one transaction.

        As many as the batch's rate, bytes, share and the limit allow; none outside its window, or
        while another process is at the same batch. A member whose artifact is being transferred is
        passed over. A batch that has no members left, and none active, is done.

        Raises:
            InvalidRequestError: this host does not know the time zone of its window.
        """

    def sent(self, transfers: Sequence[Transfer]) -> None:
        """Mark their messages as sent; the sweep sends unmarked ones again."""
