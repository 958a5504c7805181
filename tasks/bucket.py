"""The tasks about what is in the bucket already."""

from typing import Any

from celery import shared_task

from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.arguments import JobOrRunArguments
from artifact_pipeline.tasks.base import JobTransferTask, TransferTask
from artifact_pipeline.tasks.routing import CONFIRM, RELOCATE, VERIFY_JOB


class JobOrRunTask(TransferTask):
    abstract = True
    arguments = JobOrRunArguments


@shared_task(name=CONFIRM, base=JobOrRunTask, bind=True)
def confirm_upload(self: JobOrRunTask, job_id: int, run_id: int | None = None) -> dict[str, Any]:
    """Find and record what a client has stored by its upload URL."""
    return self.one_or_all(
        Direction.CONFIRM,
        job_id,
        lambda: self.services.request_confirmations(job_id, run_id),
    )


@shared_task(name=RELOCATE, base=JobTransferTask, bind=True)
def relocate_job(self: JobTransferTask, job_id: int) -> dict[str, Any]:
    """Copy what an old rule put elsewhere to the job's creation-time directory."""
    return self.one_or_all(
        Direction.RELOCATE, job_id, lambda: self.services.request_relocations(job_id)
    )


@shared_task(name=VERIFY_JOB, base=JobTransferTask, bind=True)
def verify_job(self: JobTransferTask, job_id: int) -> dict[str, Any]:
    """Compare the job's artifacts in the store with what is recorded; fail if they differ."""
    return self.unrecorded(lambda: self.services.verify_job(job_id))
