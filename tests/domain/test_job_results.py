"""The results' URLs of all runs of a job, for one LIST."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from artifact_pipeline.domain.model.jobs import Run
from artifact_pipeline.domain.platform.use_cases import (
    get_job_results,
    get_run_results,
    upload_results,
)
from tests.domain.producing import ProducingWorld, plant_results

DIRECTORY = "jobs/12/2025/10/23/211500"


@pytest.fixture
def world() -> ProducingWorld:
    return ProducingWorld()


def test_each_run_that_has_results_has_a_url(world: ProducingWorld, tmp_path: Path) -> None:
    # Given runs with results under the key, at an old path and in another bucket, and one
    # without any
    for run_id in (5, 6, 8):
        world.runs.rows[run_id] = Run(run_id, 12)
    upload_results(
        *(world.jobs, world.runs, world.results, world.artifacts),
        job_id=12,
        run_id=4,
        results_dir=plant_results(tmp_path),
    )
    old = "jobs/12/2025/11/02/093000/run_5_results.zip"
    elsewhere = replace(world.put(old, b"zip"), bucket="attic", key="run-6.zip")
    world.reader.elsewhere[elsewhere] = b"zip"
    url = "https://attic.s3.invalid/run-6.zip"
    world.runs.rows[6] = replace(world.runs.rows[6], results_url=url)
    # When
    urls = get_job_results(world.locate, world.results, job_id=12)
    # Then
    paths = {run_id: urlsplit(location.url).path for run_id, location in urls.items()}
    assert paths == {
        4: f"/{DIRECTORY}/run_4_results.zip",
        5: f"/{old}",
        6: "/run-6.zip",
    }
    assert all("X-Amz-Signature" in location.url for location in urls.values())
    # And each is the one that the run itself is answered with
    for run_id, location in urls.items():
        assert location == get_run_results(world.locate, world.results, job_id=12, run_id=run_id)


def test_a_run_that_is_none_of_the_jobs_has_none(world: ProducingWorld) -> None:
    # Given results in the job's directory of a run of job 13, and of a run that is unknown
    for run_id in (7, 99):
        world.put(f"{DIRECTORY}/run_{run_id}_results.zip", b"zip")
    # When, Then
    assert get_job_results(world.locate, world.results, job_id=12) == {}


def test_nothing_else_of_the_job_is_a_result(world: ProducingWorld) -> None:
    world.put(f"{DIRECTORY}/run_4_logs.log", b"logs")
    assert get_job_results(world.locate, world.results, job_id=12) == {}
