"""Make the tasks that transfer one artifact. Thin: the ids become an artifact."""

from typing import Any

from celery import shared_task

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.base import JobTransferTask, RunTransferTask, TransferTask
from artifact_pipeline.tasks.routing import task_name


def transfer_tasks(direction: Direction) -> dict[ArtifactKind, TransferTask]:
    """Return the direction's task for each kind; Celery's apps find them."""
    return {kind: _task(direction, kind) for kind in ArtifactKind}


def _task(direction: Direction, kind: ArtifactKind) -> TransferTask:
    def transfer(self: TransferTask, job_id: int, run_id: int | None = None) -> dict[str, Any]:
        return self.transfer(direction, Artifact(kind, job_id, run_id))

    transfer.__name__ = f"{direction}_{kind}"
    # Celery imports this module when it reads a pickled task.
    transfer.__module__ = f"artifact_pipeline.tasks.{direction}s"
    base = RunTransferTask if kind.belongs_to_run else JobTransferTask
    return shared_task(name=task_name(direction, kind), base=base, bind=True)(transfer)
