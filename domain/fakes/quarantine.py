"""The quarantine in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from domain.fakes.transfers import InMemoryTransfers
from domain.quarantine import QuarantineFilter, RetrySummary
from domain.transfers import WRITING_DIRECTIONS, Transfer, TransferState


class InMemoryQuarantine:
    def __init__(self, transfers: InMemoryTransfers) -> None:
        self._transfers = transfers

    def list(self, which: QuarantineFilter, limit: int) -> Sequence[Transfer]:
        newest = sorted(self._fitting(which), key=_left_at, reverse=True)
        return newest[:limit]

    def count(self, which: QuarantineFilter) -> int:
        return len(self._fitting(which))

    def preview(self, which: QuarantineFilter) -> RetrySummary:
        fitting = self._fitting(which)
        superseded = sum(map(self._is_superseded, fitting))
        return RetrySummary(retried=len(fitting) - superseded, superseded=superseded)

    def retry(self, which: QuarantineFilter) -> RetrySummary:
        summary = self.preview(which)
        for transfer in self._fitting(which):
            if not self._is_superseded(transfer):
                self._transfers.rows[transfer.id] = _again(transfer, self._transfers.now())
        return summary

    def discard(self, which: QuarantineFilter) -> int:
        fitting = self._fitting(which)
        for transfer in fitting:
            cancelled = replace(transfer, state=TransferState.CANCELLED)
            self._transfers.rows[transfer.id] = cancelled
        return len(fitting)

    def _fitting(self, which: QuarantineFilter) -> Sequence[Transfer]:
        now = self._transfers.now()
        return [row for row in self._transfers.rows.values() if _fits(row, which, now)]

    def _is_superseded(self, transfer: Transfer) -> bool:
        latest = self._transfers.latest(transfer.artifact, transfer.direction)
        return latest is not None and latest.id != transfer.id


def _fits(transfer: Transfer, which: QuarantineFilter, now: datetime) -> bool:
    if transfer.state is not TransferState.QUARANTINED or transfer.finished_at is None:
        return False
    age = now - transfer.finished_at
    return (
        (not which.reasons or transfer.reason_code in which.reasons)
        and (not which.kinds or transfer.artifact.kind in which.kinds)
        and (not which.job_ids or transfer.artifact.job_id in which.job_ids)
        and (which.older_than is None or age >= which.older_than)
        and (which.newer_than is None or age <= which.newer_than)
    )


def _again(transfer: Transfer, now: datetime) -> Transfer:
    may_have_written = transfer.fence > 0 and transfer.direction in WRITING_DIRECTIONS
    ended = transfer.doubted_at or transfer.finished_at
    return replace(
        transfer,
        state=TransferState.REQUESTED,
        attempts=0,
        next_attempt_at=now,
        enqueued_at=None,
        finished_at=None,
        reason_code=None,
        last_error=None,
        doubted_at=ended if may_have_written else transfer.doubted_at,
    )


def _left_at(transfer: Transfer) -> tuple[datetime | None, int]:
    return transfer.finished_at, transfer.id
