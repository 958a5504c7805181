"""What every repository of artifacts does."""

from collections.abc import Callable

import pytest

from artifact_pipeline.domain.errors import ObjectReplacedError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from tests.contract.transfer_adoption_contract import anew
from tests.contract.transfer_steps import CONFIG, LOCATION, LOGS, RESULTS, stored_artifact

OF_JOB_13 = Artifact(CONFIG.kind, 13)


class ArtifactRepositoryContract:
    """Its fixtures are those of `TransferRepositoryContract`."""

    @pytest.mark.parametrize("artifact", [CONFIG, RESULTS], ids=str)
    def test_what_is_recorded_is_found(
        self, artifacts: IArtifactRepository, artifact: Artifact
    ) -> None:
        stored = stored_artifact(artifact)
        artifacts.record(stored, LOCATION, None)
        assert artifacts.find(artifact) == stored

    def test_the_platform_is_told_of_all_that_it_has_a_column_for(
        self, artifacts: IArtifactRepository, location: Callable[[Artifact], str | None]
    ) -> None:
        for artifact in (CONFIG, RESULTS, LOGS[3]):
            artifacts.record(stored_artifact(artifact), LOCATION, None)
        told = [location(artifact) for artifact in (CONFIG, RESULTS, LOGS[3])]
        assert told == [LOCATION.sanitized, LOCATION.sanitized, None]

    @pytest.mark.parametrize("known", [None, anew(stored_artifact(CONFIG))], ids=["none", "other"])
    def test_what_was_recorded_since_is_kept(
        self, artifacts: IArtifactRepository, known: StoredArtifact | None
    ) -> None:
        since = stored_artifact(CONFIG)
        artifacts.record(since, LOCATION, None)
        with pytest.raises(ObjectReplacedError):
            artifacts.record(anew(since), LOCATION, known)
        assert artifacts.find(CONFIG) == since

    def test_what_is_known_is_replaced(self, artifacts: IArtifactRepository) -> None:
        known = stored_artifact(CONFIG)
        artifacts.record(known, LOCATION, None)
        assert artifacts.replace(anew(known), known)
        assert artifacts.find(CONFIG) == anew(known)

    def test_what_is_not_known_is_not_replaced(self, artifacts: IArtifactRepository) -> None:
        known = stored_artifact(CONFIG)
        assert not artifacts.replace(anew(known), known)
        assert artifacts.find(CONFIG) is None

    def test_all_of_a_job(self, artifacts: IArtifactRepository) -> None:
        for artifact in (LOGS[1], CONFIG, RESULTS, LOGS[0], OF_JOB_13):
            artifacts.record(stored_artifact(artifact), LOCATION, None)
        of_job = [stored.artifact for stored in artifacts.of_job(12)]
        assert of_job == [CONFIG, LOGS[0], LOGS[1], RESULTS]
