"""The pipeline's own rows that have ended, and how they are pruned."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.history import HistoryPage, PrunedRows


@runtime_checkable
class IHistory(Protocol):
    """Old rows that nothing needs any more; each call is short, by the database's clock.

    A transfer may be pruned once it is done or cancelled for long enough, its writes are verified,
    and its artifact has a later transfer of the same direction. A batch may be pruned once it has
    ended for long enough, and none of its transfers is active or in quarantine. An event may be
    pruned once its target has refused it for long enough.
    """

    def old_batches(self, older_than: timedelta) -> Sequence[int]:
        """Return the ids of the batches that may be pruned."""

    def count_batches(self, batch_ids: Collection[int]) -> PrunedRows:
        """Return how many rows pruning these batches removes, without their transfers."""

    def prune_batch(self, batch_id: int, older_than: timedelta, limit: int) -> PrunedRows | None:
        """Remove up to so many rows of the batch, and its own row last.

        Its transfers that must stay lose their batch. None if there is no such batch, or it must
        stay.
        """

    def page(
        self, older_than: timedelta, *, after: int, limit: int, of_batches: Collection[int] = ()
    ) -> HistoryPage:
        """Return the next transfers, and which of them may be pruned.

        Args:
            older_than: how long ago they have ended at least.
            after: the id after which the page begins.
            limit: how many transfers it has at most.
            of_batches: batches whose transfers count too; transfers of other batches do not.
        """

    def prune_transfers(self, ids: Collection[int], older_than: timedelta) -> int:
        """Delete the rows of a page that may still be pruned; return how many."""

    def count_events(self, older_than: timedelta) -> int:
        """Return how many events were refused that long ago."""

    def prune_events(self, older_than: timedelta, limit: int) -> int:
        """Delete up to so many of these; return how many."""

    def position(self, every: timedelta) -> int | None:
        """Return the id that the pass has come to; None if one was completed less than this ago."""

    def keep_position(self, position: int) -> None:
        """Let the next call continue after this id."""

    def complete_pass(self) -> None:
        """Let the next pass begin from the oldest transfer, after a pause."""
