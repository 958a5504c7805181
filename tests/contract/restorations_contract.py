"""What every adapter promises about the record of restores."""

from datetime import UTC, datetime

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.restorations import NOT_RESTORED, Restoration
from tests.contract.repositories import Repositories
from tests.contract.transfer_adoption_contract import anew
from tests.contract.transfer_steps import CONFIG, LOCATION, RESULTS, stored_artifact

UNDER_WAY = Restoration(is_under_way=True)
UNTIL = Restoration(until=datetime(2026, 2, 1, tzinfo=UTC))
OF_JOB_13 = Artifact(ArtifactKind.JOB_CONFIG, 13)


def there(artifact: Artifact = CONFIG, **changes: str) -> BucketObject:
    stored = stored_artifact(artifact).object
    return BucketObject(
        address=ObjectAddress("bucket", changes.get("key", stored.key)),
        size=stored.size,
        version=changes.get("version", stored.version),
        modified_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


class RestorationsContract:
    def test_what_is_recorded_is_found(self, repositories: Repositories) -> None:
        # Given
        for artifact in (CONFIG, RESULTS, OF_JOB_13):
            repositories.artifacts.record(stored_artifact(artifact), LOCATION, None)
        restorations = repositories.restorations
        assert restorations.of_job(12) == {}
        # When
        assert restorations.record(CONFIG, there(), UNDER_WAY)
        assert restorations.record(RESULTS, there(RESULTS), UNTIL)
        # Then
        assert restorations.of_job(12) == {CONFIG: UNDER_WAY, RESULTS: UNTIL}
        assert restorations.of_job(13) == {}

    def test_a_later_look_replaces_an_earlier_one(self, repositories: Repositories) -> None:
        repositories.artifacts.record(stored_artifact(CONFIG), LOCATION, None)
        restorations = repositories.restorations
        for now in (UNDER_WAY, UNTIL, UNDER_WAY):
            assert restorations.record(CONFIG, there(), now)
            assert restorations.of_job(12) == {CONFIG: now}
        # When the restored copy has ended
        restorations.record(CONFIG, there(), NOT_RESTORED)
        # Then
        assert restorations.of_job(12) == {}

    def test_another_object_is_not_recorded(self, repositories: Repositories) -> None:
        repositories.artifacts.record(stored_artifact(CONFIG), LOCATION, None)
        restorations = repositories.restorations
        for other in (there(key="elsewhere"), there(version="another")):
            assert not restorations.record(CONFIG, other, UNDER_WAY)
        assert not restorations.record(RESULTS, there(RESULTS), UNDER_WAY)
        assert restorations.of_job(12) == {}

    def test_an_object_that_replaces_it_is_not_restored(self, repositories: Repositories) -> None:
        known = stored_artifact(CONFIG)
        repositories.artifacts.record(known, LOCATION, None)
        repositories.restorations.record(CONFIG, there(), UNTIL)
        assert repositories.artifacts.replace(anew(known), known)
        assert repositories.restorations.of_job(12) == {}
