"""Batches in memory: what may be done to them, what became of them, and their releases."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from artifact_pipeline.domain.fakes.batch_candidates import Candidate
from artifact_pipeline.domain.fakes.batch_snapshots import (
    BatchRecord,
    InMemoryBatchSnapshots,
    as_member,
)
from artifact_pipeline.domain.fakes.transfers import InMemoryTransfers
from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.batch_states import (
    TRANSITIONS,
    BatchAction,
    Pace,
    PaceChange,
    check_can_start,
    check_has_members,
    check_reason,
    refusal,
)
from artifact_pipeline.domain.model.batches import (
    Batch,
    BatchMode,
    BatchPriority,
    BatchProgress,
    BatchState,
    Member,
    Outcome,
)
from artifact_pipeline.domain.model.byte_budget import ByteBudget
from artifact_pipeline.domain.model.release_windows import ALWAYS, ReleaseWindow
from artifact_pipeline.domain.model.trace_context import current_trace
from artifact_pipeline.domain.model.transfers import Transfer, TransferState
from artifact_pipeline.domain.ports.batches import Released


class InMemoryBatches:
    """Batches in memory.

    Args: `snapshots` has the batches, and the transfers that their members become.
    """

    def __init__(self, snapshots: InMemoryBatchSnapshots) -> None:
        self._snapshots = snapshots

    def get(self, batch_id: int) -> Batch:
        return self._snapshots.record_of(batch_id).batch

    def newest(self, limit: int, *, before: int | None = None) -> list[Batch]:
        batches = [row.batch for row in reversed(self._snapshots.records.values())]
        return [each for each in batches if before is None or each.id < before][:limit]

    def start(  # noqa: PLR0913 - as the port has it
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
        del action_id  # its end is kept by who began it
        reason, row, now = check_reason(reason), self._snapshots.record_of(batch_id), self._now()
        check_can_start(row.batch, now)
        members = len(row.of_mode(mode))
        check_has_members(batch_id, mode, members)
        row.paced_to, row.trace_headers = now, current_trace()
        row.budget = _budget(bytes_per_second, now)
        return self._do(
            BatchAction.START,
            batch_id,
            requested_by=requested_by,
            reason=reason,
            mode=mode,
            rate=rate,
            max_in_flight=max_in_flight,
            is_forced=is_forced,
            members=members,
            started_at=now,
            notify=notify,
            bytes_per_second=bytes_per_second or None,
            between=between,
            priority=priority,
        )

    def pause(self, batch_id: int) -> Batch:
        return self._do(BatchAction.PAUSE, batch_id)

    def resume(self, batch_id: int) -> Batch:
        resumed = self._do(BatchAction.RESUME, batch_id)
        self._snapshots.record_of(batch_id).paced_to = self._now()
        return resumed

    def change(self, batch_id: int, pace: PaceChange) -> Batch:
        values: dict[str, object] = {}
        if pace.rate is not None:
            values["rate"] = pace.rate or None
        if pace.max_in_flight is not None:
            values["max_in_flight"] = pace.max_in_flight
        if pace.bytes_per_second is not None:
            values["bytes_per_second"] = pace.bytes_per_second or None
        if pace.between is not None:
            values["between"] = None if pace.between == ALWAYS else pace.between
        if pace.priority is not None:
            values["priority"] = pace.priority
        changed = self._do(BatchAction.CHANGE, batch_id, **values)
        row = self._snapshots.record_of(batch_id)
        if pace.rate is not None:
            row.paced_to = self._now()
        if pace.bytes_per_second is not None:
            row.budget = _budget(pace.bytes_per_second, self._now())
        return changed

    def cancel(self, batch_id: int) -> int:
        self._do(BatchAction.CANCEL, batch_id, finished_at=self._now())
        self._tell_end(batch_id)
        active = self._active(batch_id)
        for transfer in active:
            cancelled = self._transfers.rows[transfer.id] = replace(
                transfer,
                state=TransferState.CANCELLED,
                finished_at=self._now(),
                lease_owner=None,
                lease_expires_at=None,
            )
            self._transfers.events.write_transfer(cancelled, EventType.TRANSFER_CANCELLED)
        return len(active)

    def progress(self, batch_id: int) -> BatchProgress:
        batch = self.get(batch_id)
        if batch.mode is None:
            return BatchProgress(batch=batch)
        members = list(self.members(batch_id))
        return BatchProgress(
            batch=batch,
            outcomes=Counter(member.outcome for member in members),
            bytes_moved=sum(member.bytes_moved or 0 for member in members),
            as_of=self._now(),
        )

    def members(self, batch_id: int) -> Iterator[Member]:
        row = self._snapshots.record_of(batch_id)
        return iter([self._ended(row, position, member) for position, member in row.to_transfer])

    def running(self) -> Sequence[Sequence[int]]:
        batches = [row.batch for row in self._snapshots.records.values()]
        going = [batch for batch in batches if batch.state is BatchState.RUNNING]
        going.sort(key=lambda batch: (-batch.priority.rank, len(self._active(batch.id)), batch.id))
        equals = groupby(going, lambda batch: batch.priority)
        return [[batch.id for batch in group] for _, group in equals]

    def release(self, batch_id: int, limit: int) -> Released:
        row = self._snapshots.records.get(batch_id)
        if row is None or row.batch.state is not BatchState.RUNNING or row.paced_to is None:
            return Released()
        pace = Pace(rate=row.batch.rate, paced_to=row.paced_to, now=self._now())
        row.settle(self._transfers.rows.values(), pace.now)
        share = (row.batch.max_in_flight or 0) - len(self._active(batch_id))
        is_open = row.batch.between is None or row.batch.between.is_open(pace.now)
        allowed = int(min(limit, share, pace.allowed)) if is_open else 0
        following = [
            (position, member) for position, member in row.to_transfer if position > row.released_to
        ]
        if not following:
            if not self._active(batch_id):
                self._do(BatchAction.FINISH, batch_id, finished_at=self._now())
                self._tell_end(batch_id)
            return Released()
        page = following[: max(allowed, 0)]
        if row.budget is not None:
            sizes = ((member.artifact.kind, member.size) for _, member in page)
            page = page[: row.budget.affordable(sizes)]
        if not page:
            return Released()
        row.released_to, row.paced_to = page[-1][0], pace.after(len(page))
        asked = [self._request(row, position, member) for position, member in page]
        requested = [transfer for transfer in asked if transfer is not None]
        if row.budget is not None:
            row.budget = row.budget.after(sum(each.charged_bytes or 0 for each in requested))
        return Released(turns=len(page), transfers=requested)

    def sent(self, transfers: Sequence[Transfer]) -> None:
        for transfer in transfers:
            row = self._transfers.rows[transfer.id]
            self._transfers.rows[transfer.id] = replace(row, enqueued_at=self._now())

    @property
    def _transfers(self) -> InMemoryTransfers:
        return self._snapshots.candidates.transfers

    def _tell_end(self, batch_id: int) -> None:
        batch = self.get(batch_id)
        if batch.started_at is not None:
            self._transfers.events.write_batch(
                batch.notify,
                batch_id=batch_id,
                batch_state=batch.state,
                batch_members=batch.members,
            )

    def _now(self) -> datetime:
        return self._transfers.now()

    def _do(self, action: BatchAction, batch_id: int, **values: object) -> Batch:
        row, transition = self._snapshots.record_of(batch_id), TRANSITIONS[action]
        if row.batch.state not in transition.of:
            raise refusal(row.batch, action)
        state = transition.to or row.batch.state
        row.batch = replace(row.batch, state=state, **values)  # type: ignore[arg-type] # by name
        return row.batch

    def _active(self, batch_id: int) -> list[Transfer]:
        rows = self._transfers.rows.values()
        return [row for row in rows if row.batch_id == batch_id and row.state.is_active]

    def _request(self, row: BatchRecord, position: int, member: Candidate) -> Transfer | None:
        """Request the member, unless its artifact is being transferred already."""
        batch = row.batch
        last = self._transfers.latest(member.artifact, member.direction)
        if last is not None and last.state.is_active:
            return None
        made = self._transfers.request(
            member.artifact,
            member.direction,
            _request_id(batch.id, position),
            batch.requested_by,
            workspace=member.workspace or "",
        )
        of_batch = replace(
            made,
            batch_id=batch.id,
            is_forced=batch.is_forced,
            trace_headers=row.trace_headers,
            charged_bytes=row.budget.charge(member.artifact.kind, member.size)
            if row.budget
            else None,
        )
        self._transfers.rows[made.id] = of_batch
        return of_batch

    def _ended(self, row: BatchRecord, position: int, member: Candidate) -> Member:
        request_id = _request_id(row.batch.id, position)
        transfer = self._transfers.of_request(request_id, member.artifact.job_id, member.direction)
        if transfer is not None:
            return replace(
                as_member(member),
                outcome=_outcome(transfer),
                attempts=transfer.attempts,
                bytes_moved=transfer.bytes_sent,
                reason=transfer.reason_code,
                finished_at=transfer.finished_at,
            )
        if position <= row.released_to:
            return replace(as_member(member), outcome=Outcome.ALREADY_RUNNING)
        return replace(as_member(member), outcome=row.batch.unreleased)


def _budget(bytes_per_second: int | None, now: datetime) -> ByteBudget | None:
    return ByteBudget(limit=bytes_per_second, paced_to=now, now=now) if bytes_per_second else None


def _request_id(batch_id: int, position: int) -> str:
    return f"batch-{batch_id}-{position}"


def _outcome(transfer: Transfer) -> Outcome:
    if transfer.state.is_active:
        return Outcome.ACTIVE
    if transfer.state is TransferState.DONE:
        return Outcome.UNCHANGED if transfer.bytes_sent == 0 else Outcome.DONE
    is_failed = transfer.state is TransferState.QUARANTINED
    return Outcome.FAILED if is_failed else Outcome.CANCELLED
