"""Find artifacts that were stored in a directory some hours off.

Earlier versions read a `timestamp with time zone` as the time of day in the session's zone, so on
such a database they named a job's directory after another time than the job's creation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.errors import ArtifactMissingError
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme, StoredArtifact
from artifact_pipeline.domain.model.earlier_transfers import CLOCK_SKEW
from artifact_pipeline.domain.model.found_artifacts import ORIGIN, FoundArtifact, FoundBy
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.objects import ObjectAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftedArtifacts:
    """Artifacts whose recorded key is exactly the one for the creation time plus an offset.

    A row that was written before both times is an earlier job's, whatever its key.

    Attributes:
        locate: looks where artifacts are.
        offset: how far the recorded directory is ahead of the right one; negative if it is behind.
    """

    locate: LocateArtifacts
    offset: timedelta

    def directory(self, job_id: int) -> str:
        """Return the directory that is off.

        Raises:
            UnknownJobError: there is no such job.
        """
        return self._prefix(self.locate.placement.jobs.get(job_id)).directory

    def of_job(self, job_id: int) -> list[FoundArtifact]:
        """Return the job's artifacts that are recorded there; the store is not asked.

        Raises:
            UnknownJobError: there is no such job.
        """
        job = self.locate.placement.jobs.get(job_id)
        return [self._found(row) for row in self._rows(job) if self._is_shifted(job, row)]

    def find(self, artifact: Artifact) -> FoundArtifact:
        """Return the artifact as the bucket has it now.

        Raises:
            ArtifactMissingError: it is not recorded there, or the object is not the recorded one.
            UnknownJobError, UnknownRunError, RunOfAnotherJobError: the ids belong to nothing.
        """
        self.locate.placement.check(artifact.job_id, artifact.run_id)
        job = self.locate.placement.jobs.get(artifact.job_id)
        row = self.locate.artifacts.find(artifact)
        if row is None or not self._is_shifted(job, row):
            raise ArtifactMissingError(
                f"{artifact}: no row has it in a directory that is {self.offset} off"
            )
        found = self.locate.as_recorded(row)
        if found is None:
            raise ArtifactMissingError(
                f"{artifact}: the store does not have the object that the row names"
            )
        return replace(self._found(row), object=found)

    def left_behind(self, job_id: int) -> list[FoundArtifact]:
        """Return the objects there whose copies in the right directory say that they are copies.

        Raises:
            UnknownJobError: there is no such job.
        """
        job = self.locate.placement.jobs.get(job_id)
        found = (self._left_behind(job, row) for row in self._rows(job))
        return [each for each in found if each is not None]

    def _left_behind(self, job: Job, row: StoredArtifact) -> FoundArtifact | None:
        if row.object.key != JobS3Prefix.from_job(job).key(row.artifact):
            return None
        key = self._prefix(job).key(row.artifact)
        reader = self.locate.reader
        existing = reader.find(ObjectAddress(reader.bucket, row.object.key))
        if existing is None or (existing.metadata or {}).get(ORIGIN) != key:
            return None
        old = reader.find(ObjectAddress(reader.bucket, key))
        return None if old is None else replace(self._found(row), object=old)

    def _rows(self, job: Job) -> Iterator[StoredArtifact]:
        runs = {None, *(run.id for run in self.locate.placement.runs.of_job(job.id))}
        for row in self.locate.artifacts.of_job(job.id):
            if row.artifact.run_id in runs:
                yield row

    def _is_shifted(self, job: Job, row: StoredArtifact) -> bool:
        shifted = self._prefix(job)
        # A negative offset may come from a creation time that was itself written hours too late.
        created_at = min(job.created_at, shifted.created_at)
        is_earlier_jobs = row.recorded_at < created_at - CLOCK_SKEW
        is_there = row.object.key == shifted.key(row.artifact)
        return row.scheme is Scheme.PREFIX and is_there and not is_earlier_jobs

    def _prefix(self, job: Job) -> JobS3Prefix:
        return JobS3Prefix(job.id, job.created_at + self.offset)

    def _found(self, row: StoredArtifact) -> FoundArtifact:
        return FoundArtifact(
            artifact=row.artifact,
            object=self.locate.recorded(row),
            found_by=FoundBy.ROW,
            scheme=Scheme.LEGACY,
        )
