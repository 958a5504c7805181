"""Results that the platform stores and reads by name, and uploads that it archives."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from artifact_pipeline.domain.errors import (
    ArtifactMissingError,
    ObjectReplacedError,
    SourceMissingError,
)
from artifact_pipeline.domain.fakes import InMemoryResults
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.found_artifacts import FoundBy
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.platform.archiving import archive_uploads
from artifact_pipeline.domain.platform.use_cases import get_job_uploads, get_run_results
from artifact_pipeline.domain.ports.platform import SentResults
from tests.domain.producing import ProducingWorld, months_later, plant_results, results_of
from tests.domain.world import CONFIG, CONFIG_KEY, RESULTS

DIRECTORY = "jobs/12/2025/10/23/211500"
INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)


@pytest.fixture
def world() -> ProducingWorld:
    return months_later()


class TestResults:
    def test_they_are_stored_and_recorded_at_once(
        self, world: ProducingWorld, tmp_path: Path
    ) -> None:
        assert results_of(world, plant_results(tmp_path)) == world.clock()
        key = f"{DIRECTORY}/run_4_results.zip"
        assert list(world.store.objects) == [key]
        assert world.artifacts.locations[RESULTS] == world.store.location(key).sanitized

    def test_later_ones_take_their_place(self, world: ProducingWorld, tmp_path: Path) -> None:
        results_of(world, plant_results(tmp_path))
        world.clock.advance(timedelta(days=1))
        assert results_of(world, plant_results(tmp_path, b"others")) == world.clock()
        assert len(world.store.objects) == 1

    def test_none_are_none(self, world: ProducingWorld, tmp_path: Path) -> None:
        with pytest.raises(SourceMissingError):
            results_of(world, tmp_path)
        assert not world.artifacts.rows

    def test_others_recorded_meanwhile_are_left(
        self, world: ProducingWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given somebody else who stores results while these are being sent
        plant_results(tmp_path)
        send = type(world.results).upload_results
        others: list[object] = []

        def overtaken(
            results: InMemoryResults, run_id: int, results_dir: Path, prefix: JobS3Prefix
        ) -> SentResults:
            if not others:
                others.append(plant_results(tmp_path / "others", b"others"))
                results_of(world, tmp_path / "others")
            return send(results, run_id, results_dir, prefix)

        monkeypatch.setattr(type(world.results), "upload_results", overtaken)
        # When / Then
        with pytest.raises(ObjectReplacedError):
            results_of(world, tmp_path)

    def test_recorded_ones_are_had_by_a_url(self, world: ProducingWorld, tmp_path: Path) -> None:
        results_of(world, plant_results(tmp_path))
        location = get_run_results(world.locate, world.results, job_id=12, run_id=4)
        assert urlsplit(location.url).path == f"/{DIRECTORY}/run_4_results.zip"
        assert "X-Amz-Signature" in location.url

    @pytest.mark.parametrize(
        "key", [f"{DIRECTORY}/run_4_results.zip", "jobs/12/2025/11/02/093000/run_4_results.zip"]
    )
    def test_so_are_those_that_nobody_recorded(self, world: ProducingWorld, key: str) -> None:
        world.put(key, b"zip")
        location = get_run_results(world.locate, world.results, job_id=12, run_id=4)
        assert urlsplit(location.url).path == f"/{key}"

    def test_and_those_that_the_platform_knows_elsewhere(self, world: ProducingWorld) -> None:
        world.reader.elsewhere[address := replace(world.put("x", b""), bucket="attic")] = b"zip"
        url = f"https://attic.s3.invalid/{address.key}"
        world.runs.rows[4] = replace(world.runs.rows[4], results_url=url)
        location = get_run_results(world.locate, world.results, job_id=12, run_id=4)
        assert location.sanitized == url

    def test_there_are_none_anywhere(self, world: ProducingWorld) -> None:
        with pytest.raises(
            ArtifactMissingError, match="run_results of job 12 run 4: not in the store"
        ):
            get_run_results(world.locate, world.results, job_id=12, run_id=4)


class TestArchived:
    def test_what_is_recorded_is_recorded_as_archived(self, world: ProducingWorld) -> None:
        # Given one that is recorded, and one that is only there
        world.workspace.contents[CONFIG] = b"config"
        world.upload()
        world.put(f"{DIRECTORY}/job_input.zip", b"input")
        # When
        uploads = get_job_uploads(world.locate, job_id=12)
        summary = archive_uploads(
            world.locations, world.artifacts, uploads, storage_class="DEEP_ARCHIVE"
        )
        # Then
        assert [each.artifact for each, _ in summary.archived] == [CONFIG, INPUT]
        assert world.artifacts.rows[CONFIG].object.tier_name == "DEEP_ARCHIVE"
        assert INPUT not in world.artifacts.rows

    def test_an_old_copy_of_what_is_recorded_changes_no_record(self, world: ProducingWorld) -> None:
        world.workspace.contents[CONFIG] = b"config"
        world.upload()
        old = world.put("jobs/12/2025/11/02/093000/job_config.json", b"config")
        uploads = [
            replace(found, object=replace(found.object, address=old), found_by=FoundBy.LISTING)
            for found in get_job_uploads(world.locate, job_id=12)
        ]
        archive_uploads(world.locations, world.artifacts, uploads, storage_class="DEEP_ARCHIVE")
        assert world.artifacts.rows[CONFIG].object.key == CONFIG_KEY
        assert world.artifacts.rows[CONFIG].object.tier_name != "DEEP_ARCHIVE"
