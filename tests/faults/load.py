"""What is asked for under faults: seeded, so that every byte of it can be made again."""

import io
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.workspace import Workspace

_FIRST = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
_RUNS = 3
_CHUNK = 2**24  # randbytes makes less than 256 MiB at once
_SMALL_BYTES = 20_000
_PER_JOB = 1 + 3 * _RUNS
_OF_RUN = (ArtifactKind.RUN_CONFIG, ArtifactKind.RUN_LOGS, ArtifactKind.RUN_RESULTS)
_NAMES = {
    ArtifactKind.JOB_CONFIG: "job_config.json",
    ArtifactKind.JOB_INPUT: "job_input.zip",
    ArtifactKind.RUN_CONFIG: "run_{run_id}_config.json",
    ArtifactKind.RUN_RESULTS: "run_{run_id}_results.zip",
    ArtifactKind.RUN_LOGS: "run_{run_id}_logs.log",
}


@dataclass(frozen=True)
class Wanted:
    """One artifact, and what must be found of it in the end."""

    artifact: Artifact
    created_at: datetime
    size: int
    seed: int

    @property
    def key(self) -> str:
        """Written out anew, and not by the code that is tested."""
        name = _NAMES[self.artifact.kind].format(run_id=self.artifact.run_id)
        return f"jobs/{self.artifact.job_id}/{self.created_at:%Y/%m/%d/%H%M%S}/{name}"

    def content(self) -> bytes:
        source = random.Random(f"{self.seed}/{self.artifact}")
        sizes = [min(_CHUNK, self.size - start) for start in range(0, self.size, _CHUNK)]
        return b"".join(map(source.randbytes, sizes))

    def is_stored_as(self, body: bytes) -> bool:
        """Whether these are its bytes; of results, the file in the archive."""
        if self.artifact.kind is not ArtifactKind.RUN_RESULTS:
            return body == self.content()
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return archive.namelist() == ["RUN1/out.bin"] and (
                archive.read("RUN1/out.bin") == self.content()
            )

    def write(self, workspace: Path) -> None:
        path = Workspace(workspace).path(self.artifact)
        if self.artifact.kind is ArtifactKind.RUN_RESULTS:
            path = path / "RUN1" / "out.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content())


@dataclass(frozen=True)
class WantedJob:
    id: int
    created_at: datetime
    run_ids: tuple[int, ...]
    wanted: tuple[Wanted, ...]


@dataclass(frozen=True)
class Load:
    """Attributes: how many small and large artifacts, and the bytes of a large one."""

    seed: int
    small: int
    large: int
    large_bytes: int

    def jobs(self) -> Iterator[WantedJob]:
        """Jobs until there are as many small artifacts; the large ones are spread over them."""
        count = -(-self.small // _PER_JOB)
        if count < self.large:
            raise ValueError(f"{self.small} small artifacts make too few jobs")
        for index in range(count):
            yield self._job(index, with_large=self._is_chosen(index, count))

    def _is_chosen(self, index: int, count: int) -> bool:
        return (index * self.large) // count != ((index + 1) * self.large) // count

    def _job(self, index: int, *, with_large: bool) -> WantedJob:
        job_id = index + 1
        created_at = _FIRST + timedelta(seconds=61 * index)
        sizes = random.Random(f"{self.seed}/{job_id}")
        runs = tuple(range(job_id * 10, job_id * 10 + _RUNS))
        # Every fourth large one is an archive that is made while it is sent.
        large = ArtifactKind.RUN_RESULTS if with_large and index % 4 == 0 else None

        def wanted(kind: ArtifactKind, run_id: int | None = None) -> Wanted:
            is_large = kind is ArtifactKind.JOB_INPUT or (kind is large and run_id == runs[0])
            size = self.large_bytes if is_large else sizes.randint(1, _SMALL_BYTES)
            return Wanted(Artifact(kind, job_id, run_id), created_at, size, self.seed)

        of_job = [wanted(ArtifactKind.JOB_CONFIG)]
        if with_large and large is None:
            of_job.append(wanted(ArtifactKind.JOB_INPUT))
        of_runs = [wanted(kind, run_id) for run_id in runs for kind in _OF_RUN]
        return WantedJob(job_id, created_at, runs, (*of_job, *of_runs))
