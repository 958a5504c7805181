"""The upload tasks, one for each kind."""

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.transfers import transfer_tasks

TASKS = transfer_tasks(Direction.UPLOAD)

# The names that producers import.
upload_job_config = TASKS[ArtifactKind.JOB_CONFIG]
upload_job_input = TASKS[ArtifactKind.JOB_INPUT]
upload_run_config = TASKS[ArtifactKind.RUN_CONFIG]
upload_run_results = TASKS[ArtifactKind.RUN_RESULTS]
upload_run_logs = TASKS[ArtifactKind.RUN_LOGS]
