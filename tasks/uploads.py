"""The upload tasks. Thin: the ids become an artifact, the use case does the rest."""

from typing import Any

from celery import shared_task

from domain.artifacts import Artifact, ArtifactKind
from tasks.arguments import JobArguments, RunArguments
from tasks.base import UploadTask


class JobUploadTask(UploadTask):
    abstract = True
    arguments = JobArguments


class RunUploadTask(UploadTask):
    abstract = True
    arguments = RunArguments


@shared_task(name="artifacts.upload_job_config", base=JobUploadTask, bind=True)
def upload_job_config(self: JobUploadTask, job_id: int) -> dict[str, Any]:
    return self.upload(Artifact(ArtifactKind.JOB_CONFIG, job_id))


@shared_task(name="artifacts.upload_job_input", base=JobUploadTask, bind=True)
def upload_job_input(self: JobUploadTask, job_id: int) -> dict[str, Any]:
    return self.upload(Artifact(ArtifactKind.JOB_INPUT, job_id))


@shared_task(name="artifacts.upload_run_config", base=RunUploadTask, bind=True)
def upload_run_config(self: RunUploadTask, job_id: int, run_id: int) -> dict[str, Any]:
    return self.upload(Artifact(ArtifactKind.RUN_CONFIG, job_id, run_id))


@shared_task(name="artifacts.upload_run_results", base=RunUploadTask, bind=True)
def upload_run_results(self: RunUploadTask, job_id: int, run_id: int) -> dict[str, Any]:
    return self.upload(Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id))


@shared_task(name="artifacts.upload_run_logs", base=RunUploadTask, bind=True)
def upload_run_logs(self: RunUploadTask, job_id: int, run_id: int) -> dict[str, Any]:
    return self.upload(Artifact(ArtifactKind.RUN_LOGS, job_id, run_id))
