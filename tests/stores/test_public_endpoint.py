"""A public endpoint for clients beside the internal one, on another port."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.credentials import Credentials
from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.platform.job_controller import JobController
from artifact_pipeline.worker.composition.producer import Producer
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.settings import ProducerSettings, WorkerSettings, load
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from tests.integration.platform import Client
from tests.stores.fronts import Front, fronting, resolve

pytestmark = pytest.mark.processes

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
DIRECTORY = "jobs/12/2025/10/23/211500"
CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
CREDENTIALS = Credentials("tests", "tests-secret")


@dataclass(frozen=True)
class Deployment:
    """A platform and a worker in this process, which reach S3 by the internal endpoint.

    Attributes:
        public: the front that only clients are to use.
    """

    engine: Engine
    bucket: str
    internal: Front
    public: Front
    producer: Producer
    worker: Composition

    def controller(self, session: Session) -> JobController:
        return self.producer.controller(session)

    def confirm(self, artifact: Artifact) -> TransferState:
        """Do what a worker does when the client says that it has uploaded."""
        with Session(self.engine) as session, session.begin():
            (expected,) = self.controller(session).confirm_upload(artifact.job_id, artifact.run_id)
        self.worker.transfer(Direction.CONFIRM, artifact, expected.request_id)
        ended = self.worker.adapters.transfers.latest(artifact, Direction.CONFIRM)
        assert ended is not None
        return ended.state

    def kept_location(self) -> str | None:
        with Session(self.engine) as session:
            return session.get_one(JobRow, 12).config_location


@pytest.fixture(params=["as it is", "a path", "hosts of buckets"])
def fronts(
    request: pytest.FixtureRequest, ministack: Ministack, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Front, Front]]:
    """The internal endpoint and the public one."""
    path = "/storage/v1/s3" if request.param == "a path" else ""
    domain = "s3.test" if request.param == "hosts of buckets" else ""
    resolve(monkeypatch, "s3.test")
    with ExitStack() as stack:
        internal, public = (
            stack.enter_context(fronting(Front(ministack.url, CREDENTIALS, path, domain)))
            for _ in range(2)
        )
        yield internal, public


@pytest.fixture
def environment(
    fronts: tuple[Front, Front],
    bucket: str,
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:
    """The settings of platform and worker, and no others."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "ARTIFACTS_"))]:
        monkeypatch.delenv(name)
    settings = {
        "ARTIFACTS_DATABASE_URL": sqlite_url,
        "ARTIFACTS_BROKER_URL": "redis://127.0.0.1:1/0",
        "ARTIFACTS_BUCKET": bucket,
        "ARTIFACTS_S3_ENDPOINT_URL": fronts[0].url,
        "ARTIFACTS_S3_PUBLIC_ENDPOINT_URL": fronts[1].url,
        "ARTIFACTS_S3_ADDRESSING": "virtual" if fronts[1].domain else "auto",
        "ARTIFACTS_WORKSPACE": str(tmp_path),
        "AWS_ACCESS_KEY_ID": CREDENTIALS.access_key,
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def deployment(fronts: tuple[Front, Front], environment: dict[str, str]) -> Iterator[Deployment]:
    engine = make_engine(environment["ARTIFACTS_DATABASE_URL"])
    _insert_job(engine)
    app = Celery("tests", broker=environment["ARTIFACTS_BROKER_URL"], set_as_current=False)
    worker = Composition(load(WorkerSettings), app)
    producer = Producer(load(ProducerSettings), app, publish=False)
    bucket = environment["ARTIFACTS_BUCKET"]
    yield Deployment(engine, bucket, *fronts, producer, worker)
    worker.adapters.close()
    engine.dispose()


@pytest.fixture
def client() -> Client:
    return Client()


def test_a_client_uploads_by_the_public_host_and_the_worker_confirms_by_the_internal_one(
    deployment: Deployment, client: Client
) -> None:
    # Given
    public = deployment.public.url_of(deployment.bucket, f"{DIRECTORY}/job_config.json")
    with Session(deployment.engine) as session, session.begin():
        upload = deployment.controller(session).submit_job_config(12)
    assert deployment.kept_location() == upload.sanitized == public
    # When
    assert client.put(upload.url, b'{"days": 180}') == 200
    assert deployment.confirm(CONFIG) is TransferState.DONE
    # Then
    stored = deployment.worker.adapters.artifacts.find(CONFIG)
    assert stored is not None
    assert (stored.object.key, stored.object.size) == (f"{DIRECTORY}/job_config.json", 13)
    kept = deployment.kept_location()
    assert kept == deployment.internal.url_of(deployment.bucket, stored.object.key)
    # And: the object is read by either location, and by the internal endpoint
    with Session(deployment.engine) as session:
        uploads = deployment.controller(session).upload_location_repository
        for url in (kept, upload.sanitized, upload.url):
            assert uploads.read_content(UploadLocation(url)) == b'{"days": 180}'
    assert deployment.public.seen == [("PUT", urlsplit(public).path)]
    assert len(deployment.internal.seen) > 0


def test_a_client_downloads_by_the_public_host_whichever_a_location_names(
    deployment: Deployment, client: Client, tmp_path: Path
) -> None:
    # Given results that the platform has uploaded itself
    (tmp_path / "results" / "RUN1").mkdir(parents=True)
    (tmp_path / "results" / "RUN1" / "a.txt").write_text("content")
    with Session(deployment.engine) as session, session.begin():
        controller = deployment.controller(session)
        stored = controller.upload_results(12, 4, tmp_path / "results")
        urls = [controller.get_run_results(12, 4), *controller.get_job_results(12).values()]
        where = (deployment.bucket, stored.object.key)
        known = (
            deployment.internal.url_of(*where),
            deployment.public.url_of(*where),
            f"https://s3.amazonaws.com/{'/'.join(where)}",
        )
        urls.extend(map(controller.results_repository.get_download_url, known))
    assert deployment.public.seen == []
    # When / Then
    for url in urls:
        assert url.sanitized == deployment.public.url_of(*where)
        assert len(client.get(url)) == stored.object.size
    assert {method for method, _ in deployment.public.seen} == {"GET"}


def test_an_artifact_is_found_by_a_location_that_names_the_public_host(
    deployment: Deployment,
) -> None:
    # Given a config that an earlier release of the platform put elsewhere, which no row records
    with Session(deployment.engine) as session, session.begin():
        upload = deployment.controller(session).submit_job_config(12)
        elsewhere = upload.sanitized.replace(DIRECTORY, "configs")
        session.get_one(JobRow, 12).config_location = elsewhere
    adapters = deployment.worker.adapters
    adapters.client.put_object(Bucket=deployment.bucket, Key="configs/job_config.json", Body=b"{}")
    # When / Then
    assert adapters.locate.find(CONFIG).object.address.key == "configs/job_config.json"
    assert deployment.public.seen == []


def test_a_url_that_is_signed_for_the_internal_host_is_refused_by_the_public_one(
    deployment: Deployment, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.delenv("ARTIFACTS_S3_PUBLIC_ENDPOINT_URL")
    internal = Composition(load(WorkerSettings), Celery("tests", set_as_current=False)).adapters
    url = internal.results.get_download_url(f"s3://{deployment.bucket}/any").url
    # When
    where = (deployment.bucket, "any")
    moved = url.replace(deployment.internal.url_of(*where), deployment.public.url_of(*where))
    status, said = client.send("GET", moved)
    # Then
    assert moved != url
    assert (status, b"SignatureDoesNotMatch" in said) == (403, True)


def _insert_job(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add(JobRow(id=12, user_id=1, status="PROCESSING", created_at=CREATED_AT, tags=[]))
        session.flush()
        session.add(
            RunRow(id=4, job_id=12, user_id=1, status="RUNNING", created_at=CREATED_AT, request={})
        )
