"""A run's results, zipped and sent: many files, and CSV like what a solver writes."""

import random
import shutil
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from benchmarks.deployment import Deployment
from benchmarks.figures import OURS, Contender, Figure, Measured, Unit, compared, interleaved
from benchmarks.peers import run_peer, run_s5cmd
from benchmarks.platform import key_of, new_run, recorded
from benchmarks.processes import watched

_SIZE_MIB = 1024
_FILES = 2_000
_FILE_BYTES = _SIZE_MIB * 2**20 // _FILES
_RUNS = 4
_LINES = 20_000


def measure_results(made: Deployment) -> list[Figure]:
    return _Results(made, made.start_worker()).measure()


class _Results:
    def __init__(self, made: Deployment, worker: ManagedProcess) -> None:
        self._made = made
        self._worker = worker
        self._directory = made.stack.directory / "results"
        _write_results(self._directory)

    def measure(self) -> list[Figure]:
        contenders: dict[str, Contender] = {
            OURS: self._by_ours,
            "zipfile, then s5cmd": partial(self._by_zipfile, level=6),
            "zipfile at our level 1, then s5cmd": partial(self._by_zipfile, level=1),
        }
        return compared("1 GiB of results in 2,000 files", interleaved(contenders))

    def _by_ours(self) -> Measured:
        artifact = new_run(self._made, ArtifactKind.RUN_RESULTS)
        place = self._made.path(artifact)
        self._directory.rename(place)
        seconds, peak = watched(self._worker.pid, lambda: self._upload(artifact))
        place.rename(self._directory)
        self._delete(artifact)
        return {Unit.SPEED: _SIZE_MIB / seconds, Unit.PEAK_MEMORY: peak}

    def _upload(self, artifact: Artifact) -> None:
        job_id = artifact.job_id
        with Session(self._made.stack.engine) as session, session.begin():
            request_upload(session, artifact.kind, job_id, artifact.run_id, app=self._made.app)
        self._made.wait_until(lambda: recorded(self._made, job_id, job_id) == 1)

    def _by_zipfile(self, level: int) -> Measured:
        artifact = Artifact(ArtifactKind.RUN_RESULTS, *self._made.new_ids(2))
        target = self._made.stack.directory / "results.zip"
        url = f"s3://{self._made.environment['ARTIFACTS_BUCKET']}/{key_of(artifact)}"
        zipped = run_peer(
            self._made.environment, "zip", str(self._directory), str(target), str(level)
        )
        seconds, peak = run_s5cmd(self._made.environment, "cp", str(target), url)
        target.unlink()
        self._delete(artifact)
        return {
            Unit.SPEED: _SIZE_MIB / (zipped["seconds"] + seconds),
            Unit.PEAK_MEMORY: max(zipped["peak_mib"], peak),
        }

    def _delete(self, artifact: Artifact) -> None:
        bucket = self._made.environment["ARTIFACTS_BUCKET"]
        self._made.stack.client().delete_object(Bucket=bucket, Key=key_of(artifact))


def _write_results(directory: Path) -> None:
    dice = random.Random(12)
    lines = [f"{dice.random():.6f},{dice.randrange(1000)}\n" for _ in range(_LINES)]
    shutil.rmtree(directory, ignore_errors=True)
    for number in range(_FILES):
        file = directory / f"RUN{number % _RUNS + 1}" / f"{number}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        dice.shuffle(lines)
        text = "".join(lines).encode()
        file.write_bytes((text * (_FILE_BYTES // len(text) + 1))[:_FILE_BYTES])
