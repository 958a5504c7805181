"""What every transfer repository promises: one suite, run over each adapter."""

import pytest

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from tests.contract.transfer_dispatch_contract import DispatchContract
from tests.contract.transfer_steps import (
    AT_ONCE,
    CONFIG,
    HOUR,
    LOCATION,
    LOGS,
    RESULTS,
    UPLOAD,
    Write,
    at_once,
    claim_of,
    claimed,
    every_end,
    is_utc,
    latest,
    stored_artifact,
)
from tests.contract.transfer_writes_contract import WriteContract


class RequestContract:
    def test_a_request_is_recorded_and_waits_for_its_claim(
        self, transfers: ITransferRepository
    ) -> None:
        transfer = transfers.request(RESULTS, UPLOAD, "a")
        assert transfer == latest(transfers)
        assert (transfer.artifact, transfer.direction) == (RESULTS, UPLOAD)
        assert (transfer.request_id, transfer.state) == ("a", TransferState.REQUESTED)
        assert (transfer.attempts, transfer.fence, transfer.enqueued_at) == (0, 0, None)
        assert is_utc(transfer.requested_at)
        assert is_utc(transfer.next_attempt_at)

    def test_who_asked_first_is_recorded(self, transfers: ITransferRepository) -> None:
        assert transfers.request(RESULTS, UPLOAD, "a", "42").requested_by == "42"
        assert transfers.request(RESULTS, UPLOAD, "b", "alice").requested_by == "42"
        assert transfers.request(CONFIG, UPLOAD, "c").requested_by is None
        assert transfers.expect(RESULTS, "d", HOUR, "alice").requested_by == "alice"
        assert [each.requested_by for each in transfers.of_job(12)] == ["42", None, "alice"]

    @pytest.mark.parametrize("artifact", [RESULTS, CONFIG], ids=str)
    def test_asking_again_while_one_is_active_returns_that_one(
        self, transfers: ITransferRepository, artifact: Artifact
    ) -> None:
        # Given one requested, then running, then waiting
        first = transfers.request(artifact, UPLOAD, "a")
        assert transfers.request(artifact, UPLOAD, "b").id == first.id
        claim = claimed(transfers, artifact)
        assert transfers.request(artifact, UPLOAD, "c").id == first.id
        transfers.wait(claim, StoreUnavailableError(), HOUR)
        assert transfers.request(artifact, UPLOAD, "d").id == first.id

    @every_end
    def test_asking_again_after_the_end_makes_a_new_transfer(
        self, transfers: ITransferRepository, end: Write
    ) -> None:
        ended = claimed(transfers)
        end(transfers, ended)
        again = transfers.request(RESULTS, UPLOAD, "b")
        assert again.id != ended.transfer_id
        assert again.state is TransferState.REQUESTED
        assert latest(transfers) == again

    def test_the_same_request_after_its_end_makes_none(
        self, transfers: ITransferRepository
    ) -> None:
        ended = claimed(transfers)
        transfers.record(ended, stored_artifact(RESULTS), LOCATION)
        assert transfers.request(RESULTS, UPLOAD, "a").id == ended.transfer_id

    def test_one_request_id_for_two_artifacts_is_two_transfers(
        self, transfers: ITransferRepository
    ) -> None:
        ids = {transfers.request(artifact, UPLOAD, "a").id for artifact in (CONFIG, *LOGS)}
        assert len(ids) == 6

    def test_the_directions_do_not_meet(self, transfers: ITransferRepository) -> None:
        upload = transfers.request(RESULTS, UPLOAD, "a")
        assert transfers.latest(RESULTS, Direction.DOWNLOAD) is None
        download = transfers.request(RESULTS, Direction.DOWNLOAD, "a")
        assert download.id != upload.id
        assert (latest(transfers), transfers.latest(RESULTS, Direction.DOWNLOAD)) == (
            upload,
            download,
        )

    def test_nothing_is_latest_of_what_was_never_requested(
        self, transfers: ITransferRepository
    ) -> None:
        transfers.request(RESULTS, UPLOAD, "a")
        assert transfers.latest(CONFIG, UPLOAD) is None

    @pytest.mark.parametrize("artifact", [RESULTS, CONFIG], ids=str)
    def test_ten_requests_at_once_are_one_transfer(
        self, transfers: ITransferRepository, artifact: Artifact
    ) -> None:
        ids = at_once(lambda number: transfers.request(artifact, UPLOAD, f"r{number}").id)
        assert len(set(ids)) == 1


class ClaimContract:
    def test_a_claim_takes_the_lease_and_counts_the_attempt(
        self, transfers: ITransferRepository
    ) -> None:
        requested = transfers.request(RESULTS, UPLOAD, "a")
        claim = claimed(transfers)
        running = latest(transfers)
        assert (claim.transfer_id, claim.artifact, claim.direction) == (
            requested.id,
            RESULTS,
            UPLOAD,
        )
        assert (claim.owner, claim.lease, claim.upload_id) == ("worker-1", HOUR, None)
        assert (claim.attempt, claim.fence) == (1, requested.fence + 1)
        assert (running.state, running.attempts) == (TransferState.RUNNING, 1)
        assert (running.lease_owner, running.fence) == ("worker-1", claim.fence)
        assert is_utc(running.lease_expires_at)
        assert is_utc(running.claimed_at)
        assert requested.claimed_at is None

    def test_a_claim_records_the_request_if_nobody_has(
        self, transfers: ITransferRepository
    ) -> None:
        claim = claimed(transfers, request_id="sent by hand")
        assert latest(transfers).id == claim.transfer_id
        assert latest(transfers).request_id == "sent by hand"

    def test_an_unknown_request_works_on_the_transfer_that_is_active(
        self, transfers: ITransferRepository
    ) -> None:
        requested = transfers.request(RESULTS, UPLOAD, "a")
        assert claimed(transfers, request_id="b").transfer_id == requested.id
        assert latest(transfers).request_id == "a"

    @pytest.mark.parametrize("request_id", ["a", "b"], ids=["duplicate", "other request"])
    def test_what_another_worker_holds_is_not_claimed(
        self, transfers: ITransferRepository, request_id: str
    ) -> None:
        claimed(transfers)
        held = latest(transfers)
        assert claim_of(transfers, request_id=request_id, owner="worker-2") is None
        assert latest(transfers) == held

    def test_a_lease_that_has_run_out_is_taken_over(self, transfers: ITransferRepository) -> None:
        first = claimed(transfers, lease=AT_ONCE)
        second = claimed(transfers, owner="worker-2")
        assert second.transfer_id == first.transfer_id
        assert (second.fence, second.attempt) == (first.fence + 1, 2)
        assert latest(transfers).lease_owner == "worker-2"

    def test_the_next_attempt_is_claimed_once_it_is_due(
        self, transfers: ITransferRepository
    ) -> None:
        transfers.wait(claimed(transfers), StoreUnavailableError(), AT_ONCE)
        again = claimed(transfers)
        assert again.attempt == 2
        transfers.wait(again, StoreUnavailableError(), HOUR)
        assert claim_of(transfers) is None
        assert claim_of(transfers, request_id="b") is None

    @every_end
    def test_a_duplicate_after_the_end_changes_nothing(
        self, transfers: ITransferRepository, end: Write
    ) -> None:
        # Given an ended transfer, then another one of the same artifact
        end(transfers, claimed(transfers))
        ended = latest(transfers)
        assert claim_of(transfers) is None
        assert latest(transfers) == ended
        another = transfers.request(RESULTS, UPLOAD, "b")
        assert claim_of(transfers) is None
        assert latest(transfers) == another

    def test_claiming_leaves_the_mark_of_the_message(self, transfers: ITransferRepository) -> None:
        claimed(transfers)
        assert latest(transfers).enqueued_at is None

    def test_ten_workers_with_one_message_make_one_claim(
        self, transfers: ITransferRepository
    ) -> None:
        transfers.request(RESULTS, UPLOAD, "a")
        claims = at_once(lambda number: claim_of(transfers, owner=f"worker-{number}"))
        assert sum(claim is not None for claim in claims) == 1
        assert latest(transfers).attempts == 1

    @pytest.mark.parametrize("artifact", [RESULTS, CONFIG], ids=str)
    def test_ten_requests_for_one_artifact_make_one_claim(
        self, transfers: ITransferRepository, artifact: Artifact
    ) -> None:
        claims = at_once(lambda number: claim_of(transfers, artifact, f"request-{number}"))
        assert sum(claim is not None for claim in claims) == 1
        assert latest(transfers, artifact).attempts == 1

    def test_ten_workers_take_an_abandoned_transfer_over_once(
        self, transfers: ITransferRepository
    ) -> None:
        claimed(transfers, lease=AT_ONCE)
        claims = at_once(lambda number: claim_of(transfers, owner=f"worker-{number}"))
        assert sum(claim is not None for claim in claims) == 1


class TransferRepositoryContract(RequestContract, ClaimContract, WriteContract, DispatchContract):
    """The whole suite.

    The class that inherits it, or its module, supplies the fixtures `transfers`, `artifacts` and
    `location`, over a repository that is empty at each test and a platform that has job 12
    with its runs 1 to 5. An adapter goes by a clock of its own, so the times here are only "at
    once" and "not in this test".
    """
