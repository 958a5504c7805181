"""What becomes of transfers that are cancelled, postponed, or looked up by their uploads."""

import pytest

from artifact_pipeline.domain.errors import (
    LeaseLostError,
    StoreUnavailableError,
    TransferCancelledError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from tests.contract.transfer_steps import (
    AT_ONCE,
    CONFIG,
    HOUR,
    LOGS,
    RESULTS,
    UPLOAD,
    Write,
    claim_of,
    claimed,
    every_end,
    every_write,
    latest,
    published,
)


class TransferCancellationContract:
    def test_every_active_transfer_of_the_job_ends(self, transfers: ITransferRepository) -> None:
        # Given one that runs, one that waits, one that was only requested, and one of another job
        claim_of(transfers, RESULTS, "a")
        waiting = claim_of(transfers, CONFIG, "b")
        assert waiting is not None
        transfers.wait(waiting, StoreUnavailableError(), HOUR)
        transfers.request(LOGS[0], UPLOAD, "c")
        other = Artifact(ArtifactKind.JOB_CONFIG, 13)
        transfers.request(other, UPLOAD, "d")
        # When the job's are cancelled
        cancelled = transfers.cancel(12, None, None)
        # Then they have ended, nobody holds them, and the other job's has not
        assert {transfer.artifact for transfer in cancelled} == {RESULTS, CONFIG, LOGS[0]}
        for transfer in cancelled:
            found = latest(transfers, transfer.artifact)
            assert found == transfer
            assert (found.state, found.lease_owner) == (TransferState.CANCELLED, None)
            assert found.finished_at is not None
        assert latest(transfers, other).state is TransferState.REQUESTED

    def test_a_run_or_a_kind_can_be_chosen(self, transfers: ITransferRepository) -> None:
        for artifact in (RESULTS, CONFIG, *LOGS):
            transfers.request(artifact, UPLOAD, "a")
        of_run = transfers.cancel(12, 4, None)
        assert {transfer.artifact for transfer in of_run} == {RESULTS, LOGS[3]}
        of_kind = transfers.cancel(12, None, ArtifactKind.RUN_LOGS)
        assert {transfer.artifact for transfer in of_kind} == {*LOGS} - {LOGS[3]}
        assert latest(transfers, CONFIG).state is TransferState.REQUESTED

    @every_write
    def test_its_holder_hears_of_it(self, transfers: ITransferRepository, write: Write) -> None:
        claim = claimed(transfers)
        transfers.cancel(12, None, None)
        with pytest.raises(TransferCancelledError):
            write(transfers, claim)
        assert latest(transfers).state is TransferState.CANCELLED

    def test_one_that_lost_its_lease_is_not_told_that_it_was_cancelled(
        self, transfers: ITransferRepository
    ) -> None:
        claim = claimed(transfers, lease=AT_ONCE)
        claim_of(transfers, owner="worker-2")
        with pytest.raises(LeaseLostError) as raised:
            transfers.renew(claim)
        assert type(raised.value) is LeaseLostError

    @every_end
    def test_what_has_ended_is_not_cancelled(
        self, transfers: ITransferRepository, end: Write
    ) -> None:
        end(transfers, claimed(transfers))
        assert transfers.cancel(12, None, None) == []

    def test_its_message_does_nothing_any_more(self, transfers: ITransferRepository) -> None:
        transfers.request(RESULTS, UPLOAD, "a")
        transfers.cancel(12, None, None)
        assert claim_of(transfers, RESULTS, "a") is None

    def test_the_artifact_can_be_asked_for_again(self, transfers: ITransferRepository) -> None:
        first = transfers.request(RESULTS, UPLOAD, "a")
        transfers.cancel(12, None, None)
        assert transfers.request(RESULTS, UPLOAD, "b").id != first.id

    def test_a_postponed_attempt_does_not_count(self, transfers: ITransferRepository) -> None:
        claim = claimed(transfers)
        transfers.postpone(claim, StoreUnavailableError("503"), HOUR)
        waiting = latest(transfers)
        assert (waiting.state, waiting.attempts) == (TransferState.WAITING, 0)
        assert (waiting.reason_code, waiting.last_error) == (StoreUnavailableError.reason, "503")
        assert claim_of(transfers) is None

    def test_a_transfer_is_found_by_its_multipart_upload(
        self, transfers: ITransferRepository
    ) -> None:
        transfers.keep_upload_id(claimed(transfers), "upload-1")
        found = transfers.with_uploads(["upload-1", "of somebody else"])
        assert found == [latest(transfers)]

    def test_a_claim_knows_why_the_attempt_before_failed(
        self, transfers: ITransferRepository
    ) -> None:
        first = claimed(transfers)
        assert first.reason_code is None
        transfers.wait(first, StoreUnavailableError(), AT_ONCE)
        assert claimed(transfers).reason_code is StoreUnavailableError.reason

    def test_what_the_broker_has_forgotten_is_published_again(
        self, transfers: ITransferRepository
    ) -> None:
        # Given one that the dispatch has sent, and one that its producer has
        transfers.request(CONFIG, UPLOAD, "a")
        published(transfers)
        transfers.request(RESULTS, UPLOAD, "b")
        assert published(transfers, unclaimed_after=HOUR) == []
        # When the broker remembers nothing from before this moment
        now = transfers.now()
        again = published(transfers, unclaimed_after=HOUR, broker_epoch=now)
        assert {transfer.artifact for transfer in again} == {CONFIG, RESULTS}
        # Then once only
        assert published(transfers, unclaimed_after=HOUR, broker_epoch=now) == []

    def test_a_clock_that_went_back_sends_nothing_again_and_again(
        self, transfers: ITransferRepository
    ) -> None:
        transfers.request(CONFIG, UPLOAD, "a")
        ahead = transfers.now() + HOUR
        assert len(published(transfers, unclaimed_after=HOUR, broker_epoch=ahead)) == 1
        assert published(transfers, unclaimed_after=HOUR, broker_epoch=ahead) == []
