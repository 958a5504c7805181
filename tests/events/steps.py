"""What the tests of events are written with."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from artifact_pipeline.domain.fakes import InMemoryEndpointFailures, InMemoryEventOutbox
from artifact_pipeline.domain.maintenance.deliver_events import (
    DeliveredEvents,
    DeliverEvents,
    Receiver,
)
from artifact_pipeline.domain.model.artifact_events import ArtifactEvent, EventType
from artifact_pipeline.domain.model.queued_events import Answer, Delivered, QueuedEvent
from artifact_pipeline.domain.transfers.circuit_breaker import Breaker
from artifact_pipeline.domain.transfers.retry import Backoff

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""The example of the specification."""
NOW = datetime(2026, 1, 31, 18, 0, tzinfo=UTC)
COOL_OFF = timedelta(seconds=30)
EVENT = ArtifactEvent(
    id="0c0fb1c4-6f0f-4b1c-9a3e-1f6a7f4d2b11",
    type=EventType.ARTIFACT_STORED,
    time=NOW,
    job_id=12,
    run_id=4,
    kind="run_results",
    direction="upload",
    transfer_id=7,
    request_id="a",
    size=5,
    sha256="ab" * 32,
)


def queued(event: ArtifactEvent = EVENT, target: str = "webhook") -> QueuedEvent:
    return QueuedEvent(position=1, target=target, event=event, attempts=1, next_attempt_at=NOW)


@dataclass
class Scripted:
    """A target that answers what it is told to, and then takes everything."""

    answers: deque[Answer] = field(default_factory=deque)
    seen: list[str] = field(default_factory=list)

    def deliver(self, event: QueuedEvent, now: datetime) -> Answer:
        del now
        self.seen.append(event.event.request_id or "")
        return self.answers.popleft() if self.answers else Delivered()


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)


class Longest(Backoff):
    """Without jitter."""

    def delay(self, attempt: int) -> timedelta:
        return min(self.cap, self.base * (1 << (attempt - 1)))


class Deliveries:
    """An outbox, and two targets that share nothing."""

    def __init__(self, threshold: int = 3) -> None:
        self.clock = Clock()
        self.outbox = InMemoryEventOutbox(("task", "webhook"), self.clock.now)
        self.targets = {"task": Scripted(), "webhook": Scripted()}
        self.breakers = {name: self._breaker(name, threshold) for name in self.targets}

    def store(self, request_id: str, job_id: int = 12) -> None:
        self.outbox.write(
            EventType.ARTIFACT_STORED,
            ("task", "webhook"),
            job_id=job_id,
            request_id=request_id,
        )

    def run(self) -> DeliveredEvents:
        receivers = {
            name: Receiver(target, self.breakers[name]) for name, target in self.targets.items()
        }
        deliver = DeliverEvents(
            outbox=self.outbox,
            receivers=receivers,
            lease=timedelta(minutes=1),
            backoff=Longest(),
            clock=self.clock,
        )
        return deliver()

    def waiting(self, target: str = "webhook") -> list[QueuedEvent]:
        return [row for row in self.outbox.list(100) if row.target == target]

    def _breaker(self, name: str, threshold: int) -> Breaker:
        return Breaker(
            InMemoryEndpointFailures(),
            name,
            threshold=threshold,
            cool_off=COOL_OFF,
            clock=self.clock,
        )
