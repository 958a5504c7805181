"""Where the artifacts of a job belong, by what the platform says of it."""

from dataclasses import dataclass

from domain.artifacts import Artifact
from domain.errors import RunOfAnotherJobError
from domain.jobs import Job
from domain.ports import IJobRepository, IRunRepository
from domain.prefix import JobS3Prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    jobs: IJobRepository
    runs: IRunRepository

    def prefix(self, artifact: Artifact) -> JobS3Prefix:
        """The prefix of the artifact's job.

        Raises:
            UnknownJobError, UnknownRunError: there is no such job or run.
            RunOfAnotherJobError: the run is another job's.
        """
        return JobS3Prefix.from_job(self.job_of(artifact))

    def key(self, artifact: Artifact) -> str:
        """Where the artifact belongs. Raises: as `prefix`."""
        return self.prefix(artifact).key(artifact)

    def job_of(self, artifact: Artifact) -> Job:
        """The artifact's job. Raises: as `prefix`."""
        job = self.jobs.get(artifact.job_id)
        if artifact.run_id is not None and self.runs.get(artifact.run_id).job_id != job.id:
            raise RunOfAnotherJobError(f"run {artifact.run_id} is not a run of job {job.id}")
        return job
