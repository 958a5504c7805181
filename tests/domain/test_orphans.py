"""Deleting what an audit has called an orphan."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.catalog.orphans import DeleteOrphans, Orphan, OrphanOutcome
from artifact_pipeline.domain.errors import AccessDeniedError, StoreUnavailableError
from artifact_pipeline.domain.fakes import InMemoryLegalHolds, InMemoryReader, InMemoryTombstones
from artifact_pipeline.domain.fakes.audit import InMemoryAuditedRecords
from artifact_pipeline.domain.fakes.object_versions import InMemoryVersions
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from tests.domain.world import CONFIG_KEY, JOB, World

WEEK = timedelta(days=7)
OF_99 = Artifact(ArtifactKind.JOB_CONFIG, 99)
KEY = CONFIG_KEY.replace("/12/", "/99/")


@dataclass
class Orphans:
    """A store with objects under the ids of jobs that do not exist."""

    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        world = self.world
        self.holds = InMemoryLegalHolds()
        self.tombstones = InMemoryTombstones(world.artifacts, self.holds)
        self.versions = InMemoryVersions(world.reader)
        self.records = InMemoryAuditedRecords(world.artifacts, world.jobs, world.transfers)
        self.noted: list[Sequence[int]] = []

    def put(self, key: str = KEY, days_ago: float = 8) -> Orphan:
        modified_at = self.world.clock() - timedelta(days=days_ago)
        address = self.world.put(key, b"bytes", modified_at)
        return Orphan(address=address, job_id=int(key.split("/")[1]), size=5)

    @property
    def deletion(self) -> DeleteOrphans:
        return DeleteOrphans(
            records=self.records,
            reader=self.world.reader,
            versions=self.versions,
            holds=self.holds,
            tombstones=self.tombstones,
            now=self.world.clock,
            older_than=WEEK,
        )

    def delete(self, *orphans: Orphan) -> list[tuple[OrphanOutcome | None, str | None]]:
        ended = self.deletion(orphans, self.noted.append)
        return [(each.outcome, each.why) for page in ended for each in page]


@pytest.fixture
def orphans() -> Orphans:
    return Orphans()


def test_an_old_orphan_is_deleted_and_its_job_noted(orphans: Orphans) -> None:
    # Given
    orphan = orphans.put()
    # When
    assert orphans.delete(orphan) == [(OrphanOutcome.DELETED, None)]
    # Then
    assert KEY not in orphans.world.store.objects
    assert orphans.noted == [[99]]
    # And a second time it is gone
    assert orphans.delete(orphan) == [(OrphanOutcome.GONE, None)]


def test_a_plan_deletes_nothing(orphans: Orphans) -> None:
    # Given
    orphan = orphans.put()
    # When
    [[planned]] = orphans.deletion.plan([orphan])
    # Then
    assert planned.outcome is OrphanOutcome.DOOMED
    assert KEY in orphans.world.store.objects


def create_job(orphans: Orphans) -> None:
    orphans.world.jobs.rows[99] = Job(99, JOB.created_at)


def hold(orphans: Orphans) -> None:
    orphans.holds.set(99, "bob", "case 7")


def request(orphans: Orphans) -> None:
    orphans.world.transfers.request(OF_99, Direction.UPLOAD, "a")


def replace_it(orphans: Orphans) -> None:
    orphans.world.put(KEY, b"others", orphans.world.clock() - 2 * WEEK)


def touch(orphans: Orphans) -> None:
    orphans.put(days_ago=1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (create_job, "its job exists by now"),
        (hold, "its job is on legal hold"),
        (request, "a transfer of its job is active"),
        (replace_it, "it changed since the audit"),
        (touch, "it is only 1d old"),
    ],
)
def test_what_is_no_orphan_by_now_is_kept(orphans: Orphans, change: Any, why: str) -> None:
    # Given
    orphan = orphans.put()
    change(orphans)
    # When / Then
    assert orphans.delete(orphan) == [(OrphanOutcome.KEPT, why)]
    assert KEY in orphans.world.store.objects
    assert orphans.versions.deletions == []
    assert orphans.noted == []


def test_refusals_are_reported_and_stop_no_other(orphans: Orphans) -> None:
    # Given one that the store refuses to show, one that it refuses to delete, and another one
    hidden, locked, other = (orphans.put(f"{KEY}{n}") for n in range(3))
    orphans.world.reader.refused[hidden.address] = AccessDeniedError("denied")
    orphans.versions.refusals[locked.address] = ["AccessDenied"]
    # When
    ended = orphans.delete(hidden, locked, other)
    # Then
    assert ended == [
        (OrphanOutcome.REFUSED, "denied"),
        (OrphanOutcome.REFUSED, "AccessDenied"),
        (OrphanOutcome.DELETED, None),
    ]


def test_a_row_that_the_job_has_left_behind_goes_with_its_object(orphans: Orphans) -> None:
    # Given a job that was stored and then removed from the platform's table
    world = orphans.world
    create_job(orphans)
    world.workspace.contents[OF_99] = b"bytes"
    world.upload(OF_99)
    del world.jobs.rows[99]
    # When
    assert orphans.delete(orphans.put()) == [(OrphanOutcome.DELETED, None)]
    # Then
    assert OF_99 not in world.artifacts.rows


def test_a_request_for_each_thousand(orphans: Orphans) -> None:
    # Given
    planted = [orphans.put(f"jobs/{number}/x") for number in range(1000, 3500)]
    # When
    ended = orphans.delete(*planted)
    # Then
    assert {outcome for outcome, _ in ended} == {OrphanOutcome.DELETED}
    assert orphans.versions.deletions == [1000, 1000, 500]


def test_a_store_that_is_away_ends_it(orphans: Orphans, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    planted = [orphans.put(f"jobs/99/{number}") for number in range(9)]

    def away(*_: object) -> Iterator[None]:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(InMemoryReader, "find", away)
    # When / Then
    with pytest.raises(StoreUnavailableError):
        orphans.delete(*planted)
    assert orphans.versions.deletions == []
