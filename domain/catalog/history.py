"""The use case that tells who did what with a job's artifacts, when and why."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from artifact_pipeline.domain.errors import NotFoundError
from artifact_pipeline.domain.model.batches import Batch
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.operator_actions import (
    ActionName,
    ActionOutcome,
    OperatorAction,
)
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.domain.ports.audit_trail import IAuditTrail

UNDER_WAY = "unfinished"
"""The outcome of an action that runs, or whose process was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """Something that was done with artifacts of a job.

    Attributes:
        at: when it was asked for.
        what: the direction of a transfer, or an operator's command.
        id: of the transfer, of the batch or of the action.
        by: who asked; None if the request did not say.
        reason: why, if it was said.
        outcome: what became of it: of a transfer and of a batch its state.
        detail: more of that, in one line.
    """

    at: datetime
    what: str
    id: int
    by: str | None = None
    reason: str | None = None
    job_id: int | None = None
    run_id: int | None = None
    kind: ArtifactKind | None = None
    outcome: str
    finished_at: datetime | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHistory:
    """Merges operators' actions, transfers and batches.

    Attributes:
        transfers_of: returns the transfers of a job.
        batch: returns a batch by its id; NotFoundError if it is gone.
    """

    trail: IAuditTrail
    transfers_of: Callable[[int], Iterable[Transfer]]
    batch: Callable[[int], Batch]

    def __call__(self, job_id: int) -> list[HistoryEntry]:
        """Return what was done under a job's id, oldest first.

        That includes an earlier job with this id, if the platform uses ids again.
        """
        transfers = list(self.transfers_of(job_id))
        batches = self._batches(transfers)
        actions = self.trail.of_job(job_id, batches)
        entries = [
            *(_of_transfer(each, batches) for each in transfers),
            *(_of_batch(each, transfers) for each in batches.values()),
            *(entry_of(each) for each in actions if not _is_known(each, batches)),
        ]
        return sorted(entries, key=lambda entry: entry.at)

    def _batches(self, transfers: Iterable[Transfer]) -> dict[int, Batch]:
        ids = {each.batch_id for each in transfers if each.batch_id is not None}
        return {batch.id: batch for batch in self._found(ids)}

    def _found(self, ids: Iterable[int]) -> Iterator[Batch]:
        for batch_id in sorted(ids):
            try:
                yield self.batch(batch_id)
            except NotFoundError:
                continue


def entry_of(action: OperatorAction) -> HistoryEntry:
    """Return an operator's action as an entry of a history."""
    target = ", ".join(f"{name} {_plain(value)}" for name, value in action.target.items())
    about = f"batch {action.batch_id}" if action.batch_id is not None else ""
    said = ": ".join(filter(None, (" ".join(filter(None, (about, target))), action.result)))
    return HistoryEntry(
        at=action.started_at,
        what=action.name,
        id=action.id,
        by=action.actor,
        reason=action.reason,
        job_id=action.job_id,
        outcome=action.outcome or UNDER_WAY,
        finished_at=action.finished_at,
        detail=said or None,
    )


def _is_known(action: OperatorAction, batches: Mapping[int, Batch]) -> bool:
    """Return whether a batch itself tells of its start."""
    is_start = action.name == ActionName.BATCH_START and action.outcome == ActionOutcome.DONE
    return is_start and action.batch_id in batches


def _plain(value: object) -> str:
    if isinstance(value, Mapping):  # a range of ids, as filters have them
        return "-".join(dict.fromkeys(map(str, value.values())))
    return " ".join(map(_plain, value)) if isinstance(value, list | tuple) else str(value)


def _of_transfer(transfer: Transfer, batches: Mapping[int, Batch]) -> HistoryEntry:
    batch = batches.get(transfer.batch_id) if transfer.batch_id is not None else None
    why = (transfer.reason_code, transfer.last_error)
    return HistoryEntry(
        at=transfer.requested_at,
        what=transfer.direction,
        id=transfer.id,
        by=transfer.requested_by,
        reason=batch.reason if batch else None,
        job_id=transfer.artifact.job_id,
        run_id=transfer.artifact.run_id,
        kind=transfer.artifact.kind,
        outcome=transfer.state,
        finished_at=transfer.finished_at,
        detail=": ".join(each for each in why if each) or None,
    )


def _of_batch(batch: Batch, transfers: Iterable[Transfer]) -> HistoryEntry:
    of_job = sum(each.batch_id == batch.id for each in transfers)
    return HistoryEntry(
        at=batch.started_at or batch.requested_at,
        what=ActionName.BATCH_START,
        id=batch.id,
        by=batch.requested_by,
        reason=batch.reason,
        outcome=batch.state,
        finished_at=batch.finished_at,
        detail=f"transfers of this job: {of_job}",
    )
