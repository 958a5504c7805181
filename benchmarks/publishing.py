"""What a producer waits for until its requests are on their way."""

import time
from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.sql.transfers.requests import request_upload, request_uploads
from benchmarks import naive
from benchmarks.deployment import Deployment
from benchmarks.figures import OURS, Figure, Measured, Unit, compared, interleaved
from benchmarks.platform import job_row

_TOGETHER = 5_000
_IN_A_TRANSACTION = 100
_ONE_BY_ONE = 1_000


def measure_publishing(made: Deployment) -> list[Figure]:
    """Without workers, so that no message is taken. The messages are thrown away."""
    together = {
        OURS: partial(_together_by_ours, made, _TOGETHER, _IN_A_TRANSACTION),
        "naive": partial(_by_naive, made, _TOGETHER, _IN_A_TRANSACTION),
    }
    one_by_one = {
        OURS: partial(one_by_one_by_ours, made, _ONE_BY_ONE),
        "naive": partial(one_by_one_by_naive, made, _ONE_BY_ONE),
    }
    return [
        *compared(
            f"publishing {_TOGETHER:,} requests, 100 new jobs a commit", interleaved(together)
        ),
        *compared(
            f"publishing {_ONE_BY_ONE:,} requests, one new job a commit", interleaved(one_by_one)
        ),
    ]


def _together_by_ours(made: Deployment, count: int, page: int) -> Measured:
    def ask(session: Session, job_ids: range) -> None:
        artifacts = [(ArtifactKind.JOB_CONFIG, job_id, None) for job_id in job_ids]
        request_uploads(session, artifacts, app=made.app)

    return _by_ours(made, count, page, ask)


def one_by_one_by_ours(made: Deployment, count: int) -> Measured:
    """Publish with a commit for each request, and return the rate."""

    def ask(session: Session, job_ids: range) -> None:
        for job_id in job_ids:
            request_upload(session, ArtifactKind.JOB_CONFIG, job_id, app=made.app)

    return _by_ours(made, count, 1, ask)


def one_by_one_by_naive(made: Deployment, count: int) -> Measured:
    """Do the same by the naive task."""
    return _by_naive(made, count, 1)


def _by_ours(
    made: Deployment, count: int, page: int, ask: Callable[[Session, range], None]
) -> Measured:
    def work() -> None:
        for job_ids in _pages(made, count, page):
            with Session(made.stack.engine) as session, session.begin():
                session.add_all(job_row(job_id) for job_id in job_ids)
                session.flush()
                ask(session, job_ids)

    return _rate(made, work, count)


def _by_naive(made: Deployment, count: int, page: int) -> Measured:
    def work() -> None:
        for job_ids in _pages(made, count, page):
            with Session(made.stack.engine) as session, session.begin():
                session.add_all(job_row(job_id) for job_id in job_ids)
            for job_id in job_ids:
                naive.upload_job_config.delay(job_id)

    return _rate(made, work, count)


def _pages(made: Deployment, count: int, page: int) -> Iterator[range]:
    return (made.new_ids(page) for _ in range(count // page))


def _rate(made: Deployment, work: Callable[[], None], count: int) -> Measured:
    began, cpu_began = time.perf_counter(), time.process_time()
    work()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    with made.stack.broker.client() as client:
        client.flushall()
    return {Unit.REQUESTS: count / seconds, Unit.PRODUCER_CPU: 1000 * cpu_seconds / count}
