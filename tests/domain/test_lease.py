"""The keeper of a lease, on a real thread and leases of fractions of a second."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from itertools import count
from types import SimpleNamespace

import pytest

from artifact_pipeline.domain.errors import LeaseLostError, SqlUnavailableError
from artifact_pipeline.domain.fakes import InMemoryArtifacts, InMemoryTransfers
from artifact_pipeline.domain.model.transfers import Claim, Direction
from artifact_pipeline.domain.transfers.lease import LeaseKeeper
from tests.domain.world import CONFIG

PATIENCE = 10
LEASE = timedelta(seconds=0.09)


class Renewals(InMemoryTransfers):
    """Renewals that can be waited for, and that first go as they were told: None is well."""

    def __init__(self, *outcomes: Exception | None) -> None:
        super().__init__(InMemoryArtifacts())
        self.outcomes = list(outcomes)
        self.succeeded = threading.Semaphore(0)

    def renew(self, claim: Claim) -> None:
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome:
            raise outcome
        super().renew(claim)
        self.succeeded.release()


class NoRenewals(InMemoryTransfers):
    def renew(self, claim: Claim) -> None:
        raise SqlUnavailableError(f"{claim.owner}: postgresql://user:secret@db/platform is away")


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the lease is, it is renewed without a wait."""
    monkeypatch.setattr("artifact_pipeline.domain.transfers.lease._LONGEST_INTERVAL_SECONDS", 0.01)


def claimed(transfers: InMemoryTransfers, lease: timedelta = LEASE) -> Claim:
    claim = transfers.claim(CONFIG, Direction.UPLOAD, "a", owner="worker-1", lease=lease)
    assert claim is not None
    return claim


def test_the_lease_is_renewed_again_and_again() -> None:
    transfers = Renewals()
    with LeaseKeeper(transfers, claimed(transfers)) as keeper:
        for _ in range(3):
            assert transfers.succeeded.acquire(timeout=PATIENCE)
        keeper.checkpoint()


def test_nothing_is_renewed_after_the_end() -> None:
    transfers = Renewals()
    before = set(threading.enumerate())
    with LeaseKeeper(transfers, claimed(transfers)):
        assert len(set(threading.enumerate()) - before) == 1
    assert set(threading.enumerate()) <= before


def test_the_end_does_not_wait_for_the_next_renewal() -> None:
    transfers = Renewals()
    started = time.monotonic()
    with LeaseKeeper(transfers, claimed(transfers, timedelta(hours=1))):
        pass
    assert time.monotonic() - started < PATIENCE


def test_a_risen_fence_stops_the_work_at_its_next_checkpoint() -> None:
    transfers = Renewals()
    claim = claimed(transfers)
    with LeaseKeeper(transfers, replace(claim, fence=claim.fence - 1)) as keeper:
        keeper._thread.join(PATIENCE)
        with pytest.raises(LeaseLostError):
            keeper.checkpoint()


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("failure", [SqlUnavailableError(), RuntimeError("unknown")], ids=repr)
def test_a_renewal_that_fails_once_is_tried_again(failure: Exception) -> None:
    transfers = Renewals(failure)
    with LeaseKeeper(transfers, claimed(transfers, timedelta(hours=1))) as keeper:
        assert transfers.succeeded.acquire(timeout=PATIENCE)
        keeper.checkpoint()


@pytest.mark.usefixtures("often")
def test_each_renewal_gives_the_next_ones_a_full_lease_of_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a clock that advances by a third of the lease at each renewal
    lease = timedelta(hours=1)
    clock = count(0, lease.total_seconds() / 3)
    now = [next(clock)]
    monkeypatch.setattr(
        "artifact_pipeline.domain.transfers.lease.time", SimpleNamespace(monotonic=lambda: now[0])
    )

    class OnThatClock(Renewals):
        def renew(self, claim: Claim) -> None:
            now[0] = next(clock)
            super().renew(claim)

    # And renewals that go well for longer than one lease, before one fails
    transfers = OnThatClock(None, None, None, None, SqlUnavailableError())
    with LeaseKeeper(transfers, claimed(transfers, lease)) as keeper:
        for _ in range(5):
            # When
            assert transfers.succeeded.acquire(timeout=PATIENCE)
        # Then
        keeper.checkpoint()


def test_renewals_that_keep_failing_are_tolerated_until_the_lease_has_run_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    transfers = NoRenewals(InMemoryArtifacts())
    started = time.monotonic()
    with LeaseKeeper(transfers, claimed(transfers)) as keeper:
        keeper._thread.join(PATIENCE)
        assert time.monotonic() - started >= LEASE.total_seconds()
        with pytest.raises(LeaseLostError):
            keeper.checkpoint()
    assert "worker-1: <url> is away" in caplog.text
    assert "secret" not in caplog.text


def test_a_renewal_that_hangs_does_not_keep_the_lease_alive() -> None:
    # Given a database that never answers a renewal
    answers = threading.Event()

    class Hanging(InMemoryTransfers):
        def renew(self, claim: Claim) -> None:
            assert answers.wait(PATIENCE), claim

    transfers = Hanging(InMemoryArtifacts())
    with LeaseKeeper(transfers, claimed(transfers)) as keeper:
        # When the lease has run out by this worker's clock
        threading.Event().wait(LEASE.total_seconds() * 2)

        # Then the work stops at its next checkpoint, though nobody said that the lease is lost
        with pytest.raises(LeaseLostError):
            keeper.checkpoint()
        answers.set()


def test_the_multipart_upload_is_kept_for_the_next_worker() -> None:
    transfers = Renewals()
    claim = claimed(transfers, timedelta(hours=1))
    with LeaseKeeper(transfers, claim) as keeper:
        before = keeper.upload_id
        keeper.started("upload-1")
        assert (before, keeper.upload_id) == (None, "upload-1")
    latest = transfers.latest(CONFIG, Direction.UPLOAD)
    assert latest is not None
    assert latest.upload_id == "upload-1"


def test_the_keeper_knows_the_multipart_upload_of_the_worker_before() -> None:
    transfers = Renewals()
    transfers.keep_upload_id(claimed(transfers, timedelta(0)), "upload-1")
    with LeaseKeeper(transfers, claimed(transfers)) as keeper:
        assert keeper.upload_id == "upload-1"


def test_a_multipart_upload_is_not_begun_on_a_lost_lease() -> None:
    transfers = Renewals()
    late = claimed(transfers, timedelta(0))
    claimed(transfers, timedelta(hours=1))
    with LeaseKeeper(transfers, replace(late, lease=timedelta(hours=1))) as keeper:
        with pytest.raises(LeaseLostError):
            keeper.started("upload-2")
        assert keeper.upload_id is None
