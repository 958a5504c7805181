"""The periodic task that applies the retention rules: off by default, a page with each run."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.preconditions import Create
from artifact_pipeline.domain.model.retention import RetentionRule
from artifact_pipeline.domain.transfers.bytes_upload import BytesSource, Uninterrupted
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.settings import WorkerSettings, load
from artifact_pipeline.worker.sql.retention_rules import SqlRetentionRules
from artifact_pipeline.worker.sql.tables import JobRow

PREFIX = JobS3Prefix(12, datetime(2025, 10, 23, 21, 15, tzinfo=UTC))
CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
RULE = RetentionRule(name="old", kinds=(CONFIG.kind,), delete_after=timedelta(days=30))


@pytest.fixture
def worker(
    store: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Composition]:
    del store
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("ARTIFACTS_RETENTION", getattr(request, "param", "true"))
    settings = load(WorkerSettings)
    composition = Composition(settings, make_app(settings.broker))
    with Session(composition.adapters.engine) as session, session.begin():
        session.add(JobRow(id=12, user_id=1, status="CREATED", created_at=PREFIX.created_at))
    for artifact in (CONFIG, INPUT):
        record(composition, artifact)
    yield composition
    composition.adapters.close()


def record(worker: Composition, artifact: Artifact) -> None:
    """Store and record an artifact, as an upload a year ago has."""
    key = PREFIX.key(artifact)
    stored = worker.adapters.store.put(
        key,
        BytesSource(b"content"),
        content_type=artifact.kind.spec.content_type,
        metadata=artifact.metadata,
        precondition=Create(),
        progress=Uninterrupted(),
    )
    recorded_at = datetime.now(UTC) - timedelta(days=365)
    row = StoredArtifact(artifact=artifact, object=stored, stored_at=recorded_at)
    worker.adapters.artifacts.record(row, worker.adapters.store.location(key), None)


def recorded(worker: Composition) -> set[Artifact]:
    return {row.artifact for row in worker.adapters.artifacts.of_job(12)}


def set_rule(worker: Composition, rule: RetentionRule = RULE) -> None:
    SqlRetentionRules(worker.adapters.engine).set(rule, "ann", "the budget")


@pytest.mark.parametrize("worker", ["false"], indirect=True)
def test_it_does_nothing_where_it_is_off(worker: Composition) -> None:
    set_rule(worker)
    assert str(worker.apply_retention()) == "0 archived, 0 deleted"
    assert recorded(worker) == {CONFIG, INPUT}


def test_it_deletes_what_is_due_and_says_so_in_the_history(
    worker: Composition, store: Path
) -> None:
    # Given
    set_rule(worker)
    # When
    assert str(worker.apply_retention()) == "0 archived, 1 deleted"
    # Then
    assert recorded(worker) == {INPUT}
    assert not [path for path in store.rglob("job_config.json*") if path.is_file()]
    [action] = worker.adapters.audit_trail.of_job(12)
    assert action.actor.startswith("retention@")
    assert (action.name, action.outcome) == ("retention apply", "done")
    # And the next run has nothing to do
    assert str(worker.apply_retention()) == "0 archived, 0 deleted"


def test_a_store_without_archives_refuses_each_and_keeps_all(worker: Composition) -> None:
    # Given
    set_rule(worker, RetentionRule(name="a", archive_after=timedelta(days=9), tier_name="GLACIER"))
    # When
    result = worker.apply_retention()
    # Then
    assert (str(result), recorded(worker)) == (
        "0 archived, 0 deleted, 2 refused",
        {CONFIG, INPUT},
    )
    assert {each.artifact for each in result.refusals} == {CONFIG, INPUT}
