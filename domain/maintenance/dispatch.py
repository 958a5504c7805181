"""The use case of the sweep: what waits for a message gets one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from artifact_pipeline.domain.model.transfers import (
    NO_QUEUES,
    QueueCapacity,
    RepublishPolicy,
    Transfer,
)
from artifact_pipeline.domain.ports.transfers import ITransferRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchDueTransfers:
    """Publishes in pages, so that neither memory nor a transaction grows with the backlog.

    Attributes:
        room: asked before each page; a queue without workers must not grow with
            every sweep until the broker is full.
        empty: the queues without a message, as after `celery purge`.
        broker_epoch: since when the broker has lost nothing, asked with the clock. What
            was sent before is sent again: so a broker that forgot everything, as by FLUSHALL,
            delays what it held by one sweep.
    """

    transfers: ITransferRepository
    publish: Callable[[Sequence[Transfer]], None]
    room: Callable[[], QueueCapacity]
    empty: Callable[[], QueueCapacity] = lambda: NO_QUEUES
    broker_epoch: Callable[[Callable[[], datetime]], datetime]
    page_size: int
    unclaimed_after: timedelta
    republish_after: timedelta

    def __call__(self) -> int:
        """Publish due transfers, and return how many."""
        total = 0
        loss = RepublishPolicy(
            broker_epoch=self.broker_epoch(self.transfers.now),
            unclaimed_after=self.unclaimed_after,
            republish_after=self.republish_after,
            # Ask once: the first page would hide that the rest of a queue was purged as well.
            empty=self.empty(),
        )
        while room := self.room():
            published = self.transfers.publish_due(
                self.publish, limit=self.page_size, room=room, loss=loss
            )
            total += published
            if published < self.page_size:
                break
        return total
