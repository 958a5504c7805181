"""Delete the pipeline's own rows that have ended long ago, a page at a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from artifact_pipeline.domain.model.history import PrunedRows
from artifact_pipeline.domain.ports.history import IHistory

PAGE = 1_000
BUDGET = timedelta(seconds=20)
"""How long the periodic task prunes each time; it runs every five minutes."""
PASS_EVERY = timedelta(days=1)
"""Rows that stay are read once in each pass, so passes are not endless."""
_NO_LETTERS: Callable[[timedelta], int] = lambda _older_than: 0  # noqa: E731 - a default


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneHistory:
    """Prunes ended transfers, ended batches with their members, refused events and dead letters.

    Attributes:
        older_than: how long ago they have ended.
        prune_letters: deletes the dead letters that are so old; returns how many.
        clock: in seconds.
    """

    history: IHistory
    older_than: timedelta
    prune_letters: Callable[[timedelta], int] = _NO_LETTERS
    clock: Callable[[], float] = field(default=time.monotonic)

    def __call__(self, budget: timedelta = BUDGET) -> PrunedRows:
        """Continue the pass, until it is complete or the time is over.

        Args:
            budget: no page begins after this time.
        """
        position = self.history.position(PASS_EVERY)
        if position is None:
            return PrunedRows()
        until = self.clock() + budget.total_seconds()
        return self._all(position, until)

    def everything(self) -> PrunedRows:
        """Prune all that is old enough now, however long it takes."""
        return self._all(0, float("inf"))

    def count(self) -> PrunedRows:
        """Return what `everything` would delete from SQL, and change nothing."""
        batches = self.history.old_batches(self.older_than)
        events = PrunedRows(artifact_events=self.history.count_events(self.older_than))
        counted, after = self.history.count_batches(batches) + events, 0
        while True:
            page = self.history.page(self.older_than, after=after, limit=PAGE, of_batches=batches)
            counted += PrunedRows(transfers=len(page.prunable))
            if page.is_end:
                return counted
            after = page.last

    def _all(self, position: int, until: float) -> PrunedRows:
        alone = self._letters() + self._events(until)
        return alone + self._batches(until) + self._transfers(position, until)

    def _events(self, until: float) -> PrunedRows:
        pruned = 0
        while True:
            page = self.history.prune_events(self.older_than, PAGE)
            pruned += page
            if page < PAGE or self.clock() >= until:
                return PrunedRows(artifact_events=pruned)

    def _letters(self) -> PrunedRows:
        return PrunedRows(dead_letters=self.prune_letters(self.older_than))

    def _batches(self, until: float) -> PrunedRows:
        pruned = PrunedRows()
        # Prune batches first, because transfers are pruned only once their batch is.
        for batch_id in self.history.old_batches(self.older_than):
            while self.clock() < until:
                page = self.history.prune_batch(batch_id, self.older_than, PAGE)
                if page is None:
                    break
                pruned += page
        return pruned

    def _transfers(self, after: int, until: float) -> PrunedRows:
        pruned = PrunedRows()
        while self.clock() < until:
            page = self.history.page(self.older_than, after=after, limit=PAGE)
            if page.prunable:
                removed = self.history.prune_transfers(page.prunable, self.older_than)
                pruned += PrunedRows(transfers=removed)
            if page.is_end:
                self.history.complete_pass()
                break
            after = page.last
            self.history.keep_position(after)
        return pruned
