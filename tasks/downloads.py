"""The download tasks, into the workspace. A file that is there already is kept."""

from typing import Any

from celery import shared_task

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.base import JobTransferTask
from artifact_pipeline.tasks.routing import DOWNLOAD_JOB
from artifact_pipeline.tasks.transfers import transfer_tasks

TASKS = transfer_tasks(Direction.DOWNLOAD)

# Producers import these names.
download_job_config = TASKS[ArtifactKind.JOB_CONFIG]
download_job_input = TASKS[ArtifactKind.JOB_INPUT]
download_run_config = TASKS[ArtifactKind.RUN_CONFIG]
download_run_results = TASKS[ArtifactKind.RUN_RESULTS]
download_run_logs = TASKS[ArtifactKind.RUN_LOGS]


@shared_task(name=DOWNLOAD_JOB, base=JobTransferTask, bind=True)
def download_job(self: JobTransferTask, job_id: int) -> dict[str, Any]:
    """Download all artifacts of the job, each as a separate transfer."""
    workspace = self.message_workspace
    return self.plan(lambda: self.services.request_downloads(job_id, workspace))
