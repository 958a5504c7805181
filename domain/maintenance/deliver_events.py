"""The use case that delivers events."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from artifact_pipeline.domain.model.queued_events import (
    Answer,
    Delivered,
    NotDelivered,
    QueuedEvent,
    Refused,
)
from artifact_pipeline.domain.ports.artifact_events import IEventOutbox, IEventTarget
from artifact_pipeline.domain.transfers.circuit_breaker import Breaker
from artifact_pipeline.domain.transfers.retry import Backoff

logger = logging.getLogger(__name__)

PAGE = 100
BUDGET = timedelta(seconds=4)
"""How long one run begins deliveries: upkeep of transfers waits behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredEvents:
    """What a run has done: how many events were delivered, postponed and refused."""

    delivered: int = 0
    postponed: int = 0
    refused: int = 0

    def __add__(self, other: "DeliveredEvents") -> "DeliveredEvents":
        """Return both together."""
        return DeliveredEvents(
            delivered=self.delivered + other.delivered,
            postponed=self.postponed + other.postponed,
            refused=self.refused + other.refused,
        )


@dataclass(frozen=True, slots=True)
class Receiver:
    """A target with its circuit breaker."""

    target: IEventTarget
    breaker: Breaker


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverEvents:
    """Delivers the events that are due, a page at a time.

    Attributes:
        receivers: by the names of the targets; events of other targets wait.
        lease: how long a page is left to this process; longer than the run and one delivery.
        clock: in seconds.
    """

    outbox: IEventOutbox
    receivers: Mapping[str, Receiver]
    lease: timedelta
    backoff: Backoff = field(default_factory=Backoff)
    budget: timedelta = BUDGET
    page_size: int = PAGE
    clock: Callable[[], float] = time.monotonic

    def __call__(self) -> DeliveredEvents:
        """Deliver until nothing is due, or the time is over."""
        done = DeliveredEvents()
        for name, receiver in self.receivers.items():
            # Each target has its share of the time, so that a slow one delays no other.
            until = self.clock() + self.budget.total_seconds() / len(self.receivers)
            while (begun := self.clock()) < until and not receiver.breaker.open_for:
                events = self.outbox.take([name], self.page_size, self.lease)
                if not events:
                    break
                run = _Run(until=until, begun=begun, clock=self.clock, lease=self.lease)
                done += self._deliver(receiver, events, run)
        return done

    def _deliver(
        self, receiver: Receiver, events: Sequence[QueuedEvent], run: "_Run"
    ) -> DeliveredEvents:
        page = _Page()
        try:
            for event in events:
                if page.waits(event) or receiver.breaker.open_for or run.is_over:
                    page.untried.append(event)
                else:
                    answer = receiver.target.deliver(event, run.database_now(event))
                    self._note(answer, receiver, event, page)
        finally:
            # Even after an error nothing that was taken is delivered again without need.
            self.outbox.delivered(page.taken)
            self.outbox.release(page.untried)
        return DeliveredEvents(
            delivered=len(page.taken), postponed=page.postponed, refused=page.refused
        )

    def _note(self, answer: Answer, receiver: Receiver, event: QueuedEvent, page: "_Page") -> None:
        match answer:
            case Delivered():
                receiver.breaker.succeeded()
                page.taken.append(event)
            case Refused():
                receiver.breaker.succeeded()
                logger.error("event %s: %s refuses it: %s", *_named(event), answer.error)
                self.outbox.refuse(event, answer.error)
                page.refused += 1
            case NotDelivered():
                receiver.breaker.failed()
                logger.warning("event %s: not taken by %s: %s", *_named(event), answer.error)
                delay = self._delay(receiver.breaker, event, answer)
                self.outbox.postpone(event, answer.error, delay)
                page.failed(event)

    def _delay(self, breaker: Breaker, event: QueuedEvent, answer: NotDelivered) -> timedelta:
        # While the receiver is away its events need no longer and longer waits.
        delay = breaker.delay() if breaker.open_for else self.backoff.delay(event.attempts)
        return max(delay, min(answer.retry_after or timedelta(0), self.backoff.cap))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """The deliveries of one page.

    Attributes:
        until: no delivery begins after this time of `clock`.
        begun: just before the page was taken.
        lease: for which it was taken.
    """

    until: float
    begun: float
    clock: Callable[[], float]
    lease: timedelta

    @property
    def is_over(self) -> bool:
        return self.clock() >= self.until

    def database_now(self, event: QueuedEvent) -> datetime:
        """Return the time by the database's clock, by which the lease of the event ends."""
        taken_at = event.next_attempt_at - self.lease
        return taken_at + timedelta(seconds=self.clock() - self.begun)


@dataclass(slots=True)
class _Page:
    """What became of the events of a page that are for one target."""

    taken: list[QueuedEvent] = field(default_factory=list)
    untried: list[QueuedEvent] = field(default_factory=list)
    postponed: int = 0
    refused: int = 0
    _waiting_jobs: set[int | None] = field(default_factory=set)

    def waits(self, event: QueuedEvent) -> bool:
        """Return whether an earlier event of the same job has just failed."""
        return event.event.job_id is not None and event.event.job_id in self._waiting_jobs

    def failed(self, event: QueuedEvent) -> None:
        self.postponed += 1
        self._waiting_jobs.add(event.event.job_id)


def _named(event: QueuedEvent) -> Iterator[str]:
    yield event.event.id
    yield event.target
