"""The tasks that Celery beat asks for."""

import logging
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from celery import shared_task

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.domain.maintenance.deliver_events import DeliveredEvents
from artifact_pipeline.domain.maintenance.reconcile import ReconcileSummary
from artifact_pipeline.domain.model.audit_cursor import AuditedPages
from artifact_pipeline.domain.model.retention import RetentionAction
from artifact_pipeline.domain.model.retention_results import RetentionResult
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.tasks.arguments import JobArguments
from artifact_pipeline.tasks.base import PipelineTask
from artifact_pipeline.tasks.routing import (
    APPLY_RETENTION,
    AUDIT,
    BEAT_HEADER,
    DELIVER_EVENTS,
    DISPATCH,
    RECONCILE,
    WRITE_MANIFEST,
)
from artifact_pipeline.tasks.turns import take_turn

logger = logging.getLogger(__name__)


class UpkeepTask(PipelineTask):
    """A task that runs all the time: only its failures are worth an event or a line in the log."""

    abstract = True
    send_events = False
    Request = "artifact_pipeline.tasks.events:FailuresOnly"

    @property
    def is_needed(self) -> bool:
        """Whether this run has work: of beat's messages that piled up, only the first has.

        One that was asked for is for something new, which a run just before may not have seen.
        """
        if not self.request.get(BEAT_HEADER):
            return True
        with suppress(BrokerUnavailableError):
            return take_turn(self.name, self.app)
        return True

    def on_failure(self, exc: BaseException, *_: Any, **__: Any) -> None:  # noqa: ANN401
        # Celery logs an expected error as INFO, and nothing else reports that upkeep stands still.
        logger.warning("%s failed: %s", self.name, redact(str(exc)))


@shared_task(name=DISPATCH, base=UpkeepTask, bind=True)
def dispatch(self: UpkeepTask) -> dict[str, int]:
    """Publish every transfer that waits for a message: SQL is the truth, the broker forgets.

    Then the next members of the batches, which nothing else keeps going, and the manifests of jobs
    whose artifacts have changed.
    """
    if not self.is_needed:
        return {"published": 0, "released": 0, "manifests": 0}
    published = self.services.dispatch()
    released = self.services.advance_batches()
    manifests = self.services.request_manifests()
    return {"published": published, "released": released, "manifests": manifests}


class ManifestTask(UpkeepTask):
    abstract = True
    arguments = JobArguments


@shared_task(name=WRITE_MANIFEST, base=ManifestTask, bind=True)
def write_manifest(self: ManifestTask, job_id: int) -> dict[str, bool]:
    """Write the manifest of the job's directory, unless it was written a short time ago.

    If that fails, the dispatch asks for it again: SQL knows which manifests must be written.
    """
    return {"written": self.services.write_manifest(job_id)}


@shared_task(name=RECONCILE, base=UpkeepTask, bind=True)
def reconcile(self: UpkeepTask) -> dict[str, int]:
    """Clean up uploads by URL, abandoned parts and old snapshots."""
    return asdict(self.services.reconcile() if self.is_needed else ReconcileSummary())


@shared_task(name=APPLY_RETENTION, base=UpkeepTask, bind=True)
def apply_retention(self: UpkeepTask) -> dict[str, int]:
    """Archive and delete a limited number of artifacts as the retention rules say.

    Beat asks for it only where ARTIFACTS_RETENTION is on, and a worker without the setting does
    nothing.
    """
    result = self.services.apply_retention() if self.is_needed else RetentionResult()
    for each in result.refusals:
        logger.warning("%s: %s", each.artifact, redact(each.error))
    return {
        "archived": result.total(RetentionAction.ARCHIVE),
        "deleted": result.total(RetentionAction.DELETE),
        "skipped": result.skipped,
        "refused": result.refused,
    }


@shared_task(name=DELIVER_EVENTS, base=UpkeepTask, bind=True)
def deliver_events(self: UpkeepTask) -> dict[str, int]:
    """Deliver the events that are due.

    Beat asks for it only where ARTIFACTS_EVENTS is on, and a worker without the setting does
    nothing.
    """
    return asdict(self.services.deliver_events() if self.is_needed else DeliveredEvents())


@shared_task(name=AUDIT, base=UpkeepTask, bind=True)
def audit(self: UpkeepTask) -> dict[str, int]:
    """Compare the next objects of the store with what is recorded; log and count the faults."""
    return asdict(self.services.audit() if self.is_needed else AuditedPages())
