"""Archiving by URLs, as the platform's code calls it."""

import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.platform.archiving import archive_uploads
from tests.domain.platform_classes import (
    PlatformLocation,
    PlatformLocations,
)
from tests.domain.producing import ProducingWorld
from tests.domain.world import CONFIG, CONFIG_KEY

BUCKET_URL = "https://bucket.s3.amazonaws.com"
DIRECTORY = "jobs/12/2025/10/23/211500"
INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)


class TestArchive:
    OLD, NEW = (PlatformLocation(f"{BUCKET_URL}/{name}.json") for name in ("old", "new"))

    @pytest.mark.parametrize(
        "call",
        [
            lambda repo, given: archive_uploads(repo, given, 30),
            lambda repo, given: archive_uploads(repo, given, days_since_create=30),
            lambda repo, given: archive_uploads(repo, given, None, 720, False),  # noqa: FBT003 - as the platform
            # Given both, the hours count
            lambda repo, given: archive_uploads(repo, given, 1, 720),
            lambda repo, given: archive_uploads(
                upload_repository=repo, upload_locations=given, days_since_create=30
            ),
            lambda repo, given: functools.partial(archive_uploads, repo)(
                upload_locations=given, days_since_create=30, hours_since_create=None, dry_run=True
            ),
        ],
    )
    def test_by_the_platforms_repository(self, call: Callable[..., Any]) -> None:
        repository = PlatformLocations()
        assert call(repository, [self.OLD, self.NEW, self.OLD]) == [self.OLD]
        (threshold,) = repository.thresholds
        assert threshold is not None
        # Without a zone, as its code compares it
        assert threshold.tzinfo is None
        age = datetime.now() - threshold  # noqa: DTZ005
        assert timedelta(days=30) <= age < timedelta(days=31)

    @pytest.mark.parametrize("collect", [tuple, set, iter, dict.fromkeys])
    def test_locations_come_in_any_iterable(self, collect: Callable[..., Any]) -> None:
        archived: Any = archive_uploads(PlatformLocations(), collect([self.OLD, self.NEW]), 30)
        assert archived == [self.OLD]

    def test_a_url_is_archived_once(self) -> None:
        # Given two locations that differ in what the client sends
        url = f"{BUCKET_URL}/old.json"
        first = UploadLocation(url)
        second = UploadLocation(url, headers={"x-amz-server-side-encryption": "AES256"})
        repository: Any = PlatformLocations()
        # When / Then
        assert archive_uploads(repository, [first, second], 30) == [first]

    def test_without_an_age_everything_is_archived(self) -> None:
        repository = PlatformLocations()
        archive_uploads(repository, [self.OLD])  # type: ignore[list-item]  # the platform's class
        assert repository.thresholds == [None]

    def test_nothing_of_nothing(self) -> None:
        repository = PlatformLocations()
        assert archive_uploads(repository, [], 30) == []
        assert repository.thresholds == []

    def test_zero_hours_beside_days_are_refused(self) -> None:
        with pytest.raises(ValueError, match="leave one of them out"):
            archive_uploads(PlatformLocations(), [UploadLocation("s3://b/k")], 30, 0)

    def test_by_our_repository(self) -> None:
        # Given two objects of different ages, and one that is not there
        world = ProducingWorld()
        world.put(CONFIG_KEY, b"config", datetime.now().astimezone() - timedelta(days=40))
        world.put(f"{DIRECTORY}/job_input.zip", b"input", datetime.now().astimezone())
        keys = (CONFIG_KEY, f"{DIRECTORY}/job_input.zip", f"{DIRECTORY}/run_4_config.json")
        locations = [UploadLocation(f"https://bucket.s3.invalid/{key}") for key in keys]
        # When / Then a dry run names the old one, and changes nothing
        dry = archive_uploads(world.locations, locations, days_since_create=30, dry_run=True)
        assert dry == locations[:1]
        assert world.reader.tier_names == {}
        # When / Then
        assert archive_uploads(world.locations, locations, days_since_create=30) == locations[:1]
        archived = {ObjectAddress("bucket", CONFIG_KEY): "GLACIER"}
        assert world.reader.tier_names == archived
        assert locations[0].errors == []

    def test_a_recorded_ones_row_gets_the_class(self) -> None:
        # Given a recorded one, and one that another program has archived
        world = ProducingWorld()
        for artifact in (CONFIG, INPUT):
            world.workspace.contents[artifact] = b"content"
            world.upload(artifact)
        keys = [world.artifacts.rows[each].object.key for each in (CONFIG, INPUT)]
        world.reader.tier_names[ObjectAddress("bucket", keys[1])] = "DEEP_ARCHIVE"
        # When
        locations = [UploadLocation(f"https://bucket.s3.invalid/{key}") for key in keys]
        archive_uploads(world.locations, locations)
        # Then
        classes = {each: world.artifacts.rows[each].object.tier_name for each in (CONFIG, INPUT)}
        assert classes == {CONFIG: "GLACIER", INPUT: "DEEP_ARCHIVE"}

    def test_another_objects_row_stays(self) -> None:
        # Given a row of an object that a client has replaced since
        world = ProducingWorld()
        world.workspace.contents[CONFIG] = b"content"
        world.upload()
        world.put(CONFIG_KEY, b"a client's")
        before = world.artifacts.rows[CONFIG]
        # When
        archive_uploads(
            world.locations, [UploadLocation(f"https://bucket.s3.invalid/{CONFIG_KEY}")]
        )
        # Then
        assert world.artifacts.rows[CONFIG] == before

    def test_what_fails_with_one_is_in_its_errors(self) -> None:
        world = ProducingWorld()
        world.put(CONFIG_KEY, b"config")
        gone, source = (
            UploadLocation(f"https://bucket.s3.invalid/{key}?X-Amz-Signature=5")
            for key in (f"{DIRECTORY}/job_input.zip", CONFIG_KEY)
        )
        # When
        archived = archive_uploads(world.locations, [gone, source])
        # Then it is returned too, as by the platform
        assert archived == [gone, source]
        assert archived[0] is gone
        (error,) = gone.errors
        assert error.startswith("Failed to archive job_input.zip: ")
        assert "X-Amz-Signature" not in error
        assert source.errors == []
