"""The producers' one face: the use cases, and the transfers, in one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.catalog.placement import Placement
from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact, kind_of
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact
from artifact_pipeline.domain.model.job_uploads import JobUpload
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.requester import Requester
from artifact_pipeline.domain.model.transfers import Direction, Transfer
from artifact_pipeline.domain.platform.archiving import (
    archive_job_uploads,
    archive_uploads,
)
from artifact_pipeline.domain.platform.use_cases import (
    get_job_results,
    get_job_uploads,
    get_run_results,
    submit_job,
    submit_job_config,
    submit_run_config,
    upload_results,
)
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.jobs import IJobRepository, IRunRepository
from artifact_pipeline.domain.ports.platform import (
    ArchiveSummary,
    IResultsRepository,
    IUploadLocationRepository,
)
from artifact_pipeline.domain.ports.transfers import ITransferRepository, ITransferRequests


# Comparing or printing the fields would make every adapter of a producer's controller.
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class JobController:
    """Give clients their URLs, and say what there is of a job.

    Each method raises UnknownJobError, UnknownRunError or RunOfAnotherJobError for wrong ids.

    Attributes:
        requested_by: the id or name of the user for whom everything is requested.
    """

    job_repository: IJobRepository
    run_repository: IRunRepository
    artifact_repository: IArtifactRepository
    transfer_repository: ITransferRepository
    transfer_requests: ITransferRequests
    upload_location_repository: IUploadLocationRepository
    results_repository: IResultsRepository
    locate: LocateArtifacts
    requested_by: Requester | None = None

    def submit_job_config(self, job_id: int) -> UploadLocation:
        """Return a URL that a client puts the job's config to."""
        return submit_job_config(
            self.job_repository,
            self.upload_location_repository,
            self.transfer_repository,
            job_id=job_id,
            requested_by=self.requested_by,
        )

    def submit_job(
        self,
        job_id: int,
        context: str = "job",
        job_type: str = "input",
        run_id: int | None = None,
    ) -> UploadLocation:
        """Return a URL that a client puts the job's input to; the job becomes SUBMITTED.

        With another `context` or `job_type`, as on the platform, it is the URL for a config.

        Raises:
            JobStatusError: the job is not CREATED, as at a second call.
            InvalidRequestError: no client uploads such an artifact.
        """
        upload = JobUpload(context, job_type, job_id, run_id)
        if upload.kind is ArtifactKind.JOB_CONFIG:
            return self.submit_job_config(job_id)
        if upload.kind is ArtifactKind.RUN_CONFIG:
            return self.submit_run_config(job_id, upload.run_id or 0)
        if upload.kind is not ArtifactKind.JOB_INPUT:
            raise InvalidRequestError(
                f"submit_job: a client does not upload {upload.kind}; use request_upload"
            )
        return submit_job(
            self.job_repository,
            self.upload_location_repository,
            self.transfer_repository,
            job_id=job_id,
            requested_by=self.requested_by,
        )

    def submit_run_config(self, job_id: int, run_id: int) -> UploadLocation:
        """Return a URL that a client puts the run's config to."""
        return submit_run_config(
            self.job_repository,
            self.run_repository,
            self.upload_location_repository,
            self.transfer_repository,
            job_id=job_id,
            run_id=run_id,
            requested_by=self.requested_by,
        )

    def confirm_upload(self, job_id: int, run_id: int | None = None) -> list[Transfer]:
        """Request the confirmation of what a client has put by the job's or the run's URL."""
        self._placement.check(job_id, run_id)
        return self.transfer_requests.confirm(job_id, run_id)

    def upload_results(self, job_id: int, run_id: int, results_dir: Path) -> StoredArtifact:
        """Store results now, without a worker."""
        return upload_results(
            self.job_repository,
            self.run_repository,
            self.results_repository,
            self.artifact_repository,
            job_id=job_id,
            run_id=run_id,
            results_dir=results_dir,
        )

    def get_run_results(self, job_id: int, run_id: int) -> UploadLocation:
        """Return a URL to download the run's results with. Raises: ArtifactMissingError."""
        return get_run_results(self.locate, self.results_repository, job_id=job_id, run_id=run_id)

    def get_job_results(self, job_id: int) -> dict[int, UploadLocation]:
        """Return the results' download URLs of all runs of the job that have results."""
        return get_job_results(self.locate, self.results_repository, job_id=job_id)

    def get_job_uploads(self, job_id: int) -> list[FoundArtifact]:
        """Return all artifacts of the job that are in the bucket."""
        return get_job_uploads(self.locate, job_id=job_id)

    def archive_job_uploads(
        self,
        job_id: int,
        days_since_create: float | None = None,
        hours_since_create: float | None = None,
        dry_run: bool = False,  # noqa: FBT001, FBT002 - as the platform calls it
        *,
        days_since_job_created: float | None = None,
    ) -> ArchiveSummary:
        """Move the job's configs and inputs to an archive tier.

        The first two ages are of each object; given both, the hours count. The last is the job's.
        """
        return archive_job_uploads(
            self.locate,
            self.upload_location_repository,
            self.artifact_repository,
            job_id=job_id,
            days_since_create=days_since_create,
            hours_since_create=hours_since_create,
            days_since_job_created=days_since_job_created,
            dry_run=dry_run,
        )

    def archive_uploads(
        self, uploads: Sequence[FoundArtifact], storage_class: str | None = None
    ) -> ArchiveSummary:
        """Move these to an archive tier, by default to the one that the store archives to."""
        return archive_uploads(
            self.upload_location_repository,
            self.artifact_repository,
            uploads,
            storage_class=storage_class,
        )

    def request_upload(
        self,
        kind: ArtifactKind | str,
        job_id: int,
        run_id: int | None = None,
        *,
        requested_by: Requester | None = None,
    ) -> Transfer:
        """Ask for an upload from the workspace."""
        artifact = Artifact(kind_of(kind), job_id, run_id)
        return self._request(artifact, Direction.UPLOAD, requested_by)

    def request_download(
        self,
        kind: ArtifactKind | str,
        job_id: int,
        run_id: int | None = None,
        *,
        requested_by: Requester | None = None,
    ) -> Transfer:
        """Ask for a download into the workspace."""
        artifact = Artifact(kind_of(kind), job_id, run_id)
        return self._request(artifact, Direction.DOWNLOAD, requested_by)

    def cancel(
        self, job_id: int, run_id: int | None = None, kind: ArtifactKind | str | None = None
    ) -> list[Transfer]:
        """End the job's active transfers, or only the transfers of a run or of a kind."""
        self._placement.check(job_id, run_id)
        of = None if kind is None else kind_of(kind)
        return self.transfer_repository.cancel(job_id, run_id, of)

    def status(self, job_id: int) -> list[Transfer]:
        """Return all transfers of the job, oldest first."""
        self.job_repository.get(job_id)
        return self.transfer_repository.of_job(job_id)

    @property
    def _placement(self) -> Placement:
        # Do not use `locate.placement`: `locate` needs the store.
        return Placement(jobs=self.job_repository, runs=self.run_repository)

    def _request(
        self, artifact: Artifact, direction: Direction, requested_by: Requester | None
    ) -> Transfer:
        # Refuse a request of nothing here, where the caller gets the error.
        self._placement.prefix(artifact)
        by = self.requested_by if requested_by is None else requested_by
        if by is None:
            return self.transfer_requests.request(artifact, direction)
        return self.transfer_requests.request(artifact, direction, by)
