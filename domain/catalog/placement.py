"""Where the artifacts of a job belong, and where the platform says that they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from artifact_pipeline.domain.catalog.platform_records import (
    find_run_of,
    known_job,
    known_run,
    refuse_other_run,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Job, Run
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import JOB_KINDS, RUN_KINDS, ArtifactKind
from artifact_pipeline.domain.ports.jobs import IJobRepository, IRunRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Each method raises UnknownJobError, UnknownRunError, or RunOfAnotherJobError."""

    jobs: IJobRepository
    runs: IRunRepository

    def check(self, job_id: int, run_id: int | None) -> None:
        """Check that the job exists, and that the run, if one is named, belongs to it."""
        self._rows(job_id, run_id)

    def prefix_of(self, job_id: int) -> JobS3Prefix:
        """Return the prefix of a job."""
        return JobS3Prefix.from_job(self.jobs.get(job_id))

    def prefix(self, artifact: Artifact) -> JobS3Prefix:
        job, _ = self._rows(artifact.job_id, artifact.run_id)
        return JobS3Prefix.from_job(job)

    def key(self, artifact: Artifact) -> str:
        """Return the key where the artifact belongs."""
        return self.prefix(artifact).key(artifact)

    def location(self, artifact: Artifact) -> str | None:
        """Return the URL that the platform keeps of it."""
        return kept_location(artifact.kind, *self._rows(artifact.job_id, artifact.run_id))

    def _rows(self, job_id: int, run_id: int | None) -> tuple[Job, Run | None]:
        if run_id is None:
            return self.jobs.get(job_id), None
        return find_run_of(self.jobs, self.runs, job_id, run_id)


def key_by_rows(artifact: Artifact, job: Job | None, run: Run | None) -> str:
    """Return where the artifact belongs, by rows that were read before.

    Args:
        artifact: of the job or run.
        job: None if there is no such job.
        run: None if the artifact has none, or there is no such run.

    Raises:
        UnknownJobError, UnknownRunError, RunOfAnotherJobError: as `Placement.key`.
    """
    found = known_job(job, artifact.job_id)
    if artifact.run_id is not None:
        refuse_other_run(found, known_run(run, artifact.run_id))
    return JobS3Prefix.from_job(found).key(artifact)


def kept_location(kind: ArtifactKind, job: Job, run: Run | None) -> str | None:
    """Return what the job's or the run's row says of it."""
    field = kind.spec.column
    row = run if kind.belongs_to_run else job
    return None if field is None or row is None else getattr(row, field)


def kept_locations(job: Job, runs: Sequence[Run]) -> dict[Artifact, str]:
    """Return all that the platform's rows say of a job and its runs."""
    kept = {Artifact(kind, job.id): kept_location(kind, job, None) for kind in JOB_KINDS}
    for run in runs:
        for kind in RUN_KINDS:
            kept[Artifact(kind, job.id, run.id)] = kept_location(kind, job, run)
    return {artifact: url for artifact, url in kept.items() if url}
