"""The platform's own objects and call shapes, by its own classes and not by ours."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest

from artifact_pipeline.domain.errors import (
    JobStatusError,
    RunOfAnotherJobError,
    UnknownJobError,
    UnknownRunError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Run
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.platform.use_cases import (
    submit_job,
    submit_job_config,
    submit_run_config,
)
from artifact_pipeline.domain.ports.jobs import IJobRepository, IRunRepository
from artifact_pipeline.domain.ports.platform import IResultsRepository, IUploadLocationRepository
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from tests.domain.platform_classes import (
    JobStatus,
    PlatformJob,
    PlatformLocations,
    PlatformRows,
    PlatformRun,
)
from tests.domain.producing import ProducingWorld
from tests.domain.world import JOB

DIRECTORY = "https://bucket.s3.invalid/jobs/12/2025/10/23/211500"


@pytest.fixture
def job() -> PlatformJob:
    return PlatformJob(12, datetime(2025, 10, 23, 21, 15))  # noqa: DTZ001 - as the platform has it


@pytest.fixture
def run() -> PlatformRun:
    return PlatformRun(4, 12, datetime(2025, 10, 23, 21, 16, 30, tzinfo=UTC))


@pytest.fixture
def locations() -> Any:
    return PlatformLocations()


class TestTheSeedsCalls:
    def test_a_jobs_config(self, job: PlatformJob, locations: Any) -> None:
        # Given
        jobs = PlatformRows(job)
        # When
        location = submit_job_config(
            job_id=12, job_repository=jobs, upload_location_repository=locations
        )
        # Then the key has the job's creation time, and the row the URL without its signature
        assert location.url.startswith(f"{DIRECTORY}/job_config.json?")
        assert job.config_location == f"{DIRECTORY}/job_config.json"
        assert (jobs.saved, job.status) == ([job], JobStatus.CREATED)

    def test_a_runs_config_has_the_jobs_creation_time(
        self, job: PlatformJob, run: PlatformRun, locations: Any
    ) -> None:
        # Given
        runs = PlatformRows(run)
        # When
        submit_run_config(
            job_id=12,
            run_id=4,
            job_repository=PlatformRows(job),
            run_repository=runs,
            upload_location_repository=locations,
        )
        # Then
        assert run.config_url == f"{DIRECTORY}/run_4_config.json"
        assert runs.saved == [run]

    def test_mocks_as_the_seeds_tests_have_them(self, job: PlatformJob) -> None:
        # Given
        jobs, locations = Mock(spec=IJobRepository), Mock(spec=IUploadLocationRepository)
        jobs.find_by_id.return_value = job
        locations.get_upload_location.return_value = Mock(url=f"{DIRECTORY}/job_config.json")
        # When
        location = submit_job_config(
            job_id=12, job_repository=jobs, upload_location_repository=locations
        )
        # Then
        jobs.find_by_id.assert_called_once_with(12)
        jobs.save.assert_called_once_with(job)
        (_, kwargs) = locations.get_upload_location.call_args
        assert kwargs == {"s3_prefix": JobS3Prefix.from_job(JOB)}
        assert location.url == job.config_location


class TestSubmitted:
    def test_the_job_becomes_submitted_by_its_own_rule(
        self, job: PlatformJob, locations: Any
    ) -> None:
        submit_job(PlatformRows(job), locations, job_id=12)
        assert job.changes == [JobStatus.SUBMITTED]
        assert job.input_location == f"{DIRECTORY}/job_input.zip"

    def test_a_second_call_is_refused_in_the_platforms_words(
        self, job: PlatformJob, locations: Any
    ) -> None:
        # Given
        jobs = PlatformRows(job)
        submit_job(jobs, locations, job_id=12)
        # When / Then
        said = "Job 12 must be in CREATED status to be submitted, current status: submitted"
        with pytest.raises(ValueError, match=said):
            submit_job(jobs, locations, job_id=12)
        assert len(jobs.saved) == len(locations.asked) == 1

    @pytest.mark.parametrize("status", ["SUBMITTED", "PROCESSING", "FAILED", None])
    def test_no_other_status_is_submitted(self, status: str | None) -> None:
        world = ProducingWorld()
        world.jobs.rows[12] = before = _with_status(world, status)
        with pytest.raises(JobStatusError, match="must be in CREATED status"):
            submit_job(world.jobs, world.locations, world.transfers, job_id=12)
        assert (world.jobs.rows[12], world.transfers.rows) == (before, {})

    def test_a_status_without_an_update_rule_is_set(self, locations: Any) -> None:
        job = Mock(spec=["id", "created_at", "status", "input_location"])
        job.id, job.created_at, job.status = 12, JOB.created_at, "CREATED"
        submit_job(PlatformRows(job), locations, job_id=12)
        assert job.status == "SUBMITTED"


def _with_status(world: ProducingWorld, status: str | None) -> Any:
    job = world.jobs.get(12)
    return type(job)(job.id, job.created_at, status=status)


@pytest.mark.parametrize(
    ("ids", "error"),
    [
        ((99, 4), UnknownJobError),
        ((12, 99), UnknownRunError),
        ((12, 7), RunOfAnotherJobError),
    ],
)
def test_wrong_ids_are_value_errors(
    job: PlatformJob,
    run: PlatformRun,
    locations: Any,
    ids: tuple[int, int],
    error: type[ValueError],
) -> None:
    job_id, run_id = ids
    runs = PlatformRows(run, PlatformRun(7, 13, job.created_at))
    with pytest.raises(error):
        submit_run_config(PlatformRows(job), runs, locations, job_id=job_id, run_id=run_id)
    assert not locations.asked


@pytest.mark.parametrize("submit", [submit_job, submit_job_config])
def test_an_unknown_job_is_a_value_error(
    job: PlatformJob, locations: Any, submit: Callable[..., UploadLocation]
) -> None:
    with pytest.raises(ValueError, match="there is no job 99"):
        submit(PlatformRows(job), locations, job_id=99)


def test_a_job_that_has_no_id_yet_gets_no_url(locations: Any) -> None:
    job = PlatformJob(None, JOB.created_at)
    with pytest.raises(ValueError, match="job_id must be from 1 to 2147483647, not None"):
        submit_job_config(Mock(find_by_id=lambda _: job), locations, job_id=12)


class TestOurRepositories:
    def test_they_know_the_platforms_names(self) -> None:
        world = ProducingWorld()
        assert world.jobs.find_by_id(12) == world.jobs.get(12)
        assert world.runs.find_by_id(4) == world.runs.get(4)
        assert world.jobs.find_by_id(99) is None
        assert world.runs.find_by_id(99) is None

    def test_they_take_the_platforms_objects(self, job: PlatformJob) -> None:
        # Given
        world = ProducingWorld()
        config = f"{DIRECTORY}/job_config.json"
        submit_job(world.jobs, world.locations, job_id=12)
        # When another request saves a job that it has read before
        job.config_location = f"{config}?X-Amz-Signature=5"
        job.status = JobStatus.PROCESSING
        world.jobs.save(job)  # type: ignore[arg-type]  # a platform's object
        # Then only what it has is written
        saved = world.jobs.get(12)
        assert (saved.status, saved.config_location) == ("PROCESSING", config)
        assert saved.input_location == f"{DIRECTORY}/job_input.zip"

    def test_nothing_is_saved_of_an_unknown_row(self) -> None:
        world = ProducingWorld()
        with pytest.raises(UnknownJobError):
            world.jobs.save(_with_id(99))
        with pytest.raises(UnknownRunError):
            world.runs.save(Run(99, 12))

    def test_an_upload_is_expected_only_with_transfers(self) -> None:
        world = ProducingWorld()
        submit_job(world.jobs, world.locations, job_id=12)
        assert not world.transfers.rows
        submit_job_config(world.jobs, world.locations, world.transfers, job_id=12)
        (expected,) = world.transfers.rows.values()
        assert expected.artifact == Artifact(ArtifactKind.JOB_CONFIG, 12)

    def test_the_protocols_are_checked_at_run_time(self) -> None:
        world = ProducingWorld()
        assert isinstance(world.jobs, IJobRepository)
        assert isinstance(world.runs, IRunRepository)
        assert isinstance(world.transfers, ITransferRepository)
        assert isinstance(world.locations, IUploadLocationRepository)
        assert isinstance(world.results, IResultsRepository)
        assert not isinstance(world.clock, IJobRepository)


def _with_id(job_id: int) -> Any:
    return type(JOB)(job_id, JOB.created_at, status="CREATED")
