"""Artifacts that an earlier version stored in a directory some hours off."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.catalog.delete_old_copies import DeleteOldCopies
from artifact_pipeline.domain.catalog.shifted import ShiftedArtifacts
from artifact_pipeline.domain.errors import (
    ArtifactMissingError,
    AttemptsExhaustedError,
    ChecksumMismatchError,
    ObjectReplacedError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.fakes import InMemoryCopier
from artifact_pipeline.domain.fakes.storage import stored_object
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme, StoredArtifact
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState, TransferSummary
from tests.domain.world import CONFIG, CONFIG_KEY, JOB, RESULTS, World

LOGS_OF_13 = Artifact(ArtifactKind.RUN_LOGS, 13, 7)
OF_UNKNOWN_RUN = Artifact(ArtifactKind.RUN_LOGS, 12, 99)
RESULTS_KEY = "jobs/12/2025/10/23/211500/run_4_results.zip"
BEHIND = timedelta(hours=-4)
AHEAD = timedelta(hours=5, minutes=30)


@pytest.fixture
def world() -> World:
    return World()


def record(
    world: World, artifact: Artifact, content: bytes, offset: timedelta, **changes: object
) -> str:
    """Record it as an earlier version has stored it. Returns: the key."""
    job = world.jobs.get(artifact.job_id)
    key = JobS3Prefix(job.id, job.created_at + offset).key(artifact)
    world.put(key, content)
    world.store.metadata[key] = artifact.metadata
    stored = StoredArtifact(
        artifact=artifact,
        object=stored_object(key, content),
        stored_at=job.created_at + timedelta(minutes=5),
    )
    world.artifacts.rows[artifact] = replace(stored, **changes)  # type: ignore[arg-type] # by name
    return key


def shifted(world: World, offset: timedelta) -> ShiftedArtifacts:
    return ShiftedArtifacts(locate=world.locate, offset=offset)


def relocate(world: World, offset: timedelta, job_id: int = 12) -> dict[Artifact, object]:
    """Do it in this process; how each ended."""
    places = shifted(world, offset)
    return {
        found.artifact: outcome.state if isinstance(outcome, TransferSummary) else type(outcome)
        for found, outcome in world.relocate_here(world.planned(job_id, places), places)
    }


class TestRelocated:
    @pytest.mark.parametrize("offset", [BEHIND, AHEAD])
    def test_it_is_copied_and_recorded(self, world: World, offset: timedelta) -> None:
        # Given
        old = record(world, CONFIG, b"config", offset, links_left_out=3)
        assert [each.artifact for each in world.locate.contents(12).foreign] == [CONFIG]
        # When
        assert relocate(world, offset) == {CONFIG: TransferState.DONE}
        # Then the row and the platform's column name the right directory
        stored = world.artifacts.rows[CONFIG]
        assert (stored.object.key, stored.scheme) == (CONFIG_KEY, Scheme.PREFIX)
        assert (stored.object.sha256, stored.links_left_out) == (
            hashlib.sha256(b"config").hexdigest(),
            3,
        )
        assert world.artifacts.locations[CONFIG].endswith(CONFIG_KEY)
        assert [each.artifact for each in world.locate.contents(12).found] == [CONFIG]
        # And what was there stays, and is named by its copy
        assert world.store.objects[old] == b"config"
        assert world.store.metadata[CONFIG_KEY] == {**CONFIG.metadata, "relocated-from": old}

    def test_a_second_time_there_is_nothing_to_do(self, world: World) -> None:
        record(world, CONFIG, b"config", AHEAD)
        relocate(world, AHEAD)
        assert relocate(world, AHEAD) == {}

    def test_those_of_another_job_stay(self, world: World) -> None:
        record(world, CONFIG, b"config", AHEAD)
        old = record(world, LOGS_OF_13, b"logs", AHEAD)
        assert relocate(world, AHEAD) == {CONFIG: TransferState.DONE}
        assert world.artifacts.rows[LOGS_OF_13].object.key == old


class TestNotTaken:
    """A directory that may be another job's."""

    @pytest.mark.parametrize(
        "off", [timedelta(0), BEHIND, AHEAD + timedelta(seconds=1), -AHEAD], ids=str
    )
    def test_one_with_another_time(self, world: World, off: timedelta) -> None:
        record(world, CONFIG, b"config", off)
        assert shifted(world, AHEAD).of_job(12) == []

    @pytest.mark.parametrize("offset", [BEHIND, AHEAD])
    def test_one_that_was_recorded_before_the_job_was_created(
        self, world: World, offset: timedelta
    ) -> None:
        before = min(JOB.created_at, JOB.created_at + offset) - timedelta(minutes=2)
        record(world, CONFIG, b"an earlier job's", offset, stored_at=before)
        assert shifted(world, offset).of_job(12) == []

    def test_one_that_no_row_names(self, world: World) -> None:
        world.put(JobS3Prefix(12, JOB.created_at + AHEAD).key(CONFIG), b"config")
        assert shifted(world, AHEAD).of_job(12) == []

    def test_one_of_a_run_that_the_job_does_not_have(self, world: World) -> None:
        record(world, OF_UNKNOWN_RUN, b"logs", AHEAD)
        assert shifted(world, AHEAD).of_job(12) == []

    def test_the_legacy_scheme(self, world: World) -> None:
        record(world, CONFIG, b"config", AHEAD, scheme=Scheme.LEGACY)
        assert shifted(world, AHEAD).of_job(12) == []


class TestFailed:
    def test_an_object_that_is_not_the_recorded_one(self, world: World) -> None:
        old = record(world, CONFIG, b"config", AHEAD)
        world.put(old, b"somebody else's")
        assert relocate(world, AHEAD) == {CONFIG: ArtifactMissingError}
        assert CONFIG_KEY not in world.store.objects

    def test_it_is_not_left_to_a_worker(self, world: World) -> None:
        # Given
        old = record(world, CONFIG, b"config", AHEAD)
        world.copier.failures = [StoreUnavailableError("no answer")]
        # When
        assert relocate(world, AHEAD) == {CONFIG: AttemptsExhaustedError}
        # Then no worker takes it, which would look in other places; the row is as it was
        failed = world.latest(CONFIG, Direction.RELOCATE)
        assert failed.state is TransferState.QUARANTINED
        assert "s3_unavailable" in (failed.last_error or "")
        assert world.artifacts.rows[CONFIG].object.key == old
        # And the next call does it
        assert relocate(world, AHEAD) == {CONFIG: TransferState.DONE}

    def test_another_object_in_the_right_place_is_kept(self, world: World) -> None:
        record(world, CONFIG, b"config", AHEAD)
        world.put(CONFIG_KEY, b"a client's")
        assert relocate(world, AHEAD) == {CONFIG: AttemptsExhaustedError}
        assert world.store.objects[CONFIG_KEY] == b"a client's"

    def test_a_copy_with_another_checksum_is_not_recorded(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        old = record(world, CONFIG, b"config", AHEAD)
        copies = InMemoryCopier.copy
        monkeypatch.setattr(
            InMemoryCopier,
            "copy",
            lambda *args, **options: replace(copies(*args, **options), sha256="0" * 64),
        )
        # When / Then
        assert relocate(world, AHEAD) == {CONFIG: AttemptsExhaustedError}
        failed = world.latest(CONFIG, Direction.RELOCATE).last_error or ""
        assert str(ChecksumMismatchError.reason) in failed
        assert world.artifacts.rows[CONFIG].object.key == old

    def test_an_upload_that_came_first_is_kept(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given an upload that ends while the copy is made
        record(world, CONFIG, b"config", AHEAD)
        copies: Any = InMemoryCopier.copy

        def copy(*args: object, **options: object) -> object:
            world.workspace.contents[CONFIG] = b"newer"
            world.upload()
            return copies(*args, **options)

        monkeypatch.setattr(InMemoryCopier, "copy", copy)
        # When / Then
        assert relocate(world, AHEAD) == {CONFIG: AttemptsExhaustedError}
        failed = world.latest(CONFIG, Direction.RELOCATE).last_error or ""
        assert str(ObjectReplacedError.reason) in failed
        stored = world.artifacts.rows[CONFIG].object
        assert (stored.key, world.store.objects[stored.key]) == (CONFIG_KEY, b"newer")


class TestOldCopies:
    def delete(self, world: World, offset: timedelta) -> dict[str, str | None]:
        places = shifted(world, offset)
        delete = DeleteOldCopies(locate=world.locate, copier=world.copier)
        copies = delete(12, places.left_behind(12), places.directory(12))
        return {copy.object.address.key: copy.kept_for for copy in copies}

    @pytest.mark.parametrize("offset", [BEHIND, AHEAD])
    def test_those_that_were_copied_are_deleted(self, world: World, offset: timedelta) -> None:
        old = {
            record(world, CONFIG, b"config", offset),
            record(world, RESULTS, b"results", offset),
        }
        relocate(world, offset)
        assert self.delete(world, offset) == dict.fromkeys(old)
        assert set(world.store.objects) == {CONFIG_KEY, RESULTS_KEY}

    def test_one_that_was_not_copied_is_kept(self, world: World) -> None:
        old = record(world, CONFIG, b"config", AHEAD)
        assert self.delete(world, AHEAD) == {old: "foreign"}

    @pytest.mark.parametrize("offset", [BEHIND, AHEAD])
    def test_what_no_row_has_named_there_is_kept(self, world: World, offset: timedelta) -> None:
        # Given that another database's job has an artifact in the same directory
        record(world, CONFIG, b"config", offset)
        others = JobS3Prefix(12, JOB.created_at + offset).key(RESULTS)
        world.put(others, b"another job's")
        world.store.metadata[others] = RESULTS.metadata
        # When
        relocate(world, offset)
        # Then
        assert self.delete(world, offset)[others] == "foreign"
        assert world.store.objects[others] == b"another job's"

    def test_one_that_changed_is_kept(self, world: World) -> None:
        old = record(world, CONFIG, b"config", AHEAD)
        relocate(world, AHEAD)
        world.store.objects[old] = b"changed"
        assert self.delete(world, AHEAD) == {old: "differs"}

    def test_other_directories_are_left(self, world: World) -> None:
        # Given a copy that an old rule left elsewhere
        record(world, CONFIG, b"config", AHEAD)
        elsewhere = "jobs/12/2025/10/24/093000/job_config.json"
        world.put(elsewhere, b"config")
        # When
        relocate(world, AHEAD)
        # Then
        assert elsewhere not in self.delete(world, AHEAD)
        assert elsewhere in world.store.objects
