"""Many small uploads, from the request to the record."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.sql.transfers.requests import request_job_uploads, request_upload
from benchmarks import naive
from benchmarks.deployment import Deployment
from benchmarks.figures import OURS, Figure, Measured, Unit, compared, interleaved
from benchmarks.peers import run_peer, run_s5cmd
from benchmarks.platform import add_runs, job_row, key_of, recorded

_UPLOADS = 2_000
_RUN_CONFIGS = 1_000
_CONTENT = b"x" * 4096


def measure_small_uploads(made: Deployment) -> list[Figure]:
    """Jobs with a config, each in a separate transaction."""
    made.start_worker(), made.start_naive_worker()
    contenders = {
        OURS: partial(jobs_by_ours, made, _UPLOADS),
        "naive": partial(jobs_by_naive, made, _UPLOADS),
        "no-op tasks": partial(_noops, made),
        "boto3, 16 threads": partial(_by_boto3, made, _job_configs),
        "s5cmd": partial(_by_s5cmd, made, _job_configs),
    }
    return compared("2,000 small uploads, requested to recorded", interleaved(contenders))


def measure_run_configs(made: Deployment) -> list[Figure]:
    """All runs of one job, made and requested in one transaction."""
    made.start_worker(), made.start_naive_worker()
    contenders = {
        OURS: partial(_runs_by_ours, made),
        "naive": partial(_runs_by_naive, made),
        "boto3, 16 threads": partial(_by_boto3, made, _run_configs),
        "s5cmd": partial(_by_s5cmd, made, _run_configs),
    }
    return compared("1,000 run configs of one job, requested to recorded", interleaved(contenders))


def jobs_by_ours(made: Deployment, count: int) -> Measured:
    """Request and store the configs of new jobs, and return the rate."""
    job_ids = [artifact.job_id for artifact in _job_configs(made, count)]

    def work() -> None:
        for job_id in job_ids:
            with Session(made.stack.engine) as session, session.begin():
                session.add(job_row(job_id))
                session.flush()
                request_upload(session, ArtifactKind.JOB_CONFIG, job_id, app=made.app)
        made.wait_until(lambda: recorded(made, job_ids[0], job_ids[-1]) == len(job_ids))

    return _rate(work, len(job_ids))


def jobs_by_naive(made: Deployment, count: int) -> Measured:
    """Do the same by the naive task."""
    job_ids = [artifact.job_id for artifact in _job_configs(made, count)]

    def located() -> int:
        return made.count(
            "SELECT count(config_location) FROM jobs WHERE id BETWEEN :first AND :last",
            first=job_ids[0],
            last=job_ids[-1],
        )

    def work() -> None:
        for job_id in job_ids:
            with Session(made.stack.engine) as session, session.begin():
                session.add(job_row(job_id))
            naive.upload_job_config.delay(job_id)
        made.wait_until(lambda: located() == len(job_ids))

    return _rate(work, len(job_ids))


def _noops(made: Deployment) -> Measured:
    def work() -> None:
        for job_id in range(1, _UPLOADS + 1):
            naive.noop.delay(job_id)
        made.wait_until(_is_drained)

    return _rate(work, _UPLOADS)


def _runs_by_ours(made: Deployment) -> Measured:
    artifacts = _run_configs(made)
    job_id = artifacts[0].job_id

    def work() -> None:
        with Session(made.stack.engine) as session, session.begin():
            add_runs(session, artifacts)
            request_job_uploads(session, job_id, kinds=[ArtifactKind.RUN_CONFIG], app=made.app)
        made.wait_until(lambda: recorded(made, job_id, job_id) == len(artifacts))

    return _rate(work, len(artifacts))


def _runs_by_naive(made: Deployment) -> Measured:
    artifacts = _run_configs(made)
    job_id = artifacts[0].job_id

    def located() -> int:
        return made.count("SELECT count(config_url) FROM runs WHERE job_id = :job", job=job_id)

    def work() -> None:
        with Session(made.stack.engine) as session, session.begin():
            add_runs(session, artifacts)
        for artifact in artifacts:
            naive.upload_run_config.delay(job_id, artifact.run_id)
        made.wait_until(lambda: located() == len(artifacts))

    return _rate(work, len(artifacts))


def _by_boto3(made: Deployment, prepare: Callable[[Deployment], list[Artifact]]) -> Measured:
    files = [(key_of(artifact), made.path(artifact)) for artifact in prepare(made)]
    listing = made.stack.directory / "boto3.txt"
    listing.write_text("".join(f"{key}\t{path}\n" for key, path in files))
    said = run_peer(made.environment, "boto3-many", str(listing))
    return {Unit.UPLOADS: len(files) / said["seconds"]}


def _by_s5cmd(made: Deployment, prepare: Callable[[Deployment], list[Artifact]]) -> Measured:
    bucket = made.environment["ARTIFACTS_BUCKET"]
    files = [(key_of(artifact), made.path(artifact)) for artifact in prepare(made)]
    commands = made.stack.directory / "s5cmd.txt"
    commands.write_text("".join(f"cp {path} s3://{bucket}/{key}\n" for key, path in files))
    seconds, _ = run_s5cmd(made.environment, "run", str(commands))
    return {Unit.UPLOADS: len(files) / seconds}


def _job_configs(made: Deployment, count: int = _UPLOADS) -> list[Artifact]:
    ids = made.new_ids(count)
    return _written(made, [Artifact(ArtifactKind.JOB_CONFIG, job_id) for job_id in ids])


def _run_configs(made: Deployment) -> list[Artifact]:
    [job_id] = made.new_ids(1)
    ids = made.new_ids(_RUN_CONFIGS)
    return _written(made, [Artifact(ArtifactKind.RUN_CONFIG, job_id, run_id) for run_id in ids])


def _written(made: Deployment, artifacts: list[Artifact]) -> list[Artifact]:
    for artifact in artifacts:
        made.path(artifact).write_bytes(_CONTENT)
    return artifacts


def _is_drained() -> bool:
    with naive.app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        return not channel.client.llen("celery") and not channel.client.hlen("unacked")


def _rate(work: Callable[[], None], count: int) -> Measured:
    began = time.perf_counter()
    work()
    return {Unit.UPLOADS: count / (time.perf_counter() - began)}
