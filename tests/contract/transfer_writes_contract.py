"""The transfer contract, continued: what the holder of a claim writes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from artifact_pipeline.domain.errors import (
    LeaseLostError,
    SourceMissingError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from artifact_pipeline.domain.reasons import ReasonCode
from tests.contract.transfer_steps import (
    AT_ONCE,
    CONFIG,
    HOUR,
    LOCATION,
    LOGS,
    RESULTS,
    Write,
    at_once,
    claim_of,
    claimed,
    every_end,
    every_write,
    is_utc,
    latest,
    published,
    stored_artifact,
)


class WriteContract:
    def test_a_renewed_lease_lasts_its_full_time_again(
        self, transfers: ITransferRepository
    ) -> None:
        # Given a lease that has run out, and that nobody has taken over
        claim = claimed(transfers, lease=AT_ONCE)
        transfers.renew(replace(claim, lease=HOUR))
        assert claim_of(transfers, owner="worker-2") is None

    @pytest.mark.parametrize("interruption", ["wait", "loss"])
    def test_another_worker_goes_on_with_the_multipart_upload(
        self, transfers: ITransferRepository, interruption: str
    ) -> None:
        claim = claimed(transfers, lease=AT_ONCE)
        transfers.keep_upload_id(claim, "upload-1")
        if interruption == "wait":
            transfers.wait(claim, StoreUnavailableError(), AT_ONCE)
        assert claimed(transfers, owner="worker-2").upload_id == "upload-1"

    def test_waiting_gives_the_lease_back_and_says_why(
        self, transfers: ITransferRepository
    ) -> None:
        # Given a transfer that was published and claimed
        published(transfers)
        claim = claimed(transfers)
        published(transfers)
        transfers.wait(claim, StoreUnavailableError("GET https://s3/k?sig=abc\n503"), HOUR)
        waiting = latest(transfers)
        assert waiting.state is TransferState.WAITING
        assert (waiting.reason_code, waiting.last_error) == (
            ReasonCode.STORE_UNAVAILABLE,
            "GET <url> 503",
        )
        assert (waiting.lease_owner, waiting.lease_expires_at) == (None, None)
        assert (waiting.enqueued_at, waiting.finished_at) == (None, None)
        later = waiting.next_attempt_at - waiting.requested_at
        assert HOUR <= later < 2 * HOUR

    def test_quarantine_ends_the_transfer_with_its_reason(
        self, transfers: ITransferRepository
    ) -> None:
        transfers.quarantine(claimed(transfers), SourceMissingError("no '/work/x.zip'"))
        ended = latest(transfers)
        assert ended.state is TransferState.QUARANTINED
        assert (ended.reason_code, ended.last_error) == (
            ReasonCode.SOURCE_MISSING,
            "no <path>",
        )
        assert is_utc(ended.finished_at)

    def test_record_ends_the_transfer_as_done(self, transfers: ITransferRepository) -> None:
        # Given an attempt that failed, and a second one that began a multipart upload
        transfers.wait(claimed(transfers), StoreUnavailableError(), AT_ONCE)
        claim = claimed(transfers)
        transfers.keep_upload_id(claim, "upload-1")
        stored = stored_artifact(RESULTS)
        sent = replace(stored, object=replace(stored.object, bytes_sent=3_000_000_000))
        transfers.record(claim, sent, LOCATION)
        done = latest(transfers)
        assert (done.id, done.state) == (claim.transfer_id, TransferState.DONE)
        assert (done.attempts, done.bytes_sent) == (2, 3_000_000_000)
        assert (done.reason_code, done.last_error, done.upload_id) == (None, None, None)
        assert is_utc(done.finished_at)

    @pytest.mark.parametrize("artifact", [RESULTS, CONFIG], ids=str)
    def test_record_writes_the_artifact(
        self, transfers: ITransferRepository, artifacts: IArtifactRepository, artifact: Artifact
    ) -> None:
        assert artifacts.find(artifact) is None
        stored = stored_artifact(artifact)
        transfers.record(claimed(transfers, artifact), stored, LOCATION)
        assert artifacts.find(artifact) == stored
        assert artifacts.find(LOGS[0]) is None

    def test_the_moment_of_storing_is_kept_to_the_second_in_utc(
        self, transfers: ITransferRepository, artifacts: IArtifactRepository
    ) -> None:
        moment = datetime(2025, 10, 23, 21, 15, 1, 987_654, tzinfo=UTC)
        stored = stored_artifact(RESULTS, stored_at=moment)
        transfers.record(claimed(transfers), stored, LOCATION)
        found = artifacts.find(RESULTS)
        assert found is not None
        assert is_utc(found.stored_at)
        assert abs(found.recorded_at - moment) < timedelta(seconds=1)

    def test_the_repository_s_own_clock_says_when_it_was_stored(
        self, transfers: ITransferRepository, artifacts: IArtifactRepository
    ) -> None:
        # Given an artifact that names no moment
        stored = stored_artifact(RESULTS, stored_at=None)
        # When it is recorded
        before = transfers.now()
        transfers.record(claimed(transfers), stored, LOCATION)
        # Then it has one, between two looks at the clock of all the other times
        found = artifacts.find(RESULTS)
        assert found is not None
        assert before <= found.recorded_at <= transfers.now()

    def test_recording_again_replaces_what_was_known(
        self, transfers: ITransferRepository, artifacts: IArtifactRepository
    ) -> None:
        first = stored_artifact(RESULTS, scheme=Scheme.LEGACY)
        transfers.record(claimed(transfers), first, LOCATION)
        smaller = replace(first.object, size=1, sha256="cd" * 32, version_id=None)
        second = stored_artifact(RESULTS, object=smaller, links_left_out=0)
        transfers.record(claimed(transfers, request_id="b"), second, LOCATION)
        assert artifacts.find(RESULTS) == second

    @pytest.mark.parametrize("kind", [k for k in ArtifactKind if k.spec.column])
    def test_recording_tells_the_platform_where_the_artifact_is(
        self,
        transfers: ITransferRepository,
        location: Callable[[Artifact], str | None],
        kind: ArtifactKind,
    ) -> None:
        # Given another kind that is recorded, which the platform has no column for
        transfers.record(claimed(transfers, LOGS[3]), stored_artifact(LOGS[3]), LOCATION)
        artifact = Artifact(kind, 12, 4 if kind.belongs_to_run else None)
        assert location(artifact) is None
        # When
        transfers.record(claimed(transfers, artifact), stored_artifact(artifact), LOCATION)
        # Then, and its sibling is left alone
        assert location(artifact) == LOCATION.sanitized
        sibling = 5 if kind.belongs_to_run else None
        assert sibling is None or location(Artifact(kind, 12, sibling)) is None

    @every_write
    def test_a_late_worker_with_an_old_fence_writes_nothing(
        self, transfers: ITransferRepository, artifacts: IArtifactRepository, write: Write
    ) -> None:
        late = claimed(transfers, lease=AT_ONCE)
        claimed(transfers, owner="worker-2")
        held = latest(transfers)
        with pytest.raises(LeaseLostError):
            write(transfers, late)
        assert latest(transfers) == held
        assert artifacts.find(RESULTS) is None

    @every_write
    def test_a_worker_that_gave_its_lease_back_writes_nothing(
        self, transfers: ITransferRepository, artifacts: IArtifactRepository, write: Write
    ) -> None:
        claim = claimed(transfers)
        transfers.wait(claim, StoreUnavailableError(), HOUR)
        waiting = latest(transfers)
        with pytest.raises(LeaseLostError):
            write(transfers, claim)
        assert latest(transfers) == waiting
        assert artifacts.find(RESULTS) is None

    @every_end
    @every_write
    def test_nothing_is_written_to_a_transfer_that_has_ended(
        self, transfers: ITransferRepository, end: Write, write: Write
    ) -> None:
        claim = claimed(transfers)
        end(transfers, claim)
        ended = latest(transfers)
        with pytest.raises(LeaseLostError):
            write(transfers, claim)
        assert latest(transfers) == ended

    def test_ten_records_at_once_are_one(self, transfers: ITransferRepository) -> None:
        claim = claimed(transfers)

        def records(_: int) -> bool:
            try:
                transfers.record(claim, stored_artifact(RESULTS), LOCATION)
            except LeaseLostError:
                return False
            return True

        assert sum(at_once(records)) == 1
