"""What use cases need of the audit trail."""

from collections.abc import Collection, Sequence
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.operator_actions import (
    ActionOutcome,
    NewAction,
    OperatorAction,
)


@runtime_checkable
class IAuditTrail(Protocol):
    """The actions of operators. Nothing is ever removed from it. Each call is one transaction."""

    def begin(self, action: NewAction) -> int:
        """Keep an action before it changes anything, and return its id."""

    def touch(self, action_id: int, job_ids: Collection[int]) -> None:
        """Note that the action changes something of these jobs too."""

    def end(self, action_id: int, outcome: ActionOutcome, result: str | None = None) -> None:
        """Note how the action ended. The first end counts."""

    def of_job(self, job_id: int, batch_ids: Collection[int] = ()) -> Sequence[OperatorAction]:
        """Return the actions that were about the job or touched it, oldest first.

        Args:
            job_id: of the job.
            batch_ids: return the actions on these batches too.
        """

    def newest(self, limit: int, *, before: int | None = None) -> Sequence[OperatorAction]:
        """Return the actions that began last, newest first.

        Args:
            limit: how many.
            before: the id of the last action of the page before.
        """
