"""An audit of a million rows beside a generated listing of a million keys, with planted faults.

`python -m benchmarks.audit` prints what was found, what was invented, the time and the memory; and
the same of an audit that is killed half-way and continues. The rows are in SQLite.
"""

import argparse
import bisect
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from os import _exit
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert

from artifact_pipeline.domain.catalog.audit import AuditStore
from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.catalog.placement import Placement
from artifact_pipeline.domain.catalog.verify import VerifyJob
from artifact_pipeline.domain.fakes import InMemoryReader, InMemoryStore
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.worker.cli.audit.report import AuditReport
from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.audit import SqlAuditedRecords
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.migrate import upgrade
from artifact_pipeline.worker.sql.platform import SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.sql.tables import ArtifactRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers

BUCKET = "benchmark"
_BASE = datetime(2025, 1, 1, tzinfo=UTC)
_RUNS = 4
_OF_JOB = 2 + 2 * _RUNS
_FAULTS = 100
_SORTS = ("missing", "changed", "misplaced", "unrecorded", "foreign")
_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Planted:
    """The jobs that have a fault, by its sort: every n-th job, and no job has two."""

    jobs: int

    def sort_of(self, job_id: int) -> str | None:
        step = self.jobs // (_FAULTS * len(_SORTS))
        number, rest = divmod(job_id, step)
        if rest or not 0 < number <= _FAULTS * len(_SORTS):
            return None
        return _SORTS[number % len(_SORTS)]


def artifacts_of(job_id: int) -> list[Artifact]:
    runs = range(job_id * _RUNS, (job_id + 1) * _RUNS)
    return [
        Artifact(ArtifactKind.JOB_CONFIG, job_id),
        Artifact(ArtifactKind.JOB_INPUT, job_id),
        *(Artifact(ArtifactKind.RUN_CONFIG, job_id, run_id) for run_id in runs),
        *(Artifact(ArtifactKind.RUN_LOGS, job_id, run_id) for run_id in runs),
    ]


def prefix_of(job_id: int) -> JobS3Prefix:
    return JobS3Prefix(job_id, _BASE + timedelta(seconds=job_id))


def key_of(artifact: Artifact, sort: str | None) -> str:
    key = prefix_of(artifact.job_id).key(artifact)
    is_moved = sort == "misplaced" and artifact.kind is ArtifactKind.JOB_CONFIG
    return key.replace("/2025/", "/2027/") if is_moved else key


def recorded(job_id: int, sort: str | None) -> Iterator[tuple[Artifact, str]]:
    """Yield what SQL has of the job."""
    for artifact in artifacts_of(job_id):
        if not (sort == "unrecorded" and artifact.kind is ArtifactKind.JOB_CONFIG):
            yield artifact, key_of(artifact, sort)


def stored(job_id: int, sort: str | None) -> list[tuple[str, int]]:
    """Return what the store has of the job: keys and sizes, in the order of a listing."""
    found = {key_of(artifact, sort): 100 for artifact in artifacts_of(job_id)}
    config = key_of(Artifact(ArtifactKind.JOB_CONFIG, job_id), sort)
    if sort == "missing":
        del found[config]
    elif sort == "changed":
        found[config] = 101
    elif sort == "foreign":
        found[f"{prefix_of(job_id).directory}notes.txt"] = 7
    return sorted(found.items())


class GeneratedReader(InMemoryReader):
    """Answers as a store with all these jobs, and keeps none of it."""

    def __init__(self, planted: Planted) -> None:
        super().__init__(InMemoryStore(), bucket=BUCKET)
        self.planted = planted
        self.order = sorted(range(1, planted.jobs + 1), key=lambda job_id: f"{job_id}/")

    def list(self, prefix: str, *, after: str = "") -> Iterator[BucketObject]:
        of_one = prefix.removeprefix("jobs/").partition("/")[0]
        for job_id in [int(of_one)] if of_one else self._from(after):
            for key, size in stored(job_id, self.planted.sort_of(job_id)):
                if key > after:
                    yield _object(key, size)

    def _from(self, after: str) -> Sequence[int]:
        last = after.removeprefix("jobs/").partition("/")[0]
        at = bisect.bisect_left(self.order, f"{last}/", key=lambda job_id: f"{job_id}/")
        return self.order[at:]

    def find(self, address: ObjectAddress) -> BucketObject | None:
        job_id = int(address.key.split("/")[1])
        sizes = dict(stored(job_id, self.planted.sort_of(job_id)))
        return _object(address.key, sizes[address.key]) if address.key in sizes else None


def _object(key: str, size: int) -> BucketObject:
    address = ObjectAddress(BUCKET, key)
    return BucketObject(address=address, size=size, version='"1"', modified_at=_BASE)


def fill(engine: Engine, planted: Planted) -> None:
    """Insert the jobs and what is recorded of them."""
    for first in range(1, planted.jobs + 1, _PAGE):
        ids = range(first, min(first + _PAGE, planted.jobs + 1))
        jobs = [
            {"id": i, "user_id": 1, "status": "CREATED", "created_at": prefix_of(i).created_at}
            for i in ids
        ]
        rows = [_row(*each) for i in ids for each in recorded(i, planted.sort_of(i))]
        with engine.begin() as connection:
            connection.execute(insert(JobRow), jobs)
            connection.execute(insert(ArtifactRow), rows)


def _row(artifact: Artifact, key: str) -> dict[str, Any]:
    return {
        "job_id": artifact.job_id,
        "run_id": artifact.run_id,
        "kind": artifact.kind.value,
        "key": key,
        "scheme": "legacy" if "/2027/" in key else "prefix",
        "size": 100,
        "sha256": sha256(key.encode()).hexdigest(),
        "s3_checksum": "",
        "etag": '"1"',
        "storage_class": "STANDARD",
        "links_left_out": 0,
        "stored_at": _BASE,
    }


def run(url: str, planted: Planted, report: Path, pages: int | None) -> None:
    """Audit; end without a word after so many pages. Prints seconds and MiB at the peak."""
    engine, reader = make_engine(url), GeneratedReader(planted)
    started = time.monotonic()
    locate = LocateArtifacts(
        placement=Placement(jobs=SqlJobs(engine), runs=SqlRuns(engine)),
        artifacts=SqlArtifacts(engine),
        reader=reader,
        address_of=lambda url: ObjectAddress(BUCKET, url),
    )
    audit = AuditStore(
        reader=reader,
        records=SqlAuditedRecords(engine),
        verify=VerifyJob(locate=locate, transfers=SqlTransfers(engine), reads=reader.read),
    )
    with AuditReport(report) as kept:
        for page, findings in enumerate(audit(kept.cursor), 1):
            kept.add(findings)
            if page == pages:
                _exit(9)
    # Not getrusage: that remembers the parent's peak.
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    print(f"{time.monotonic() - started:.1f} s, {peak:.0f} MiB at the peak")


def compare(report: Path, planted: Planted) -> str:
    """Return how many faults of each sort were found, and how many that nobody planted."""
    found = [json.loads(line) for line in report.read_text().splitlines()]
    expected = {
        (job_id, sort) for job_id in range(1, planted.jobs + 1) if (sort := planted.sort_of(job_id))
    }
    reported = [(each["job_id"], each["outcome"]) for each in found]
    counts = {sort: sum(each[1] == sort for each in set(reported) & expected) for sort in _SORTS}
    invented = len(reported) - len(set(reported) & expected)
    return f"found {counts}, of {_FAULTS} each; invented {invented}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000, help=f"with {_OF_JOB} artifacts each")
    parser.add_argument("--run", nargs=2, metavar=("URL", "REPORT"), help=argparse.SUPPRESS)
    parser.add_argument("--pages", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    planted = Planted(options.jobs)
    if options.run:
        run(options.run[0], planted, Path(options.run[1]), options.pages)
        return
    with lifeline.temporary_directory() as directory:
        url = f"sqlite:///{directory}/audit.db"
        engine = make_engine(url)
        upgrade(engine, with_platform_tables=True)
        fill(engine, planted)
        engine.dispose()
        print(f"{options.jobs * _OF_JOB:,} artifacts of {options.jobs:,} jobs")
        again = [
            sys.executable,
            "-m",
            "benchmarks.audit",
            "--jobs",
            str(options.jobs),
            "--run",
            url,
        ]
        whole, killed = directory / "whole.json", directory / "killed.json"
        lifeline.run([*again, str(whole)])
        print(compare(whole, planted))
        half = str(options.jobs * _OF_JOB // 2000)
        with suppress(subprocess.CalledProcessError):
            lifeline.run([*again, str(killed), "--pages", half])
        print("killed half-way; continued:")
        lifeline.run([*again, str(killed)])
        print(compare(killed, planted))


if __name__ == "__main__":
    main()
