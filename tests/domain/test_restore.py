"""Restoring what is archived of a job, one failure apart from the others."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.catalog.restore import (
    RestoreArtifacts,
    RestoreSummary,
    known_restorations,
    wait_until_restored,
)
from artifact_pipeline.domain.errors import AccessDeniedError, ArchivedError, ObjectReplacedError
from artifact_pipeline.domain.fakes import InMemoryReader, InMemoryRestorations, InMemoryRestorer
from artifact_pipeline.domain.model.addresses import parse_address
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.restorations import Restoration, RestorePhase, RestoreSpeed
from tests.domain.world import CONFIG_KEY, World

RESULTS_KEY = CONFIG_KEY.replace("job_config.json", "run_4_results.zip")
CONFIG = ObjectAddress("bucket", CONFIG_KEY)
RESULTS = ObjectAddress("bucket", RESULTS_KEY)


@dataclass
class Archive:
    """A job whose config and results are archived."""

    world: World
    asked: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reader = InMemoryReader(self.world.store)
        for address in (CONFIG, RESULTS):
            self.world.store.objects[address.key] = b"content of " + address.key.encode()
            self.reader.tier_names[address] = "ARCHIVE"
        self.restorer = InMemoryRestorer(self.reader, self.world.artifacts)
        self.restorations = InMemoryRestorations(self.world.artifacts)
        self.locate = LocateArtifacts(
            placement=self.world.placement,
            artifacts=self.world.artifacts,
            reader=self.reader,
            address_of=parse_address,
        )
        self.work = RestoreArtifacts(
            locate=self.locate,
            restorer=self.restorer,
            restorations=self.restorations,
            now=self.world.clock,
        )

    def restore(self, days: int = 3, **more: Any) -> RestoreSummary:
        return self.work(12, days=days, speed=RestoreSpeed.BULK, **more)

    def phases(self, summary: RestoreSummary) -> dict[str, RestorePhase | None]:
        return {each.found.artifact.kind.value: each.phase for each in summary.artifacts}


@pytest.fixture
def archive(world: World) -> Archive:
    return Archive(world)


def test_a_restore_is_asked_for_once(archive: Archive) -> None:
    first, second = archive.restore(), archive.restore()
    assert archive.phases(first) == dict.fromkeys(
        ("job_config", "run_results"), RestorePhase.RESTORING
    )
    assert archive.phases(second) == archive.phases(first)
    assert [each.was_asked for each in first.artifacts] == [True, True]
    assert [each.was_asked for each in second.artifacts] == [False, False]
    assert len(archive.restorer.asked) == 2


def test_a_restored_copy_is_kept_for_longer(archive: Archive) -> None:
    # Given
    archive.restore(days=1)
    archive.restorer.complete(CONFIG)
    archive.world.clock.advance(timedelta(hours=12))
    # When
    summary = archive.restore(days=5)
    # Then
    until = {each.found.artifact.kind.value: each.until for each in summary.artifacts}
    assert until["job_config"] == archive.world.clock() + timedelta(days=5)
    assert until["run_results"] is None


def test_one_that_is_refused_does_not_stop_the_others(archive: Archive) -> None:
    archive.restorer.refused[CONFIG] = AccessDeniedError("no RestoreObject")
    summary = archive.restore()
    assert (summary.failed, summary.waits) == (True, True)
    assert archive.phases(summary) == {
        "job_config": None,
        "run_results": RestorePhase.RESTORING,
    }


def test_one_that_is_replaced_is_reported(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an upload between the list and the look
    find = InMemoryReader.find

    def replaced(reader: InMemoryReader, address: ObjectAddress) -> Any:
        archive.world.store.objects[CONFIG_KEY] = b"another"
        return find(reader, address)

    monkeypatch.setattr(InMemoryReader, "find", replaced)
    # When
    summary = archive.restore(kind=None)
    # Then
    errors = [each.error for each in summary.artifacts if each.error]
    assert [type(error) for error in errors] == [ObjectReplacedError]


def test_waiting_ends_with_the_last_restore(archive: Archive) -> None:
    # Given restores that end while the command sleeps, one each time
    left = [CONFIG, RESULTS]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        archive.restorer.complete(left.pop())

    # When
    summary = wait_until_restored(
        archive.work, archive.restore(), timeout=None, every=60, sleep=sleep
    )
    # Then
    assert set(archive.phases(summary).values()) == {RestorePhase.RESTORED}
    assert all(each.was_asked for each in summary.artifacts)
    assert slept == [60, 60]


def test_waiting_ends_with_its_time(archive: Archive) -> None:
    seconds = iter(range(100))
    slept: list[float] = []
    summary = wait_until_restored(
        archive.work,
        archive.restore(),
        timeout=5,
        every=60,
        clock=lambda: float(next(seconds)),
        sleep=slept.append,
    )
    assert summary.waits
    assert slept
    assert max(slept) < 5


def test_only_what_is_under_way_is_looked_at_for_a_list(archive: Archive) -> None:
    # Given
    found = archive.locate.contents(12).found
    unrecorded = known_restorations(found, archive.restorations, archive.reader)
    assert set(unrecorded.values()) == {Restoration()}
    # When: neither has a row, so nothing is recorded
    archive.restore()
    # Then
    assert archive.restorations.of_job(12) == {}
    assert known_restorations([], archive.restorations, archive.reader) == {}


def test_a_use_of_what_is_archived_says_how_to_restore_it(archive: Archive) -> None:
    [config, _] = archive.locate.contents(12).found

    def read(_found: object) -> None:
        raise ArchivedError

    with pytest.raises(
        ArchivedError, match=r"`artifacts jobs uploads restore 12 --kind job_config --days 7"
    ):
        archive.locate.first(config.artifact, read)
