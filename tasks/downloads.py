"""The download tasks, into the workspace. What is there already is kept."""

from typing import Any

from celery import shared_task

from domain.artifacts import Artifact, ArtifactKind
from domain.transfers import Direction
from tasks.base import JobTransferTask, RunTransferTask
from tasks.contract import DOWNLOAD_JOB

_DOWNLOAD = Direction.DOWNLOAD


@shared_task(name=DOWNLOAD_JOB, base=JobTransferTask, bind=True)
def download_job(self: JobTransferTask, job_id: int) -> dict[str, Any]:
    """All that there is of the job, each artifact as a transfer of its own."""
    return self.plan(lambda: self.services.request_downloads(job_id))


@shared_task(name="artifacts.download_job_config", base=JobTransferTask, bind=True)
def download_job_config(self: JobTransferTask, job_id: int) -> dict[str, Any]:
    return self.transfer(_DOWNLOAD, Artifact(ArtifactKind.JOB_CONFIG, job_id))


@shared_task(name="artifacts.download_job_input", base=JobTransferTask, bind=True)
def download_job_input(self: JobTransferTask, job_id: int) -> dict[str, Any]:
    return self.transfer(_DOWNLOAD, Artifact(ArtifactKind.JOB_INPUT, job_id))


@shared_task(name="artifacts.download_run_config", base=RunTransferTask, bind=True)
def download_run_config(self: RunTransferTask, job_id: int, run_id: int) -> dict[str, Any]:
    return self.transfer(_DOWNLOAD, Artifact(ArtifactKind.RUN_CONFIG, job_id, run_id))


@shared_task(name="artifacts.download_run_results", base=RunTransferTask, bind=True)
def download_run_results(self: RunTransferTask, job_id: int, run_id: int) -> dict[str, Any]:
    return self.transfer(_DOWNLOAD, Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id))


@shared_task(name="artifacts.download_run_logs", base=RunTransferTask, bind=True)
def download_run_logs(self: RunTransferTask, job_id: int, run_id: int) -> dict[str, Any]:
    return self.transfer(_DOWNLOAD, Artifact(ArtifactKind.RUN_LOGS, job_id, run_id))
