"""One thread that renews the leases of a process, step by step."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import (
    LeaseLostError,
    SqlUnavailableError,
    TransferCancelledError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Run
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.transfers.renewals import SharedLease, SharedRenewals
from tests.domain.paging import PATIENCE, FakePages
from tests.domain.world import World

CONFIGS = [Artifact(ArtifactKind.RUN_CONFIG, 12, run) for run in range(100, 108)]
FOREVER = timedelta(hours=1)


class Steps:
    """The pauses of the thread: each lasts until the test asks for the next renewal."""

    def __init__(self) -> None:
        self._may_go_on = threading.Semaphore(0)
        self._pauses = threading.Semaphore(0)
        self.has_ended = threading.Event()

    def __call__(self, _seconds: float) -> None:
        self._pauses.release()
        assert self._may_go_on.acquire(timeout=PATIENCE)

    def renew(self) -> None:
        """Let the thread renew once, and wait until it has."""
        assert self._pauses.acquire(timeout=PATIENCE)
        self._may_go_on.release()
        assert self._pauses.acquire(timeout=PATIENCE)
        self._pauses.release()

    def end(self) -> None:
        self._may_go_on.release(1000)


@pytest.fixture
def steps() -> Iterator[Steps]:
    steps = Steps()
    yield steps
    steps.end()


@pytest.fixture
def leases() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


LATE = 1e12
"""A `time.monotonic()` from which on no lease of these tests expires."""


def held(
    world: World, pages: FakePages, steps: Steps, leases: ExitStack, lease: timedelta = FOREVER
) -> list[SharedLease]:
    """Claim the configs in one page, and keep their leases."""
    for config in CONFIGS:
        assert config.run_id is not None
        world.runs.rows[config.run_id] = Run(config.run_id, 12)
        world.transfers.request(config, Direction.UPLOAD, str(config))
    renewals = SharedRenewals(pages, world.transfers, lease, pause=steps)
    uploads = pages.claim_of_job(
        12, kinds=list(ArtifactKind), limit=len(CONFIGS), owner="worker-1", lease=lease
    )
    keepers = [renewals.keeper(upload.claim, 0.0) for upload in uploads]
    for keeper in keepers:
        keeper.renewed(LATE)
        leases.enter_context(keeper)
    return keepers


def test_all_leases_are_renewed_by_one_statement_of_one_thread(
    world: World, steps: Steps, leases: ExitStack
) -> None:
    # Given
    before, pages = set(threading.enumerate()), FakePages(world)
    held(world, pages, steps, leases)
    # When
    steps.renew()
    steps.renew()
    # Then
    assert pages.renewed == [len(CONFIGS)] * 2
    assert len(started_since(before)) == 1


def test_a_cancelled_upload_stops_at_its_next_checkpoint(
    world: World, steps: Steps, leases: ExitStack
) -> None:
    # Given
    first, *others = held(world, FakePages(world), steps, leases)
    world.transfers.cancel(12, CONFIGS[0].run_id, None)
    # When
    steps.renew()
    # Then
    with pytest.raises(TransferCancelledError):
        first.checkpoint()
    for other in others:
        other.checkpoint()


def test_a_lease_that_was_taken_over_stops_its_upload(
    world: World, steps: Steps, leases: ExitStack
) -> None:
    # Given
    first, *others = held(world, FakePages(world), steps, leases)
    taken = world.latest(CONFIGS[0])
    world.transfers._keep(taken, fence=taken.fence + 1)
    # When
    steps.renew()
    # Then
    with pytest.raises(LeaseLostError):
        first.checkpoint()
    for other in others:
        other.checkpoint()


def test_a_renewal_that_failed_is_tried_again(
    world: World,
    steps: Steps,
    leases: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given
    pages = FakePages(world)
    keepers = held(world, pages, steps, leases)

    def fail(_: object) -> set[int]:
        raise SqlUnavailableError("postgresql://user:secret@db/platform is away")

    with monkeypatch.context() as patch:
        patch.setattr(pages, "renew", fail)
        steps.renew()
    # When
    steps.renew()
    # Then
    assert pages.renewed == [len(CONFIGS)]
    assert "8 leases not renewed" in caplog.text
    assert "secret" not in caplog.text
    for keeper in keepers:
        keeper.checkpoint()


def test_a_lease_that_is_never_renewed_expires_by_the_own_clock(
    world: World, steps: Steps, leases: ExitStack
) -> None:
    # Given a renewal that hangs
    [first, *_] = held(world, FakePages(world), steps, leases)
    # When
    first.renewed(-FOREVER.total_seconds())
    # Then
    with pytest.raises(LeaseLostError):
        first.checkpoint()


def test_the_thread_ends_once_nothing_is_held(world: World, steps: Steps) -> None:
    # Given
    before, pages = set(threading.enumerate()), FakePages(world)
    with ExitStack() as leases:
        held(world, pages, steps, leases)
        [thread] = started_since(before)
    # When
    steps.end()
    thread.join(PATIENCE)
    # Then
    assert (thread.is_alive(), pages.renewed) == (False, [])


def started_since(before: set[threading.Thread]) -> set[threading.Thread]:
    return set(threading.enumerate()) - before
