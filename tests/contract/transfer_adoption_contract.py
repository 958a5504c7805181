"""The transfer contract, continued: what is in the bucket already, and what is merely fetched."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import (
    ObjectReplacedError,
    StoreUnavailableError,
    UploadAwaitedError,
)
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Claim, Direction, Transfer, TransferState
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from tests.contract.transfer_steps import (
    AT_ONCE,
    CONFIG,
    HOUR,
    LOCATION,
    LOGS,
    LONG_AGO,
    RESULTS,
    claimed,
    latest,
    published,
    stored_artifact,
)

INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
OF_ANOTHER_JOB = Artifact(ArtifactKind.JOB_CONFIG, 13)


class RequestedByIdContract:
    def test_a_transfer_is_known_by_its_request(self, transfers: ITransferRepository) -> None:
        asked = transfers.request(CONFIG, Direction.RELOCATE, "a")
        assert transfers.of_request("a", 12, Direction.RELOCATE) == asked
        assert transfers.of_request("a", 12, Direction.CONFIRM) is None
        assert transfers.of_request("a", 13, Direction.RELOCATE) is None
        assert transfers.of_request("b", 12, Direction.RELOCATE) is None


class ExpectationContract:
    def test_what_is_expected_is_not_due_yet(self, transfers: ITransferRepository) -> None:
        expected = transfers.expect(CONFIG, "a", HOUR)
        assert expected.state is TransferState.REQUESTED
        assert expected.next_attempt_at - expected.requested_at == HOUR
        assert published(transfers) == []
        assert confirm(transfers, CONFIG, "a") is None

    def test_expecting_again_puts_the_active_one_off(self, transfers: ITransferRepository) -> None:
        first = transfers.expect(CONFIG, "a", AT_ONCE)
        again = transfers.expect(CONFIG, "b", HOUR)
        assert (again.id, again.request_id) == (first.id, "a")
        assert again.requested_at >= first.requested_at
        assert again.next_attempt_at - again.requested_at == HOUR

    def test_a_claim_says_when_it_was_asked_for(self, transfers: ITransferRepository) -> None:
        expected = transfers.expect(CONFIG, "a", AT_ONCE)
        claim = confirm(transfers, CONFIG, "a")
        assert claim is not None
        assert claim.requested_at == expected.requested_at > LONG_AGO


class HasteContract:
    def test_what_is_hastened_is_due_at_once(self, transfers: ITransferRepository) -> None:
        expected = transfers.expect(CONFIG, "a", HOUR)
        assert ids(transfers.make_due(Direction.CONFIRM, 12, None)) == [expected.id]
        assert [transfer.id for transfer in published(transfers)] == [expected.id]
        assert confirm(transfers, CONFIG, "a") is not None

    def test_only_those_of_the_job_or_of_the_run_are(self, transfers: ITransferRepository) -> None:
        # Given transfers of the job, of two runs, of another job, and of another direction
        of_job = [transfers.expect(each, "a", HOUR) for each in (CONFIG, INPUT)]
        of_runs = [transfers.expect(each, "a", HOUR) for each in LOGS[:2]]
        transfers.expect(OF_ANOTHER_JOB, "a", HOUR)
        transfers.request(RESULTS, Direction.UPLOAD, "a")
        assert ids(transfers.make_due(Direction.CONFIRM, 12, None)) == ids(of_job)
        assert ids(transfers.make_due(Direction.CONFIRM, 12, 1)) == ids(of_runs[:1])

    def test_one_that_found_nothing_yet_is_hastened_again(
        self, transfers: ITransferRepository
    ) -> None:
        transfers.expect(CONFIG, "a", AT_ONCE)
        claim = confirm(transfers, CONFIG, "a")
        assert claim is not None
        transfers.postpone(claim, UploadAwaitedError(), HOUR)
        transfers.make_due(Direction.CONFIRM, 12, None)
        assert confirm(transfers, CONFIG, "a") is not None

    def test_one_whose_attempt_failed_keeps_its_backoff(
        self, transfers: ITransferRepository
    ) -> None:
        transfers.expect(CONFIG, "a", AT_ONCE)
        claim = confirm(transfers, CONFIG, "a")
        assert claim is not None
        transfers.wait(claim, StoreUnavailableError(), HOUR)
        assert len(transfers.make_due(Direction.CONFIRM, 12, None)) == 1
        assert confirm(transfers, CONFIG, "a") is None

    def test_all_that_were_not_tried_are_hastened(self, transfers: ITransferRepository) -> None:
        # Given one that is expected, one that was looked for, and an upload that was asked for
        expected = transfers.expect(CONFIG, "a", HOUR)
        transfers.expect(INPUT, "a", AT_ONCE)
        claim = confirm(transfers, INPUT, "a")
        assert claim is not None
        transfers.postpone(claim, UploadAwaitedError(), HOUR)
        transfers.request(RESULTS, Direction.UPLOAD, "a")
        assert transfers.make_untried_due(Direction.CONFIRM) == 1
        assert ids(published(transfers))[:1] == [expected.id]
        assert confirm(transfers, INPUT, "a") is None

    def test_one_that_runs_is_left_alone(self, transfers: ITransferRepository) -> None:
        transfers.expect(CONFIG, "a", AT_ONCE)
        claim = confirm(transfers, CONFIG, "a")
        assert claim is not None
        (running,) = transfers.make_due(Direction.CONFIRM, 12, None)
        assert running.state is TransferState.RUNNING
        transfers.renew(claim)


class AdoptionContract:
    def test_what_was_found_is_recorded(
        self,
        transfers: ITransferRepository,
        artifacts: IArtifactRepository,
        location: Callable[[Artifact], str | None],
    ) -> None:
        stored = stored_artifact(CONFIG)
        transfers.adopt(claimed(transfers, CONFIG), stored, LOCATION, None)
        assert latest(transfers, CONFIG).state is TransferState.DONE
        assert artifacts.find(CONFIG) == stored
        assert location(CONFIG) == LOCATION.sanitized

    @pytest.mark.parametrize("artifact", [RESULTS, LOGS[0]], ids=str)
    def test_it_replaces_what_was_known(
        self, transfers: ITransferRepository, artifacts: IArtifactRepository, artifact: Artifact
    ) -> None:
        known = stored_artifact(artifact)
        transfers.record(claimed(transfers, artifact), known, LOCATION)
        stored = anew(known)
        transfers.adopt(claimed(transfers, artifact, "b"), stored, LOCATION, known)
        assert artifacts.find(artifact) == stored

    @pytest.mark.parametrize("known", [stored_artifact(CONFIG), None], ids=["known", "unknown"])
    def test_what_was_recorded_since_is_kept(
        self,
        transfers: ITransferRepository,
        artifacts: IArtifactRepository,
        known: StoredArtifact | None,
    ) -> None:
        # Given something that was recorded after the look at what there is
        since = anew(stored_artifact(CONFIG))
        transfers.record(claimed(transfers, CONFIG), since, LOCATION)
        claim = claimed(transfers, CONFIG, "b")
        with pytest.raises(ObjectReplacedError):
            transfers.adopt(claim, stored_artifact(CONFIG), LOCATION, known)
        # Then nothing is written, and the transfer goes on
        assert artifacts.find(CONFIG) == since
        transfers.renew(claim)


class FinishContract:
    def test_a_finished_transfer_is_done_and_nothing_is_recorded(
        self, transfers: ITransferRepository, artifacts: IArtifactRepository
    ) -> None:
        transfers.finish(claimed(transfers, RESULTS), 5)
        done = latest(transfers, RESULTS)
        assert (done.state, done.bytes_sent) == (TransferState.DONE, 5)
        assert (done.lease_owner, done.reason_code) == (None, None)
        assert artifacts.find(RESULTS) is None


class TransferAdoptionContract(
    RequestedByIdContract, ExpectationContract, HasteContract, AdoptionContract, FinishContract
):
    """Its fixtures are those of `TransferRepositoryContract`."""


def confirm(transfers: ITransferRepository, artifact: Artifact, request_id: str) -> Claim | None:
    return transfers.claim(
        artifact, Direction.CONFIRM, request_id, owner="worker-1", lease=timedelta(hours=1)
    )


def anew(stored: StoredArtifact) -> StoredArtifact:
    return replace(stored, object=replace(stored.object, version='"4567"', size=1))


def ids(transfers: list[Transfer]) -> list[int]:
    return [transfer.id for transfer in transfers]
