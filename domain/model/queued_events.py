"""Events that wait for their delivery."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from artifact_pipeline.domain.model.artifact_events import ArtifactEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedEvent:
    """An event for one target: a row of the outbox.

    Attributes:
        position: of the row; a target gets the events of a job in this order.
        target: the name of the target.
        attempts: deliveries that were begun.
        next_attempt_at: when the next delivery may begin.
        refused_at: when the target refused it for good; None if it has not.
        last_error: why the last delivery failed, in a few words.
    """

    position: int
    target: str
    event: ArtifactEvent
    attempts: int = 0
    next_attempt_at: datetime
    refused_at: datetime | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBacklog:
    """What waits for one target.

    Attributes:
        waiting: events that are not delivered yet.
        oldest: the age of the oldest of them; None without one.
        refused: events that the target has refused for good.
    """

    target: str
    waiting: int = 0
    oldest: timedelta | None = None
    refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The target has taken the event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDelivered:
    """The delivery failed, and is tried again.

    Attributes:
        error: why, in a few words, without an address.
        retry_after: how long the target asks to be left alone.
    """

    error: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The target refuses the event for good. Attributes: `error` as of `NotDelivered`."""

    error: str


Answer = Delivered | NotDelivered | Refused
