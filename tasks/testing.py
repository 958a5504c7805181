"""For a producer's tests: what the pipeline was asked for, without a broker and without workers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from celery.result import EagerResult

from artifact_pipeline.domain.maintenance.deliver_events import DeliveredEvents
from artifact_pipeline.domain.maintenance.reconcile import ReconcileSummary
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.audit_cursor import AuditedPages
from artifact_pipeline.domain.model.retention_results import RetentionResult
from artifact_pipeline.domain.model.transfers import Direction, TransferState, TransferSummary
from artifact_pipeline.domain.transfers.upload_job import JobUploads
from artifact_pipeline.tasks.app import PipelineApp, configured, producing_with
from artifact_pipeline.tasks.base import attach_services
from artifact_pipeline.tasks.routing import (
    APPLY_RETENTION,
    AUDIT,
    CONFIRM,
    DELIVER_EVENTS,
    DISPATCH,
    DOWNLOAD_JOB,
    RECONCILE,
    RELOCATE,
    UPLOAD_JOB,
    VERIFY_JOB,
    WRITE_MANIFEST,
    ids_of,
    task_name,
)
from artifact_pipeline.tasks.sendable import check_sendable


@dataclass(frozen=True, slots=True)
class Asked:
    """A task that would have run. Attributes: its `name`, and its `ids`, such as `job_id`."""

    name: str
    ids: Mapping[str, int] = field(default_factory=dict)


@contextmanager
def recorded_tasks() -> Iterator[list[Asked]]:
    """Have this process's requests and tasks only noted, in the list that it yields.

    In the meantime it stands in for the app of `producer_app`. Arguments and options are checked as
    ever. A request in a session is noted when the session commits, as its message would leave then.
    """
    recorder = _Recorder()
    app = configured(_EagerApp("artifacts", set_as_current=False), "memory://")
    app.conf.task_always_eager = True
    attach_services(app, recorder)
    with producing_with(app):
        yield recorder.asked


class _EagerApp(PipelineApp):
    def send_task(
        self,
        name: str,
        args: Any = None,  # noqa: ANN401 - Celery's signature
        kwargs: Any = None,  # noqa: ANN401
        *_further: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> EagerResult[Any]:
        """Run it, which Celery itself does for tasks only. Raises: InvalidRequestError."""
        check_sendable(name, args, kwargs, options)
        self.loader.import_default_modules()
        sent = {key: options[key] for key in ("task_id", "headers") if options.get(key)}
        return self.tasks[name].apply(args, kwargs, throw=True, **sent)


@dataclass(frozen=True, slots=True)
class _Recorder:
    """The use cases of a worker, which only note what they are asked for."""

    asked: list[Asked] = field(default_factory=list)
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
        del request_id, is_alone, workspace
        self._note(task_name(direction, artifact.kind), **ids_of(direction, artifact))
        return TransferSummary(state=TransferState.DONE)

    def requested(self, direction: Direction, job_id: int, request_id: str) -> None:
        del direction, job_id, request_id

    def request_confirmations(self, job_id: int, run_id: int | None) -> int:
        return self._note(CONFIRM, job_id=job_id, **({} if run_id is None else {"run_id": run_id}))

    def request_relocations(self, job_id: int) -> int:
        return self._note(RELOCATE, job_id=job_id)

    def request_downloads(self, job_id: int, workspace: str | None = None) -> int:
        del workspace
        return self._note(DOWNLOAD_JOB, job_id=job_id)

    def upload_job(self, job_id: int) -> JobUploads:
        ended = self._note(UPLOAD_JOB, job_id=job_id)
        return JobUploads(ended=ended, failed=0, is_over=True)

    def verify_job(self, job_id: int) -> dict[str, int]:
        self._note(VERIFY_JOB, job_id=job_id)
        return {}

    def write_manifest(self, job_id: int) -> bool:
        return bool(self._note(WRITE_MANIFEST, job_id=job_id))

    def dispatch(self) -> int:
        return self._note(DISPATCH)

    def advance_batches(self) -> int:
        return 0

    def request_manifests(self) -> int:
        return 0

    def reconcile(self) -> ReconcileSummary:
        self._note(RECONCILE)
        return ReconcileSummary()

    def apply_retention(self) -> RetentionResult:
        self._note(APPLY_RETENTION)
        return RetentionResult()

    def audit(self) -> AuditedPages:
        self._note(AUDIT)
        return AuditedPages()

    def deliver_events(self) -> DeliveredEvents:
        self._note(DELIVER_EVENTS)
        return DeliveredEvents()

    def _note(self, name: str, **ids: int) -> int:
        self.asked.append(Asked(name, ids))
        return 1
