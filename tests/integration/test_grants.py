"""A role of PostgreSQL with the needed grants, and no other, does all that the pipeline does."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, select
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.worker.embedded.stack import BUCKET, EmbeddedStack
from artifact_pipeline.worker.sql.endpoint_failures import SqlEndpointFailures
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.sql.tables import BatchRow
from artifact_pipeline.worker.workspace import Workspace
from tests import preloaded
from tests.cli.commands import bare_environment
from tests.databases import Databases, grant_needed, role
from tests.integration.deployment import Deployment
from tests.sql.batch_steps import History

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
IMPATIENT = {"ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "0"}


class Limited:
    """A deployment whose worker and commands are a role with the needed grants."""

    def __init__(self, stack: EmbeddedStack, url: str, engine: Engine) -> None:
        self.stack = stack
        self.deployed = Deployment(stack)
        self.engine = engine
        self._environment = {"ARTIFACTS_DATABASE_URL": url, **IMPATIENT}

    def start_worker(self) -> None:
        self.stack.start_worker("--concurrency", "1", "--beat", environment=self._environment)

    def command(self, *arguments: str) -> Any:
        environment = {**bare_environment(), **self.stack.settings(), **self._environment}
        ended = preloaded.run_command([*arguments, "--json"], environment)
        assert ended.status == 0, ended.err
        return json.loads(ended.out)

    def new(self, *kinds: ArtifactKind) -> list[Artifact]:
        """Artifacts of a new job and run."""
        job_id = self.deployed.job(CREATED_AT)
        run_id = self.deployed.run(job_id, CREATED_AT)
        return [Artifact(kind, job_id, run_id if kind.belongs_to_run else None) for kind in kinds]

    def done(self, artifact: Artifact, direction: Direction) -> Transfer:
        ended = self.deployed.ended(artifact, direction)
        assert ended.state is TransferState.DONE, ended
        return ended

    def send(self, task: str, **ids: int) -> None:
        self.deployed.foreign.send_task(f"artifacts.{task}", kwargs=ids, queue="upkeep")

    def batches(self) -> set[int]:
        with Session(self.stack.engine) as session:
            return set(session.scalars(select(BatchRow.id)))


@pytest.fixture
def limited(databases: Databases, tmp_path: Path) -> Iterator[Limited]:
    with (
        databases.fresh() as owner,
        EmbeddedStack(tmp_path, owner) as stack,
        role(owner) as url,
    ):
        with stack.engine.begin() as connection:
            connection.exec_driver_sql("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
            connection.exec_driver_sql(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
        grant_needed(stack.engine, str(make_url(url).username))
        engine = make_engine(url)
        yield Limited(stack, url, engine)
        engine.dispose()


def test_uploads_downloads_relocations_and_what_clients_put(limited: Limited) -> None:
    limited.start_worker()
    # When everything of a run is uploaded
    artifacts = limited.new(*ArtifactKind)
    for artifact in artifacts:
        limited.deployed.write(artifact)
    job = ("--job-id", str(artifacts[0].job_id))
    rows = limited.command("jobs", "upload", *job, "--wait")
    assert {row["state"] for row in rows} == {"done"}

    # And what is gone from the workspace comes back
    config = artifacts[0]
    file = Workspace(limited.stack.workspace).path(config)
    file.unlink()
    limited.send("download_job", job_id=config.job_id)
    limited.done(config, Direction.DOWNLOAD)
    assert file.exists()

    # And a client puts something, which is then recorded
    (put,) = limited.new(ArtifactKind.RUN_LOGS)
    client = limited.stack.client()
    key = f"jobs/{put.job_id}/2025/10/23/211500/run_{put.run_id}_logs.log"
    limited.deployed.transfers.request(put, Direction.CONFIRM, "put")
    client.put_object(Bucket=BUCKET, Key=key, Body=b"logs")
    assert put.run_id is not None
    limited.send("confirm_upload", job_id=put.job_id, run_id=put.run_id)
    limited.done(put, Direction.CONFIRM)

    # And an old artifact is copied, with its location in the platform's row
    (old,) = limited.new(ArtifactKind.JOB_CONFIG)
    key = f"jobs/{old.job_id}/2025/10/24/080000/job_config.json"
    client.put_object(Bucket=BUCKET, Key=key, Body=b"{}")
    with Session(limited.stack.engine) as session, session.begin():
        session.get_one(JobRow, old.job_id).config_location = f"s3://{BUCKET}/{key}"
    limited.send("relocate_job", job_id=old.job_id)
    limited.done(old, Direction.RELOCATE)


def test_failures_batches_and_upkeep(limited: Limited, tmp_path: Path) -> None:
    # Given a snapshot that nobody has started in time
    History(limited.stack.engine).failed_configs(1, 2)
    expired = History(limited.engine).preview(expires_in=timedelta(milliseconds=1)).batch.id
    limited.start_worker()
    # When reconcile runs
    limited.send("reconcile")
    # Then it is removed
    limited.deployed.wait_until(lambda: expired not in limited.batches())

    # When what failed is uploaded again, by a batch that a file names
    for job_id in (1, 2):
        limited.deployed.write(Artifact(ArtifactKind.JOB_CONFIG, job_id))
    (tmp_path / "listed").write_text("1\n")
    limited.deployed.await_another(Artifact(ArtifactKind.JOB_CONFIG, 1))
    preview = limited.command("batch", "preview", "--from-file", str(tmp_path / "listed"))
    limited.command("batch", "start", str(preview["snapshot"]), "--reason", "a test")
    limited.done(Artifact(ArtifactKind.JOB_CONFIG, 1), Direction.UPLOAD)

    # And what was never requested, with every filter that applies to it
    limited.deployed.write(Artifact(ArtifactKind.JOB_INPUT, 2))
    with Session(limited.stack.engine) as session, session.begin():
        session.get_one(JobRow, 2).tags = ["old"]
    filters = ("--tag", "old", "--job-id", "2", "--user-id", "7", "--created-before", "2030-01-01")
    preview = limited.command("batch", "preview", "--never-requested", *filters)
    assert preview["members"] == 1
    start = ("batch", "start", str(preview["snapshot"]), "--mode", "missing")
    limited.command(*start, "--reason", "a test")
    limited.done(Artifact(ArtifactKind.JOB_INPUT, 2), Direction.UPLOAD)

    # And by hand
    limited.command("quarantine", "retry", "--job-id", "2")
    limited.done(Artifact(ArtifactKind.JOB_CONFIG, 2), Direction.UPLOAD)
    limited.command("jobs", "cancel", "--job-id", "2")

    # And S3 fails and works again
    failures = SqlEndpointFailures(limited.engine, timedelta(minutes=1))
    assert [failures.count("s3"), failures.count("s3")] == [1, 2]
    failures.forget("s3")

    # Then the doctor finds nothing wrong with the database
    with_findings = subprocess.run(
        [Path(sys.executable).with_name("artifacts"), "doctor", "--json"],
        env={**bare_environment(), **limited.stack.settings(), **limited._environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    of_database = [
        each for each in json.loads(with_findings.stdout) if each["check"].startswith("database")
    ]
    assert {each["severity"] for each in of_database} == {"ok"}
