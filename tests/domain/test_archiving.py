"""What is archived of a job, and what its rows say then."""

from dataclasses import replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import RunOfAnotherJobError, UnknownJobError, UnknownRunError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.found_artifacts import FoundBy
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.platform.archiving import (
    ARCHIVED_KINDS,
    archive_job_uploads,
    archive_uploads,
)
from artifact_pipeline.domain.ports.platform import ArchiveSummary
from tests.domain.producing import ProducingWorld
from tests.domain.world import CONFIG, CONFIG_KEY, JOB, RESULTS

DIRECTORY = "jobs/12/2025/10/23/211500"
RUN_CONFIG = Artifact(ArtifactKind.RUN_CONFIG, 12, 4)
INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)


@pytest.fixture
def world() -> ProducingWorld:
    """Job 12 has a config that is recorded, and an input, a run config and results."""
    world = ProducingWorld()
    world.workspace.contents[CONFIG] = b"config"
    world.upload()
    for name in ("job_input.zip", "run_4_config.json", "run_4_results.zip"):
        world.put(f"{DIRECTORY}/{name}", b"content", JOB.created_at)
    world.clock.advance(timedelta(days=1))
    return world


def archived(summary: ArchiveSummary) -> list[Artifact]:
    return [found.artifact for found, _ in summary.archived]


def archive(
    world: ProducingWorld,
    *,
    run_id: int | None = None,
    kinds: tuple[ArtifactKind, ...] = ARCHIVED_KINDS,
    dry_run: bool = False,
) -> ArchiveSummary:
    return archive_job_uploads(
        world.locate,
        world.locations,
        world.artifacts,
        job_id=12,
        run_id=run_id,
        kinds=kinds,
        dry_run=dry_run,
    )


def age_by_rule(world: ProducingWorld, storage_class: str = "GLACIER") -> None:
    """Let a lifecycle rule of the bucket archive the config."""
    world.reader.tier_names[ObjectAddress(world.reader.bucket, CONFIG_KEY)] = storage_class


class TestOfAJob:
    def test_by_default_configs_and_inputs_to_glacier(self, world: ProducingWorld) -> None:
        summary = archive(world)
        assert archived(summary) == [CONFIG, INPUT, RUN_CONFIG]
        assert {stored.tier_name for _, stored in summary.archived} == {"GLACIER"}
        assert [found.artifact for found in summary.other_kinds] == [RESULTS]

    def test_only_the_kinds_that_are_chosen(self, world: ProducingWorld) -> None:
        summary = archive(world, kinds=(ArtifactKind.RUN_RESULTS,))
        assert archived(summary) == [RESULTS]

    def test_only_a_run(self, world: ProducingWorld) -> None:
        summary = archive(world, run_id=4, kinds=tuple(ArtifactKind))
        assert archived(summary) == [RUN_CONFIG, RESULTS]
        assert summary.other_kinds == []

    def test_a_dry_run_changes_nothing(self, world: ProducingWorld) -> None:
        age_by_rule(world)
        summary = archive(world, dry_run=True)
        assert [found.artifact for found in summary.planned] == [INPUT, RUN_CONFIG]
        assert [found.artifact for found in summary.already] == [CONFIG]
        assert summary.archived == []
        assert world.artifacts.rows[CONFIG].object.tier_name == "STANDARD"

    def test_the_controller_takes_what_the_platform_gives_it(self, world: ProducingWorld) -> None:
        # Given both, the hours count
        left = world.controller.archive_job_uploads(12, days_since_create=0, hours_since_create=1e6)
        assert archived(left) == []
        summary = world.controller.archive_job_uploads(12, 10_000, 0.5)
        assert archived(summary) == [CONFIG, INPUT, RUN_CONFIG]

    def test_the_jobs_age_is_another_than_the_objects(self, world: ProducingWorld) -> None:
        # Given objects of yesterday, of a job that was created a month before that
        month = 30
        for name in ("job_input.zip", "run_4_config.json"):
            later = JOB.created_at + timedelta(days=month)
            world.put(f"{DIRECTORY}/{name}", b"content", later)
        world.clock.advance(timedelta(days=month))
        controller = world.controller
        # When / Then
        older = controller.archive_job_uploads(12, days_since_job_created=month + 2)
        assert archived(older) == []
        both = controller.archive_job_uploads(
            12, days_since_create=2, days_since_job_created=month + 1
        )
        assert archived(both) == [CONFIG]
        by_job = controller.archive_job_uploads(12, days_since_job_created=month + 1)
        assert archived(by_job) == [INPUT, RUN_CONFIG]

    def test_ids_of_nothing_are_refused(self, world: ProducingWorld) -> None:
        with pytest.raises(UnknownJobError):
            world.controller.archive_job_uploads(99)
        with pytest.raises(UnknownRunError):
            archive(world, run_id=99)
        with pytest.raises(RunOfAnotherJobError):
            archive(world, run_id=7)


class TestByARuleOfTheBucket:
    def test_the_listing_tells_the_class(self, world: ProducingWorld) -> None:
        age_by_rule(world)
        found = {each.artifact: each for each in world.locate.of_job(12)}[CONFIG]
        assert (found.found_by, found.object.tier_name) == (FoundBy.ROW, "GLACIER")

    def test_so_does_a_look_at_one(self, world: ProducingWorld) -> None:
        age_by_rule(world)
        found = world.locate.find(CONFIG)
        assert (found.found_by, found.object.tier_name) == (FoundBy.ROW, "GLACIER")

    def test_it_is_archived_already_and_its_row_follows(self, world: ProducingWorld) -> None:
        age_by_rule(world)
        before = world.artifacts.rows[CONFIG]
        summary = archive(world)
        assert [found.artifact for found in summary.already] == [CONFIG]
        now = replace(before.object, tier_name="GLACIER")
        assert world.artifacts.rows[CONFIG] == replace(before, object=now)

    def test_what_was_brought_back_is_archived_again(self, world: ProducingWorld) -> None:
        # Given a row that says archived, of an object that is not any more
        archive(world)
        age_by_rule(world, "STANDARD")
        # When / Then
        assert archived(archive(world)) == [CONFIG]

    def test_a_row_of_another_object_is_left(self, world: ProducingWorld) -> None:
        # Given an upload between the listing and the archiving
        age_by_rule(world)
        uploads = world.locate.of_job(12)
        row = world.artifacts.rows[CONFIG]
        newer = replace(row, object=replace(row.object, version="newer"))
        world.artifacts.rows[CONFIG] = newer
        # When
        archive_uploads(world.locations, world.artifacts, uploads)
        # Then
        assert world.artifacts.rows[CONFIG] == newer


def test_uploads_that_are_named_are_archived_whatever_they_are(world: ProducingWorld) -> None:
    uploads = [each for each in world.locate.of_job(12) if each.artifact == RESULTS]
    summary = archive_uploads(world.locations, world.artifacts, uploads)
    assert archived(summary) == [RESULTS]


def test_zero_hours_beside_days_archive_nothing() -> None:
    world = ProducingWorld()
    with pytest.raises(ValueError, match="everything would be archived; leave one of them out"):
        world.controller.archive_job_uploads(12, days_since_create=30, hours_since_create=0)
