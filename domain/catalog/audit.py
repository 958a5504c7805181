"""The use case that compares the whole store with all that is recorded, side by side."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from artifact_pipeline.domain.catalog.audit_findings import AuditFinding
from artifact_pipeline.domain.catalog.job_pages import job_pages
from artifact_pipeline.domain.catalog.verdicts import Verdict, VerifiedArtifact
from artifact_pipeline.domain.each import for_each, until_unavailable
from artifact_pipeline.domain.errors import PipelineError, UnknownJobError
from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.audit_cursor import AuditCursor
from artifact_pipeline.domain.model.keys import (
    ROOT,
    JobS3Prefix,
    artifact_at,
    is_manifest,
    job_directory,
    job_of,
)
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.ports.audit import IAuditedRecords
from artifact_pipeline.domain.ports.object_store import IObjectReader

_PAGE = 1000
"""Objects of a LIST, and jobs of a query."""


Abandoned = Callable[[AuditCursor, Sequence[int]], Iterator[list[AuditFinding]]]
"""Yields the uploads that no worker continues: of all jobs, or of these."""


class Verify(Protocol):
    """Compares one job with its records, as `VerifyJob`."""

    def __call__(self, job_id: int) -> Sequence[VerifiedArtifact]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditStore:
    """Compares the listing of the store with the rows of SQL, a page of each at a time.

    A listing tells sizes and versions. A job with a difference is then compared by
    `verify`, which looks again, SQL first and then the store, so that uploads that run are no false
    alarms. What it needs of memory does not grow with the store, but for a bit for each job.

    Attributes:
        reader: of the store.
        records: of SQL.
        verify: compares one job.
        pace: is called with the number of requests that were just made, and may wait.
        abandoned: is asked last.
        inventory: yields the objects after a key, as they were some time ago, instead of a listing.
    """

    reader: IObjectReader
    records: IAuditedRecords
    verify: Verify
    pace: Callable[[int], None] = lambda _requests: None
    abandoned: Abandoned = lambda _cursor, _job_ids: iter(())
    inventory: Callable[[str], Iterator[BucketObject]] | None = None

    def __call__(
        self, cursor: AuditCursor, job_ids: Sequence[int] = ()
    ) -> Iterator[list[AuditFinding]]:
        """Yield the faults of each page. After each one the cursor says how far the audit is.

        It costs one LIST for each thousand objects, two queries for as many, and for each job of
        which something differs what `VerifyJob` costs. Of chosen jobs, each costs a LIST.

        Args:
            cursor: where to begin.
            job_ids: only these jobs; empty for the whole store. The same in each continuation.

        Raises:
            UnknownJobError: there is nothing of a chosen job.
            StoreUnavailableError, SqlUnavailableError: it does not answer; continue later.
        """
        if job_ids:
            yield from self._chosen(cursor, job_ids)
        else:
            yield from self._store(cursor)
            yield from self._records(cursor)
        for findings in self.abandoned(cursor, job_ids):
            yield _counted(findings, cursor)

    def _chosen(self, cursor: AuditCursor, job_ids: Sequence[int]) -> Iterator[list[AuditFinding]]:
        for job_id in sorted(set(job_ids)):
            if job_id <= cursor.after_job:
                continue
            objects = list(self.reader.list(job_directory(job_id)))
            if not objects and job_id not in self.records.created([job_id]):
                raise UnknownJobError(f"there is no job {job_id}")
            if objects:
                findings = self._compared(objects, cursor)
            else:
                self.pace(1)
                cursor.counts["jobs"] += 1
                findings = _counted(self._verified(job_id), cursor)
            cursor.after_job = job_id
            yield findings

    def _store(self, cursor: AuditCursor) -> Iterator[list[AuditFinding]]:
        if cursor.after_key is None:
            return
        objects = self._listed(cursor.after_key)
        for page in job_pages(objects, _PAGE):
            findings = self._compared(page, cursor)
            cursor.after_key = page[-1].address.key
            yield findings
        cursor.after_key = None

    def _listed(self, after: str) -> Iterator[BucketObject]:
        if self.inventory is not None:
            return self.inventory(after)
        return self.reader.list(ROOT, after=after)

    def _compared(self, page: list[BucketObject], cursor: AuditCursor) -> list[AuditFinding]:
        """Return the faults of a page, which has all objects of each of its jobs."""
        strays: list[BucketObject] = []
        jobs: dict[int, list[BucketObject]] = defaultdict(list)
        for there in page:
            job_id = job_of(there.address.key)
            (strays if job_id is None else jobs[job_id]).append(there)
        created = self.records.created(jobs.keys())
        rows: dict[int, list[StoredArtifact]] = defaultdict(list)
        for row in self.records.of_jobs(jobs.keys()):
            rows[row.artifact.job_id].append(row)
        if self.inventory is None:
            self.pace(-(-len(page) // _PAGE))
        cursor.counts["objects"] += len(page)
        findings = [_stray(there) for there in self._still_there(strays)]
        for job_id, objects in jobs.items():
            cursor.seen.add(job_id)
            cursor.counts["jobs"] += 1
            if job_id not in created:
                orphans = self._still_there(objects)
                findings += [_orphan(job_id, each) for each in orphans]
            elif _differs(JobS3Prefix(job_id, created[job_id]), objects, rows[job_id]):
                findings += self._verified(job_id)
        return _counted(findings, cursor)

    def _still_there(self, objects: Sequence[BucketObject]) -> Iterator[BucketObject]:
        """Yield what the store has now; only an inventory needs another look."""
        if self.inventory is None:
            yield from objects
            return
        self.pace(len(objects))
        for each, look in until_unavailable(for_each(self._find, objects)):
            if isinstance(look, PipelineError):
                yield each
            elif look is not None:
                yield look

    def _find(self, listed: BucketObject) -> BucketObject | None:
        return self.reader.find(listed.address)

    def _records(self, cursor: AuditCursor) -> Iterator[list[AuditFinding]]:
        """Verify the jobs that the store has nothing of."""
        while page := self.records.jobs_after(cursor.after_job, _PAGE):
            absent = [job_id for job_id in page if job_id not in cursor.seen]
            findings = [finding for job_id in absent for finding in self._verified(job_id)]
            cursor.counts["jobs"] += len(absent)
            cursor.after_job = page[-1]
            yield _counted(findings, cursor)

    def _verified(self, job_id: int) -> list[AuditFinding]:
        try:
            verified = self.verify(job_id)
        except UnknownJobError:
            return []  # it was deleted since
        self.pace(1 + len(verified))
        return [AuditFinding(job_id, each) for each in verified if each.verdict.is_fault]


def _differs(
    prefix: JobS3Prefix, objects: Sequence[BucketObject], rows: Sequence[StoredArtifact]
) -> bool:
    """Return whether a listing differs in anything from the rows of its job."""
    recorded = {row.object.key: row.object for row in rows}
    objects = [each for each in objects if not is_manifest(prefix.job_id, each.address.key)]
    return len(recorded) != len(objects) or any(
        (known := recorded.get(there.address.key)) is None
        or (known.size, known.version) != (there.size, there.version)
        or not known.key.startswith(prefix.directory)
        for there in objects
    )


def _stray(there: BucketObject) -> AuditFinding:
    return AuditFinding(None, _object(Verdict.FOREIGN, there, "it is under no job's id"))


def _orphan(job_id: int, there: BucketObject) -> AuditFinding:
    return AuditFinding(job_id, _object(Verdict.ORPHANED, there, f"there is no job {job_id}"))


def _object(verdict: Verdict, there: BucketObject, why: str) -> VerifiedArtifact:
    return VerifiedArtifact(
        verdict=verdict,
        address=there.address,
        artifact=artifact_at(there.address.key),
        object=there,
        error=why,
    )


def _counted(findings: list[AuditFinding], cursor: AuditCursor) -> list[AuditFinding]:
    cursor.counts.update(str(finding.verified.verdict) for finding in findings)
    return findings
