"""Each call as the platform's code writes it, with objects of its own classes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.job_uploads import JobUpload, UploadContext, UploadType
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.platform.use_cases import (
    submit_job,
    submit_job_config,
    submit_run_config,
)
from artifact_pipeline.domain.ports.jobs import IJobRepository
from artifact_pipeline.domain.ports.platform import IUploadLocationRepository
from tests.domain.platform_classes import (
    PlatformJob,
    PlatformJobUpload,
    PlatformLocation,
    PlatformLocations,
    PlatformPrefix,
    PlatformRows,
    PlatformRun,
)
from tests.domain.producing import ProducingWorld, plant_results
from tests.domain.world import JOB

DIRECTORY = "https://bucket.s3.invalid/jobs/12/2025/10/23/211500"
CONFIG = PlatformJobUpload(context="job", upload_type="config", job_id=12)
INPUT = PlatformJobUpload(context="job", upload_type="input", job_id=12)
RUN_CONFIG = PlatformJobUpload(context="run", upload_type="config", job_id=12, run_id=4)


@dataclass
class Side:
    """The repositories of one side, by the names of the use cases' parameters."""

    jobs: Any
    runs: Any
    locations: Any
    kept: Callable[[str], str | None]


def platform_side() -> Side:
    job = PlatformJob(12, datetime(2025, 10, 23, 21, 15))  # noqa: DTZ001 - as the platform has it
    run = PlatformRun(4, 12, datetime(2025, 10, 23, 21, 16, 30, tzinfo=UTC))
    return Side(
        PlatformRows(job),
        PlatformRows(run),
        PlatformLocations(),
        lambda name: getattr(run if name == "config_url" else job, name),
    )


def our_side() -> Side:
    world = ProducingWorld()
    return Side(
        world.jobs,
        world.runs,
        world.locations,
        lambda name: getattr(
            world.runs.get(4) if name == "config_url" else world.jobs.get(12), name
        ),
    )


def mixed_side() -> Side:
    """The pipeline's rows, and the platform's URLs of its own class."""
    ours = our_side()
    return Side(ours.jobs, ours.runs, PlatformLocations(), ours.kept)


SHAPES: dict[str, tuple[str, Callable[[Side], Any]]] = {
    # The platform's use cases are called by position.
    "submit_job(…, job_upload)": (
        "input_location",
        lambda of: submit_job(of.jobs, of.locations, INPUT),
    ),
    "submit_job_config(…, job_upload)": (
        "config_location",
        lambda of: submit_job_config(of.jobs, of.locations, CONFIG),
    ),
    "submit_run_config(…, job_upload)": (
        "config_url",
        lambda of: submit_run_config(of.jobs, of.runs, of.locations, RUN_CONFIG),
    ),
    # Its tests add the job's repository by keyword.
    "submit_job(…, job_upload=)": (
        "input_location",
        lambda of: submit_job(
            job_repository=of.jobs,
            upload_location_repository=of.locations,
            job_upload=INPUT,
        ),
    ),
    "submit_job_config(…, job_upload=)": (
        "config_location",
        lambda of: submit_job_config(
            upload_location_repository=of.locations,
            job_upload=CONFIG,
            job_repository=of.jobs,
        ),
    ),
    "submit_run_config(…, job_upload=)": (
        "config_url",
        lambda of: submit_run_config(
            run_repository=of.runs,
            upload_location_repository=of.locations,
            job_upload=RUN_CONFIG,
            job_repository=of.jobs,
        ),
    ),
    # By ids.
    "submit_job(…, job_id=)": (
        "input_location",
        lambda of: submit_job(
            job_id=12, job_repository=of.jobs, upload_location_repository=of.locations
        ),
    ),
    "submit_job_config(…, job_id=)": (
        "config_location",
        lambda of: submit_job_config(
            job_id=12, job_repository=of.jobs, upload_location_repository=of.locations
        ),
    ),
    "submit_run_config(…, job_id=, run_id=)": (
        "config_url",
        lambda of: submit_run_config(
            job_id=12,
            run_id=4,
            job_repository=of.jobs,
            run_repository=of.runs,
            upload_location_repository=of.locations,
        ),
    ),
    # By the pipeline's own `JobUpload`, with words or with enums.
    "submit_job(…, JobUpload)": (
        "input_location",
        lambda of: submit_job(of.jobs, of.locations, JobUpload("job", "input", 12)),
    ),
    "submit_run_config(…, JobUpload)": (
        "config_url",
        lambda of: submit_run_config(
            of.jobs,
            of.runs,
            of.locations,
            JobUpload(UploadContext.RUN, UploadType.CONFIG, job_id=12, run_id=4),
        ),
    ),
}
FILES = {
    "input_location": "job_input.zip",
    "config_location": "job_config.json",
    "config_url": "run_4_config.json",
}


@pytest.mark.parametrize("side", [platform_side, our_side, mixed_side])
@pytest.mark.parametrize(("column", "call"), SHAPES.values(), ids=SHAPES.keys())
def test_a_call_as_the_platform_writes_it(
    column: str, call: Callable[[Side], Any], side: Callable[[], Side]
) -> None:
    # Given
    of = side()
    # When
    location = call(of)
    # Then the key has the job's creation time, and the row the URL without its signature
    assert location.url.startswith(f"{DIRECTORY}/{FILES[column]}?")
    assert of.kept(column) == f"{DIRECTORY}/{FILES[column]}"


def test_the_platforms_repository_gets_the_very_upload_that_was_passed() -> None:
    # Given
    jobs, locations = Mock(spec=IJobRepository), Mock(spec=IUploadLocationRepository)
    jobs.find_by_id.return_value = PlatformJob(12, JOB.created_at)
    locations.get_upload_location.return_value = PlatformLocation(f"{DIRECTORY}/job_config.json")
    # When
    submit_job_config(jobs, locations, CONFIG)
    # Then it may ask it for whatever its class has
    ((upload,), kwargs) = locations.get_upload_location.call_args
    assert upload is CONFIG
    assert kwargs == {"s3_prefix": JobS3Prefix.from_job(JOB)}


def test_transfers_are_taken_with_a_job_upload() -> None:
    world = ProducingWorld()
    submit_job_config(
        world.jobs,
        world.locations,
        CONFIG,
        transfer_repository=world.transfers,
    )
    assert world.latest(Artifact(ArtifactKind.JOB_CONFIG, 12), Direction.CONFIRM)


class TestOurRepositories:
    """They take an upload and a prefix of the platform's classes."""

    @pytest.mark.parametrize("upload", [CONFIG, SimpleNamespace(context="job_config", job_id=12)])
    def test_an_upload_location(self, upload: Any) -> None:
        prefix: Any = PlatformPrefix.from_job(PlatformJob(12, JOB.created_at))
        by_position = ProducingWorld().locations.get_upload_location(upload, prefix)
        by_keyword = ProducingWorld().locations.get_upload_location(upload, s3_prefix=prefix)
        assert by_position == by_keyword
        assert by_position.get_sanitized_url() == f"{DIRECTORY}/job_config.json"

    def test_results_and_their_url(self, tmp_path: Path) -> None:
        # Given
        world = ProducingWorld()
        prefix: Any = PlatformPrefix(job_id=12, timestamp=JOB.created_at)
        # When
        sent = world.results.upload_results(4, plant_results(tmp_path), s3_prefix=prefix)
        # Then
        assert sent.object.key == "jobs/12/2025/10/23/211500/run_4_results.zip"
        location: Any = PlatformLocation(sent.location.url)
        assert world.results.get_download_url(location).sanitized == sent.location.url

    @pytest.mark.parametrize(
        ("prefix", "said"),
        [
            ("jobs/12", "s3_prefix: 'jobs/12' is not a JobS3Prefix; make one by"),
            (None, "s3_prefix: None is not a JobS3Prefix"),
            (PlatformPrefix(0, JOB.created_at), "job_id must be from 1 to"),
            (PlatformPrefix(13, JOB.created_at), "is not of job 13: use the prefix"),
        ],
    )
    def test_what_is_no_prefix_of_the_job(self, prefix: Any, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            ProducingWorld().locations.get_upload_location(CONFIG, prefix)


@pytest.mark.parametrize(
    ("submit", "said"),
    [
        (lambda of: submit_job(of.jobs, of.locations), "submit_job: give job_upload, or job_id"),
        (
            lambda of: submit_job(of.jobs, of.locations, CONFIG),
            "submit_job: got job_config of job 12, not a job_input; use submit_job_config",
        ),
        (
            lambda of: submit_job_config(of.jobs, of.locations, CONFIG, job_id=13),
            "job_upload is job_config of job 12, but job_id is 13",
        ),
        (
            lambda of: submit_job_config(of.jobs, of.locations, "12"),  # type: ignore[arg-type]
            "job_upload: '12' is not an upload; give an object with context",
        ),
        (
            lambda of: submit_run_config(
                of.jobs, of.runs, of.locations, PlatformJobUpload("run", "config", 12)
            ),
            "run_config needs a run_id",
        ),
        (
            lambda of: submit_run_config(
                of.jobs, of.runs, of.locations, PlatformJobUpload("run", "logs", 12, run_id=4)
            ),
            "not a run_config; use request_upload",
        ),
        (
            lambda of: submit_job(of.jobs, of.locations, PlatformJobUpload("job", "output", 12)),
            "a job has no output",
        ),
    ],
)
def test_a_call_that_names_no_upload_is_a_value_error(
    submit: Callable[[Side], UploadLocation], said: str
) -> None:
    of = platform_side()
    with pytest.raises(InvalidRequestError, match=said):
        submit(of)
    assert (of.jobs.saved, of.runs.saved, of.locations.asked) == ([], [], [])
