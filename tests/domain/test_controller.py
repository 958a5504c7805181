"""The producers' one face."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.errors import (
    InvalidRequestError,
    PermanentError,
    RunOfAnotherJobError,
    UnknownJobError,
    UnknownRunError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.platform.job_controller import JobController
from tests.domain.producing import ProducingWorld, plant_results
from tests.domain.world import CONFIG, CONFIG_KEY, RESULTS

DIRECTORY = "jobs/12/2025/10/23/211500"
RUN_CONFIG = Artifact(ArtifactKind.RUN_CONFIG, 12, 4)


@pytest.fixture
def world() -> ProducingWorld:
    return ProducingWorld()


@pytest.fixture
def controller(world: ProducingWorld) -> JobController:
    return world.controller


class TestUploads:
    def test_each_url_is_of_its_own_artifact(self, controller: JobController) -> None:
        names = [
            location.sanitized.rpartition("/")[2]
            for location in (
                controller.submit_job_config(12),
                controller.submit_job(12),
                controller.submit_run_config(12, 4),
            )
        ]
        assert names == ["job_config.json", "job_input.zip", "run_4_config.json"]

    @pytest.mark.parametrize(
        ("arguments", "key"),
        [
            ((12,), f"{DIRECTORY}/job_input.zip"),
            ((12, "job", "input"), f"{DIRECTORY}/job_input.zip"),
            ((12, "job", "config"), CONFIG_KEY),
            ((12, "run", "config", 4), f"{DIRECTORY}/run_4_config.json"),
        ],
    )
    def test_submit_job_takes_the_platforms_words(
        self, controller: JobController, arguments: tuple[Any, ...], key: str
    ) -> None:
        assert f"/{key}?" in controller.submit_job(*arguments).url

    @pytest.mark.parametrize("arguments", [(12, "run", "logs", 4), (12, "job", "output")])
    def test_submit_job_refuses_what_no_client_uploads(
        self, controller: JobController, arguments: tuple[Any, ...]
    ) -> None:
        with pytest.raises(ValueError, match=r"does not upload run_logs|a job has no output"):
            controller.submit_job(*arguments)

    def test_a_client_that_has_used_its_url_is_heard_at_once(
        self, world: ProducingWorld, controller: JobController
    ) -> None:
        controller.submit_job_config(12)
        controller.submit_run_config(12, 4)
        (of_job,) = controller.confirm_upload(12)
        (of_run,) = controller.confirm_upload(12, 4)
        assert (of_job.artifact, of_run.artifact) == (CONFIG, RUN_CONFIG)
        assert of_job.next_attempt_at == of_run.next_attempt_at == world.clock()

    def test_results_are_stored_found_archived_and_had(
        self, controller: JobController, tmp_path: Path
    ) -> None:
        controller.upload_results(12, 4, plant_results(tmp_path))
        (found,) = controller.get_job_uploads(12)
        assert found.artifact == RESULTS
        summary = controller.archive_uploads([found], "GLACIER_IR")
        assert [each for each, _ in summary.archived] == [found]
        location = controller.get_run_results(12, 4)
        assert location.sanitized.endswith("run_4_results.zip")
        assert controller.get_job_results(12) == {4: location}


class TestTransfers:
    def test_they_are_asked_for_told_and_cancelled(self, controller: JobController) -> None:
        upload = controller.request_upload(ArtifactKind.JOB_CONFIG, 12)
        download = controller.request_download(ArtifactKind.RUN_RESULTS, 12, 4)
        assert (upload.direction, download.direction) == (Direction.UPLOAD, Direction.DOWNLOAD)
        assert controller.status(12) == [upload, download]
        (cancelled,) = controller.cancel(12, 4)
        assert (cancelled.artifact, cancelled.state) == (RESULTS, TransferState.CANCELLED)
        assert [each.state for each in controller.status(12)] == [
            TransferState.REQUESTED,
            TransferState.CANCELLED,
        ]

    def test_asked_for_again_it_is_the_same(self, controller: JobController) -> None:
        first = controller.request_upload(ArtifactKind.JOB_CONFIG, 12)
        assert controller.request_upload(ArtifactKind.JOB_CONFIG, 12) == first

    def test_a_kind_may_be_given_by_its_text(self, controller: JobController) -> None:
        first = controller.request_upload("job_config", 12)
        assert controller.request_upload(ArtifactKind.JOB_CONFIG, 12) == first
        assert controller.request_download("run_results", 12, 4).artifact == RESULTS
        (cancelled,) = controller.cancel(12, kind="job_config")
        assert cancelled.artifact == first.artifact

    def test_a_text_that_is_no_kind_is_refused(self, controller: JobController) -> None:
        for refused in (controller.request_upload, controller.request_download):
            with pytest.raises(
                InvalidRequestError, match="'results' is not a kind; give one of job_con"
            ):
                refused("results", 12, 4)
        with pytest.raises(
            InvalidRequestError, match="'results' is not a kind; give one of job_config"
        ):
            controller.cancel(12, kind="results")

    def test_only_a_kind_is_cancelled(self, controller: JobController) -> None:
        controller.request_upload(ArtifactKind.JOB_CONFIG, 12)
        controller.request_upload(ArtifactKind.JOB_INPUT, 12)
        (cancelled,) = controller.cancel(12, kind=ArtifactKind.JOB_INPUT)
        assert cancelled.artifact.kind is ArtifactKind.JOB_INPUT


OF_JOB: list[Callable[[JobController], object]] = [
    lambda controller: controller.submit_job_config(99),
    lambda controller: controller.submit_job(99),
    lambda controller: controller.get_job_results(99),
    lambda controller: controller.get_job_uploads(99),
    lambda controller: controller.request_upload(ArtifactKind.JOB_CONFIG, 99),
    lambda controller: controller.request_download(ArtifactKind.JOB_CONFIG, 99),
    lambda controller: controller.confirm_upload(99),
    lambda controller: controller.cancel(99),
    lambda controller: controller.status(99),
]
OF_RUN: list[Callable[[JobController, int, int], object]] = [
    lambda controller, job_id, run_id: controller.submit_run_config(job_id, run_id),
    lambda controller, job_id, run_id: controller.confirm_upload(job_id, run_id),
    lambda controller, job_id, run_id: controller.upload_results(job_id, run_id, Path("results")),
    lambda controller, job_id, run_id: controller.get_run_results(job_id, run_id),
    lambda controller, job_id, run_id: controller.request_upload(
        ArtifactKind.RUN_LOGS, job_id, run_id
    ),
    lambda controller, job_id, run_id: controller.request_download(
        ArtifactKind.RUN_LOGS, job_id, run_id
    ),
    lambda controller, job_id, run_id: controller.cancel(job_id, run_id),
]


class TestRefused:
    @pytest.mark.parametrize("ask", OF_JOB)
    def test_an_unknown_job(
        self,
        world: ProducingWorld,
        controller: JobController,
        ask: Callable[[JobController], object],
    ) -> None:
        with pytest.raises(UnknownJobError, match="there is no job 99"):
            ask(controller)
        assert not world.transfers.rows

    @pytest.mark.parametrize("ask", OF_RUN)
    @pytest.mark.parametrize(
        ("ids", "error"),
        [
            ((99, 4), UnknownJobError),
            ((12, 99), UnknownRunError),
            ((12, 7), RunOfAnotherJobError),
        ],
    )
    def test_a_run_that_is_none_of_the_jobs(
        self,
        world: ProducingWorld,
        controller: JobController,
        ask: Callable[[JobController, int, int], object],
        ids: tuple[int, int],
        error: type[PermanentError],
    ) -> None:
        with pytest.raises(error):
            ask(controller, *ids)
        assert not world.transfers.rows

    @pytest.mark.parametrize(
        ("kind", "run_id"), [(ArtifactKind.JOB_CONFIG, 4), (ArtifactKind.RUN_LOGS, None)]
    )
    def test_ids_that_are_not_the_kinds(
        self, controller: JobController, kind: ArtifactKind, run_id: int | None
    ) -> None:
        with pytest.raises(InvalidRequestError):
            controller.request_upload(kind, 12, run_id)


def test_what_is_found_is_where_it_belongs(controller: JobController) -> None:
    assert controller.submit_job_config(12).sanitized.endswith(CONFIG_KEY)
