"""What needs an operator, and the events that do."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from artifact_pipeline.domain.maintenance.pipeline_status import LATE_AFTER, PipelineStatus
from artifact_pipeline.domain.model.durations import age


class ProblemCode(StrEnum):
    """Stable names of the problems, for programs."""

    BROKER_AWAY = "broker_away"
    NO_DISPATCH = "no_dispatch"
    NO_WORKER = "no_worker"
    WORKSPACE_UNSERVED = "workspace_unserved"
    STRAY_QUEUE = "stray_queue"
    STUCK = "stuck"
    BEHIND = "behind"
    LEASE_EXPIRED = "lease_expired"
    STORE_BREAKER_OPEN = "s3_breaker_open"
    WORKSPACE_BREAKER_OPEN = "workspace_breaker_open"
    QUARANTINED = "quarantined"
    EVENTS_LATE = "events_late"
    EVENTS_REFUSED = "events_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that needs an operator.

    Attributes:
        is_error: work stands still; otherwise it is slow, or some of it has failed.
        queue: the queue that has the problem, if it is one queue's.
        fix: the command that helps, or shows more.
    """

    code: ProblemCode
    is_error: bool
    what: str
    why: str
    fix: str
    queue: str | None = None


def problems_of_events(status: PipelineStatus) -> Iterator[Problem]:
    """Yield events that are late, and those that were refused."""
    for each in status.database.events:
        if each.oldest is not None and each.oldest >= LATE_AFTER:
            yield Problem(
                code=ProblemCode.EVENTS_LATE,
                is_error=False,
                what=f"{plural(each.waiting, 'event')} not delivered to {each.target},"
                f" the first for {age(each.oldest)}",
                why="they are delivered again until it takes them; is it there, and do workers have"
                " it in their settings?",
                fix=f"artifacts events list --target {each.target}",
            )
        if each.refused:
            yield Problem(
                code=ProblemCode.EVENTS_REFUSED,
                is_error=False,
                what=f"{plural(each.refused, 'event')} refused by {each.target}",
                why="they are not delivered again until an operator asks for it",
                fix=f"artifacts events list --refused --target {each.target}",
            )


def plural(number: int, noun: str) -> str:
    """Return the number with the noun, such as `2 events`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
