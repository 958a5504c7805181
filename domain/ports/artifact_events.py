"""The outbox of events, and the targets that they are delivered to."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.queued_events import Answer, EventBacklog, QueuedEvent


@runtime_checkable
class IEventOutbox(Protocol):
    """Events that wait for their delivery. Each call is one transaction.

    A row is written by the transaction that records what the event says.
    """

    def take(self, targets: Collection[str], limit: int, lease: timedelta) -> Sequence[QueuedEvent]:
        """Take the next events that are due, in their order.

        An event is left out while an earlier one of the same job and target is neither delivered
        nor refused, unless that one is in the page too. What was taken is due again after the
        lease.

        Args:
            targets: only of these.
            limit: of the page.
            lease: how long no other worker takes them.
        """

    def delivered(self, events: Collection[QueuedEvent]) -> None:
        """Remove events that their targets have taken."""

    def release(self, events: Collection[QueuedEvent]) -> None:
        """Make events due that were taken and not tried; the attempt does not count.

        Here and below, an event that another worker has taken since is not changed.
        """

    def postpone(self, event: QueuedEvent, error: str, delay: timedelta) -> None:
        """Try the event again after the delay."""

    def refuse(self, event: QueuedEvent, error: str) -> None:
        """Keep the event as refused; it is not tried again before `redeliver`."""

    def backlog(self) -> Sequence[EventBacklog]:
        """Return what waits for each target, by their names."""

    def list(
        self, limit: int, *, refused: bool = False, target: str | None = None
    ) -> Sequence[QueuedEvent]:
        """Return events that are not delivered, the oldest first.

        Args:
            limit: of the list.
            refused: only those that were refused for good.
            target: only for this target.
        """

    def redeliver(self, *, event_id: str | None = None, target: str | None = None) -> int:
        """Make refused and waiting events due now; return how many these are.

        Args:
            event_id: only this event.
            target: only for this target.
        """

    def discard(self, *, event_id: str | None = None, target: str | None = None) -> int:
        """Remove events that are not delivered; return how many. Args: as of `redeliver`."""


@runtime_checkable
class IEventTarget(Protocol):
    """Where events are delivered to."""

    def deliver(self, event: QueuedEvent, now: datetime) -> Answer:
        """Deliver one event, and return what the target says. Raises nothing.

        Args:
            event: that was taken.
            now: by the database's clock, since this machine's may be wrong.
        """
