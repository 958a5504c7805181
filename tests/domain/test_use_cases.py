"""What the platform calls by name: placed by the job's creation time, kept without a signature."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from artifact_pipeline.domain.errors import (
    JobStatusError,
    PermanentError,
    RunOfAnotherJobError,
    UnknownJobError,
    UnknownRunError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.platform.use_cases import (
    get_job_uploads,
    get_run_results,
    submit_job,
    submit_job_config,
    submit_run_config,
)
from tests.domain.producing import (
    EXPIRES_IN,
    ProducingWorld,
    months_later,
    plant_results,
    results_of,
)
from tests.domain.world import CONFIG, JOB

DIRECTORY = "jobs/12/2025/10/23/211500"
INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
RUN_CONFIG = Artifact(ArtifactKind.RUN_CONFIG, 12, 4)


@pytest.fixture
def world() -> ProducingWorld:
    return months_later()


def config_url(world: ProducingWorld, job_id: int = 12) -> UploadLocation:
    return submit_job_config(world.jobs, world.locations, world.transfers, job_id=job_id)


def input_url(world: ProducingWorld, job_id: int = 12) -> UploadLocation:
    return submit_job(world.jobs, world.locations, world.transfers, job_id=job_id)


def run_config_url(world: ProducingWorld, job_id: int = 12, run_id: int = 4) -> UploadLocation:
    return submit_run_config(
        world.jobs, world.runs, world.locations, world.transfers, job_id=job_id, run_id=run_id
    )


@dataclass(frozen=True)
class Submission:
    """A way to a URL, and where its row keeps it."""

    submit: Callable[[ProducingWorld], UploadLocation]
    artifact: Artifact
    name: str
    kept: Callable[[ProducingWorld], str | None]


each_submission = pytest.mark.parametrize(
    "of",
    [
        Submission(config_url, CONFIG, "job_config.json", lambda w: w.jobs.get(12).config_location),
        Submission(input_url, INPUT, "job_input.zip", lambda w: w.jobs.get(12).input_location),
        Submission(
            run_config_url, RUN_CONFIG, "run_4_config.json", lambda w: w.runs.get(4).config_url
        ),
    ],
    ids=["job config", "job input", "run config"],
)


@each_submission
class TestSubmitted:
    def test_the_url_is_under_the_jobs_creation_time(
        self, world: ProducingWorld, of: Submission
    ) -> None:
        assert urlsplit(of.submit(world).url).path == f"/{DIRECTORY}/{of.name}"

    def test_its_row_keeps_it_without_the_signature(
        self, world: ProducingWorld, of: Submission
    ) -> None:
        location = of.submit(world)
        assert "X-Amz-Signature" in location.url
        assert of.kept(world) == f"https://bucket.s3.invalid/{DIRECTORY}/{of.name}"

    def test_the_upload_is_expected_until_the_url_has_expired(
        self, world: ProducingWorld, of: Submission
    ) -> None:
        of.submit(world)
        expected = world.latest(of.artifact, Direction.CONFIRM)
        assert expected.state is TransferState.REQUESTED
        assert expected.next_attempt_at == world.clock() + EXPIRES_IN

    def test_what_the_client_puts_there_is_confirmed(
        self, world: ProducingWorld, of: Submission
    ) -> None:
        # Given a client that has used its URL
        path = urlsplit(of.submit(world).url).path
        world.put(path.removeprefix("/"), b"uploaded")
        # When it says so
        (asked,) = world.transfers.make_due(
            Direction.CONFIRM, of.artifact.job_id, of.artifact.run_id
        )
        world.confirm(of.artifact, asked.request_id)
        # Then
        assert world.latest(of.artifact, Direction.CONFIRM).state is TransferState.DONE
        stored = world.artifacts.find(of.artifact)
        assert stored is not None
        assert stored.object.size == len(b"uploaded")


@pytest.mark.parametrize(
    ("submit", "artifact"), [(config_url, CONFIG), (run_config_url, RUN_CONFIG)]
)
def test_asked_for_again_a_config_is_expected_once_and_longer(
    world: ProducingWorld, submit: Callable[[ProducingWorld], UploadLocation], artifact: Artifact
) -> None:
    submit(world)
    world.clock.advance(EXPIRES_IN / 2)
    submit(world)
    assert len(world.transfers.of_job(12)) == 1
    expected = world.latest(artifact, Direction.CONFIRM)
    assert expected.next_attempt_at == world.clock() + EXPIRES_IN


def test_a_jobs_input_is_asked_for_once(world: ProducingWorld) -> None:
    """As the platform has it: a submitted job cannot be submitted again."""
    input_url(world)
    before = dict(world.transfers.rows)
    world.clock.advance(EXPIRES_IN / 2)
    with pytest.raises(JobStatusError, match="Job 12 must be in CREATED status"):
        input_url(world)
    assert world.transfers.rows == before
    assert world.jobs.get(12).status == "SUBMITTED"


each_refusal = pytest.mark.parametrize(
    ("job_id", "run_id", "error"),
    [
        (99, 4, UnknownJobError),
        (12, 99, UnknownRunError),
        (12, 7, RunOfAnotherJobError),
    ],
)


class TestRefused:
    @pytest.mark.parametrize("submit", [config_url, input_url])
    def test_no_url_of_an_unknown_job(
        self, world: ProducingWorld, submit: Callable[[ProducingWorld, int], UploadLocation]
    ) -> None:
        with pytest.raises(UnknownJobError, match="there is no job 99"):
            submit(world, 99)
        assert not world.transfers.rows

    @each_refusal
    def test_no_url_of_a_run_that_is_none_of_the_jobs(
        self, world: ProducingWorld, job_id: int, run_id: int, error: type[PermanentError]
    ) -> None:
        before = dict(world.runs.rows)
        with pytest.raises(error):
            run_config_url(world, job_id, run_id)
        assert (world.runs.rows, world.transfers.rows) == (before, {})

    @each_refusal
    def test_no_results_of_one(
        self,
        world: ProducingWorld,
        tmp_path: Path,
        job_id: int,
        run_id: int,
        error: type[PermanentError],
    ) -> None:
        plant_results(tmp_path)
        with pytest.raises(error):
            results_of(world, tmp_path, job_id, run_id)
        with pytest.raises(error):
            get_run_results(world.locate, world.results, job_id=job_id, run_id=run_id)
        assert not world.store.objects

    def test_no_uploads_of_an_unknown_job(self, world: ProducingWorld) -> None:
        with pytest.raises(UnknownJobError):
            get_job_uploads(world.locate, job_id=99)


def test_a_run_is_placed_by_its_job_however_late_it_is(world: ProducingWorld) -> None:
    """A run knows no creation time here: there is none to go by by mistake."""
    assert not hasattr(world.runs.get(4), "created_at")
    world.jobs.rows[12] = Job(12, datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC))
    location = run_config_url(world)
    assert "/jobs/12/2024/02/29/235959/run_4_config.json?" in location.url
    assert JOB.created_at != world.jobs.get(12).created_at
