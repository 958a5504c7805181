"""The quarantine in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from artifact_pipeline.domain.fakes.audit_trail import InMemoryAuditTrail
from artifact_pipeline.domain.fakes.platform import InMemoryJobs
from artifact_pipeline.domain.fakes.selections import Tags, fits_artifact, fits_end, fits_job
from artifact_pipeline.domain.fakes.transfers import InMemoryTransfers
from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.quarantine import RetrySummary
from artifact_pipeline.domain.model.selection import Selection
from artifact_pipeline.domain.model.transfers import WRITING_DIRECTIONS, Transfer, TransferState


class InMemoryQuarantine:
    """The quarantine in memory.

    Args: `jobs` and their `tags` are for criteria about jobs; without them none fits. The `trail`
        notes the jobs of an action.
    """

    def __init__(
        self,
        transfers: InMemoryTransfers,
        jobs: InMemoryJobs | None = None,
        tags: Tags = MappingProxyType({}),
        trail: InMemoryAuditTrail | None = None,
    ) -> None:
        self._transfers = transfers
        self._jobs = jobs or InMemoryJobs()
        self._tags = tags
        self._trail = trail or InMemoryAuditTrail()

    def list(self, filters: Selection, limit: int) -> Sequence[Transfer]:
        newest = sorted(self._fitting(filters), key=_left_at, reverse=True)
        return newest[:limit]

    def count(self, filters: Selection) -> int:
        return len(self._fitting(filters))

    def preview(self, filters: Selection) -> RetrySummary:
        fitting = self._fitting(filters)
        superseded = sum(map(self._is_superseded, fitting))
        return RetrySummary(retried=len(fitting) - superseded, superseded=superseded)

    def retry(self, filters: Selection, action_id: int | None = None) -> RetrySummary:
        summary = self.preview(filters)
        again = [each for each in self._fitting(filters) if not self._is_superseded(each)]
        for transfer in again:
            self._transfers.rows[transfer.id] = _again(transfer, self._transfers.now())
        self._note(again, action_id)
        return summary

    def discard(self, filters: Selection, action_id: int | None = None) -> int:
        fitting = self._fitting(filters)
        self._note(fitting, action_id)
        for transfer in fitting:
            cancelled = replace(transfer, state=TransferState.CANCELLED)
            self._transfers.rows[transfer.id] = cancelled
            self._transfers.events.write_transfer(cancelled, EventType.TRANSFER_CANCELLED)
        return len(fitting)

    def _note(self, changed: Sequence[Transfer], action_id: int | None) -> None:
        if action_id is not None:
            self._trail.touch(action_id, {transfer.artifact.job_id for transfer in changed})

    def _fitting(self, filters: Selection) -> Sequence[Transfer]:
        return [row for row in self._transfers.rows.values() if self._fits(filters, row)]

    def _fits(self, filters: Selection, row: Transfer) -> bool:
        return (
            row.state is TransferState.QUARANTINED
            and (not filters.directions or row.direction in filters.directions)
            and fits_artifact(filters, row.artifact)
            and fits_job(filters, self._jobs.find_by_id(row.artifact.job_id), self._tags)
            and fits_end(filters, row, self._transfers.now())
        )

    def _is_superseded(self, transfer: Transfer) -> bool:
        latest = self._transfers.latest(transfer.artifact, transfer.direction)
        return latest is not None and latest.id != transfer.id


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
        past_attempts=None,
        doubted_at=ended if may_have_written else transfer.doubted_at,
    )


def _left_at(transfer: Transfer) -> tuple[datetime | None, int]:
    return transfer.finished_at, transfer.id
