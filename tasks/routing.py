"""The names that messages in flight and other people's code rely on."""

from functools import cache

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind, SizeClass
from artifact_pipeline.domain.model.transfers import Direction, Transfer
from artifact_pipeline.domain.model.workspaces import workspace_name

CONFIGS = "configs"
RESULTS = "results"
UPKEEP = "upkeep"
BATCHES = "batches"
"""Of what batches ask for, so that nothing else waits behind it."""
UNROUTED = "celery"
"""Where a bare `send_task` without `queue=` lands: Celery's own default."""
OF_TRANSFERS = (CONFIGS, RESULTS, BATCHES)
"""Queues whose messages need a workspace. A workspace with a name has queues of its own."""
_OF_WORKSPACE = "."
"""Between a queue and the name of a workspace."""

OWN_QUEUES = (CONFIGS, RESULTS, UPKEEP, BATCHES, UNROUTED)
"""The queues that workers listen to."""

BATCH_HEADER = "artifacts_batch"
"""Of a message: the id of the batch that it belongs to."""
RECORDED_HEADER = "artifacts_recorded"
"""Of a message: 1 if its request was in SQL before it was sent."""

WORKSPACE_HEADER = "artifacts_workspace"
"""Of a bare message: the name of its workspace, unless the queue that it is sent to has it."""

DELAY_HEADER = "artifacts_delay"
"""Of a retry: in how many seconds. Its `eta` says so by the sender's clock."""

BEAT_HEADER = "celery_beat_task"
"""Of a message: that Celery beat sent it."""

DISPATCH = "artifacts.dispatch"
RECONCILE = "artifacts.reconcile"
AUDIT = "artifacts.audit"
CONFIRM = "artifacts.confirm_upload"
RELOCATE = "artifacts.relocate_job"
DOWNLOAD_JOB = "artifacts.download_job"
UPLOAD_JOB = "artifacts.upload_job"
VERIFY_JOB = "artifacts.verify_job"
WRITE_MANIFEST = "artifacts.write_manifest"
APPLY_RETENTION = "artifacts.apply_retention"
DELIVER_EVENTS = "artifacts.deliver_events"

UPKEEP_TASKS = (AUDIT, DELIVER_EVENTS, DISPATCH, RECONCILE)
"""Their messages never expire, and their routine is not worth a line at INFO. Retention deletes, so
it is not among them."""

REQUESTING_TASKS = (CONFIRM, RELOCATE, DOWNLOAD_JOB)
"""Their messages request transfers, beside those of `TRANSFER_TASKS`."""

# Large artifacts must never delay a config.
_QUEUES = {SizeClass.SMALL: CONFIGS, SizeClass.LARGE: RESULTS}


# These are requested for a job or a run; the message's id names the transfer.
_FOR_ALL_KINDS = {Direction.CONFIRM: CONFIRM, Direction.RELOCATE: RELOCATE}


@cache
def queue_of(kind: ArtifactKind) -> str:
    return _QUEUES[kind.spec.size]


def queue_of_transfer(transfer: Transfer) -> str:
    queue = BATCHES if transfer.batch_id else queue_of(transfer.artifact.kind)
    return queue_in(queue, transfer.workspace)


def queue_in(queue: str, workspace: str | None) -> str:
    """Return the queue of a workspace for the same work; the default workspace has the queue."""
    return queue if workspace is None else f"{queue}{_OF_WORKSPACE}{workspace}"


def queues_of_workspace(workspace: str | None) -> tuple[str, ...]:
    """Return the queues of the transfers that need this workspace."""
    return tuple(queue_in(queue, workspace) for queue in OF_TRANSFERS)


def workspace_of_queue(queue: str) -> str | None:
    """Return the name of the workspace that the queue is of; None if it has none."""
    return work_of_queue(queue)[1]


def work_of_queue(queue: str) -> tuple[str, str | None]:
    """Return what `queue_in` was given: the queue for the same work, and the workspace."""
    work, _, name = queue.partition(_OF_WORKSPACE)
    if work not in OF_TRANSFERS or not name:
        return queue, None
    try:
        return work, workspace_name(name)
    except InvalidRequestError:
        return queue, None


@cache
def task_name(direction: Direction, kind: ArtifactKind) -> str:
    return _FOR_ALL_KINDS.get(direction, f"artifacts.{direction}_{kind}")


TRANSFER_TASKS = {
    task_name(direction, kind): (direction, kind)
    for direction in (Direction.UPLOAD, Direction.DOWNLOAD)
    for kind in ArtifactKind
}
"""The tasks of one artifact, by their names."""


def ids_of(direction: Direction, artifact: Artifact) -> dict[str, int]:
    """Return the arguments of the task."""
    if artifact.run_id is None or direction is Direction.RELOCATE:
        return {"job_id": artifact.job_id}
    return {"job_id": artifact.job_id, "run_id": artifact.run_id}
