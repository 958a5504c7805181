"""The requests to S3 and the seconds of what is done with a job's directory, and of a rebuild.

`python -m benchmarks.lifecycle` lists, verifies, writes the manifest of and deletes a job of 10 and
one of 10,000 artifacts. It rebuilds the records of 100,000 artifacts by their manifests, and of
10,000 without any. Then it archives jobs of 10 and of 10,000, which takes longest. The S3 server is
ministack and the database SQLite.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any
from unittest.mock import patch

from sqlalchemy import delete, insert

from artifact_pipeline.domain.catalog.deletion_plan import DeletionRequest
from artifact_pipeline.domain.catalog.inventory import list_artifacts
from artifact_pipeline.domain.catalog.rebuild import RebuildRecords
from artifact_pipeline.domain.catalog.rebuilt_job import RebuildJob
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.manifest import CONTENT_TYPE, Manifest, ManifestEntry
from artifact_pipeline.domain.model.preconditions import Create
from artifact_pipeline.domain.platform.archiving import archive_job_uploads
from artifact_pipeline.domain.transfers.bytes_upload import BytesSource, Uninterrupted
from artifact_pipeline.worker.composition.adapters import Adapters
from artifact_pipeline.worker.composition.manifests import manifest_writer
from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.settings import OperatorSettings, load
from artifact_pipeline.worker.sql.audit import SqlAuditedRecords
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.rebuilt_records import SqlRebuiltRecords
from artifact_pipeline.worker.sql.tables import ArtifactRow
from benchmarks.processes import peak_mib

SIZES = (10, 10_000)
REBUILT = 100_000
LOOKED_AT = 10_000
_OF_JOB = 10
_THREADS = 8
_PAGE = 10_000
_CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
_CONTENT = b"{}"


class Requests:
    """Counts the requests of a client by their operations."""

    def __init__(self, client: Any) -> None:
        self.counts: Counter[str] = Counter()
        self._lock = Lock()
        client.meta.events.register("before-send.s3", self._count)

    def _count(self, event_name: str, **_: object) -> None:
        with self._lock:
            self.counts[event_name.rpartition(".")[2]] += 1

    def __str__(self) -> str:
        return ", ".join(f"{number:,} {name}" for name, number in self.counts.most_common())


class Jobs:
    """Jobs with artifacts in the bucket, on connections of their own."""

    def __init__(self) -> None:
        self.using = Adapters(load(OperatorSettings), "benchmark")

    def add(self, job_ids: Sequence[int], of_job: int) -> None:
        """Store and record so many artifacts of each job."""
        with self.using.engine.begin() as connection:
            connection.execute(insert(JobRow), [_job(job_id) for job_id in job_ids])
            runs = [_run(each, job_id) for job_id in job_ids for each in _runs(job_id, of_job)]
            connection.execute(insert(RunRow), runs)
        for first in range(0, len(job_ids), _PAGE // of_job or 1):
            page = job_ids[first : first + (_PAGE // of_job or 1)]
            artifacts = [each for job_id in page for each in _artifacts(job_id, of_job)]
            with ThreadPoolExecutor(_THREADS) as pool:
                entries = list(pool.map(self._store, artifacts))
            SqlRebuiltRecords(self.using.engine).add(entries)

    def write_manifests(self, job_ids: Sequence[int]) -> None:
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(self._write_manifest, job_ids))

    def measured(self, what: str, work: Callable[[], object]) -> None:
        """Print the requests and the seconds of the work, with a client that is warm."""
        requests = Requests(self.using.client)
        began = time.perf_counter()
        work()
        seconds = time.perf_counter() - began
        print(f"| {what} | {requests} | {seconds:.2f} |", flush=True)

    def _store(self, artifact: Artifact) -> ManifestEntry:
        stored = self.using.store.put(
            JobS3Prefix(artifact.job_id, _CREATED_AT).key(artifact),
            BytesSource(_CONTENT),
            content_type=CONTENT_TYPE,
            metadata=artifact.metadata,
            precondition=Create(),
            progress=Uninterrupted(),
        )
        at = _CREATED_AT + timedelta(minutes=1)
        return ManifestEntry(stored=StoredArtifact(artifact=artifact, object=stored, stored_at=at))

    def _write_manifest(self, job_id: int) -> None:
        prefix = JobS3Prefix(job_id, _CREATED_AT)
        rows = self.using.artifacts.of_job(job_id)
        entries = [ManifestEntry(stored=row) for row in rows]
        manifest = Manifest(prefix=prefix, entries=entries, written_by="benchmark")
        self.using.store.put(
            prefix.manifest_key,
            BytesSource(manifest.content()),
            content_type=CONTENT_TYPE,
            metadata=manifest.metadata,
            precondition=Create(),
            progress=Uninterrupted(),
        )


def _runs(job_id: int, count: int) -> range:
    """Return the ids of the runs of a job that has so many artifacts."""
    return range(job_id * count, (job_id + 1) * count - 1)


def _artifacts(job_id: int, count: int) -> list[Artifact]:
    of_runs = (Artifact(ArtifactKind.RUN_CONFIG, job_id, each) for each in _runs(job_id, count))
    return [Artifact(ArtifactKind.JOB_CONFIG, job_id), *of_runs]


def _job(job_id: int) -> dict[str, Any]:
    return {"id": job_id, "user_id": 1, "status": "COMPLETED", "created_at": _CREATED_AT}


def _run(run_id: int, job_id: int) -> dict[str, Any]:
    times = {"created_at": _CREATED_AT}
    return {"id": run_id, "job_id": job_id, "user_id": 1, "status": "DONE", **times}


def measure_job(count: int) -> None:
    """Print what is done with a job of so many artifacts."""
    with running() as jobs:
        jobs.add([1], count)
        using = jobs.using
        works: dict[str, Callable[[], object]] = {
            "list": lambda: list_artifacts(using.locate, using.transfers, 1),
            "verify": lambda: using.verify(1),
            "write the manifest": lambda: manifest_writer(using)(1),
            "delete": lambda: using.delete(DeletionRequest(job_id=1), "benchmark", None),
        }
        for what, work in works.items():
            jobs.measured(f"{what}, {count:,} artifacts", work)
        assert using.artifacts.of_job(1) == []


def measure_archive(count: int) -> None:
    """Print what it takes to archive a job of so many artifacts."""
    with running() as jobs:
        jobs.add([1], count)
        jobs.measured(f"archive, {count:,} artifacts", lambda: _archive(jobs.using))


def _archive(using: Adapters) -> None:
    summary = archive_job_uploads(
        using.locate,
        using.upload_locations,
        using.artifacts,
        job_id=1,
        kinds=list(ArtifactKind),
        holds=using.legal_holds,
    )
    assert not summary.failed


def measure_rebuild(count: int, *, has_manifests: bool) -> None:
    """Print what it takes to record so many artifacts of jobs of ten."""
    with running() as jobs:
        job_ids = range(1, count // _OF_JOB + 1)
        jobs.add(job_ids, _OF_JOB)
        if has_manifests:
            jobs.write_manifests(job_ids)
        engine, reader = jobs.using.engine, jobs.using.reader
        with engine.begin() as connection:
            connection.execute(delete(ArtifactRow))
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        with ThreadPoolExecutor(jobs.using.fetch.fetch.threads) as pool:
            rebuild = RebuildRecords(
                reader=reader,
                records=SqlAuditedRecords(engine),
                rebuilt=SqlRebuiltRecords(engine),
                of_job=RebuildJob(reader=reader),
                each=pool.map,
            )
            counts: Counter[str] = Counter()

            def work() -> None:
                for page in rebuild():
                    counts.update(page.counts)
                    assert not page.faults

            how = "by their manifests" if has_manifests else "without manifests"
            jobs.measured(f"rebuild, {count:,} artifacts {how}", work)
        assert counts["recorded"] == count
        print(f"{peak_mib():.0f} MiB at the peak", flush=True)


@contextmanager
def running() -> Iterator[Jobs]:
    """An S3 server and a database, which are empty, and what the commands make of them."""
    with (
        lifeline.temporary_directory() as directory,
        EmbeddedStack(directory) as stack,
        patch.dict("os.environ", stack.settings()),
    ):
        jobs = Jobs()
        try:
            yield jobs
        finally:
            jobs.using.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lifecycle", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help="artifacts of a job")
    parser.add_argument("--rebuilt", type=int, default=REBUILT, help="by manifests; 0 for none")
    parser.add_argument("--looked-at", type=int, default=LOOKED_AT, help="without; 0 for none")
    parser.add_argument("--archived", type=int, nargs="*", default=SIZES, help="of a job")
    options = parser.parse_args()
    print("| what | requests to S3 | seconds |\n| --- | --- | --- |")
    for count in options.sizes:
        measure_job(count)
    if options.rebuilt:
        measure_rebuild(options.rebuilt, has_manifests=True)
    if options.looked_at:
        measure_rebuild(options.looked_at, has_manifests=False)
    for count in options.archived:
        measure_archive(count)


if __name__ == "__main__":
    main()
