"""Each name of the platform is here, or the guide says what replaces it."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.model.job_uploads import JobUpload
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.platform import use_cases
from artifact_pipeline.domain.platform.job_controller import JobController
from artifact_pipeline.domain.ports.jobs import IJobRepository, IRunRepository
from artifact_pipeline.domain.ports.platform import IResultsRepository, IUploadLocationRepository
from artifact_pipeline.worker.s3.results import S3ResultsRepository
from artifact_pipeline.worker.s3.upload_locations import S3UploadLocationRepository

GUIDE = (Path(__file__).parents[2] / "docs/migrating.md").read_text()
_ROWS = re.findall(r"(?m)^\| (`[A-Z]\w+\.[^|]+) \| [^|]+ \|$", GUIDE)
REPLACED = {name for row in _ROWS for name in re.findall(r"`(\w+\.\w+)`", row)}

_FINDERS = "find_by_user_id find_by_status exists delete"
_CONTROLLER = """
    submit_job submit_job_config submit_run_config upload_results get_run_results get_job_uploads
    archive_job_uploads archive_uploads download_job_uploads register_job submit_runs get_runs
    upload_results_from_directory get_run_results_download
"""
CLASSES: dict[type, str] = {
    JobS3Prefix: """
        job_id timestamp from_job base_prefix job_config_key job_input_key run_config_key
        run_results_key run_logs_key
    """,
    JobUpload: """
        context upload_type job_id run_id location is_job_upload is_run_upload to_dict
        to_sanitized_dict get_default_filename
    """,
    UploadLocation: """
        url errors to_dict to_sanitized_dict extract_filename get_sanitized_url
    """,
    IJobRepository: f"find_by_id save find_all {_FINDERS}",
    IRunRepository: f"find_by_id save find_by_job_id {_FINDERS}",
    IUploadLocationRepository: "get_upload_location read_content filter_by_age archive_uploads",
    S3UploadLocationRepository: "get_upload_location read_content filter_by_age archive_uploads",
    IResultsRepository: "upload_results get_download_url",
    S3ResultsRepository: "upload_results get_download_url",
    JobController: _CONTROLLER,
}
NAMES = [(of, name) for of, names in CLASSES.items() for name in names.split()]

PARAMETERS: list[tuple[Callable[..., Any], str]] = [
    (use_cases.submit_job, "job_repository upload_location_repository job_upload"),
    (use_cases.submit_job_config, "job_repository upload_location_repository job_upload"),
    (
        use_cases.submit_run_config,
        "job_repository run_repository upload_location_repository job_upload",
    ),
    (IUploadLocationRepository.get_upload_location, "self job_upload s3_prefix"),
    (S3UploadLocationRepository.get_upload_location, "self job_upload s3_prefix"),
    (S3UploadLocationRepository, "bucket_name region_name expiration_seconds s3_client"),
    (S3ResultsRepository, "bucket_name region_name expiration_seconds s3_client"),
    (JobController.submit_job, "self job_id context job_type run_id"),
    (JobController.archive_job_uploads, "self job_id days_since_create hours_since_create dry_run"),
]


@pytest.mark.parametrize(("of", "name"), NAMES, ids=[f"{of.__name__}.{name}" for of, name in NAMES])
def test_a_name_of_the_platform_is_here_or_replaced(of: type, name: str) -> None:
    # The guide must not list a name that exists: its reader would write the longer way.
    assert hasattr(of, name) != (f"{of.__name__}.{name}" in REPLACED)


def test_the_guide_replaces_nothing_else() -> None:
    known = {f"{of.__name__}.{name}" for of, name in NAMES}
    assert known >= REPLACED


@pytest.mark.parametrize(("call", "names"), PARAMETERS)
def test_its_parameters_stand_in_the_platforms_order(call: Callable[..., Any], names: str) -> None:
    given = list(inspect.signature(call).parameters)
    assert given[: len(names.split())] == names.split()


_USE_CASES = """
    submit_job submit_job_config submit_run_config upload_results get_run_results get_job_uploads
    archive_uploads
"""


@pytest.mark.parametrize("name", _USE_CASES.split())
def test_a_use_case_of_the_platform_is_here(name: str) -> None:
    assert callable(getattr(use_cases, name))
