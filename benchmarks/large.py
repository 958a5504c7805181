"""One large file, up and down: how fast, and how much memory it takes."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.sql.platform_tables import RunRow
from artifact_pipeline.worker.sql.transfers.requests import request_download, request_upload
from benchmarks import naive
from benchmarks.deployment import Deployment
from benchmarks.figures import OURS, Contender, Figure, Measured, Unit, compared, interleaved
from benchmarks.peers import run_peer, run_s5cmd
from benchmarks.platform import key_of, new_run, recorded
from benchmarks.processes import has_pool, watched

_MIB = 2**20
_SIZE_MIB = 1024
_CHUNK = os.urandom(8 * _MIB)
_KIND = ArtifactKind.RUN_LOGS


def measure_large_file(made: Deployment) -> list[Figure]:
    workers = {OURS: made.start_worker(), "naive": made.start_naive_worker()}
    return _LargeFile(made, workers).measure()


def large_file_up_by_ours(made: Deployment, size_mib: int) -> Contender:
    """Return the upload of one file by a worker that is started for it."""
    return _LargeFile(made, {OURS: made.start_worker()}, size_mib).up[OURS]


def large_file_up_by_boto3(made: Deployment, size_mib: int) -> Contender:
    """Return the upload of one file by boto3 alone."""
    return _LargeFile(made, {}, size_mib).up["boto3"]


class _LargeFile:
    """Goes up and down; what is not needed any more is removed at once, for the disk's sake."""

    def __init__(
        self, made: Deployment, workers: Mapping[str, ManagedProcess], size_mib: int = _SIZE_MIB
    ) -> None:
        self._made = made
        self._workers = workers
        self._size_mib = size_mib
        self._bucket = made.environment["ARTIFACTS_BUCKET"]
        self._file = made.stack.directory / "large"
        with self._file.open("wb") as file:
            for number in range(size_mib * _MIB // len(_CHUNK)):
                file.write(number.to_bytes(8, "big") + _CHUNK[8:])
        for worker in workers.values():
            # What is watched are the children that are there when the work begins.
            made.wait_until(partial(has_pool, worker.pid))

    @property
    def up(self) -> dict[str, Contender]:
        return {
            OURS: partial(self._cleared, self._up_by_ours),
            "naive": partial(self._cleared, self._up_by_naive),
            "boto3": partial(self._cleared, self._up_by_boto3),
            "s5cmd": partial(self._cleared, self._up_by_s5cmd),
        }

    @property
    def down(self) -> dict[str, Contender]:
        return {
            OURS: partial(self._cleared, self._down_by_ours),
            "naive": partial(self._cleared, self._down_by_naive),
            "boto3": partial(self._cleared, self._down_by_boto3),
            "s5cmd": partial(self._cleared, self._down_by_s5cmd),
            "s5cmd, then sync": partial(self._cleared, self._down_by_s5cmd_to_disk),
        }

    def measure(self) -> list[Figure]:
        return [
            *compared("1 GiB up", interleaved(self.up)),
            *compared("1 GiB down", interleaved(self.down)),
        ]

    def _cleared(self, work: Callable[[Artifact], Measured]) -> Measured:
        artifact = new_run(self._made, _KIND)
        try:
            return work(artifact)
        finally:
            shutil.rmtree(self._made.path(artifact).parent, ignore_errors=True)
            client = self._made.stack.client()
            client.delete_object(Bucket=self._bucket, Key=key_of(artifact))

    def _up_by_ours(self, artifact: Artifact) -> Measured:
        os.link(self._file, self._made.path(artifact))
        return self._measured(*watched(self._workers[OURS].pid, lambda: self._upload(artifact)))

    def _upload(self, artifact: Artifact) -> None:
        job_id = artifact.job_id
        with Session(self._made.stack.engine) as session, session.begin():
            request_upload(session, _KIND, job_id, artifact.run_id, app=self._made.app)
        self._made.wait_until(lambda: recorded(self._made, job_id, job_id) == 1)

    def _up_by_naive(self, artifact: Artifact) -> Measured:
        os.link(self._file, self._made.path(artifact))
        return self._by_naive(artifact, naive.upload_run_logs, RunRow.results_url)

    def _up_by_boto3(self, artifact: Artifact) -> Measured:
        return self._by_boto3("boto3-up", str(self._file), key_of(artifact))

    def _up_by_s5cmd(self, artifact: Artifact) -> Measured:
        return self._by_s5cmd(str(self._file), self._url(artifact))

    def _down_by_ours(self, artifact: Artifact) -> Measured:
        os.link(self._file, self._made.path(artifact))
        self._upload(artifact)
        self._look_at(artifact)
        self._made.path(artifact).unlink()
        return self._measured(*watched(self._workers[OURS].pid, lambda: self._download(artifact)))

    def _download(self, artifact: Artifact) -> None:
        job_id = artifact.job_id
        with Session(self._made.stack.engine) as session, session.begin():
            request_download(session, _KIND, job_id, artifact.run_id, app=self._made.app)
        done = "SELECT count(*) FROM transfers WHERE job_id = :job AND direction = 'download'"
        self._made.wait_until(
            lambda: self._made.count(f"{done} AND state = 'done'", job=job_id) == 1
        )

    def _down_by_naive(self, artifact: Artifact) -> Measured:
        os.link(self._file, self._made.path(artifact))
        self._by_naive(artifact, naive.upload_run_logs, RunRow.results_url)
        self._look_at(artifact)
        self._made.path(artifact).unlink()
        return self._by_naive(artifact, naive.download_run_logs, RunRow.config_url)

    def _down_by_boto3(self, artifact: Artifact) -> Measured:
        self._put_by_s5cmd(artifact)
        return self._by_boto3("boto3-down", key_of(artifact), str(self._made.path(artifact)))

    def _down_by_s5cmd(self, artifact: Artifact) -> Measured:
        self._put_by_s5cmd(artifact)
        return self._by_s5cmd(self._url(artifact), str(self._made.path(artifact)))

    def _down_by_s5cmd_to_disk(self, artifact: Artifact) -> Measured:
        """Flush the file as a download of ours does."""
        self._put_by_s5cmd(artifact)
        began = time.perf_counter()
        fetched = self._by_s5cmd(self._url(artifact), str(self._made.path(artifact)))
        with self._made.path(artifact).open("rb") as file:
            os.fsync(file.fileno())
        return {**fetched, Unit.SPEED: self._size_mib / (time.perf_counter() - began)}

    def _put_by_s5cmd(self, artifact: Artifact) -> None:
        self._by_s5cmd(str(self._file), self._url(artifact))
        self._look_at(artifact)

    def _look_at(self, artifact: Artifact) -> None:
        """Have rclone hash the object, as it does once for each object that it is asked about."""
        self._made.stack.client().head_object(Bucket=self._bucket, Key=key_of(artifact))

    def _by_naive(
        self, artifact: Artifact, task: Any, mark: InstrumentedAttribute[str | None]
    ) -> Measured:
        def work() -> None:
            task.delay(artifact.job_id, artifact.run_id)
            self._made.wait_until(lambda: self._is_marked(artifact, mark))

        return self._measured(*watched(self._workers["naive"].pid, work))

    def _is_marked(self, artifact: Artifact, mark: InstrumentedAttribute[str | None]) -> bool:
        with self._made.stack.engine.connect() as connection:
            marked = select(mark).where(RunRow.id == artifact.run_id)
            return connection.scalar(marked) is not None

    def _by_boto3(self, *arguments: str) -> Measured:
        said = run_peer(self._made.environment, *arguments)
        return self._measured(said["seconds"], said["peak_mib"])

    def _by_s5cmd(self, source: str, target: str) -> Measured:
        return self._measured(*run_s5cmd(self._made.environment, "cp", source, target))

    def _url(self, artifact: Artifact) -> str:
        return f"s3://{self._bucket}/{key_of(artifact)}"

    def _measured(self, seconds: float, peak: float) -> Measured:
        return {Unit.SPEED: self._size_mib / seconds, Unit.PEAK_MEMORY: peak}
