"""The audit trail in memory."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime

from artifact_pipeline.domain.model.operator_actions import (
    ActionOutcome,
    NewAction,
    OperatorAction,
)
from artifact_pipeline.domain.redaction import redact


class InMemoryAuditTrail:
    """Operators' actions in memory. Attributes: `rows` are the actions by id."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.rows: dict[int, OperatorAction] = {}
        self._jobs: dict[int, set[int]] = defaultdict(set)
        self._clock = clock

    def begin(self, action: NewAction) -> int:
        given = {each.name: getattr(action, each.name) for each in fields(NewAction)}
        kept = OperatorAction(id=len(self.rows) + 1, started_at=self._clock(), **given)
        self.rows[kept.id] = kept
        return kept.id

    def touch(self, action_id: int, job_ids: Collection[int]) -> None:
        self._jobs[action_id].update(job_ids)

    def end(self, action_id: int, outcome: ActionOutcome, result: str | None = None) -> None:
        action = self.rows[action_id]
        if action.finished_at is None:
            self.rows[action_id] = replace(
                action,
                finished_at=self._clock(),
                outcome=outcome,
                result=None if result is None else redact(result),
            )

    def of_job(self, job_id: int, batch_ids: Collection[int] = ()) -> Sequence[OperatorAction]:
        return [
            action
            for action in self.rows.values()
            if action.job_id == job_id
            or job_id in self._jobs[action.id]
            or action.batch_id in batch_ids
        ]

    def newest(self, limit: int, *, before: int | None = None) -> Sequence[OperatorAction]:
        rows = [row for row in self.rows.values() if before is None or row.id < before]
        return rows[::-1][:limit]
