"""What a worker does for the manifests of jobs."""

from datetime import timedelta
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from artifact_pipeline.domain.maintenance.manifests import RequestManifests, WriteManifest
from artifact_pipeline.worker.composition.adapters import Adapters

if TYPE_CHECKING:
    from celery import Celery

    from artifact_pipeline.worker.settings import WorkerSettings


def manifest_writer(adapters: Adapters) -> WriteManifest:
    """Return what writes manifests."""
    return WriteManifest(
        manifests=adapters.manifests,
        jobs=adapters.jobs,
        store=adapters.store,
        written_by=f"artifact-pipeline {version('artifact-pipeline')}",
    )


def write_manifest(job_id: int, settings: "WorkerSettings", adapters: Adapters) -> bool:
    """Write the job's manifest if it is time; return whether it was written."""
    return settings.manifest and manifest_writer(adapters)(job_id)


def request_manifests(settings: "WorkerSettings", adapters: Adapters, app: "Celery") -> int:
    """Ask for the manifests that are due; return how many messages were sent."""
    from artifact_pipeline.tasks.publish import publish_manifests, room  # noqa: PLC0415 - a command that writes one needs no Celery

    if not settings.manifest:
        return 0
    request = RequestManifests(
        manifests=adapters.manifests,
        publish=partial(publish_manifests, app=app),
        has_room=lambda: room(settings.dispatch_queue_limit, app).batches,
        ask_again_after=timedelta(seconds=settings.dispatch_republish_seconds),
    )
    return request()
