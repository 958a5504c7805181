"""What a producer's controller makes: the use case that is called, and its adapters alone."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from celery import Celery
from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.platform.job_controller import JobController
from artifact_pipeline.worker.composition.producer import Producer
from artifact_pipeline.worker.settings import ProducerSettings, load
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.tables import JobRow

_OF_THE_BUCKET = {"client", "upload_locations", "results", "store", "reader", "copier"}


@pytest.fixture
def producer(good: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Producer:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    app = Celery("tests", broker=good["ARTIFACTS_BROKER_URL"], set_as_current=False)
    return Producer(load(ProducerSettings), app, publish=False)


@pytest.fixture
def engine(sqlite_url: str) -> Engine:
    engine = make_engine(sqlite_url)
    job = {"id": 12, "user_id": 1, "status": "CREATED", "created_at": datetime.now(UTC)}
    with engine.begin() as connection:
        connection.execute(insert(JobRow).values(job))
    return engine


@pytest.mark.parametrize(
    "use_case",
    [
        lambda controller: controller.request_upload(ArtifactKind.JOB_INPUT, 12),
        lambda controller: controller.request_download(ArtifactKind.JOB_INPUT, 12),
        lambda controller: controller.confirm_upload(12),
        lambda controller: controller.cancel(12),
        lambda controller: controller.status(12),
    ],
    ids=["request_upload", "request_download", "confirm_upload", "cancel", "status"],
)
def test_what_only_asks_sql_makes_nothing_of_s3(
    producer: Producer, engine: Engine, use_case: Callable[[JobController], object]
) -> None:
    # When
    with Session(engine) as session, session.begin():
        use_case(producer.controller(session))
    # Then
    assert "bucket" not in vars(producer)


@pytest.mark.parametrize(
    ("use_case", "wanted"),
    [
        (
            lambda controller: controller.submit_job_config(12),
            {"client", "upload_locations", "reader", "copier"},  # one adapter, and its own parts
        ),
        (lambda controller: controller.get_job_uploads(12), {"client", "reader"}),
    ],
    ids=["an upload URL", "a list of the bucket"],
)
def test_a_use_case_makes_its_own_adapters_alone(
    producer: Producer,
    engine: Engine,
    use_case: Callable[[JobController], object],
    wanted: set[str],
) -> None:
    # When nothing answers at the endpoint, which a URL does not need
    with Session(engine) as session, session.begin():
        try:
            use_case(producer.controller(session))
        except StoreUnavailableError:
            assert "upload_locations" not in wanted
    # Then
    assert vars(producer.bucket).keys() & _OF_THE_BUCKET == wanted


def test_all_sessions_share_what_is_of_s3(producer: Producer, engine: Engine) -> None:
    # When
    with Session(engine) as first, Session(engine) as second:
        controllers = [producer.controller(session) for session in (first, second)]
        results = [controller.results_repository for controller in controllers]
        locations = [controller.upload_location_repository for controller in controllers]
    # Then only what writes into a session is its own
    assert results[0] is results[1]
    assert locations[0] is not locations[1]
