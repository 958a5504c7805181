"""What a worker does when beat asks it to reconcile."""

from datetime import timedelta
from functools import partial

from celery import Celery

from artifact_pipeline.domain.maintenance.reconcile import (
    AbortAbandonedUploads,
    Reconcile,
    ReconcileSummary,
)
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.transfers.verification import VerifyWrites
from artifact_pipeline.worker.composition.adapters import Adapters
from artifact_pipeline.worker.composition.handlers import Handlers
from artifact_pipeline.worker.composition.pruning import prune_history
from artifact_pipeline.worker.settings import WorkerSettings
from artifact_pipeline.worker.sql.batches.snapshots import delete_expired
from artifact_pipeline.worker.sql.transfers.verifications import SqlVerifications


def reconcile(
    settings: WorkerSettings, adapters: Adapters, handlers: Handlers, app: Celery
) -> ReconcileSummary:
    """Abort, delete, verify and prune what is due."""
    work = Reconcile(
        transfers=adapters.transfers,
        abort_abandoned=AbortAbandonedUploads(
            transfers=adapters.transfers,
            store=adapters.store,
            abandoned_after=timedelta(hours=settings.abandoned_upload_hours),
        ),
        delete_expired=partial(delete_expired, adapters.engine),
        verify_writes=_verify_writes(settings, adapters, handlers),
        prune=partial(prune_history, settings, adapters.engine, app),
    )
    return work()


def _verify_writes(
    settings: WorkerSettings, adapters: Adapters, handlers: Handlers
) -> VerifyWrites:
    # A server may carry out a request shortly after its client has given it up.
    settled = timedelta(seconds=2 * settings.s3_timeout_seconds)
    return VerifyWrites(
        verifications=SqlVerifications(adapters.engine),
        transfers=adapters.transfers,
        artifacts=adapters.artifacts,
        placement=adapters.placement,
        reader=adapters.reader,
        location=adapters.store.location,
        settles_after={
            Direction.UPLOAD: settled,
            Direction.RELOCATE: settled,
            Direction.CONFIRM: handlers.upload_url_lifetime,
        },
    )
