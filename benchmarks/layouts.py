"""How many processes a worker should have: a backlog of small uploads, drained by each layout.

python -m benchmarks.layouts
"""

import statistics
import time

from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.dev.layout import usable_cores
from artifact_pipeline.worker.sql.transfers.requests import request_uploads
from benchmarks.deployment import Deployment, deployment
from benchmarks.platform import job_row, recorded

_UPLOADS = 1_000
_WARM_UP = 100
_ROUNDS = 3
_CONTENT = b"x" * 4096


def main() -> None:
    cores = usable_cores()
    layouts = {
        "one process": ("--concurrency", "1"),
        "a process for each core": ("--concurrency", str(cores)),
        "two processes for each core": ("--concurrency", str(2 * cores)),
        "a thread for each core": ("--pool", "threads", "--concurrency", str(cores)),
        "two threads for each core": ("--pool", "threads", "--concurrency", str(2 * cores)),
    }
    rates: dict[str, list[float]] = {name: [] for name in layouts}
    with deployment() as made:
        for _ in range(_ROUNDS):
            for name, options in layouts.items():
                rates[name].append(_drained(made, options))
    print(f"{cores} cores, {_UPLOADS} uploads, medians of {_ROUNDS} rounds")
    for name, found in rates.items():
        print(f"{name}: {statistics.median(found):.0f} uploads/s")


def _drained(made: Deployment, options: tuple[str, ...]) -> float:
    worker = made.start_worker(*options)
    try:
        _requested(made, _WARM_UP)  # until connections stand and pages have grown
        began = time.perf_counter()
        _requested(made, _UPLOADS)
        return _UPLOADS / (time.perf_counter() - began)
    finally:
        worker.stop()


def _requested(made: Deployment, count: int) -> None:
    """Request uploads by one statement, and wait until they are recorded."""
    ids = made.new_ids(count)
    artifacts = [Artifact(ArtifactKind.JOB_CONFIG, job_id) for job_id in ids]
    for artifact in artifacts:
        made.path(artifact).write_bytes(_CONTENT)
    with Session(made.stack.engine) as session, session.begin():
        session.add_all(map(job_row, ids))
        session.flush()
        request_uploads(session, [(one.kind, one.job_id, None) for one in artifacts], app=made.app)
    made.wait_until(lambda: recorded(made, ids[0], ids[-1]) == count)


if __name__ == "__main__":
    main()
