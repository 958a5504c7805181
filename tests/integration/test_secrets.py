"""After a full run, errors included, no secret is where others can read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.worker.composition.producer import Producer
from artifact_pipeline.worker.embedded.servers import free_port
from artifact_pipeline.worker.embedded.stack import BUCKET
from artifact_pipeline.worker.settings import ProducerSettings, load
from artifact_pipeline.worker.sql.platform_tables import JobRow
from tests import preloaded
from tests.databases import Databases
from tests.faults.proxy import TcpProxy
from tests.integration.deployment import Deployment
from tests.integration.events import EventLog, listening
from tests.integration.platform import Client, Platform
from tests.integration.secretive import (
    ARGUMENT,
    CONTENT,
    DATABASE,
    SECRETS,
    SIGNATURE,
    SecretiveStack,
    Traces,
    environment,
)

CREATED_AT = datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC)
BODY = f'{{"token": "{CONTENT}"}}'.encode()
FLEETING = "a-bucket-that-goes-away"
SIGNED = f"X-Amz-Credential=a&X-Amz-Signature={SIGNATURE}"


class Run:
    """All that the pipeline does, done on a deployment with secrets."""

    def __init__(self, stack: SecretiveStack, directory: Path) -> None:
        self.stack = stack
        self.deployed = Deployment(stack)
        self.traces = Traces()
        self._downloads = directory / "downloads"

    def uploads(self) -> None:
        job_id, run_id = self._job_with_run()
        for kind in ArtifactKind:
            artifact = Artifact(kind, job_id, run_id if kind.belongs_to_run else None)
            self.deployed.write(artifact, BODY)
            self.deployed.send(artifact)
            self.deployed.stored(artifact)
        self._send("artifacts.download_job", job_id)
        for command in ("status", "info"):
            self._command("jobs", command, "--job-id", str(job_id))
        self._bucket_commands(job_id)

    def uploads_by_url(self) -> None:
        job_id, _run_id = self._job_with_run()
        # The server knows no session, and refuses URLs that are signed in one.
        settings = {**self.stack.settings(), "AWS_SESSION_TOKEN": ""}
        with patch.dict("os.environ", settings):
            app = producer_app(self.stack.broker.url)
            platform = Platform(self.stack.engine, Producer(load(ProducerSettings), app), app)
            with platform.controller() as controller:
                location = controller.submit_job_config(job_id)
                # What nobody uploads keeps its row as the request for the URL has left it.
                never_used = controller.submit_job(job_id)
                self.traces.add("repr of locations", (location, never_used))
            assert Client().put(location.url, BODY) == 200
            with platform.controller() as controller:
                controller.confirm_upload(job_id)
            self._done(Artifact(ArtifactKind.JOB_CONFIG, job_id), Direction.CONFIRM)
        refused = Client().put(location.url.replace("job_config", "job_other"), BODY)
        assert refused == 403

    def old_paths(self) -> None:
        for relocate in (self._relocated_by_message, self._relocated_by_command):
            job_id, _run_id = self._job_with_run()
            key = f"jobs/{job_id}/2025/10/24/080000/job_config.json"
            self.stack.client().put_object(Bucket=BUCKET, Key=key, Body=BODY)
            location = f"{self.stack.s3.url}/{BUCKET}/{key}?{SIGNED}"
            with Session(self.stack.engine) as session, session.begin():
                job = update(JobRow).where(JobRow.id == job_id)
                session.execute(job.values(config_location=location))
            self._command("jobs", "uploads", "list", "--job-id", str(job_id))
            relocate(job_id)

    def refusals(self, events: EventLog) -> None:
        """Sources that are none, and a message that is none."""
        for artifact in (self._empty_source(), self._source_that_is_a_directory()):
            self.deployed.send(artifact)
            assert self.deployed.ended(artifact).state is TransferState.QUARANTINED
        for arguments in ({"job_id": ARGUMENT}, {ARGUMENT: 12}):
            sent = self.deployed.foreign.send_task(
                "artifacts.upload_job_config", kwargs=arguments, queue="configs"
            )
            self.deployed.wait_until(events.has_ended(str(sent.id)))

    def failures(self) -> None:
        """A bucket that is not there, an S3 and a database that do not answer."""
        client = self.stack.client()
        client.create_bucket(Bucket=FLEETING)
        artifact = self._source()
        with self._worker(ARTIFACTS_BUCKET=FLEETING):
            client.delete_bucket(Bucket=FLEETING)
            self.deployed.send(artifact)
            failed = self.deployed.ended(artifact)
        assert failed.reason_code is ReasonCode.BUCKET_MISSING
        artifact = self._source()
        with (
            TcpProxy(("127.0.0.1", self.stack.s3.port)) as proxy,
            self._worker(ARTIFACTS_S3_ENDPOINT_URL=f"http://127.0.0.1:{proxy.port}"),
        ):
            proxy.refuse()
            self.deployed.send(artifact)
            self.deployed.wait_until(lambda: self._waits(artifact))
        nowhere = f"http://127.0.0.1:{free_port()}"
        database = f"postgresql+psycopg://user:{DATABASE}@127.0.0.1:{free_port()}/platform"
        for settings in (
            {"ARTIFACTS_DATABASE_URL": database},
            {"ARTIFACTS_DATABASE_URL": f"mysql://user:{DATABASE}@host/platform"},
            {"ARTIFACTS_S3_ENDPOINT_URL": nowhere},
            {"ARTIFACTS_BUCKET": "nobodys-bucket"},
        ):
            self._command("jobs", "uploads", "list", "--job-id", "100", fails=True, **settings)
        self._command(
            *("jobs", "upload", "--job-id", str(artifact.job_id), "--kind", "job_config"),
            fails=True,
            ARTIFACTS_BROKER_URL=f"redis://:{DATABASE}@127.0.0.1:{free_port()}/x",
        )

    def look(self, events: EventLog) -> Traces:
        """At all that is left."""
        self.traces.add_database(self.stack.engine)
        with self.stack.broker.client() as client:
            self.traces.add_broker(client)
        self.traces.add_logs(self.stack.logs)
        self.traces.add("events", events.all)
        return self.traces

    def _bucket_commands(self, job_id: int) -> None:
        job = ("--job-id", str(job_id))
        uploads = ("jobs", "uploads")
        self._command(*uploads, "list", *job, "--json")
        self._command(*uploads, "download", *job, "--output-dir", str(self._downloads))
        self._command(*uploads, "relocate", *job)
        self._command(*uploads, "archive", *job, "--storage-class", "GLACIER_IR")

    def _relocated_by_message(self, job_id: int) -> None:
        self._send("artifacts.relocate_job", job_id)
        self._done(Artifact(ArtifactKind.JOB_CONFIG, job_id), Direction.RELOCATE)

    def _relocated_by_command(self, job_id: int) -> None:
        self._command(
            "jobs",
            "uploads",
            "relocate",
            "--job-id",
            str(job_id),
            "--delete-old",
            "--only-database",
        )

    def _command(self, *arguments: str, fails: bool = False, **settings: str) -> None:
        ended = preloaded.run_command(arguments, environment({**self.stack.settings(), **settings}))
        assert (ended.status != 0) is fails, ended.err
        self.traces.add(f"output of {arguments}", ended.out + ended.err)

    @contextmanager
    def _worker(self, **settings: str) -> Iterator[None]:
        """With other settings, once it has looked at what it needs, for as long as it is needed."""
        worker = self.stack.start_worker("--concurrency", "1", environment=settings)
        worker.wait_until(lambda: " ready." in worker.log.read_text(), 60)
        yield
        worker.stop()

    def _send(self, name: str, job_id: int) -> None:
        self.deployed.foreign.send_task(name, kwargs={"job_id": job_id}, queue="upkeep")

    def _done(self, artifact: Artifact, direction: Direction) -> None:
        assert self.deployed.ended(artifact, direction).state is TransferState.DONE

    def _waits(self, artifact: Artifact) -> bool:
        latest = self.deployed.transfers.latest(artifact, Direction.UPLOAD)
        return latest is not None and latest.state is TransferState.WAITING

    def _job_with_run(self) -> tuple[int, int]:
        job_id = self.deployed.job(CREATED_AT)
        return job_id, self.deployed.run(job_id, CREATED_AT)

    def _source(self) -> Artifact:
        artifact = Artifact(ArtifactKind.JOB_CONFIG, self.deployed.job(CREATED_AT))
        self.deployed.write(artifact, BODY)
        return artifact

    def _empty_source(self) -> Artifact:
        artifact = Artifact(ArtifactKind.JOB_CONFIG, self.deployed.job(CREATED_AT))
        self.deployed.write(artifact, b"")
        return artifact

    def _source_that_is_a_directory(self) -> Artifact:
        artifact = Artifact(ArtifactKind.JOB_CONFIG, self.deployed.job(CREATED_AT))
        self.deployed.write(artifact).unlink()
        (self.stack.workspace / f"job_{artifact.job_id}" / "job_config.json").mkdir()
        return artifact


@pytest.fixture
def run(databases: Databases, tmp_path: Path) -> Iterator[Run]:
    with (
        databases.fresh() as url,
        SecretiveStack(tmp_path / "stack", url) as stack,
    ):
        yield Run(stack, tmp_path)


def test_no_secret_is_left_anywhere(run: Run) -> None:
    # Given a worker whose every secret can be recognised
    worker = run.stack.start_worker("--concurrency", "1")
    with listening(run.deployed.foreign) as events:
        # When all that there is to do is done, and refused, and fails
        run.uploads()
        run.uploads_by_url()
        run.old_paths()
        run.refusals(events)
        worker.stop()
        run.failures()

    # Then none is in SQL, in the broker, in events and results, in logs, in what commands print
    traces = run.look(events)
    assert traces.leaks() == set()

    # And whatever were there would have been seen
    assert {place.split()[0] for place, _ in traces.said} > {"table", "broker", "events"}
    for secret in SECRETS:
        planted = Traces()
        planted.add("here", f"at {secret}.")
        assert planted.leaks()
