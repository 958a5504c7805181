"""What a repository keeps of attempts that ended without success."""

from artifact_pipeline.domain.errors import (
    RevokedError,
    SourceMissingError,
    StoreBreakerOpenError,
    StoreUnavailableError,
    UploadAwaitedError,
)
from artifact_pipeline.domain.model.attempts import (
    MAX_PAST_ATTEMPTS,
    Attempt,
    AttemptEnd,
    parse_attempts,
)
from artifact_pipeline.domain.model.quarantine import QuarantineFilter
from artifact_pipeline.domain.model.transfers import TransferState
from tests.contract.repositories import Repositories
from tests.contract.transfer_steps import (
    AT_ONCE,
    LOCATION,
    RESULTS,
    claimed,
    latest,
    stored_artifact,
)

HOSTILE = 'no "answer"\n[1, 2]\\\t<b>\x00\u202e\ud800 at https://user:pw@s3/k?sig=abc, token=s3cr3t'


def kept(repositories: Repositories) -> tuple[Attempt, ...]:
    return parse_attempts(latest(repositories.transfers).past_attempts)


class PastAttemptsContract:
    def test_the_attempts_before_the_last_are_kept(self, repositories: Repositories) -> None:
        # Given one that a worker lost, one that failed, and one that was given back
        transfers = repositories.transfers
        before = transfers.now()
        killed = claimed(transfers, owner="host-a:1:2", lease=AT_ONCE)
        failing = claimed(transfers, owner="host-b:1:2")
        transfers.wait(failing, StoreUnavailableError("no answer"), AT_ONCE)
        claimed(transfers, owner="host-c:1:2")
        transfers.release_leases("host-c:1")
        # When
        last = claimed(transfers)
        transfers.record(last, stored_artifact(RESULTS), LOCATION)
        # Then
        lost, failed, released = kept(repositories)
        assert (lost.number, lost.end, lost.worker) == (1, AttemptEnd.LOST, "host-a:1:2")
        assert (lost.began_at, lost.why) == (killed.claimed_at, None)
        assert (failed.number, failed.end, failed.worker) == (2, AttemptEnd.FAILED, "host-b:1:2")
        assert (failed.began_at, failed.why) == (failing.claimed_at, "s3_unavailable: no answer")
        assert (released.number, released.end) == (3, AttemptEnd.RELEASED)
        assert (released.worker, released.why, last.attempt) == ("host-c:1:2", None, 3)
        ends = [lost.ended_at, failed.ended_at, released.ended_at]
        assert before <= ends[0] <= ends[1] <= ends[2] <= transfers.now()

    def test_what_is_no_failed_attempt_is_not_kept(self, repositories: Repositories) -> None:
        # Given one that waits for its client, then for the circuit, and is then cancelled
        transfers = repositories.transfers
        transfers.wait(claimed(transfers), UploadAwaitedError(), AT_ONCE)
        transfers.postpone(claimed(transfers), StoreBreakerOpenError(), AT_ONCE)
        transfers.cancel(12, None, None, RevokedError())
        assert latest(transfers).past_attempts is None
        # And a success at once
        transfers.record(claimed(transfers, request_id="b"), stored_artifact(RESULTS), LOCATION)
        assert latest(transfers).past_attempts is None

    def test_the_last_ones_are_kept_in_whole_lines(self, repositories: Repositories) -> None:
        # Given more than there is space for, with text that tries to leave its line
        transfers = repositories.transfers
        for _ in range(30):
            error = StoreUnavailableError(HOSTILE + "é" * 300)
            transfers.wait(claimed(transfers), error, AT_ONCE)
        # When
        transfers.quarantine(claimed(transfers), SourceMissingError("no\nfile"))
        # Then
        ended = latest(transfers)
        assert len(ended.past_attempts or "") == MAX_PAST_ATTEMPTS
        attempts = parse_attempts(ended.past_attempts)
        numbers = [each.number for each in attempts]
        assert numbers == list(range(32 - len(numbers), 32))
        assert 8 < len(numbers) < 30
        assert {each.error for each in attempts[:-1]} == {attempts[0].error}
        said = attempts[0].error or ""
        assert said.startswith('no "answer" [1, 2]\\ <b>')
        assert "s3cr3t" not in said
        assert "pw@" not in said
        assert attempts[-1].why == "source_missing: no file"
        # And a retry begins a new count, so nothing is kept of what was before
        repositories.quarantine.retry(QuarantineFilter())
        assert (latest(transfers).state, kept(repositories)) == (TransferState.REQUESTED, ())
