"""Uploads that no worker continues, among the findings of an audit."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.catalog.abandoned import FindAbandoned
from artifact_pipeline.domain.catalog.audit_findings import AuditFinding, Repair, RepairOutcome
from artifact_pipeline.domain.catalog.verdicts import Verdict
from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    RefusedByStoreError,
    UnsupportedByStoreError,
)
from artifact_pipeline.domain.fakes import InMemoryStore
from artifact_pipeline.domain.fakes.audit import InMemoryAuditedRecords
from artifact_pipeline.domain.model.artifacts import OpenUpload
from artifact_pipeline.domain.model.audit_cursor import AuditCursor
from artifact_pipeline.domain.model.transfers import Direction
from tests.domain.repairing import Repairs
from tests.domain.world import CONFIG, CONFIG_KEY, LEASE, RESULTS, World

DAY = timedelta(days=1)


@pytest.fixture
def world() -> World:
    return World()


def found(
    world: World, cursor: AuditCursor | None = None, job_ids: tuple[int, ...] = ()
) -> list[AuditFinding]:
    find = FindAbandoned(
        store=world.store,
        transfers=world.transfers,
        records=InMemoryAuditedRecords(world.artifacts, world.jobs, world.transfers),
        placement=world.placement,
        bucket=world.reader.bucket,
        after=DAY,
    )
    pages = find(AuditCursor() if cursor is None else cursor, job_ids)
    return [finding for page in pages for finding in page]


def open_upload(world: World, upload_id: str, begun: datetime, key: str = CONFIG_KEY) -> None:
    upload = OpenUpload(key=key, upload_id=upload_id, initiated_at=begun, listed_at=begun)
    world.store.uploads.append(upload)


def test_an_unfinished_upload_without_a_transfer_is_abandoned_after_a_time(world: World) -> None:
    # Given an old one, and one that began just now
    open_upload(world, "old", world.clock() - DAY)
    open_upload(world, "new", world.clock())
    # When
    [finding] = found(world)
    # Then
    assert (finding.job_id, finding.verified.verdict) == (12, Verdict.ABANDONED)
    assert finding.verified.artifact == CONFIG
    assert finding.transfer is None
    assert finding.verified.error == "an unfinished upload since 2025-10-22T21:15:00Z"


def test_the_parts_of_an_active_transfer_are_not_abandoned(world: World) -> None:
    # Given
    world.transfers.request(CONFIG, Direction.UPLOAD, "a")
    claim = world.claim(lease=2 * DAY)
    world.transfers.keep_upload_id(claim, "its-own")
    open_upload(world, "its-own", world.clock() - 3 * DAY)
    # When / Then
    assert found(world) == []
    # And once it was cancelled, nothing continues them
    world.transfers.cancel(12, None, None)
    assert len(found(world)) == 1


def test_uploads_that_no_worker_has_are_abandoned_after_a_time(world: World) -> None:
    # Given one that was requested, and one whose worker died
    world.transfers.request(RESULTS, Direction.UPLOAD, "b")
    world.transfers.request(CONFIG, Direction.UPLOAD, "a")
    world.claim()
    world.clock.advance(DAY - timedelta(minutes=1))
    assert found(world) == []
    # When
    world.clock.advance(LEASE)
    # Then
    assert [(each.verified.artifact, each.verified.error) for each in found(world)] == [
        (RESULTS, "its upload is due, and not claimed, since 2025-10-23T21:15:00Z"),
    ]
    world.clock.advance(LEASE)
    errors = [each.verified.error for each in found(world)]
    assert errors[1] == "its upload has no worker since 2025-10-23T21:17:00Z"


def test_only_chosen_jobs_are_looked_at(world: World) -> None:
    # Given
    open_upload(world, "old", world.clock() - DAY)
    world.transfers.request(CONFIG, Direction.UPLOAD, "a")
    world.clock.advance(DAY)
    # When / Then
    assert found(world, job_ids=(13,)) == []
    assert len(found(world, job_ids=(12,))) == 2


def test_what_was_found_is_not_found_again_by_a_continued_audit(world: World) -> None:
    # Given
    open_upload(world, "old", world.clock() - DAY)
    world.transfers.request(CONFIG, Direction.UPLOAD, "a")
    world.clock.advance(DAY)
    cursor = AuditCursor()
    assert len(found(world, cursor)) == 2
    # When / Then
    assert found(world, AuditCursor.load(cursor.dump())) == []


@pytest.mark.parametrize(
    ("error", "verdicts"),
    [
        (AccessDeniedError("denied"), [Verdict.UNREADABLE]),
        (RefusedByStoreError("refused"), [Verdict.UNREADABLE]),
        (UnsupportedByStoreError("none"), []),
    ],
)
def test_a_store_that_does_not_list_them(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, verdicts: list[Verdict]
) -> None:
    # Given
    def refuse(*_: Any) -> Iterator[OpenUpload]:
        yield from ()
        raise error

    monkeypatch.setattr(InMemoryStore, "open_uploads", refuse)
    # When / Then
    assert [each.verified.verdict for each in found(world)] == verdicts


def test_the_message_of_an_abandoned_upload_is_sent_again() -> None:
    # Given
    repairs = Repairs()
    repairs.world.transfers.request(CONFIG, Direction.UPLOAD, "again")
    repairs.world.clock.advance(DAY)
    [finding] = found(repairs.world)
    # When
    assert repairs.repair(finding) == Repair(RepairOutcome.RESENT)
    # Then
    [sent] = repairs.world.published
    assert sent.request_id == "again"
    [action] = repairs.trail.of_job(12)
    assert (action.target["found"], action.result) == ("abandoned", "message sent again")


def test_an_abandoned_upload_is_left_if_it_cannot_be_sent() -> None:
    # Given
    repairs = Repairs()
    world = repairs.world
    world.transfers.request(CONFIG, Direction.UPLOAD, "again")
    open_upload(world, "old", world.clock() - DAY)
    world.clock.advance(DAY)
    parts, finding = found(world)
    # When / Then
    assert "ABANDONED_UPLOAD_HOURS" in str(repairs.repair(parts))
    assert "no broker took" in str(repairs.repair(finding, publish=lambda _transfers: False))
    world.workspace.contents.clear()
    assert repairs.repair(finding).why == "its source is not in the workspace"
    world.workspace.contents[CONFIG] = b"config"
    world.upload(CONFIG, "again")
    assert repairs.repair(finding).why == "a worker has taken it since"
    assert world.store.aborted == []
