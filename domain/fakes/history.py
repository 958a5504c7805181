"""The pipeline's own rows that have ended, in memory."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from artifact_pipeline.domain.fakes.batch_snapshots import InMemoryBatchSnapshots
from artifact_pipeline.domain.fakes.transfers import InMemoryTransfers
from artifact_pipeline.domain.model.batches import Batch, BatchState
from artifact_pipeline.domain.model.history import HistoryPage, PrunedRows
from artifact_pipeline.domain.model.transfers import Transfer, TransferState

_ENDED = (TransferState.DONE, TransferState.CANCELLED)
_ENDED_BATCHES = (BatchState.DONE, BatchState.CANCELLED)


class InMemoryHistory:
    def __init__(self, transfers: InMemoryTransfers, snapshots: InMemoryBatchSnapshots) -> None:
        self._transfers = transfers
        self._snapshots = snapshots
        self._position = 0
        self._completed_at: datetime | None = None

    def old_batches(self, older_than: timedelta) -> Sequence[int]:
        batches = (row.batch for row in self._snapshots.records.values())
        return [batch.id for batch in batches if self._is_old_batch(batch, older_than)]

    def count_batches(self, batch_ids: Collection[int]) -> PrunedRows:
        members = sum(len(self._snapshots.record_of(each).members) for each in batch_ids)
        return PrunedRows(batches=len(batch_ids), batch_members=members)

    def prune_batch(self, batch_id: int, older_than: timedelta, limit: int) -> PrunedRows | None:
        if batch_id not in self.old_batches(older_than):
            return None
        page = [row for row in self._rows if row.batch_id == batch_id][:limit]
        if page:
            return PrunedRows(transfers=sum(self._prune(row, older_than) for row in page))
        row = self._snapshots.record_of(batch_id)
        removed = row.members[:limit]
        if removed:
            row.members = row.members[limit:]
            return PrunedRows(batch_members=len(removed))
        self._snapshots.delete(batch_id)
        return PrunedRows(batches=1)

    def page(
        self, older_than: timedelta, *, after: int, limit: int, of_batches: Collection[int] = ()
    ) -> HistoryPage:
        page = [row for row in self._rows if row.id > after][:limit]
        batches = {None, *of_batches}
        ids = [
            row.id for row in page if row.batch_id in batches and self._is_prunable(row, older_than)
        ]
        until = self._transfers.now() - older_than
        is_end = len(page) < limit or all(row.requested_at > until for row in page)
        return HistoryPage(prunable=ids, last=page[-1].id if page else after, is_end=is_end)

    def prune_transfers(self, ids: Collection[int], older_than: timedelta) -> int:
        rows = [self._transfers.rows.get(each) for each in ids]
        alone = [row for row in rows if row is not None and row.batch_id is None]
        return sum(self._prune(row, older_than) for row in alone)

    def count_events(self, older_than: timedelta) -> int:
        return len(self._old_events(older_than))

    def prune_events(self, older_than: timedelta, limit: int) -> int:
        page = self._old_events(older_than)[:limit]
        for position in page:
            del self._transfers.events.rows[position]
        return len(page)

    def _old_events(self, older_than: timedelta) -> list[int]:
        rows = self._transfers.events.rows.values()
        return [row.position for row in rows if self._is_past(row.refused_at, older_than)]

    def position(self, every: timedelta) -> int | None:
        now, completed = self._transfers.now(), self._completed_at
        is_recent = completed is not None and completed > now - every
        return None if is_recent and not self._position else self._position

    def keep_position(self, position: int) -> None:
        self._position = position

    def complete_pass(self) -> None:
        self._position, self._completed_at = 0, self._transfers.now()

    @property
    def _rows(self) -> list[Transfer]:
        return sorted(self._transfers.rows.values(), key=lambda row: row.id)

    def _prune(self, row: Transfer, older_than: timedelta) -> bool:
        if self._is_prunable(row, older_than):
            del self._transfers.rows[row.id]
            return True
        self._transfers.rows[row.id] = replace(row, batch_id=None)
        return False

    def _is_prunable(self, row: Transfer, older_than: timedelta) -> bool:
        is_superseded = any(
            other.id > row.id and (other.artifact, other.direction) == (row.artifact, row.direction)
            for other in self._transfers.rows.values()
        )
        is_old = self._is_past(row.finished_at, older_than)
        return row.state in _ENDED and is_old and is_superseded and row.unverified_since is None

    def _is_old_batch(self, batch: Batch, older_than: timedelta) -> bool:
        needed = any(
            row.state.is_active or row.state is TransferState.QUARANTINED
            for row in self._transfers.rows.values()
            if row.batch_id == batch.id
        )
        is_old = self._is_past(batch.finished_at, older_than)
        return batch.state in _ENDED_BATCHES and is_old and not needed

    def _is_past(self, moment: datetime | None, age: timedelta) -> bool:
        return moment is not None and moment <= self._transfers.now() - age
