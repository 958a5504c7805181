"""Where uploads land: under the job's creation time, however late they come."""

from datetime import UTC, datetime, timedelta

import pytest

from artifact_pipeline.domain.errors import UnexpectedError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Run
from artifact_pipeline.domain.model.kinds import ArtifactKind
from tests.domain.world import CONFIG, World

RUN_CONFIG = Artifact(ArtifactKind.RUN_CONFIG, 12, 4)


def test_job_config_upload_uses_job_created_at(world: World) -> None:
    # Given job 12, created at 21:15:00
    assert world.jobs.get(12).created_at == datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
    # When its config is uploaded a second later
    world.clock.advance(timedelta(seconds=1))
    world.upload(CONFIG)
    # Then it lies under the moment of creation, not of the upload
    assert list(world.store.objects) == ["jobs/12/2025/10/23/211500/job_config.json"]


def test_run_config_upload_uses_job_created_at(world: World) -> None:
    # Given a run of job 12, created at 21:16:30
    world.clock.moment = datetime(2025, 10, 23, 21, 16, 30, tzinfo=UTC)
    world.runs.rows[4] = Run(4, 12)
    world.workspace.contents[RUN_CONFIG] = b"{}"
    # When its config is uploaded
    world.upload(RUN_CONFIG)
    # Then it lies under the moment of the job's creation, not of the run's
    assert list(world.store.objects) == ["jobs/12/2025/10/23/211500/run_4_config.json"]


def test_all_artifacts_share_same_directory(world: World) -> None:
    # Given every artifact of a job and its run
    artifacts = [Artifact(kind, 12, 4 if kind.belongs_to_run else None) for kind in ArtifactKind]
    # When each is uploaded, the next one a day and a bit after the last
    for artifact in artifacts:
        world.workspace.contents[artifact] = str(artifact).encode()
        world.upload(artifact)
        world.clock.advance(timedelta(days=1, minutes=7))
    # Then one directory has them all
    assert len(world.store.objects) == len(ArtifactKind)
    assert {key.rpartition("/")[0] for key in world.store.objects} == {"jobs/12/2025/10/23/211500"}
    assert world.store.objects.keys() >= {
        "jobs/12/2025/10/23/211500/job_config.json",
        "jobs/12/2025/10/23/211500/job_input.zip",
        "jobs/12/2025/10/23/211500/run_4_config.json",
        "jobs/12/2025/10/23/211500/run_4_logs.log",
        "jobs/12/2025/10/23/211500/run_4_results.zip",
    }


def test_a_retry_days_later_goes_to_the_same_place(world: World) -> None:
    # Given an upload whose first attempt fails
    world.store.failures = [TimeoutError()]
    with pytest.raises(UnexpectedError):
        world.upload(CONFIG)
    # When the second comes three days later
    world.clock.advance(timedelta(days=3))
    world.upload(CONFIG)
    # Then it lies where the first would have
    assert list(world.store.objects) == ["jobs/12/2025/10/23/211500/job_config.json"]


def test_an_object_says_whose_it_is(world: World) -> None:
    world.workspace.contents[RUN_CONFIG] = b"{}"
    world.upload(CONFIG)
    world.upload(RUN_CONFIG)
    assert list(world.store.metadata.values()) == [
        {"job": "12", "kind": "job_config"},
        {"job": "12", "run": "4", "kind": "run_config"},
    ]
    assert set(world.store.content_types.values()) == {"application/json"}
