"""Calls of the use cases about uploads and results, as the platform's code writes them."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.errors import InvalidRequestError, UnknownJobError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.job_uploads import JobUpload
from artifact_pipeline.domain.model.jobs import Run
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.platform.archiving import archive_uploads
from artifact_pipeline.domain.platform.calls import RunResults
from artifact_pipeline.domain.platform.use_cases import (
    get_job_uploads,
    get_run_results,
    upload_results,
)
from tests.domain.platform_classes import (
    PlatformClock,
    PlatformJob,
    PlatformPackager,
    PlatformResults,
    PlatformRows,
    PlatformRun,
    RunStatus,
)
from tests.domain.producing import ProducingWorld
from tests.domain.world import JOB

BUCKET_URL = "https://bucket.s3.amazonaws.com"
DIRECTORY = "jobs/12/2025/10/23/211500"
OLD_RESULTS = f"{BUCKET_URL}/jobs/12/2025/10/26/090000/run_4_results.zip"
OF_AN_EARLIER_JOB = f"{BUCKET_URL}/jobs/12/2025/10/23/090000/run_4_results.zip"
INPUT_URL, CONFIG_URL = f"{BUCKET_URL}/input", f"{BUCKET_URL}/config?X-Amz-Signature=5"
RUN_URL = f"{BUCKET_URL}/run_config"
NOW = datetime(2025, 10, 26, 19, 20)  # noqa: DTZ001 - as the platform's clock has it
RUNS = (4, 5)
INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)


@dataclass
class Side:
    """The repositories of one side.

    Attributes:
        stored: what is in the bucket, by key.
        results_of: what a run's row says of its results: URL, time, status.
    """

    jobs: Any
    runs: Any
    results: Any
    stored: dict[str, bytes]
    results_of: Callable[[int], tuple[Any, Any, Any]]


def platform_side(results_url: str | None = None) -> Side:
    job = PlatformJob(
        12,
        JOB.created_at.replace(tzinfo=None),
        config_location=CONFIG_URL,
        input_location=INPUT_URL,
    )
    rows = {run_id: PlatformRun(run_id, 12, JOB.created_at) for run_id in RUNS}
    rows[4] = replace(rows[4], config_url=RUN_URL, results_url=results_url)
    of_another = PlatformRun(7, 13, JOB.created_at, config_url="another job's")
    results = PlatformResults()

    def results_of(run_id: int) -> tuple[Any, Any, Any]:
        run = rows[run_id]
        return run.results_url, run.results_uploaded_at, run.status.name

    runs = PlatformRows(*rows.values(), of_another)
    return Side(PlatformRows(job), runs, results, results.stored, results_of)


def our_side(results_url: str | None = None) -> Side:
    world = ProducingWorld()
    world.jobs.rows[12] = replace(JOB, config_location=CONFIG_URL, input_location=INPUT_URL)
    world.runs.rows |= {
        4: Run(4, 12, config_url=RUN_URL, results_url=results_url),
        5: Run(5, 12),
    }

    def results_of(run_id: int) -> tuple[Any, Any, Any]:
        run, time = world.runs.rows[run_id], world.runs.uploaded_at.get(run_id)
        return run.results_url, time and time.replace(tzinfo=None), run.status

    return Side(world.jobs, world.runs, world.results, world.store.objects, results_of)


partially: Any = functools.partial
"""As the platform's factories wire their use cases; mypy does not know it of two shapes."""
each_side = pytest.mark.parametrize("side", [platform_side, our_side])


class TestJobUploads:
    CALLS: tuple[Callable[[Side], Any], ...] = (
        lambda of: get_job_uploads(of.jobs, of.runs, 12),
        lambda of: get_job_uploads(of.jobs, of.runs, job_id=12),
        lambda of: get_job_uploads(job_repository=of.jobs, run_repository=of.runs, job_id=12),
        lambda of: functools.partial(get_job_uploads, of.jobs, of.runs)(job_id=12),
    )

    @each_side
    @pytest.mark.parametrize("call", CALLS)
    def test_what_the_rows_say(self, side: Callable[[], Side], call: Callable[[Side], Any]) -> None:
        uploads = call(side())
        # In the platform's order, with its attributes
        assert [(each.context, each.upload_type, each.run_id) for each in uploads] == [
            ("job", "input", None),
            ("job", "config", None),
            ("run", "config", 4),
        ]
        assert {each.job_id for each in uploads} == {12}
        assert [each.location.url for each in uploads] == [INPUT_URL, CONFIG_URL, RUN_URL]

    @each_side
    def test_an_unknown_job_is_a_value_error(self, side: Callable[[], Side]) -> None:
        of = side()
        with pytest.raises(ValueError, match="there is no job 99"):
            get_job_uploads(of.jobs, of.runs, 99)

    def test_its_dictionaries(self) -> None:
        of = our_side()
        _, config, run_config = get_job_uploads(of.jobs, of.runs, 12)
        ids = {"context": "job", "uploadType": "config", "jobId": 12, "runId": None}
        assert config.to_dict() == {**ids, "location": {"url": CONFIG_URL}}
        sanitized = CONFIG_URL.partition("?")[0]
        assert config.to_sanitized_dict() == {**ids, "location": {"url": sanitized}}
        assert run_config.to_sanitized_dict()["runId"] == 4
        assert "X-Amz-Signature" not in repr(config)
        assert JobUpload("job", "input", 12).to_dict() == {**ids, "uploadType": "input"}


class TestRunResults:
    CALLS: tuple[Callable[[Side], list[RunResults]], ...] = (
        lambda of: get_run_results(12, of.jobs, of.runs, of.results, "bucket"),
        lambda of: get_run_results(
            job_id=12,
            job_repository=of.jobs,
            run_repository=of.runs,
            results_repository=of.results,
            bucket_name="bucket",
        ),
    )

    @each_side
    @pytest.mark.parametrize("call", CALLS)
    def test_a_url_for_each_run(
        self, side: Callable[[], Side], call: Callable[[Side], list[RunResults]]
    ) -> None:
        results = call(side())
        assert [each.run_id for each in results] == [4, 5]
        for each in results:
            assert f"/{DIRECTORY}/run_{each.run_id}_results.zip?" in each.url
            assert "X-Amz-Signature" in each.url
            assert each.to_dict() == {"run_id": each.run_id, "url": each.url}
            assert "X-Amz-Signature" not in repr(each)

    @each_side
    def test_one_whose_row_names_an_old_path(self, side: Callable[[str], Side]) -> None:
        of = side(OLD_RESULTS)
        first, second = get_run_results(12, of.jobs, of.runs, of.results, "bucket")
        assert "/jobs/12/2025/10/26/090000/run_4_results.zip?" in first.url
        assert f"/{DIRECTORY}/run_5_results.zip?" in second.url

    @each_side
    def test_one_whose_row_names_an_earlier_jobs(self, side: Callable[[str], Side]) -> None:
        of = side(OF_AN_EARLIER_JOB)
        results = get_run_results(12, of.jobs, of.runs, of.results, "bucket")
        assert f"/{DIRECTORY}/run_4_results.zip?" in results[0].url

    def test_a_row_that_names_no_object_hides_no_other(self) -> None:
        of = our_side("/srv/jobs/12/results.zip")
        first, second = get_run_results(12, of.jobs, of.runs, of.results, "bucket")
        assert f"/{DIRECTORY}/run_4_results.zip?" in first.url
        assert f"/{DIRECTORY}/run_5_results.zip?" in second.url

    def test_the_expiry_is_a_day_by_default(self) -> None:
        of = platform_side()
        get_run_results(12, of.jobs, of.runs, of.results, "bucket")
        get_run_results(12, of.jobs, of.runs, of.results, "bucket", expiration_seconds=60)
        assert of.results.expirations == [86400, 86400, 60, 60]

    def test_a_job_without_runs(self) -> None:
        of = platform_side()
        assert get_run_results(12, of.jobs, PlatformRows(), of.results, "bucket") == []

    @each_side
    def test_an_unknown_job(self, side: Callable[[], Side]) -> None:
        of = side()
        with pytest.raises(UnknownJobError):
            get_run_results(99, of.jobs, of.runs, of.results, "bucket")


class TestUploadResults:
    CALLS: tuple[Callable[[Side, Path], str], ...] = (
        lambda of, path: upload_results(
            of.runs, of.jobs, PlatformPackager(), of.results, PlatformClock(NOW), 12, 4, path
        ),
        lambda of, path: upload_results(
            run_repository=of.runs,
            job_repository=of.jobs,
            results_packager=PlatformPackager(),
            results_repository=of.results,
            time_provider=PlatformClock(NOW),
            job_id=12,
            run_id=4,
            results_dir=path,
        ),
        lambda of, path: partially(
            upload_results, of.runs, of.jobs, PlatformPackager(), of.results, PlatformClock(NOW)
        )(job_id=12, run_id=4, results_dir=path),
    )

    @each_side
    @pytest.mark.parametrize("call", CALLS)
    def test_they_are_stored_and_the_run_is_done(
        self, side: Callable[[], Side], call: Callable[[Side, Path], str]
    ) -> None:
        of = side()
        url = call(of, Path("output/RUN4"))
        assert of.stored == {f"{DIRECTORY}/run_4_results.zip": b"zip of RUN4"}
        assert url.endswith(f"/{DIRECTORY}/run_4_results.zip")
        assert of.results_of(4) == (url, NOW, "DONE")

    @pytest.mark.parametrize(
        ("job_id", "run_id", "said"),
        [(99, 4, "there is no job 99"), (12, 99, "no run 99"), (12, 7, "not a run of job 12")],
    )
    @each_side
    def test_ids_of_nothing_are_value_errors(
        self, side: Callable[[], Side], job_id: int, run_id: int, said: str
    ) -> None:
        of = side()
        services = (PlatformPackager(), of.results, PlatformClock(NOW))
        with pytest.raises(ValueError, match=said):
            upload_results(of.runs, of.jobs, *services, job_id, run_id, Path("RUN4"))
        assert of.stored == {}

    def test_the_platforms_run_keeps_its_own_status_class(self) -> None:
        of = platform_side()
        services = (PlatformPackager(), of.results, PlatformClock(NOW))
        upload_results(of.runs, of.jobs, *services, 12, 4, Path("RUN4"))
        (run,) = of.runs.saved
        assert run.status is RunStatus.DONE

    def test_what_was_stored_so_is_listed(self) -> None:
        """The list finds it by the run's row, though no row of `artifacts` names it."""
        world = ProducingWorld()
        services = (PlatformPackager(), world.results, PlatformClock(NOW))
        upload_results(world.runs, world.jobs, *services, 12, 4, Path("RUN4"))
        (found,) = get_job_uploads(world.locate, job_id=12)
        assert found.artifact == Artifact(ArtifactKind.RUN_RESULTS, 12, 4)

    def test_a_prefix_of_another_job_is_refused(self) -> None:
        world = ProducingWorld()
        prefix: Any = PlatformRows  # of no prefix at all
        with pytest.raises(InvalidRequestError):
            world.results.upload_results(12, 4, b"zip", s3_prefix=prefix)


class TestOurOwnShape:
    """It is not taken for the platform's."""

    def test_of_each(self, tmp_path: Path) -> None:
        world = ProducingWorld()
        (tmp_path / "RUN4").mkdir()
        (tmp_path / "RUN4/out.csv").write_bytes(b"1")
        stored = upload_results(
            world.jobs,
            world.runs,
            world.results,
            world.artifacts,
            job_id=12,
            run_id=4,
            results_dir=tmp_path,
        )
        assert stored.object.key == f"{DIRECTORY}/run_4_results.zip"
        found = get_job_uploads(world.locate, job_id=12)
        assert [each.artifact.kind for each in found] == [ArtifactKind.RUN_RESULTS]
        assert get_run_results(world.locate, world.results, job_id=12, run_id=4).url
        assert len(archive_uploads(world.locations, world.artifacts, found).archived) == 1

    def test_arguments_that_fit_neither(self) -> None:
        call: Any = get_job_uploads
        with pytest.raises(TypeError, match="job_id"):
            call(ProducingWorld().locate)
