"""The upload tasks. Thin: the ids become an artifact, the use case does the rest."""

from typing import Any

from celery import shared_task

from domain.artifacts import Artifact, ArtifactKind
from domain.transfers import Direction
from tasks.base import JobTransferTask, RunTransferTask

_UPLOAD = Direction.UPLOAD


@shared_task(name="artifacts.upload_job_config", base=JobTransferTask, bind=True)
def upload_job_config(self: JobTransferTask, job_id: int) -> dict[str, Any]:
    return self.transfer(_UPLOAD, Artifact(ArtifactKind.JOB_CONFIG, job_id))


@shared_task(name="artifacts.upload_job_input", base=JobTransferTask, bind=True)
def upload_job_input(self: JobTransferTask, job_id: int) -> dict[str, Any]:
    return self.transfer(_UPLOAD, Artifact(ArtifactKind.JOB_INPUT, job_id))


@shared_task(name="artifacts.upload_run_config", base=RunTransferTask, bind=True)
def upload_run_config(self: RunTransferTask, job_id: int, run_id: int) -> dict[str, Any]:
    return self.transfer(_UPLOAD, Artifact(ArtifactKind.RUN_CONFIG, job_id, run_id))


@shared_task(name="artifacts.upload_run_results", base=RunTransferTask, bind=True)
def upload_run_results(self: RunTransferTask, job_id: int, run_id: int) -> dict[str, Any]:
    return self.transfer(_UPLOAD, Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id))


@shared_task(name="artifacts.upload_run_logs", base=RunTransferTask, bind=True)
def upload_run_logs(self: RunTransferTask, job_id: int, run_id: int) -> dict[str, Any]:
    return self.transfer(_UPLOAD, Artifact(ArtifactKind.RUN_LOGS, job_id, run_id))
