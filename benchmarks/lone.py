"""Small uploads one by one on an idle system: the time from the request to the record."""

import random
import statistics
import time
from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from benchmarks import naive
from benchmarks.deployment import Deployment
from benchmarks.figures import OURS, Figure, Measured, Unit, compared, interleaved
from benchmarks.platform import job_row

_UPLOADS = 100
_CONTENT = b"x" * 4096
_LOOK_SECONDS = 0.001
_PATIENCE_SECONDS = 60
_PAUSE_SECONDS = (0.05, 0.25)
"""The least and the longest pause before a request. It varies, so that a request meets a waiting
worker at any moment of its wait."""

_RECORDED = text("SELECT count(*) FROM artifacts WHERE job_id = :job")
_LOCATED = text("SELECT count(config_location) FROM jobs WHERE id = :job")


def measure_lone_uploads(made: Deployment) -> list[Figure]:
    """Compare the times of one upload while nothing else is under way."""
    made.start_worker(), made.start_naive_worker()
    contenders = {
        OURS: partial(_one_by_one, made, partial(_by_ours, made)),
        "naive": partial(_one_by_one, made, partial(_by_naive, made)),
    }
    # The first uploads of a worker also import and connect.
    for contender in contenders.values():
        contender(count=5)
    return compared("a lone small upload, requested to recorded", interleaved(contenders))


def _one_by_one(
    made: Deployment, upload: Callable[[Connection, int], None], count: int = _UPLOADS
) -> Measured:
    dice = random.Random(12)
    taken = []
    with made.stack.engine.connect() as connection:
        # Otherwise each look would have the snapshot of the first one.
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for job_id in made.new_ids(count):
            made.path(Artifact(ArtifactKind.JOB_CONFIG, job_id)).write_bytes(_CONTENT)
            time.sleep(dice.uniform(*_PAUSE_SECONDS))
            began = time.perf_counter()
            upload(connection, job_id)
            taken.append((time.perf_counter() - began) * 1000)
    return percentiles(taken)


def percentiles(milliseconds: list[float]) -> Measured:
    """Return the median and the 99th percentile, none above the longest."""
    of_hundred = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {Unit.LONE_MEDIAN: statistics.median(milliseconds), Unit.LONE_P99: of_hundred[98]}


def _by_ours(made: Deployment, connection: Connection, job_id: int) -> None:
    with Session(made.stack.engine) as session, session.begin():
        session.add(job_row(job_id))
        session.flush()
        request_upload(session, ArtifactKind.JOB_CONFIG, job_id, app=made.app)
    _wait_until_counted(connection, _RECORDED, job_id)


def _by_naive(made: Deployment, connection: Connection, job_id: int) -> None:
    with Session(made.stack.engine) as session, session.begin():
        session.add(job_row(job_id))
    naive.upload_job_config.delay(job_id)
    _wait_until_counted(connection, _LOCATED, job_id)


def _wait_until_counted(connection: Connection, statement: TextClause, job_id: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not connection.execute(statement, {"job": job_id}).scalar_one():
        assert time.monotonic() < deadline, "the upload was not recorded"
        time.sleep(_LOOK_SECONDS)
