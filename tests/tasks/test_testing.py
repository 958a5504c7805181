"""How a producer tests its own code: by what it asked for."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import ConfigurationError, InvalidRequestError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.tasks.app import pipeline_app
from artifact_pipeline.tasks.bucket import confirm_upload, relocate_job, verify_job
from artifact_pipeline.tasks.downloads import download_job, download_run_logs
from artifact_pipeline.tasks.routing import (
    APPLY_RETENTION,
    AUDIT,
    CONFIRM,
    DELIVER_EVENTS,
    DISPATCH,
    DOWNLOAD_JOB,
    RECONCILE,
    RELOCATE,
    VERIFY_JOB,
    WRITE_MANIFEST,
)
from artifact_pipeline.tasks.testing import Asked, recorded_tasks
from artifact_pipeline.tasks.upkeep import (
    apply_retention,
    audit,
    deliver_events,
    dispatch,
    reconcile,
    write_manifest,
)
from artifact_pipeline.tasks.uploads import upload_job_config, upload_run_results
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.sql.transfers.requests import request_upload

JOB, RUN = {"job_id": 12}, {"job_id": 12, "run_id": 4}


@pytest.fixture
def asked() -> Iterator[list[Asked]]:
    with recorded_tasks() as asked:
        yield asked


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


class TestTasks:
    def test_each_is_noted_with_its_ids(self, asked: list[Asked]) -> None:
        # When a producer calls tasks in every way that there is
        upload_job_config.delay(job_id=12)
        upload_run_results.delay(12, 4)
        download_run_logs.apply_async(kwargs=RUN, countdown=30)
        download_job.delay(12)
        relocate_job.delay(12)
        verify_job.delay(12)
        write_manifest.delay(12)
        confirm_upload.delay(12)
        confirm_upload.delay(12, 4)
        dispatch.delay()
        reconcile.delay()
        apply_retention.delay()
        audit.delay()
        deliver_events.delay()
        # Then
        assert asked == [
            Asked("artifacts.upload_job_config", JOB),
            Asked("artifacts.upload_run_results", RUN),
            Asked("artifacts.download_run_logs", RUN),
            Asked(DOWNLOAD_JOB, JOB),
            Asked(RELOCATE, JOB),
            Asked(VERIFY_JOB, JOB),
            Asked(WRITE_MANIFEST, JOB),
            Asked(CONFIRM, JOB),
            Asked(CONFIRM, RUN),
            Asked(DISPATCH),
            Asked(RECONCILE),
            Asked(APPLY_RETENTION),
            Asked(AUDIT),
            Asked(DELIVER_EVENTS),
        ]

    def test_a_task_answers_as_a_worker_would(self, asked: list[Asked]) -> None:
        assert upload_job_config.delay(job_id=12).get() == {"state": "done"}
        assert asked

    @pytest.mark.parametrize("wrong", [{}, {"job_id": 0}, {"job_id": "12"}, {"run_id": 4}])
    def test_wrong_arguments_are_refused_as_ever(
        self, asked: list[Asked], wrong: dict[str, object]
    ) -> None:
        with pytest.raises(InvalidRequestError):
            upload_job_config.delay(**wrong)
        assert asked == []


class TestRequests:
    def test_a_request_is_noted_when_it_is_committed(
        self, asked: list[Asked], database: Engine
    ) -> None:
        with Session(database) as session:
            # Given a request of a job that is made with it
            created_at = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
            session.add(JobRow(id=77, user_id=1, status="CREATED", created_at=created_at))
            session.flush()
            request_upload(session, ArtifactKind.JOB_CONFIG, 77)
            assert asked == []
            # When
            session.commit()
        # Then
        assert asked == [Asked("artifacts.upload_job_config", {"job_id": 77})]

    def test_a_request_that_is_rolled_back_is_not(
        self, asked: list[Asked], database: Engine
    ) -> None:
        with Session(database) as session:
            request_upload(session, ArtifactKind.JOB_CONFIG, 12)
            session.rollback()
        assert asked == []


def test_afterwards_the_process_is_as_before() -> None:
    before = pipeline_app()
    with pytest.raises(ZeroDivisionError), recorded_tasks():
        1 / 0  # noqa: B018 - a test that fails
    assert pipeline_app() is before


def test_an_eager_task_of_another_app_says_what_to_use() -> None:
    # Given a platform's own app, as its tests have it
    app = Celery("platform", set_as_current=False)
    app.conf.task_always_eager = True
    app.loader.import_default_modules()
    # When
    result = app.tasks["artifacts.upload_job_config"].apply(kwargs=JOB)
    # Then
    assert isinstance(result.result, ConfigurationError)
    assert "artifact_pipeline.tasks.testing.recorded_tasks()" in str(result.result)
