"""Old artifacts, brought to where the job's creation time puts them."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

import pytest

from artifact_pipeline.domain.catalog.delete_old_copies import DeleteOldCopies
from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    ObjectReplacedError,
    StoreUnavailableError,
    TransferCancelledError,
    UnknownJobError,
)
from artifact_pipeline.domain.fakes import InMemoryCopier
from artifact_pipeline.domain.model.artifacts import OpenUpload, Scheme
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.transfers import (
    Direction,
    Transfer,
    TransferState,
    TransferSummary,
)
from artifact_pipeline.domain.transfers.lease import LeaseKeeper
from tests.domain.world import CONFIG, CONFIG_KEY, JOB, RESULTS, World

OLD = "jobs/12/2025/10/24/093000/job_config.json"
OLDER = "jobs/12/2025/10/24/080000/job_config.json"
OLD_RESULTS = "jobs/12/2025/11/01/000000/run_4_results.zip"
RESULTS_KEY = "jobs/12/2025/10/23/211500/run_4_results.zip"
DAY = timedelta(days=1)


@pytest.fixture
def world() -> World:
    world = World()
    world.put(OLD, b"config", JOB.created_at + DAY)
    return world


def here(world: World) -> list[object]:
    """Relocate in this process; how each ended."""
    outcomes = [outcome for _, outcome in world.relocate_here(world.planned(12))]
    return [
        outcome.state if isinstance(outcome, TransferSummary) else type(outcome)
        for outcome in outcomes
    ]


def latest(world: World) -> Transfer:
    return world.latest(CONFIG, Direction.RELOCATE)


class TestRelocated:
    def test_it_is_copied_and_recorded(self, world: World) -> None:
        assert here(world) == [TransferState.DONE]
        stored = world.artifacts.rows[CONFIG]
        assert (stored.object.key, stored.scheme) == (CONFIG_KEY, Scheme.PREFIX)
        assert stored.object.sha256 == hashlib.sha256(b"config").hexdigest()
        assert world.store.metadata[CONFIG_KEY] == {"job": "12", "kind": "job_config"}
        assert world.artifacts.locations[CONFIG].endswith(CONFIG_KEY)

    def test_what_was_elsewhere_stays(self, world: World) -> None:
        here(world)
        assert world.store.objects[OLD] == b"config"

    def test_a_second_time_there_is_nothing_to_do(self, world: World) -> None:
        here(world)
        assert world.planned(12) == []

    def test_what_is_where_it_belongs_is_left(self, world: World) -> None:
        world.put(CONFIG_KEY, b"newer")
        assert world.planned(12) == []

    def test_one_that_was_relocated_meanwhile(self, world: World) -> None:
        planned = world.planned(12)
        here(world)
        world.copier.copies.clear()
        ((_, outcome),) = world.relocate_here(planned)
        assert isinstance(outcome, TransferSummary)
        assert (outcome.state, world.copier.copies) == (TransferState.DONE, [])

    def test_an_unknown_job(self, world: World) -> None:
        with pytest.raises(UnknownJobError):
            world.planned(99)


class TestFailed:
    def test_one_failure_does_not_stop_the_others(self, world: World) -> None:
        world.put(OLD_RESULTS, b"results")
        world.copier.failures = [AccessDeniedError()]
        assert here(world) == [AccessDeniedError, TransferState.DONE]
        assert latest(world).state is TransferState.QUARANTINED
        assert world.store.objects[RESULTS_KEY] == b"results"

    def test_it_is_tried_again(self, world: World) -> None:
        world.copier.failures = [StoreUnavailableError()]
        assert here(world) == [StoreUnavailableError]
        assert latest(world).state is TransferState.WAITING
        world.clock.advance(DAY)
        assert here(world) == [TransferState.DONE]

    def test_an_upload_that_came_first_is_kept(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a worker that stores a newer one while the old one is copied
        copies = InMemoryCopier.copy

        def copy(copier: InMemoryCopier, *args: object, **options: object) -> object:
            world.workspace.contents[CONFIG] = b"newer"
            world.upload()
            return copies(copier, *args, **options)  # type: ignore[arg-type] # as they come

        monkeypatch.setattr(InMemoryCopier, "copy", copy)
        assert here(world) == [ObjectReplacedError]
        assert world.store.objects[CONFIG_KEY] == b"newer"

    def test_a_cancelled_one_leaves_no_parts(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload = OpenUpload(
            key=CONFIG_KEY, upload_id="u", initiated_at=world.clock(), listed_at=world.clock()
        )
        world.store.uploads = [upload]

        def copy(_copier: object, *_args: object, progress: LeaseKeeper, **_: object) -> None:
            progress.started("u")
            raise TransferCancelledError

        monkeypatch.setattr(InMemoryCopier, "copy", copy)
        assert here(world) == [TransferState.CANCELLED]
        assert world.store.aborted == [(CONFIG_KEY, "u")]


class TestByATask:
    def test_each_artifact_gets_a_message(self, world: World) -> None:
        world.put(OLD_RESULTS, b"results")
        assert world.request_relocations(12) == 2
        assert [transfer.artifact for transfer in world.published] == [CONFIG, RESULTS]
        for transfer in world.published:
            summary = world.relocate(transfer.artifact, transfer.request_id)
            assert summary.state is TransferState.DONE


class TestOldCopies:
    def delete(
        self, world: World, elsewhere: Sequence[FoundArtifact] = ()
    ) -> dict[str, str | None]:
        delete = DeleteOldCopies(locate=world.locate, copier=world.copier, is_only_database=True)
        return {copy.object.address.key: copy.kept_for for copy in delete(12, elsewhere)}

    def test_those_with_the_same_bytes_are_deleted(self, world: World) -> None:
        world.put(OLDER, b"config", JOB.created_at)
        here(world)
        assert self.delete(world) == {OLD: None, OLDER: None}
        assert set(world.store.objects) == {CONFIG_KEY}

    def test_one_that_differs_is_kept(self, world: World) -> None:
        world.put(OLDER, b"another", JOB.created_at)
        here(world)
        assert self.delete(world) == {OLD: None, OLDER: "differs"}
        assert world.store.objects[OLDER] == b"another"

    def test_nothing_is_deleted_before_it_is_relocated(self, world: World) -> None:
        assert self.delete(world) == {OLD: "not relocated"}
        assert OLD in world.store.objects

    def test_nothing_is_deleted_when_the_recorded_object_is_gone(self, world: World) -> None:
        here(world)
        del world.store.objects[CONFIG_KEY]
        assert self.delete(world) == {OLD: "not relocated"}

    def test_one_in_another_bucket(self, world: World) -> None:
        del world.store.objects[OLD]
        world.reader.elsewhere[ObjectAddress("attic", "some.json")] = b"config"
        world.jobs.keep_location(
            12, CONFIG.kind, UploadLocation("https://attic.s3.invalid/some.json")
        )
        planned = world.planned(12)
        here(world)
        assert self.delete(world, planned) == {"some.json": None}
        assert world.reader.elsewhere == {}

    def test_what_s3_refuses_is_told(self, world: World) -> None:
        here(world)
        world.copier.refused[ObjectAddress("bucket", OLD)] = "AccessDenied"
        assert self.delete(world) == {OLD: "AccessDenied"}

    def test_one_that_is_archived_is_kept(self, world: World) -> None:
        here(world)
        world.reader.tier_names[ObjectAddress("bucket", OLD)] = "GLACIER"
        assert self.delete(world) == {OLD: "archived"}

    def test_what_is_none_of_ours_is_left(self, world: World) -> None:
        world.put("jobs/12/notes.txt", b"mine")
        here(world)
        assert "jobs/12/notes.txt" not in self.delete(world)
        assert "jobs/12/notes.txt" in world.store.objects
