"""The periodic audit, a few pages each time."""

import logging
from datetime import timedelta

import pytest

from artifact_pipeline.domain.catalog.audit import AuditStore
from artifact_pipeline.domain.catalog.verify import VerifyJob
from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.fakes.audit import InMemoryAuditedRecords, InMemoryAuditProgress
from artifact_pipeline.domain.maintenance.audit_in_pages import PAUSE, AuditInPages
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.audit_cursor import AuditedPages
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.kinds import ArtifactKind
from tests.domain.world import CONFIG_KEY, JOB, World

JOBS = range(100, 106)
NOTHING = AuditedPages()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Six jobs with a config each, of which one is lost, and a page for each object."""
    monkeypatch.setattr("artifact_pipeline.domain.catalog.audit._PAGE", 1)
    world = World()
    for job_id in JOBS:
        artifact = Artifact(ArtifactKind.JOB_CONFIG, job_id)
        world.jobs.rows[job_id] = Job(job_id, JOB.created_at)
        world.workspace.contents[artifact] = b"config"
        world.upload(artifact, f"request-{job_id}")
    del world.store.objects[CONFIG_KEY.replace("/12/", "/103/")]
    return world


@pytest.fixture
def progress(world: World) -> InMemoryAuditProgress:
    return InMemoryAuditProgress(world.clock)


def audit_of(world: World, progress: InMemoryAuditProgress, pages: int = 2) -> AuditInPages:
    verify = VerifyJob(locate=world.locate, transfers=world.transfers, reads=world.reader.read)
    records = InMemoryAuditedRecords(world.artifacts, world.jobs, world.transfers)
    audit = AuditStore(reader=world.reader, records=records, verify=verify)
    return AuditInPages(audit=audit, progress=progress, pages=pages)


def test_runs_of_a_few_pages_compare_the_whole_store(
    world: World, progress: InMemoryAuditProgress, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    audit = audit_of(world, progress)
    caplog.set_level(logging.WARNING)
    # When
    runs = []
    while not progress.results:
        runs.append(audit())
    # Then
    assert runs[0] == AuditedPages(objects=2, jobs=2)
    assert sum(run.objects for run in runs) == 5
    assert sum(run.faults for run in runs) == 1
    assert progress.results == [{"objects": 5, "jobs": 6, "missing": 1}]
    [record] = caplog.records
    assert record.getMessage().startswith("audit: job_config of job 103: missing: recorded at ")


def test_the_next_audit_begins_after_a_pause(world: World, progress: InMemoryAuditProgress) -> None:
    # Given
    audit = audit_of(world, progress, pages=100)
    assert audit().faults == 1
    # When / Then
    assert audit() == NOTHING
    world.clock.advance(PAUSE)
    assert audit().faults == 1


def test_nothing_is_done_while_another_worker_is_at_it(
    world: World, progress: InMemoryAuditProgress
) -> None:
    # Given
    progress.begin(timedelta(hours=1), PAUSE)
    # When / Then
    assert audit_of(world, progress)() == NOTHING


def test_a_worker_that_was_overtaken_stops(
    world: World, progress: InMemoryAuditProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(InMemoryAuditProgress, "keep", lambda *_: False)
    # When / Then
    assert audit_of(world, progress, pages=100)().objects == 1
    assert progress.results == []


def test_a_store_that_is_away_lets_the_next_run_continue(
    world: World, progress: InMemoryAuditProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    audit = audit_of(world, progress, pages=2)
    audit()

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(InMemoryReader, "list", away)
    with pytest.raises(StoreUnavailableError):
        audit()
    # When
    monkeypatch.undo()
    while not progress.results:
        audit()
    # Then
    assert progress.results[0]["missing"] == 1
