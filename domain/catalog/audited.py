"""Keeping an operator's action in the audit trail, from its begin to its end."""

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from artifact_pipeline.domain.errors import (
    InvalidRequestError,
    LegalHoldError,
    PipelineError,
    TransferError,
)
from artifact_pipeline.domain.model.operator_actions import ActionOutcome, NewAction
from artifact_pipeline.domain.ports.audit_trail import IAuditTrail

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class AuditedAction:
    """An action that is under way.

    Attributes:
        id: in the audit trail.
        actor: who does it.
        outcome: how it ends, unless an error ends it.
        result: what came of it.
    """

    id: int
    actor: str
    trail: IAuditTrail
    outcome: ActionOutcome = ActionOutcome.DONE
    result: str | None = None

    def came_to(self, result: str, *, has_failures: bool = False) -> None:
        """Say what came of it."""
        self.result = result
        self.outcome = ActionOutcome.PARTIAL if has_failures else ActionOutcome.DONE

    def touches(self, job_ids: Collection[int]) -> None:
        """Note the jobs that it changes, if it is about several."""
        self.trail.touch(self.id, job_ids)


@contextmanager
def audited(trail: IAuditTrail, action: NewAction) -> Iterator[AuditedAction]:
    """Keep the action before it begins, and how it ended.

    A process that is killed leaves it without an outcome.

    Raises:
        SqlUnavailableError: it cannot be kept; then it must not begin.
    """
    running = AuditedAction(trail.begin(action), action.actor, trail)
    try:
        yield running
    except BaseException as error:
        _end_badly(running, error)
        raise
    trail.end(running.id, running.outcome, running.result)


def _end_badly(running: AuditedAction, error: BaseException) -> None:
    try:
        running.trail.end(running.id, _outcome_of(error), _said(running, error))
    except PipelineError as lost:
        # The error of the action itself is what the operator must see.
        logger.warning("the end of action %d was not kept: %s", running.id, lost)


def _outcome_of(error: BaseException) -> ActionOutcome:
    if isinstance(error, KeyboardInterrupt):
        return ActionOutcome.INTERRUPTED
    is_refusal = isinstance(error, InvalidRequestError | LegalHoldError)
    return ActionOutcome.REFUSED if is_refusal else ActionOutcome.FAILED


def _said(running: AuditedAction, error: BaseException) -> str:
    said = str(error) if isinstance(error, PipelineError) else type(error).__name__
    if isinstance(error, TransferError):
        said = f"{error.reason}: {said}"
    return f"{running.result}; {said}" if running.result else said
