"""Actions of operators, as the audit trail keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.redaction import redact


class ActionName(StrEnum):
    """What an operator did: the command, without `artifacts`."""

    BATCH_START = "batch start"
    BATCH_PAUSE = "batch pause"
    BATCH_RESUME = "batch resume"
    BATCH_CHANGE = "batch change"
    BATCH_CANCEL = "batch cancel"
    QUARANTINE_RETRY = "quarantine retry"
    QUARANTINE_DISCARD = "quarantine discard"
    CANCEL = "jobs cancel"
    ARCHIVE = "uploads archive"
    RELOCATE = "uploads relocate"
    HOLD_SET = "hold set"
    HOLD_RELEASE = "hold release"
    DELETE = "uploads delete"
    UNDELETE = "uploads undelete"
    PRUNE = "db prune"
    REBUILD = "db rebuild"
    RETENTION_SET = "retention set"
    RETENTION_REMOVE = "retention remove"
    EVENTS_REDELIVER = "events redeliver"
    EVENTS_DISCARD = "events discard"
    RETENTION_APPLY = "retention apply"
    AUDIT_REPAIR = "audit repair"
    ORPHANS_DELETE = "orphans delete"
    WORKSPACES_FORGET = "workspaces forget"


class ActionOutcome(StrEnum):
    """How an action ended. One without an outcome is under way, or its process was killed."""

    DONE = "done"
    PARTIAL = "partial"
    """Some of it failed."""
    REFUSED = "refused"
    """Nothing was changed: a rule such as a legal hold forbids it."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAction:
    """An action that is about to begin.

    Attributes:
        name: one of `ActionName`; a later release may have others.
        actor: who, as `requester_name` returns it.
        reason: why, if it was said.
        job_id: of the job that it is about; None if it is about several.
        batch_id: of the batch that it is about.
        target: what else it is about, such as a run, kinds or a filter.
    """

    name: str
    actor: str
    reason: str | None = None
    job_id: int | None = None
    batch_id: int | None = None
    target: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorAction(NewAction):
    """An action that the audit trail has.

    Attributes:
        outcome: None while it is under way, and for good if its process was killed.
        result: what came of it, in one line.
    """

    id: int
    started_at: datetime
    finished_at: datetime | None = None
    outcome: str | None = None
    result: str | None = None


def action_reason(reason: str | None, *, needed_for: str = "") -> str | None:
    """Return a reason for the trail: one line without secrets; None if none was given.

    Args:
        reason: as the operator gave it.
        needed_for: the action that must have a reason; empty if it may have none.

    Raises:
        InvalidRequestError: it is empty, and must not be.
    """
    kept = redact(reason or "")
    if needed_for and not kept:
        raise InvalidRequestError(f"the reason is empty: say why, as the reason for {needed_for}")
    return kept or None
