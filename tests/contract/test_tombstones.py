"""The contract of tombstones, over each adapter: what is deleted is not stored again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import (
    ArtifactDeletedError,
    LegalHoldError,
    ObjectReplacedError,
    TransferCancelledError,
)
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.tombstones import DeletionScope
from artifact_pipeline.domain.model.transfers import Claim, TransferState
from artifact_pipeline.domain.ports.transfer_pages import ClaimedUpload, StoredUpload
from artifact_pipeline.domain.reasons import ReasonCode
from tests.contract.repositories import Repositories
from tests.contract.transfer_steps import (
    CONFIG,
    LOCATION,
    RESULTS,
    UPLOAD,
    claim_of,
    latest,
    stored_artifact,
)

DIRECTORY = "jobs/12/2025/10/23/211500/"
ALL = DeletionScope(job_id=12, directory=DIRECTORY)
OF_RUN = replace(ALL, run_id=4)
OF_KIND = replace(ALL, kind=ArtifactKind.RUN_RESULTS)
LEASE = timedelta(minutes=1)


@pytest.fixture
def of(repositories: Repositories) -> Repositories:
    return repositories


def lay(of: Repositories, *scopes: DeletionScope, all_versions: bool = False) -> None:
    of.tombstones.lay(scopes, deleted_by="ann", reason="not needed", all_versions=all_versions)


def claimed(of: Repositories, artifact: Artifact = RESULTS) -> Claim:
    claim = claim_of(of.transfers, artifact)
    assert claim is not None
    return claim


def claim_page(of: Repositories) -> list[ClaimedUpload]:
    of.transfers.request(RESULTS, UPLOAD, "page")
    return of.pages.claim(RESULTS, "page", kinds=[RESULTS.kind], limit=1, owner="w:1", lease=LEASE)


class TestRows:
    def test_it_says_who_and_why(self, of: Repositories) -> None:
        # When
        lay(of, OF_RUN, OF_KIND, all_versions=True)
        # Then
        run, kind = of.tombstones.of_job(12)
        assert (run.run_id, run.kind, kind.run_id, kind.kind) == (4, None, None, OF_KIND.kind)
        assert (run.deleted_by, run.reason, run.directory) == ("ann", "not needed", DIRECTORY)
        assert (run.all_versions, run.finished_at) == (True, None)
        assert of.tombstones.of_job(13) == []

    def test_a_deletion_that_is_noted_again_keeps_who_asked_first(self, of: Repositories) -> None:
        # Given
        lay(of, ALL)
        of.tombstones.clear([ALL], [], {}, is_complete=True)
        # When
        of.tombstones.lay([ALL], deleted_by="bob", reason=None, all_versions=True)
        # Then
        [kept] = of.tombstones.of_job(12)
        assert (kept.deleted_by, kept.reason, kept.all_versions) == ("ann", "not needed", True)
        assert kept.finished_at is None

    def test_a_complete_deletion_is_finished(self, of: Repositories) -> None:
        lay(of, ALL, OF_RUN)
        of.tombstones.clear([OF_RUN], [], {}, is_complete=True)
        assert [row.finished_at is not None for row in of.tombstones.of_job(12)] == [False, True]

    def test_what_is_held_is_not_deleted(self, of: Repositories) -> None:
        # Given
        of.holds.set(12, "bob", "case 7")
        # When, Then
        with pytest.raises(LegalHoldError):
            lay(of, ALL)
        assert of.tombstones.of_job(12) == []

    def test_a_scope_takes_back_all_that_lies_within(self, of: Repositories) -> None:
        lay(of, ALL, OF_RUN, replace(OF_RUN, kind=RESULTS.kind))
        assert of.tombstones.lift(OF_RUN) == 2
        assert len(of.tombstones.of_job(12)) == 1
        assert of.tombstones.lift(ALL) == 1
        assert of.tombstones.lift(ALL) == 0


class TestTransfers:
    @pytest.mark.parametrize("scope", [ALL, OF_RUN, OF_KIND], ids=["job", "run", "kind"])
    def test_a_later_claim_says_that_it_is_deleted(
        self, of: Repositories, scope: DeletionScope
    ) -> None:
        lay(of, scope)
        assert claimed(of).is_deleted
        assert [upload.claim.is_deleted for upload in claim_page_after(of)] == [True]

    def test_others_are_not_affected(self, of: Repositories) -> None:
        # Given another run and another kind
        lay(of, replace(ALL, run_id=5), replace(ALL, kind=ArtifactKind.JOB_INPUT))
        # When, Then
        assert not claimed(of).is_deleted
        assert not claimed(of, CONFIG).is_deleted
        of.transfers.record(claimed(of, LOGS_OF_4), stored_artifact(LOGS_OF_4), LOCATION)

    def test_what_ran_before_is_not_recorded(self, of: Repositories) -> None:
        # Given
        claim = claimed(of)
        lay(of, ALL)
        # When, Then
        with pytest.raises(ArtifactDeletedError):
            of.transfers.record(claim, stored_artifact(RESULTS), LOCATION)
        with pytest.raises(ArtifactDeletedError):
            of.transfers.adopt(claim, stored_artifact(RESULTS), LOCATION, None)
        assert of.artifacts.find(RESULTS) is None
        assert of.location(RESULTS) is None
        assert latest(of.transfers, RESULTS).state is TransferState.RUNNING

    def test_a_page_is_not_recorded(self, of: Repositories) -> None:
        # Given
        [upload] = claim_page(of)
        assert not upload.claim.is_deleted
        lay(of, OF_KIND)
        stored = StoredUpload(
            claim=upload.claim, stored=stored_artifact(RESULTS), location=LOCATION
        )
        # When, Then
        assert of.pages.record([stored]) == set()
        assert of.artifacts.find(RESULTS) is None

    def test_what_is_stored_without_a_transfer_is_not_recorded(self, of: Repositories) -> None:
        lay(of, OF_RUN)
        with pytest.raises(ArtifactDeletedError):
            of.artifacts.record(stored_artifact(RESULTS), LOCATION, None)
        assert of.artifacts.find(RESULTS) is None

    def test_a_late_write_is_not_recorded_by_its_verification(self, of: Repositories) -> None:
        lay(of, ALL)
        with pytest.raises(ArtifactDeletedError):
            of.verifications.record_found(stored_artifact(RESULTS), LOCATION, None, None)
        assert of.artifacts.find(RESULTS) is None

    def test_another_job_with_the_id_is_not_affected(self, of: Repositories) -> None:
        # Given the tombstone of a job that had the id before
        lay(of, replace(ALL, directory="jobs/12/2024/01/01/000000/"))
        # When
        of.transfers.record(claimed(of), stored_artifact(RESULTS), LOCATION)
        # Then
        assert of.artifacts.find(RESULTS) is not None

    def test_what_is_taken_back_is_stored_again(self, of: Repositories) -> None:
        # Given
        lay(of, ALL)
        of.tombstones.lift(ALL)
        # When
        claim = claimed(of)
        of.transfers.record(claim, stored_artifact(RESULTS), LOCATION)
        # Then
        assert not claim.is_deleted
        assert of.artifacts.find(RESULTS) is not None

    def test_active_transfers_are_cancelled_with_the_reason(self, of: Repositories) -> None:
        # Given
        claim = claimed(of)
        # When
        [cancelled] = of.transfers.cancel(12, 4, None, ArtifactDeletedError("by ann"))
        # Then
        assert (cancelled.state, cancelled.reason_code) == (
            TransferState.CANCELLED,
            ReasonCode.DELETED,
        )
        assert latest(of.transfers, RESULTS).last_error == "by ann"
        with pytest.raises(TransferCancelledError):
            of.transfers.renew(claim)


class TestClear:
    def test_rows_and_locations_of_what_is_gone_are_removed(self, of: Repositories) -> None:
        # Given
        of.transfers.record(claimed(of), stored_artifact(RESULTS), LOCATION)
        of.transfers.record(claimed(of, CONFIG), stored_artifact(CONFIG), LOCATION)
        results = of.artifacts.find(RESULTS)
        location = of.location(RESULTS)
        assert results is not None
        assert location is not None
        lay(of, OF_RUN)
        # When
        of.tombstones.clear([OF_RUN], [results], {RESULTS: location}, is_complete=True)
        # Then
        assert of.artifacts.find(RESULTS) is None
        assert of.location(RESULTS) is None
        assert of.artifacts.find(CONFIG) is not None
        assert of.location(CONFIG) == LOCATION.sanitized

    def test_what_changed_since_is_left(self, of: Repositories) -> None:
        # Given
        of.transfers.record(claimed(of), stored_artifact(RESULTS), LOCATION)
        kept = of.artifacts.find(RESULTS)
        assert kept is not None
        other = replace(kept, object=replace(kept.object, version='"other"'))
        lay(of, OF_RUN)
        # When
        of.tombstones.clear([OF_RUN], [other], {RESULTS: "s3://elsewhere"}, is_complete=False)
        # Then
        assert of.artifacts.find(RESULTS) == kept
        assert of.location(RESULTS) == LOCATION.sanitized


LOGS_OF_4 = Artifact(ArtifactKind.RUN_LOGS, 12, 4)


def claim_page_after(of: Repositories) -> list[ClaimedUpload]:
    """Claim as a page, once the transfer that is claimed has ended."""
    of.transfers.cancel(12, None, None)
    return claim_page(of)


class TestExpected:
    """A deletion of artifacts that must be as they were found."""

    def lay(self, of: Repositories, *expected: StoredArtifact) -> None:
        scopes = [replace(ALL, run_id=4, kind=each.artifact.kind) for each in expected]
        of.tombstones.lay(
            scopes, deleted_by="ann", reason=None, all_versions=False, expected=expected
        )

    def recorded(self, of: Repositories, **changes: object) -> StoredArtifact:
        return of.artifacts.record(stored_artifact(RESULTS, **changes), LOCATION, None)

    def test_what_is_as_expected_is_deleted(self, of: Repositories) -> None:
        self.lay(of, self.recorded(of))
        assert [row.kind for row in of.tombstones.of_job(12)] == [RESULTS.kind]

    def test_what_was_stored_again_is_left(self, of: Repositories) -> None:
        # Given the same object, recorded at another time
        stored = self.recorded(of)
        assert of.artifacts.replace(replace(stored, stored_at=None), stored)
        # When, Then
        with pytest.raises(ObjectReplacedError, match=r"run_results of job 12 run 4: its record"):
            self.lay(of, stored)
        assert of.tombstones.of_job(12) == []

    def test_what_is_gone_is_left(self, of: Repositories) -> None:
        with pytest.raises(ObjectReplacedError):
            self.lay(of, stored_artifact(RESULTS))

    def test_what_has_an_active_transfer_is_left(self, of: Repositories) -> None:
        stored = self.recorded(of)
        of.transfers.request(RESULTS, UPLOAD, "again")
        with pytest.raises(ObjectReplacedError, match="it has an active transfer"):
            self.lay(of, stored)
        assert of.tombstones.of_job(12) == []

    def test_a_transfer_of_another_artifact_does_no_harm(self, of: Repositories) -> None:
        stored = self.recorded(of)
        of.transfers.request(CONFIG, UPLOAD, "config")
        self.lay(of, stored)

    def test_what_is_of_another_job_with_this_id_is_left(self, of: Repositories) -> None:
        stored = self.recorded(of)
        scope = replace(ALL, directory="jobs/12/2026/01/01/000000/")
        with pytest.raises(ObjectReplacedError, match="another job that had this id"):
            of.tombstones.lay(
                [scope], deleted_by="ann", reason=None, all_versions=False, expected=[stored]
            )
