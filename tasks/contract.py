"""The names that messages in flight and other people's code rely on."""

from domain.artifacts import ArtifactKind
from domain.transfers import Direction

CONFIGS = "configs"
RESULTS = "results"
UPKEEP = "upkeep"
UNROUTED = "celery"
"""Where a bare `send_task` without `queue=` lands: Celery's own default."""

DISPATCH = "artifacts.dispatch"
RECONCILE = "artifacts.reconcile"

# By size: what may be large never stands in the way of a config.
_QUEUES = {
    ArtifactKind.JOB_CONFIG: CONFIGS,
    ArtifactKind.RUN_CONFIG: CONFIGS,
    ArtifactKind.JOB_INPUT: RESULTS,
    ArtifactKind.RUN_RESULTS: RESULTS,
    ArtifactKind.RUN_LOGS: RESULTS,
}


def queue_of(kind: ArtifactKind) -> str:
    return _QUEUES[kind]


def task_name(direction: Direction, kind: ArtifactKind) -> str:
    return f"artifacts.{direction}_{kind}"
