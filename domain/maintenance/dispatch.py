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
        room: asked before each page, with the name of a workspace; a queue without workers must
            not grow with every sweep until the broker is full.
        empty: the workspace's queues without a message, as after `celery purge`.
        broker_epoch: since when the broker has lost nothing, asked with the clock. What
            was sent before is sent again: so a broker that forgot everything, as by FLUSHALL,
            delays what it held by one sweep.
    """

    transfers: ITransferRepository
    publish: Callable[[Sequence[Transfer]], None]
    room: Callable[[str | None], QueueCapacity]
    empty: Callable[[str | None], QueueCapacity] = lambda _workspace: NO_QUEUES
    broker_epoch: Callable[[Callable[[], datetime]], datetime]
    page_size: int
    unclaimed_after: timedelta
    republish_after: timedelta

    def __call__(self) -> int:
        """Publish due transfers, and return how many."""
        epoch = self.broker_epoch(self.transfers.now)
        workspaces = (None, *self.transfers.waiting_workspaces())
        return sum(self._publish_of(workspace, epoch) for workspace in workspaces)

    def _publish_of(self, workspace: str | None, epoch: datetime) -> int:
        total = 0
        loss = RepublishPolicy(
            broker_epoch=epoch,
            unclaimed_after=self.unclaimed_after,
            republish_after=self.republish_after,
            # Ask once: the first page would hide that the rest of a queue was purged as well.
            empty=self.empty(workspace),
        )
        while room := self.room(workspace):
            published = self.transfers.publish_due(
                self.publish, limit=self.page_size, room=room, loss=loss, workspace=workspace
            )
            total += published
            if published < self.page_size:
                break
        return total
