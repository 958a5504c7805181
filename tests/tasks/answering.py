"""Use cases that only answer, and the tasks over them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from celery import Celery

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.maintenance.deliver_events import DeliveredEvents
from artifact_pipeline.domain.maintenance.reconcile import ReconcileSummary
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.audit_cursor import AuditedPages
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.retention_results import RetentionResult
from artifact_pipeline.domain.model.transfers import Direction, TransferState, TransferSummary
from artifact_pipeline.domain.transfers.upload_job import JobUploads
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.base import PipelineTask, attach_services
from artifact_pipeline.tasks.routing import UPKEEP

CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)


@dataclass
class Answers:
    """The use cases: what they were asked, and what they answer.

    Attributes:
        known: what was requested under which id.
        failure: what every one of them raises.
        turns: what becomes of a job's uploads, turn by turn.
    """

    known: dict[str, Artifact] = field(default_factory=dict)
    failure: Exception | None = None
    turns: list[JobUploads] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    workspace: str | None = None

    def transfer(
        self,
        direction: Direction,
        artifact: Artifact,
        request_id: str,
        *,
        is_alone: bool = False,
        workspace: str | None = None,
    ) -> TransferSummary:
        del is_alone, workspace
        self._note("transfer", direction, artifact, request_id)
        return TransferSummary(state=TransferState.DONE, size=3, seconds=0.5)

    def requested(self, direction: Direction, job_id: int, request_id: str) -> Artifact | None:
        if isinstance(self.failure, SqlUnavailableError):
            raise self.failure
        del direction, job_id
        return self.known.get(request_id)

    def request_confirmations(self, job_id: int, run_id: int | None) -> int:
        self._note("confirmations", job_id, run_id)
        return 2

    def request_relocations(self, job_id: int) -> int:
        self._note("relocations", job_id)
        return 2

    def request_downloads(self, job_id: int, workspace: str | None = None) -> int:
        del workspace
        self._note("downloads", job_id)
        return 2

    def upload_job(self, job_id: int) -> JobUploads:
        self._note("uploads", job_id)
        return self.turns.pop(0)

    def verify_job(self, job_id: int) -> dict[str, int]:
        self._note("verification", job_id)
        return {"ok": 2}

    def write_manifest(self, job_id: int) -> bool:
        self._note("manifest", job_id)
        return True

    def request_manifests(self) -> int:
        raise NotImplementedError

    def dispatch(self) -> int:
        raise NotImplementedError

    def advance_batches(self) -> int:
        raise NotImplementedError

    def reconcile(self) -> ReconcileSummary:
        raise NotImplementedError

    def apply_retention(self) -> RetentionResult:
        self._note("retention")
        return RetentionResult(skipped=1, refused=2)

    def deliver_events(self) -> DeliveredEvents:
        self._note("events")
        return DeliveredEvents(delivered=3, postponed=2, refused=1)

    def audit(self) -> AuditedPages:
        raise NotImplementedError

    def _note(self, *asked: object) -> None:
        self.asked.append(asked)
        if self.failure is not None:
            raise self.failure


@contextmanager
def message(app: Celery, name: str, request_id: str, **headers: object) -> Iterator[PipelineTask]:
    """The task, as a worker has it when a message of that id has come."""
    task: Any = app.tasks[name]
    task.push_request(
        id=request_id,
        called_directly=False,
        args=(),
        kwargs={"job_id": 12},
        retries=0,
        delivery_info={"routing_key": UPKEEP},
        **headers,
    )
    try:
        yield task
    finally:
        task.pop_request()


def answering_app(broker_url: str, answers: Answers) -> Celery:
    """Return an app with all tasks, over use cases that answer so."""
    app = producer_app(broker_url)
    app.loader.import_default_modules()
    attach_services(app, answers)
    return app
