"""The use case that records again what the store has, in a database that has lost it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from artifact_pipeline.domain.catalog.job_pages import job_pages
from artifact_pipeline.domain.catalog.rebuilt_job import RebuildJob
from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.keys import ROOT, job_of
from artifact_pipeline.domain.model.manifest import ManifestEntry
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.rebuilt import JobToRebuild, NotRecorded, RebuiltJob
from artifact_pipeline.domain.ports.audit import IAuditedRecords
from artifact_pipeline.domain.ports.object_store import IObjectReader
from artifact_pipeline.domain.ports.rebuilt_records import IRebuiltRecords

if TYPE_CHECKING:
    from artifact_pipeline.domain.model.artifacts import Artifact
    from artifact_pipeline.domain.model.tombstones import DeletionScope

_PAGE = 1000
"""Objects of a LIST."""
COUNTS = ("objects", "jobs", "recorded", "already", "deleted", "elsewhere", "unknown_jobs")
"""What is counted: `elsewhere` are objects that are no artifacts in the directory of their job, and
`unknown_jobs` have no row of the platform."""


class Map(Protocol):
    """Calls a function with each job and yields the answers in order, as the built-in `map`."""

    def __call__(
        self, function: Callable[[JobToRebuild], RebuiltJob], jobs: Iterable[JobToRebuild], /
    ) -> Iterable[RebuiltJob]: ...


@dataclass(frozen=True, slots=True)
class RebuiltPage:
    """What became of a page of jobs. Attributes: `counts` are by the names of `COUNTS`."""

    counts: Counter[str]
    faults: Sequence[NotRecorded]


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildRecords:
    """Records each artifact that the store has and SQL does not, a page of jobs at a time.

    It never changes a row. What it needs of memory does not grow with the store.

    Attributes:
        reader: of the store.
        records: what SQL has.
        rebuilt: where it is recorded.
        of_job: finds what is to be recorded of a job.
        each: calls it for each job of a page; a pool of threads can.
        note_jobs: is called with the jobs whose artifacts are about to be recorded.
    """

    reader: IObjectReader
    records: IAuditedRecords
    rebuilt: IRebuiltRecords
    of_job: RebuildJob
    each: Map = map
    note_jobs: Callable[[Collection[int]], None] = lambda _job_ids: None

    def check(self, *, merges: bool) -> int:
        """Return the job after which it continues; 0 if it begins.

        Args:
            merges: whether the database may have artifacts.

        Raises:
            InvalidRequestError: it has some, and no rebuild that was interrupted has made them.
        """
        position = self.rebuilt.position(self.reader.bucket)
        if not (merges or position) and self.rebuilt.has_artifacts():
            raise InvalidRequestError(
                "the database has artifacts already: --merge records those that it lacks, and "
                "leaves the others as they are"
            )
        return position

    def __call__(self, *, dry_run: bool = False) -> Iterator[RebuiltPage]:
        """Yield what became of each page. A kill loses none but the last page.

        It costs one LIST and three queries for each thousand objects, and what `RebuildJob` costs
        for each job with an unrecorded artifact.

        Raises:
            StoreUnavailableError, SqlUnavailableError: it does not answer; continue later.
        """
        bucket = self.reader.bucket
        after = _after(self.rebuilt.position(bucket))
        for page in job_pages(self.reader.list(ROOT, after=after), _PAGE):
            yield self._page(page, dry_run=dry_run)
            last = next(filter(None, (job_of(each.address.key) for each in reversed(page))), None)
            if last is not None and not dry_run:
                self.rebuilt.keep_position(bucket, last)
        if not dry_run:
            self.rebuilt.complete(bucket)

    def _page(self, page: Sequence[BucketObject], *, dry_run: bool) -> RebuiltPage:
        jobs = self._jobs(page)
        found = list(self.each(self.of_job, jobs))
        entries = [entry for job in found for entry in job.entries]
        recorded = self._add(entries) if entries and not dry_run else len(entries)
        counts = Counter(
            objects=len(page),
            jobs=len(jobs),
            recorded=recorded,
            already=sum(each.already for each in found),
            deleted=sum(each.deleted for each in found),
            elsewhere=_strays(page) + sum(each.elsewhere for each in found),
            unknown_jobs=sum(each.job.created_at is None for each in found),
        )
        return RebuiltPage(counts, [fault for job in found for fault in job.faults])

    def _add(self, entries: Sequence[ManifestEntry]) -> int:
        self.note_jobs({entry.stored.artifact.job_id for entry in entries})
        return len(self.rebuilt.add(entries))

    def _jobs(self, page: Sequence[BucketObject]) -> list[JobToRebuild]:
        """Return the jobs of a page, with what SQL has of them."""
        objects: dict[int, dict[ObjectAddress, BucketObject]] = defaultdict(dict)
        for there in page:
            if (job_id := job_of(there.address.key)) is not None:
                objects[job_id][there.address] = there
        if not objects:
            return []
        created = self.records.created(objects.keys())
        recorded: dict[int, set[Artifact]] = defaultdict(set)
        for row in self.records.of_jobs(objects.keys()):
            recorded[row.artifact.job_id].add(row.artifact)
        deleted: dict[int, list[DeletionScope]] = defaultdict(list)
        for scope in self.rebuilt.deleted(objects.keys()):
            deleted[scope.job_id].append(scope)
        return [
            JobToRebuild(
                job_id=job_id,
                objects=of_job,
                created_at=created.get(job_id),
                recorded=recorded[job_id],
                deleted=deleted[job_id],
            )
            for job_id, of_job in objects.items()
        ]


def _after(job_id: int) -> str:
    """Return a key behind all that the job has, and before all of the next one."""
    # The character after "/" is "0", and a directory ends with "/".
    return f"{ROOT}{job_id}0" if job_id else ""


def _strays(page: Sequence[BucketObject]) -> int:
    return sum(job_of(each.address.key) is None for each in page)
