"""What every repository of upload URLs promises of uploads that are named by their URLs."""

from datetime import datetime, timedelta

from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import ObjectAddress
from tests.contract.upload_locations_contract import LOGS, OLD_KEY, PREFIX, Adapter


class LocatedContract:
    """The platform's code names uploads by their URLs."""

    def test_those_that_are_old_enough(self, adapter: Adapter) -> None:
        locations = [self.put(adapter, key) for key in (PREFIX.job_config_key(), OLD_KEY)]
        gone = UploadLocation(adapter.url(adapter.address("gone.json")))
        before, after = (self.time_of(adapter, OLD_KEY, timedelta(days=n)) for n in (-1, 1))
        assert adapter.locations.filter_by_age([*locations, gone], after) == locations
        assert adapter.locations.filter_by_age([*locations, gone], before) == []
        assert adapter.locations.filter_by_age([gone], None) == [gone]

    def test_they_are_archived_as_they_are(self, adapter: Adapter) -> None:
        # Given one of the pipeline's, and one whose name tells of no artifact
        upload = adapter.stored()
        other = self.put(adapter, "jobs/12/2025/11/01/093000/run_config.json")
        stored = UploadLocation(adapter.url(upload.object.address))
        before = upload.object
        # When
        archived = adapter.locations.archive_uploads([stored, other])
        # Then
        assert archived == [stored, other]
        assert [each.errors for each in archived] == [[], []]
        for location in archived:
            key = location.sanitized[location.sanitized.index("jobs/") :]
            assert adapter.storage_class(adapter.address(key)) == "GLACIER"
            assert adapter.described(key)[0] == "application/json"
        after = adapter.found(upload.artifact, before.address).object
        assert (after.size, after.metadata) == (before.size, {**(before.metadata or {})})

    def test_an_artifact_keeps_the_type_of_its_kind(self, adapter: Adapter) -> None:
        # Given a log, whose type its name alone does not say whole
        key = PREFIX.key(LOGS.artifact)
        # When
        adapter.locations.archive_uploads([self.put(adapter, key)])
        # Then
        assert adapter.described(key)[0] == "text/plain; charset=utf-8"

    def test_a_second_time_changes_nothing(self, adapter: Adapter) -> None:
        location = self.put(adapter, OLD_KEY)
        adapter.locations.archive_uploads([location])
        before = adapter.reader.find(adapter.address(OLD_KEY))
        assert adapter.locations.archive_uploads([location]) == [location]
        assert adapter.reader.find(adapter.address(OLD_KEY)) == before
        assert location.errors == []

    def test_one_that_is_too_new_stays(self, adapter: Adapter) -> None:
        location = self.put(adapter, OLD_KEY)
        before = self.time_of(adapter, OLD_KEY, timedelta(days=-1))
        assert adapter.locations.archive_uploads([location], age_threshold=before) == []
        assert adapter.storage_class(adapter.address(OLD_KEY)) == "STANDARD"

    def test_what_fails_with_one_is_in_its_errors(self, adapter: Adapter) -> None:
        elsewhere = ObjectAddress(adapter.other_bucket, "some/where.json")
        adapter.put(elsewhere, b"{}")
        urls = (
            adapter.url(adapter.address("gone.json")),
            adapter.url(elsewhere),
            "https://example.org/some.json?X-Amz-Signature=5",
        )
        locations = [UploadLocation(url) for url in urls]
        last = self.put(adapter, OLD_KEY)
        assert adapter.locations.archive_uploads([*locations, last]) == [*locations, last]
        said = [error for location in locations for error in location.errors]
        assert len(said) == 3
        assert "Failed to archive gone.json: gone.json: not in the store" in said
        assert not any("X-Amz-Signature" in error for error in said)
        assert adapter.storage_class(adapter.address(OLD_KEY)) == "GLACIER"

    def test_nothing_of_nothing(self, adapter: Adapter) -> None:
        assert adapter.locations.archive_uploads([]) == []

    @staticmethod
    def time_of(adapter: Adapter, key: str, offset: timedelta) -> datetime:
        """Return when it was put plus an offset, without a zone, as the platform's code has it."""
        source = adapter.reader.find(adapter.address(key))
        assert source is not None
        return (source.modified_at + offset).astimezone().replace(tzinfo=None)

    @staticmethod
    def put(adapter: Adapter, key: str) -> UploadLocation:
        adapter.put(adapter.address(key), b"{}")
        return UploadLocation(f"{adapter.url(adapter.address(key))}?X-Amz-Signature=5")
