"""The upload tasks: one for each kind, and one for the small uploads of a job."""

from typing import Any

from celery import shared_task

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.base import JobTransferTask
from artifact_pipeline.tasks.routing import UPLOAD_JOB
from artifact_pipeline.tasks.transfers import transfer_tasks

TASKS = transfer_tasks(Direction.UPLOAD)

# Producers import these names.
upload_job_config = TASKS[ArtifactKind.JOB_CONFIG]
upload_job_input = TASKS[ArtifactKind.JOB_INPUT]
upload_run_config = TASKS[ArtifactKind.RUN_CONFIG]
upload_run_results = TASKS[ArtifactKind.RUN_RESULTS]
upload_run_logs = TASKS[ArtifactKind.RUN_LOGS]


@shared_task(name=UPLOAD_JOB, base=JobTransferTask, bind=True)
def upload_job(self: JobTransferTask, job_id: int) -> dict[str, Any]:
    """Do the small uploads of the job that were requested and are due."""
    return self.upload_job(job_id)
