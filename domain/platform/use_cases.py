"""What the platform asks for by name: each fetches the job and goes by its creation time."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from artifact_pipeline.domain.catalog.locate import LocateArtifacts, warn_of
from artifact_pipeline.domain.catalog.platform_records import (
    Jobs,
    Runs,
    find_job,
    find_run_of,
    keep_job_location,
    keep_run_location,
    refuse_submitted,
    submit,
)
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.requester import Requester, new_request_id, requester_name
from artifact_pipeline.domain.platform import calls as platform_calls
from artifact_pipeline.domain.platform.archiving import archive_uploads as archive_uploads  # noqa: PLC0414 - also found here
from artifact_pipeline.domain.platform.call_shapes import accepts_platform_call
from artifact_pipeline.domain.platform.submissions import Asked, Submission, submission
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.platform import IResultsRepository, IUploadLocationRepository
from artifact_pipeline.domain.ports.transfers import ITransferRepository


def submit_job_config(  # noqa: PLR0913 - what it works with, and what of
    job_repository: Jobs,
    upload_location_repository: IUploadLocationRepository,
    job_upload: Asked = None,
    *,
    transfer_repository: ITransferRepository | None = None,
    job_id: int | None = None,
    requested_by: Requester | None = None,
) -> UploadLocation:
    """Return a URL for the job's config; without its signature it is kept as `config_location`.

    Args:
        job_repository: has the job; the pipeline's or the platform's own.
        upload_location_repository: makes the URL; the pipeline's or the platform's own.
        job_upload: which upload, as the platform calls it; or give `job_id`. A
            `transfer_repository` is taken in this place too.
        transfer_repository: here the upload is expected from now on, and confirmed even if no
            client asks for it.
        job_id: of the job.
        requested_by: for whom it is requested.

    Raises:
        UnknownJobError: there is no such job.
        InvalidRequestError: the job is not named, or the upload is of another kind.
    """
    asked = submission(ArtifactKind.JOB_CONFIG, job_upload, transfer_repository, job_id=job_id)
    job = find_job(job_repository, asked.artifact.job_id)
    location = _location_of(job, asked, upload_location_repository)
    keep_job_location(job_repository, job, asked.artifact.kind, location)
    _expect(asked, upload_location_repository, requested_by)
    return location


def submit_job(  # noqa: PLR0913 - as above
    job_repository: Jobs,
    upload_location_repository: IUploadLocationRepository,
    job_upload: Asked = None,
    *,
    transfer_repository: ITransferRepository | None = None,
    job_id: int | None = None,
    requested_by: Requester | None = None,
) -> UploadLocation:
    """Return a URL for the job's input, kept as `input_location`; the job becomes SUBMITTED.

    The rest is as in `submit_job_config`.

    Raises:
        UnknownJobError: there is no such job.
        JobStatusError: the job is not CREATED, as at a second call.
        InvalidRequestError: the job is not named, or the upload is of another kind.
    """
    asked = submission(ArtifactKind.JOB_INPUT, job_upload, transfer_repository, job_id=job_id)
    job = find_job(job_repository, asked.artifact.job_id)
    refuse_submitted(job)
    location = _location_of(job, asked, upload_location_repository)
    # Do this before the job is SUBMITTED: if it fails outside a transaction, another call may
    # succeed.
    _expect(asked, upload_location_repository, requested_by)
    submit(job_repository, job, location)
    return location


def submit_run_config(  # noqa: PLR0913 - as above, and the run
    job_repository: Jobs,
    run_repository: Runs,
    upload_location_repository: IUploadLocationRepository,
    job_upload: Asked = None,
    *,
    transfer_repository: ITransferRepository | None = None,
    job_id: int | None = None,
    run_id: int | None = None,
    requested_by: Requester | None = None,
) -> UploadLocation:
    """Return a URL for the run's config, kept as its `config_url`; as `submit_job_config`.

    The key is under the job's creation time, whenever the run was created.

    Raises:
        UnknownJobError, UnknownRunError: there is no such job or run.
        RunOfAnotherJobError: the run is another job's.
        InvalidRequestError: the run is not named, or the upload is of another kind.
    """
    asked = submission(
        ArtifactKind.RUN_CONFIG, job_upload, transfer_repository, job_id=job_id, run_id=run_id
    )
    artifact = asked.artifact
    job, run = find_run_of(job_repository, run_repository, artifact.job_id, artifact.run_id)
    location = _location_of(job, asked, upload_location_repository)
    keep_run_location(run_repository, run, artifact.kind, location)
    _expect(asked, upload_location_repository, requested_by)
    return location


@accepts_platform_call(platform_calls.upload_results)
def upload_results(  # noqa: PLR0913 - what it works with, and what of
    job_repository: Jobs,
    run_repository: Runs,
    results_repository: IResultsRepository,
    artifact_repository: IArtifactRepository,
    *,
    job_id: int,
    run_id: int,
    results_dir: Path,
    now: Callable[[], datetime] | None = None,
) -> StoredArtifact:
    """Store the RUN* directories below `results_dir` now, without a worker, and record them.

    It may itself be one of them, named RUN…

    They are recorded with the time of `now`, by default of the repository's own clock. The
    platform's arguments work too: see `platform_calls.upload_results`.

    Raises:
        UnknownJobError, UnknownRunError: there is no such job or run.
        RunOfAnotherJobError: the run is another job's.
        SourceMissingError, SourceEmptyError, SourceInvalidError: there are no such results.
        ObjectReplacedError: others were stored in the meantime.
    """
    artifact = Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id)
    job, _ = find_run_of(job_repository, run_repository, job_id, run_id)
    prefix = JobS3Prefix.from_job(job)
    known = artifact_repository.find(artifact)
    sent = results_repository.upload_results(run_id, results_dir, prefix)
    stored = StoredArtifact(
        artifact=artifact,
        object=sent.object,
        stored_at=now() if now else None,
        links_left_out=sent.links_left_out,
    )
    return artifact_repository.record(stored, sent.location, known)


@accepts_platform_call(platform_calls.get_run_results)
def get_run_results(
    locate: LocateArtifacts, results_repository: IResultsRepository, *, job_id: int, run_id: int
) -> UploadLocation:
    """Return a URL to download the run's results with; an old rule may have put them elsewhere.

    Where they are recorded it costs no request to the store. The platform's arguments work too: see
    `platform_calls.get_run_results`.

    Raises:
        UnknownJobError, UnknownRunError: there is no such job or run.
        RunOfAnotherJobError: the run is another job's.
        ArtifactMissingError: they are nowhere.
    """
    artifact = Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id)
    return locate.first(artifact, lambda found: _download_url(results_repository, found))


def get_job_results(
    locate: LocateArtifacts, results_repository: IResultsRepository, *, job_id: int
) -> dict[int, UploadLocation]:
    """Return a URL to download the results with for each run of the job that has some, by run id.

    It costs one LIST, however many runs there are. Runs without results are left out, and so are
    those whose results cannot be looked at, with a warning.

    Raises:
        UnknownJobError: there is no such job.
    """
    contents = locate.contents(job_id)
    warn_of(contents.unreadable)
    return {
        each.artifact.run_id: _download_url(results_repository, each)
        for each in contents.found
        if each.artifact.kind is ArtifactKind.RUN_RESULTS
        and each.artifact.run_id in contents.run_ids
    }


@accepts_platform_call(platform_calls.get_job_uploads)
def get_job_uploads(locate: LocateArtifacts, *, job_id: int) -> list[FoundArtifact]:
    """Return all that there is of the job in the bucket, for one LIST.

    What cannot be looked at is left out, with a warning. The platform's arguments work too: see
    `platform_calls.get_job_uploads`.

    Raises:
        UnknownJobError: there is no such job.
    """
    return locate.of_job(job_id)


def _download_url(results_repository: IResultsRepository, found: FoundArtifact) -> UploadLocation:
    return results_repository.get_download_url(found.object.address.url)


def _location_of(
    job: Job, asked: Submission, locations: IUploadLocationRepository
) -> UploadLocation:
    return locations.get_upload_location(asked.upload, s3_prefix=JobS3Prefix.from_job(job))


def _expect(
    asked: Submission, locations: IUploadLocationRepository, requested_by: Requester | None
) -> None:
    # The confirmation is due when the URL has expired. A request or the reconcile can advance it.
    if asked.transfers is not None:
        name = requester_name(requested_by)
        asked.transfers.expect(asked.artifact, new_request_id(name), locations.expires_in, name)
