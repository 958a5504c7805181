"""Where artifacts are looked for, and in which order."""

from dataclasses import replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import (
    ArtifactMissingError,
    RunOfAnotherJobError,
    UnknownJobError,
)
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact, FoundBy
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from tests.domain.world import CONFIG, CONFIG_KEY, JOB, RESULTS, World

OLD = "jobs/12/2025/10/24/093000/job_config.json"
NEWER = "jobs/12/2025/10/25/093000/job_config.json"
RESULTS_KEY = "jobs/12/2025/10/23/211500/run_4_results.zip"
DAY = timedelta(days=1)


@pytest.fixture
def world() -> World:
    return World()


def keep_location(world: World, url: str) -> None:
    world.jobs.rows[12] = replace(world.jobs.rows[12], config_location=url)


class TestOne:
    def test_what_is_recorded_is_believed_without_a_request(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.workspace.contents[CONFIG] = b"config"
        world.upload()
        forbid_heads(monkeypatch)
        found = next(world.locate.candidates(CONFIG))
        assert (found.found_by, found.scheme) == (FoundBy.ROW, Scheme.PREFIX)
        assert found.object.address.key == CONFIG_KEY
        recorded = world.artifacts.rows[CONFIG].object
        assert found.object.sha256 == recorded.sha256
        assert found.object.checksums == (recorded.checksum,)

    def test_a_row_adds_nothing_to_the_object_that_it_names(self, world: World) -> None:
        # Given a row without a checksum of parts
        world.workspace.contents[CONFIG] = b"recorded"
        world.upload()
        row = world.artifacts.rows[CONFIG]
        world.artifacts.rows[CONFIG] = replace(row, object=replace(row.object, checksum=None))
        # When / Then
        assert next(world.locate.candidates(CONFIG)).object.as_recorded is None

    def test_each_place_in_its_order(self, world: World) -> None:
        # Given the artifact in all of them
        world.workspace.contents[CONFIG] = b"recorded"
        world.upload()
        world.put(OLD, b"old", JOB.created_at + DAY)
        world.put(NEWER, b"newer", JOB.created_at + 2 * DAY)
        keep_location(world, "https://bucket.s3.invalid/" + OLD)
        found = list(world.locate.candidates(CONFIG))
        assert [(each.found_by, each.object.address.key, each.scheme) for each in found] == [
            (FoundBy.ROW, CONFIG_KEY, Scheme.PREFIX),
            (FoundBy.KEY, CONFIG_KEY, Scheme.PREFIX),
            (FoundBy.LOCATION, OLD, Scheme.LEGACY),
            (FoundBy.LISTING, NEWER, Scheme.LEGACY),
        ]

    def test_a_location_in_another_bucket(self, world: World) -> None:
        address = ObjectAddress("attic", "some/where.json")
        world.reader.elsewhere[address] = b"old"
        keep_location(world, "https://attic.s3.invalid/some/where.json")
        found = world.locate.find(CONFIG)
        assert (found.object.address, found.scheme) == (address, Scheme.LEGACY)

    @pytest.mark.parametrize("location", ["/mnt/share/job_config.json", ""])
    def test_a_location_that_is_no_url_is_passed_over(self, world: World, location: str) -> None:
        keep_location(world, location)
        world.put(OLD, b"old")
        assert world.locate.find(CONFIG).found_by is FoundBy.LISTING

    def test_a_row_that_is_not_true_any_more_is_passed_over(self, world: World) -> None:
        # Given an object that was replaced, as by a client with an upload URL
        world.workspace.contents[CONFIG] = b"recorded"
        world.upload()
        world.put(CONFIG_KEY, b"replaced")
        found = world.locate.find(CONFIG)
        assert (found.found_by, found.object.size) == (FoundBy.KEY, 8)
        assert found.object.as_recorded is None

    def test_an_object_of_another_version_may_have_the_bytes_of_its_row(self, world: World) -> None:
        # Given a row with another ETag than the object, of which the store knows no SHA-256
        world.workspace.contents[CONFIG] = b"recorded"
        world.upload()
        row = world.artifacts.find(CONFIG)
        assert row is not None
        etag = replace(row, object=replace(row.object, version="of its completion"))
        world.artifacts.rows[CONFIG] = etag
        world.reader.without_sha256.add(ObjectAddress("bucket", CONFIG_KEY))
        # When
        by_row, by_key, *_ = world.locate.candidates(CONFIG)
        # Then
        assert (by_row.found_by, by_row.object.as_recorded) == (FoundBy.ROW, None)
        assert by_key.object.sha256 is None
        assert by_key.object.as_recorded == replace(by_key.object, sha256=row.object.sha256)

    def test_nowhere(self, world: World) -> None:
        with pytest.raises(ArtifactMissingError, match="job_config of job 12: not in the store"):
            world.locate.find(CONFIG)

    def test_ids_that_do_not_belong_together(self, world: World) -> None:
        with pytest.raises(RunOfAnotherJobError):
            world.locate.candidates(Artifact(ArtifactKind.RUN_LOGS, 12, 7))
        with pytest.raises(UnknownJobError):
            world.locate.candidates(Artifact(ArtifactKind.JOB_CONFIG, 99))


class TestAllOfAJob:
    def test_each_artifact_once_from_the_first_place_that_has_it(self, world: World) -> None:
        # Given one that is recorded, one at its key, one elsewhere, and old copies of the first
        world.workspace.contents[CONFIG] = b"recorded"
        world.upload()
        world.put(OLD, b"old")
        world.put("jobs/12/2025/10/23/211500/run_4_logs.log", b"logs")
        world.put("jobs/12/2025/11/01/000000/run_4_results.zip", b"results")
        world.put("jobs/12/2025/11/01/000000/run_4_results.zip.part", b"none of ours")
        world.put("jobs/120/2025/11/01/000000/job_input.zip", b"another job's")
        assert summary(world.locate.of_job(12)) == [
            ("job_config", None, FoundBy.ROW, Scheme.PREFIX),
            ("run_logs", 4, FoundBy.KEY, Scheme.PREFIX),
            ("run_results", 4, FoundBy.LISTING, Scheme.LEGACY),
        ]

    def test_it_costs_one_listing(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        # Given an object where the platform's row says
        keep_location(world, "https://bucket.s3.invalid/" + OLD)
        address = ObjectAddress(world.reader.bucket, OLD)
        existing = BucketObject(address=address, size=1, version="e", modified_at=JOB.created_at)
        prefixes: list[str] = []

        def listed(_: InMemoryReader, prefix: str) -> list[BucketObject]:
            prefixes.append(prefix)
            return [existing]

        monkeypatch.setattr(InMemoryReader, "list", listed)
        forbid_heads(monkeypatch)
        assert [each.found_by for each in world.locate.of_job(12)] == [FoundBy.LOCATION]
        assert prefixes == ["jobs/12/"]

    def test_a_location_elsewhere_is_looked_at(self, world: World) -> None:
        world.reader.elsewhere[ObjectAddress("attic", "results.zip")] = b"results"
        world.runs.rows[4] = replace(
            world.runs.rows[4], results_url="https://attic.s3.invalid/results.zip"
        )
        assert summary(world.locate.of_job(12)) == [
            ("run_results", 4, FoundBy.LOCATION, Scheme.LEGACY)
        ]

    def test_the_newest_of_several_copies(self, world: World) -> None:
        world.put(NEWER, b"newer", JOB.created_at + 2 * DAY)
        world.put(OLD, b"old", JOB.created_at + DAY)
        (found,) = world.locate.of_job(12)
        assert found.object.address.key == NEWER

    def test_a_row_whose_object_is_gone(self, world: World) -> None:
        world.workspace.contents[RESULTS] = b"results"
        world.upload(RESULTS)
        world.store.objects.clear()
        assert world.locate.of_job(12) == []

    def test_a_run_that_the_platform_has_forgotten(self, world: World) -> None:
        world.put("jobs/12/2025/10/23/211500/run_99_logs.log", b"logs")
        assert summary(world.locate.of_job(12)) == [("run_logs", 99, FoundBy.KEY, Scheme.PREFIX)]

    def test_an_unknown_job(self, world: World) -> None:
        with pytest.raises(UnknownJobError):
            world.locate.of_job(99)


def summary(found: list[FoundArtifact]) -> list[tuple[str, int | None, FoundBy, Scheme]]:
    return [
        (each.artifact.kind.value, each.artifact.run_id, each.found_by, each.scheme)
        for each in found
    ]


def forbid_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: InMemoryReader, address: ObjectAddress) -> BucketObject | None:
        pytest.fail(f"a HEAD of {address}")

    monkeypatch.setattr(InMemoryReader, "find", fail)
