"""Repositories of the platform's jobs and runs. `domain.fakes` has them in memory."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.jobs import Job, Run
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation


@runtime_checkable
class IJobRepository(Protocol):
    """The platform's jobs. Its own repository serves too, where a use case takes one."""

    def find_by_id(self, job_id: int) -> Job | None:
        """Return the job, or None: `get` by the platform's name."""

    def get(self, job_id: int) -> Job:
        """Return the job. Raises: UnknownJobError."""

    def save(self, job: Job) -> None:
        """Write the job's status and the locations that it has; nothing else is changed.

        Raises:
            UnknownJobError: there is no such job.
        """

    def submit(self, job_id: int, location: UploadLocation) -> None:
        """Write the status SUBMITTED and where the input will be, without a signature.

        Raises:
            JobStatusError: the job is not CREATED any more.
        """

    def keep_location(self, job_id: int, kind: ArtifactKind, location: UploadLocation) -> None:
        """Write where the job's config or input is, without a signature, to the job's row."""


@runtime_checkable
class IRunRepository(Protocol):
    """The runs of the platform's jobs."""

    def find_by_id(self, run_id: int) -> Run | None:
        """Return the run, or None: `get` by the platform's name."""

    def get(self, run_id: int) -> Run:
        """Return the run. Raises: UnknownRunError."""

    def save(self, run: Run) -> None:
        """Write the run's status and the URLs that it has; nothing else is changed.

        Raises:
            UnknownRunError: there is no such run.
        """

    def of_job(self, job_id: int) -> Sequence[Run]:
        """Return the job's runs, by their ids."""

    def find_by_job_id(self, job_id: int) -> Sequence[Run]:
        """Return the job's runs, by their ids: `of_job` by the platform's name."""

    def keep_results(self, run_id: int, location: UploadLocation, uploaded_at: datetime) -> None:
        """Write where the run's results are, without a signature, and that the run is DONE.

        A time without a zone is UTC.

        Raises:
            UnknownRunError: there is no such run.
        """

    def keep_location(self, run_id: int, kind: ArtifactKind, location: UploadLocation) -> None:
        """Write where the run's config is, without a signature, to the run's row."""
