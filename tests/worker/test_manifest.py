"""The manifest of a directory, written by a worker's own parts, and read without them."""

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from celery import Celery
from sqlalchemy import event
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.preconditions import Create
from artifact_pipeline.domain.transfers.bytes_upload import BytesSource, Uninterrupted
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.routing import BATCHES
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.settings import WorkerSettings, load
from artifact_pipeline.worker.sql.tables import JobRow

PREFIX = JobS3Prefix(12, datetime(2025, 10, 23, 21, 15, tzinfo=UTC))
CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)


@pytest.fixture
def worker(
    store: Path, sqlite_url: str, broker: Valkey, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Composition]:
    del store
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", broker.url)
    settings = load(WorkerSettings)
    composition = Composition(settings, producer_app(settings.broker))
    with Session(composition.adapters.engine) as session, session.begin():
        session.add(JobRow(id=12, user_id=1, status="CREATED", created_at=PREFIX.created_at))
    yield composition
    composition.adapters.close()


def record(worker: Composition, artifact: Artifact, content: bytes) -> None:
    """Store and record an artifact, as an upload a minute ago has."""
    key = PREFIX.key(artifact)
    stored = worker.adapters.store.put(
        key,
        BytesSource(content),
        content_type=artifact.kind.spec.content_type,
        metadata=artifact.metadata,
        precondition=Create(),
        progress=Uninterrupted(),
    )
    recorded_at = datetime.now(UTC) - timedelta(minutes=1)
    row = StoredArtifact(artifact=artifact, object=stored, stored_at=recorded_at)
    worker.adapters.artifacts.record(row, worker.adapters.store.location(key), None)


def manifest_in(store: Path) -> Path:
    (path,) = store.rglob("manifest.json")
    return path


def test_a_stranger_can_check_the_directory(
    worker: Composition, store: Path, tmp_path: Path
) -> None:
    # Given
    record(worker, CONFIG, b"{}")
    record(worker, INPUT, b"zip")
    # When
    assert worker.write_manifest(12)
    # Then the names and sums are those of the files
    path = manifest_in(store)
    assert path.relative_to(store).as_posix().endswith(PREFIX.manifest_key)
    artifacts = json.loads(path.read_text())["artifacts"]
    sums = {each["name"]: each["sha256"] for each in artifacts}
    assert sums == {
        "job_config.json": hashlib.sha256(b"{}").hexdigest(),
        "job_input.zip": hashlib.sha256(b"zip").hexdigest(),
    }
    # And what the page says checks them, without the pipeline
    lines = [f"{each['sha256']}  {each['name']}\n" for each in artifacts]
    for name, content in (("job_config.json", b"{}"), ("job_input.zip", b"zip")):
        (tmp_path / name).write_bytes(content)
    checked = subprocess.run(
        ["sha256sum", "-c"],  # noqa: S607 - as users run it
        input="".join(lines),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert checked.stdout == "job_config.json: OK\njob_input.zip: OK\n"


def test_the_version_of_the_pipeline_is_named(worker: Composition, store: Path) -> None:
    record(worker, CONFIG, b"{}")
    worker.write_manifest(12)
    written_by = json.loads(manifest_in(store).read_text())["written_by"]
    assert re.fullmatch(r"artifact-pipeline \d+\.\d+.*", written_by)


def test_one_write_follows_another(worker: Composition, store: Path) -> None:
    # Given
    record(worker, CONFIG, b"{}")
    assert worker.write_manifest(12)
    # When another artifact is recorded, and the pause is over
    record(worker, INPUT, b"zip")
    assert not worker.write_manifest(12)
    worker.adapters.manifests.postpone(12, timedelta(seconds=-1))
    assert worker.write_manifest(12)
    # Then
    assert len(json.loads(manifest_in(store).read_text())["artifacts"]) == 2


def test_the_dispatch_asks_for_what_has_changed(worker: Composition, broker: Valkey) -> None:
    # Given
    record(worker, CONFIG, b"{}")
    # When
    assert [worker.request_manifests(), worker.request_manifests()] == [1, 0]
    # Then
    with broker.client() as client:
        (message,) = client.lrange(BATCHES, 0, -1)
    assert json.loads(message)["headers"]["task"] == "artifacts.write_manifest"


def test_a_write_costs_the_same_statements_however_many_artifacts_there_are(
    worker: Composition,
) -> None:
    # Given
    record(worker, CONFIG, b"{}")
    record(worker, INPUT, b"zip")
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(worker.adapters.engine, "before_cursor_execute", note)
    # When
    worker.write_manifest(12)
    # Then
    assert [" ".join(each.split()[:3]).upper() for each in statements] == [
        "INSERT INTO MANIFESTS",
        *["SELECT ARTIFACTS.ID, ARTIFACTS.JOB_ID,", "SELECT TRANSFERS.JOB_ID, TRANSFERS.RUN_ID,"],
        "SELECT JOBS.ID, JOBS.CREATED_AT,",
        *["BEGIN IMMEDIATE", "UPDATE MANIFESTS SET", "UPDATE ARTIFACTS SET"],
    ]


def test_it_can_be_switched_off(
    worker: Composition, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    record(worker, CONFIG, b"{}")
    monkeypatch.setenv("ARTIFACTS_MANIFEST", "false")
    # When
    without = Composition(load(WorkerSettings), Celery("tests", set_as_current=False))
    # Then
    assert without.request_manifests() == 0
    assert not without.write_manifest(12)
    assert list(store.rglob("manifest.json")) == []
