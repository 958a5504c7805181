"""Events that are written beside artifacts and transfers, in memory and in SQL."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine

from artifact_pipeline.domain.fakes import (
    InMemoryArtifacts,
    InMemoryEventOutbox,
    InMemoryJobs,
    InMemoryRuns,
    InMemoryTransfers,
    InMemoryUploadPages,
)
from artifact_pipeline.domain.model.artifact_events import ArtifactEvent
from artifact_pipeline.domain.model.queued_events import QueuedEvent
from artifact_pipeline.domain.ports.artifact_events import IEventOutbox
from artifact_pipeline.domain.ports.transfer_pages import IUploadPages
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox
from artifact_pipeline.worker.sql.transfers.event_log import EventLog
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from tests.contract.repositories import _create_platform_rows
from tests.contract.transfer_steps import (
    CONFIG,
    HOUR,
    LOCATION,
    claimed,
    stored_artifact,
)

TARGETS = ("task", "webhook")


@dataclass(frozen=True, kw_only=True)
class Told:
    transfers: ITransferRepository
    pages: IUploadPages
    outbox: IEventOutbox
    engine: Engine | None = None

    def store(self, *request_ids: str) -> None:
        """Upload the config of job 12 so often."""
        for request_id in request_ids:
            claim = claimed(self.transfers, CONFIG, request_id)
            self.transfers.record(claim, stored_artifact(CONFIG), LOCATION)

    def take(
        self, *targets: str, limit: int = 100, lease: timedelta = HOUR
    ) -> Sequence[QueuedEvent]:
        return self.outbox.take(targets or TARGETS[:1], limit, lease)


def in_memory() -> Told:
    outbox, artifacts = InMemoryEventOutbox(TARGETS), InMemoryArtifacts()
    transfers = InMemoryTransfers(artifacts, events=outbox)
    pages = InMemoryUploadPages(transfers, artifacts, InMemoryJobs(), InMemoryRuns())
    return Told(transfers=transfers, pages=pages, outbox=outbox)


def in_sql(url: str) -> Iterator[Told]:
    engine = make_engine(url)
    _create_platform_rows(engine)
    events = EventLog(TARGETS)
    yield Told(
        transfers=SqlTransfers(engine, events),
        pages=SqlUploadPages(engine, events),
        outbox=SqlEventOutbox(engine),
        engine=engine,
    )
    engine.dispose()


def events_of(queued: Sequence[QueuedEvent]) -> list[ArtifactEvent]:
    return [each.event for each in queued]


def requests_of(queued: Sequence[QueuedEvent]) -> list[str | None]:
    return [each.event.request_id for each in queued]
