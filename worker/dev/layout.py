"""Which workers a machine should run: the layout that `artifacts dev` starts, and the docs name."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.tasks.routing import BATCHES, CONFIGS, RESULTS, UNROUTED, UPKEEP

_MOST_CORES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """One worker.

    Attributes:
        queues: that it takes messages from.
        processes_per_core: a process does one large transfer, or a page of small ones.
    """

    name: str
    queues: Sequence[str]
    processes_per_core: float

    def processes(self, cores: int) -> int:
        """Return how many processes it should have."""
        return max(1, round(self.processes_per_core * cores))


# Large artifacts must never delay small ones, so each class of queues has a worker.
LAYOUT = (
    WorkerPlan(name="configs", queues=(CONFIGS, UNROUTED), processes_per_core=1),
    WorkerPlan(name="results", queues=(RESULTS,), processes_per_core=1),
    WorkerPlan(name="batches", queues=(BATCHES,), processes_per_core=1),
    # The sweeps take turns, and cost little.
    WorkerPlan(name="upkeep", queues=(UPKEEP,), processes_per_core=0),
)


def planned_processes(workers: str | None, otherwise: int) -> dict[str, int]:
    """Return how many processes each worker of the layout should have, by its name.

    Args:
        workers: "auto" for the cores of this machine, or their number; None if it was not given.
        otherwise: of each worker, if it was not given.

    Raises:
        InvalidRequestError: it is neither.
    """
    if workers is None:
        return {plan.name: otherwise for plan in LAYOUT}
    cores = usable_cores() if workers == "auto" else _number(workers)
    return {plan.name: plan.processes(cores) for plan in LAYOUT}


def _number(workers: str) -> int:
    if not workers.isdecimal() or not 0 < int(workers) <= _MOST_CORES:
        raise InvalidRequestError(
            f"--workers {workers}: give auto, or a number of cores from 1 to {_MOST_CORES}"
        )
    return int(workers)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
