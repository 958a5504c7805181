"""A worker's delivery, in a process of its own that a test can kill."""

import sys
from datetime import timedelta

from artifact_pipeline.domain.fakes import InMemoryEndpointFailures
from artifact_pipeline.domain.maintenance.deliver_events import DeliverEvents, Receiver
from artifact_pipeline.domain.transfers.circuit_breaker import Breaker
from artifact_pipeline.worker.events.webhook_target import WebhookTarget
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox
from tests.events.steps import SECRET


def deliver(database_url: str, receiver_url: str) -> int:
    """Deliver due events, and return their number."""
    engine = make_engine(database_url)
    second = timedelta(seconds=1)
    breaker = Breaker(InMemoryEndpointFailures(), "webhook", threshold=5, cool_off=second)
    target = WebhookTarget(receiver_url, [SECRET], timedelta(seconds=20))
    deliver = DeliverEvents(
        outbox=SqlEventOutbox(engine),
        receivers={"webhook": Receiver(target, breaker)},
        lease=timedelta(hours=1),
    )
    delivered = deliver().delivered
    engine.dispose()
    return delivered


if __name__ == "__main__":
    deliver(*sys.argv[1:])
