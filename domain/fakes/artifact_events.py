"""The outbox of events, in memory."""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, TypeVar, cast
from uuid import uuid4

from artifact_pipeline.domain.model.artifact_events import ArtifactEvent, EventType
from artifact_pipeline.domain.model.queued_events import EventBacklog, QueuedEvent
from artifact_pipeline.domain.model.transfers import Transfer

Method = TypeVar("Method", bound=Callable[..., Any])


def _one_at_a_time(method: Method) -> Method:
    """Let a method see and change all rows at once, as a transaction does."""

    @wraps(method)
    def locked(self: "InMemoryEventOutbox", *args: Any, **named: Any) -> Any:  # noqa: ANN401 - as the method
        with self.lock:
            return method(self, *args, **named)

    return cast("Method", locked)


class InMemoryEventOutbox:
    """The outbox, and what writes to it.

    Args:
        targets: that get all events; None if events are off.
        clock: of the database.
    """

    def __init__(
        self,
        targets: Sequence[str] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.lock = threading.RLock()
        self.rows: dict[int, QueuedEvent] = {}
        self._targets = targets
        self._clock = clock
        self._last = 0

    def write_transfer(self, transfer: Transfer, event: EventType, **values: Any) -> None:  # noqa: ANN401 - fields of the event
        """Write the events of a transfer that has ended."""
        artifact = transfer.artifact
        self.write(
            event,
            self._targets or (),
            job_id=artifact.job_id,
            run_id=artifact.run_id,
            kind=artifact.kind,
            direction=transfer.direction,
            transfer_id=transfer.id,
            request_id=transfer.request_id,
            batch_id=transfer.batch_id,
            reason_code=transfer.reason_code,
            **values,
        )

    def write_batch(self, notify: str | None, **values: Any) -> None:  # noqa: ANN401 - as above
        """Write the events of a batch that has ended."""
        if self._targets is None:
            return
        targets = dict.fromkeys((*self._targets, *([notify] if notify else ())))
        self.write(EventType.BATCH_ENDED, tuple(targets), **values)

    @_one_at_a_time
    def write(self, event: EventType, targets: Sequence[str], **values: Any) -> None:  # noqa: ANN401 - as above
        """Write an event for each of the targets."""
        now = self._clock()
        made = ArtifactEvent(id=str(uuid4()), type=event, time=now, **values)
        for target in targets:
            self._last += 1
            self.rows[self._last] = QueuedEvent(
                position=self._last, target=target, event=made, next_attempt_at=now
            )

    @_one_at_a_time
    def take(self, targets: Collection[str], limit: int, lease: timedelta) -> Sequence[QueuedEvent]:
        now = self._clock()
        due = [
            row
            for row in self._waiting()
            if row.target in targets and row.next_attempt_at <= now and self._is_next(row, now)
        ]
        return [
            self._keep(row, attempts=row.attempts + 1, next_attempt_at=now + lease)
            for row in due[:limit]
        ]

    @_one_at_a_time
    def delivered(self, events: Collection[QueuedEvent]) -> None:
        for event in events:
            self.rows.pop(event.position, None)

    @_one_at_a_time
    def release(self, events: Collection[QueuedEvent]) -> None:
        for event in filter(self._is_held, events):
            self._keep(event, attempts=event.attempts - 1, next_attempt_at=self._clock())

    @_one_at_a_time
    def postpone(self, event: QueuedEvent, error: str, delay: timedelta) -> None:
        if self._is_held(event):
            self._keep(event, next_attempt_at=self._clock() + delay, last_error=error)

    @_one_at_a_time
    def refuse(self, event: QueuedEvent, error: str) -> None:
        if self._is_held(event):
            self._keep(event, refused_at=self._clock(), last_error=error)

    @_one_at_a_time
    def backlog(self) -> Sequence[EventBacklog]:
        now = self._clock()
        found = []
        for target in sorted({row.target for row in self.rows.values()}):
            rows = [row for row in self.rows.values() if row.target == target]
            waiting = [row for row in rows if row.refused_at is None]
            oldest = min((row.event.time for row in waiting), default=None)
            found.append(
                EventBacklog(
                    target=target,
                    waiting=len(waiting),
                    oldest=None if oldest is None else now - oldest,
                    refused=len(rows) - len(waiting),
                )
            )
        return found

    @_one_at_a_time
    def list(
        self, limit: int, *, refused: bool = False, target: str | None = None
    ) -> Sequence[QueuedEvent]:
        rows = [
            row
            for row in self.rows.values()
            if (row.refused_at or not refused) and target in (None, row.target)
        ]
        return rows[:limit]

    @_one_at_a_time
    def redeliver(self, *, event_id: str | None = None, target: str | None = None) -> int:
        now = self._clock()
        chosen = [
            row
            for row in self.rows.values()
            if (row.refused_at or row.next_attempt_at > now)
            and event_id in (None, row.event.id)
            and target in (None, row.target)
        ]
        for row in chosen:
            self._keep(row, refused_at=None, next_attempt_at=now)
        return len(chosen)

    @_one_at_a_time
    def discard(self, *, event_id: str | None = None, target: str | None = None) -> int:
        chosen = [
            row.position
            for row in self.rows.values()
            if event_id in (None, row.event.id) and target in (None, row.target)
        ]
        for position in chosen:
            del self.rows[position]
        return len(chosen)

    def _waiting(self) -> Sequence[QueuedEvent]:
        return [row for row in self.rows.values() if row.refused_at is None]

    def _is_next(self, row: QueuedEvent, now: datetime) -> bool:
        """Return whether no earlier event of the job waits for its next attempt."""
        return not any(
            earlier.event.job_id == row.event.job_id is not None
            and earlier.target == row.target
            and earlier.position < row.position
            and earlier.next_attempt_at > now
            for earlier in self._waiting()
        )

    def _is_held(self, event: QueuedEvent) -> bool:
        row = self.rows.get(event.position)
        return row is not None and row.refused_at is None and row.attempts == event.attempts

    def _keep(self, row: QueuedEvent, **changes: Any) -> QueuedEvent:  # noqa: ANN401 - by name
        self.rows[row.position] = changed = replace(row, **changes)
        return changed
