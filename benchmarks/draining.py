"""A backlog of small uploads that workers drain, with servers near by or some milliseconds away."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import psutil
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.sql.transfers.requests import request_uploads
from benchmarks import naive
from benchmarks.deployment import Deployment
from benchmarks.distance import distant
from benchmarks.figures import OURS, Figure, Measured, Unit, compared, interleaved
from benchmarks.platform import job_row, recorded

_UPLOADS, _UPLOADS_FAR_AWAY = 5_000, 500
_CONTENT = b"x" * 4096
_UNACKNOWLEDGED = "unacked"
_SERVERS = {
    "postgres": Unit.SQL_CPU,
    "valkey-server": Unit.BROKER_CPU,
    "rclone": Unit.S3_CPU,
}
"""What is measured of a server, by the name of its process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A program that drains its queue.

    Attributes:
        ask: publishes the uploads of jobs whose rows are there.
        done: how many of the jobs from the first to the last are stored.
    """

    ask: Callable[[range], None]
    done: Callable[[int, int], int]
    start: Callable[[Mapping[str, str]], ManagedProcess]
    queue: str
    broker_database: int


def measure_draining(made: Deployment) -> list[Figure]:
    """Drain 5,000 messages to the last one."""
    return _measured(made, f"a backlog of {_UPLOADS:,} small uploads, drained", _UPLOADS, {})


def measure_draining_to_distant_s3(made: Deployment) -> list[Figure]:
    """Drain with an S3 whose round trip takes 20 ms."""
    with distant(made, s3=20) as environment:
        title = f"{_UPLOADS_FAR_AWAY:,} small uploads drained, S3 20 ms away"
        return _measured(made, title, _UPLOADS_FAR_AWAY, environment)


def measure_draining_at_a_distance(made: Deployment) -> list[Figure]:
    """Drain with a round trip of 2 ms to each server."""
    with distant(made, s3=2, broker=2, sql=2) as environment:
        title = f"{_UPLOADS_FAR_AWAY:,} small uploads drained, each server 2 ms away"
        return _measured(made, title, _UPLOADS_FAR_AWAY, environment)


def _measured(
    made: Deployment, title: str, count: int, environment: Mapping[str, str]
) -> list[Figure]:
    contenders = {
        OURS: partial(drained, made, ours(made), count, environment),
        "naive": partial(drained, made, _naive(made), count, environment),
    }
    return compared(title, interleaved(contenders))


def drained_by(
    made: Deployment,
    processes: int,
    count: int,
    environment: Mapping[str, str],
    look: Callable[[], object],
) -> Measured:
    """Drain a backlog by a worker with so many processes; call `look` while it drains."""
    contender = ours(made, "--concurrency", str(processes))

    def done(first: int, last: int) -> int:
        look()
        return contender.done(first, last)

    return drained(made, replace(contender, done=done), count, environment)


def drained(
    made: Deployment, contender: Contender, count: int, environment: Mapping[str, str]
) -> Measured:
    """Return what a new worker uses for so many uploads, from the first on."""
    job_ids = new_jobs(made, count)
    contender.ask(job_ids)
    done = partial(contender.done, job_ids[0], job_ids[-1])
    worker = contender.start(environment)
    # From the first one on, since starting a worker takes seconds.
    made.wait_until(lambda: done() > 0)
    process = psutil.Process(worker.pid)
    began, before, cpu_before = time.perf_counter(), done(), _cpu_seconds(process)
    made.wait_until(lambda: done() == count and _is_empty(made, contender))
    seconds, cpu_after = time.perf_counter() - began, _cpu_seconds(process)
    worker.stop()
    uploads = count - before
    cpu = {unit: 1000 * (cpu_after[unit] - cpu_before[unit]) / uploads for unit in cpu_before}
    return {Unit.UPLOADS: uploads / seconds, **cpu}


def ours(made: Deployment, *options: str) -> Contender:
    def ask(job_ids: range) -> None:
        artifacts = [(ArtifactKind.JOB_CONFIG, job_id, None) for job_id in job_ids]
        with Session(made.stack.engine) as session, session.begin():
            request_uploads(session, artifacts, app=made.app)

    return Contender(
        ask=ask,
        done=partial(recorded, made),
        start=lambda environment: made.start_worker(*options, environment=dict(environment)),
        queue="configs",
        broker_database=0,
    )


def _naive(made: Deployment) -> Contender:
    def ask(job_ids: range) -> None:
        for job_id in job_ids:
            naive.upload_job_config.delay(job_id)

    def located(first: int, last: int) -> int:
        statement = "SELECT count(config_location) FROM jobs WHERE id BETWEEN :first AND :last"
        return made.count(statement, first=first, last=last)

    return Contender(
        ask=ask,
        done=located,
        start=made.start_naive_worker,
        queue="celery",
        broker_database=1,
    )


def new_jobs(made: Deployment, count: int) -> range:
    """Return new jobs, with their rows and files."""
    job_ids = made.new_ids(count)
    with Session(made.stack.engine) as session, session.begin():
        session.add_all(map(job_row, job_ids))
    for job_id in job_ids:
        made.path(Artifact(ArtifactKind.JOB_CONFIG, job_id)).write_bytes(_CONTENT)
    return job_ids


def _is_empty(made: Deployment, contender: Contender) -> bool:
    with made.stack.broker.client() as broker:
        broker.select(contender.broker_database)
        return not broker.llen(contender.queue) and not broker.hlen(_UNACKNOWLEDGED)


def _cpu_seconds(worker: psutil.Process) -> dict[Unit, float]:
    """Return what a worker and the servers have used, each with its children."""
    servers = {
        _SERVERS[process.name()]: process
        for process in psutil.Process().children()
        if process.name() in _SERVERS
    }
    return {
        unit: _of_tree(process) for unit, process in {Unit.WORKER_CPU: worker, **servers}.items()
    }


def _of_tree(process: psutil.Process) -> float:
    total = _of_one(process)
    for child in process.children(recursive=True):
        # A connection of PostgreSQL may have ended since the children were listed.
        with suppress(psutil.NoSuchProcess):
            total += _of_one(child)
    return total


def _of_one(process: psutil.Process) -> float:
    """Return what a process has used, with its children that have ended."""
    times = process.cpu_times()
    seconds: float = times.user + times.system + times.children_user + times.children_system
    return seconds
