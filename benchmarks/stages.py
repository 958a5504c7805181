"""The CPU time of one small upload of a page, stage by stage, in a process without Celery.

python -m benchmarks.stages
"""

import functools
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.s3 import direct_requests
from artifact_pipeline.worker.sql.transfers.requests import request_uploads
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from benchmarks.counts import composition_of
from benchmarks.deployment import Deployment, deployment
from benchmarks.platform import job_row, recorded

UPLOADS = 1_000
_WARM_UP = 100
_CONTENT = b"x" * 4096
_LOOK = "a look that workers do not take"
_CLAIM, _PUT, _RECORD = "claim a page", "PUT", "record a page"


class Stages:
    """Sums the CPU seconds that threads spend in functions."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function that calls no other stage."""

        @functools.wraps(function)
        def timing(*arguments: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                seconds = time.thread_time() - began
                with self._lock:
                    self.seconds[stage] += seconds

        return timing


def measure_stages(made: Deployment, uploads: int = UPLOADS) -> dict[str, float]:
    """Return the CPU milliseconds of an upload, by stage."""
    stages = Stages()
    is_done = stages.timed(_LOOK, lambda job_id: recorded(made, job_id, job_id))
    with _watched(stages), composition_of(made) as composition:
        _transfer(composition, _requested(made, _WARM_UP), is_done)
        requests = _requested(made, uploads)
        stages.seconds.clear()
        began = time.process_time()
        _transfer(composition, requests, is_done)
        total = time.process_time() - began - stages.seconds[_LOOK]
    by_stage = {stage: stages.seconds[stage] for stage in (_CLAIM, _PUT, _RECORD)}
    by_stage["the rest: reading, hashing, threads"] = total - sum(by_stage.values())
    return {stage: round(1000 * seconds / uploads, 3) for stage, seconds in by_stage.items()}


@contextmanager
def _watched(stages: Stages) -> Iterator[None]:
    with ExitStack() as patches:
        for owner, name, stage in (
            (SqlUploadPages, "claim", _CLAIM),
            (SqlUploadPages, "record", _RECORD),
            (direct_requests, "send", _PUT),
        ):
            timed = stages.timed(stage, getattr(owner, name))
            patches.enter_context(patch.object(owner, name, timed))
        yield


def _transfer(
    composition: Composition, requests: dict[Artifact, str], is_done: Callable[[int], Any]
) -> None:
    for artifact, request_id in requests.items():
        # As a worker does with the message of an upload that a page has done already: drop it.
        if not is_done(artifact.job_id):
            composition.transfer(Direction.UPLOAD, artifact, request_id)


def _requested(made: Deployment, count: int) -> dict[Artifact, str]:
    job_ids = made.new_ids(count)
    artifacts = [Artifact(ArtifactKind.JOB_CONFIG, job_id) for job_id in job_ids]
    for artifact in artifacts:
        made.path(artifact).write_bytes(_CONTENT)
    with Session(made.stack.engine) as session, session.begin():
        session.add_all(map(job_row, job_ids))
        session.flush()
        asked = [(each.kind, each.job_id, None) for each in artifacts]
        transfers = request_uploads(session, asked, app=made.app)
    return {transfer.artifact: transfer.request_id for transfer in transfers}


if __name__ == "__main__":
    with deployment() as servers:
        print(json.dumps(measure_stages(servers), indent=2))
