"""The three steps of an attempt, one by one."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Claim, Direction, TransferState
from artifact_pipeline.domain.transfers.lease import LeaseKeeper
from artifact_pipeline.domain.transfers.outcomes import Outcome, Stored
from artifact_pipeline.domain.transfers.retry import Decision, Postpone, Quarantine, Retry, Stop
from artifact_pipeline.domain.transfers.upload import UploadArtifact
from tests.domain.world import CONFIG, RESULTS, World

INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
UPLOAD = Direction.UPLOAD


@pytest.fixture
def leases() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def claimed(world: World, leases: ExitStack, artifact: Artifact) -> tuple[Claim, LeaseKeeper]:
    """Claim the artifact's upload, and keep its lease until the test has ended."""
    claim = world.runner().claim(artifact, UPLOAD, f"upload of {artifact}")
    assert claim is not None
    return claim, leases.enter_context(LeaseKeeper(world.transfers, claim, time.monotonic()))


def handled(world: World, claim: Claim, keeper: LeaseKeeper) -> Outcome | Decision:
    return world.runner().handle(world.handler(UPLOAD), claim, keeper)


def test_outcomes_of_several_claims_are_recorded_together_later(
    world: World, leases: ExitStack
) -> None:
    # Given three uploads that were claimed at once, one of them without a file
    held = [claimed(world, leases, artifact) for artifact in (CONFIG, RESULTS, INPUT)]
    # When all are handled before any of them is recorded
    ends = [(claim, handled(world, claim, keeper)) for claim, keeper in held]
    assert {world.latest(claim.artifact).state for claim, _ in ends} == {TransferState.RUNNING}
    recorded = [world.runner().record(claim, end) for claim, end in ends]
    # Then each has ended as if it had been alone
    assert [type(end) for end in recorded] == [Stored, Stored, Quarantine]
    states = [world.latest(claim.artifact).state for claim, _ in ends]
    assert states == [TransferState.DONE, TransferState.DONE, TransferState.QUARANTINED]
    assert world.artifacts.rows.keys() == {CONFIG, RESULTS}


def test_handling_changes_neither_transfer_nor_artifact(world: World, leases: ExitStack) -> None:
    # Given
    claim, keeper = claimed(world, leases, CONFIG)
    before = world.latest()
    # When
    end = handled(world, claim, keeper)
    # Then
    assert isinstance(end, Stored)
    assert (world.latest(), world.artifacts.rows) == (before, {})


def test_a_failure_is_returned_and_not_raised(world: World, leases: ExitStack) -> None:
    # Given
    claim, keeper = claimed(world, leases, CONFIG)
    world.store.failures.append(StoreUnavailableError("503"))
    # When / Then
    assert isinstance(handled(world, claim, keeper), Retry)
    assert world.latest().state is TransferState.RUNNING


def test_an_outcome_that_comes_too_late_is_stopped(world: World, leases: ExitStack) -> None:
    # Given an upload that was cancelled while it was handled
    claim, keeper = claimed(world, leases, CONFIG)
    end = handled(world, claim, keeper)
    world.transfers.cancel(12, None, None)
    # When / Then
    assert world.runner().record(claim, end) == Stop(cancelled=True)
    assert world.latest().state is TransferState.CANCELLED


def test_a_handler_that_cannot_be_made_fails_its_attempt_alone(world: World) -> None:
    # Given
    def fail(_: Direction) -> UploadArtifact:
        raise StoreUnavailableError("no credentials")

    runner = replace(world.runner(), handler_of=fail)
    # When
    with pytest.raises(StoreUnavailableError):
        runner(CONFIG, UPLOAD, "a")
    # Then
    assert world.latest().state is TransferState.WAITING


def test_an_open_circuit_hands_the_claim_to_no_handler(world: World, leases: ExitStack) -> None:
    # Given
    claim, keeper = claimed(world, leases, CONFIG)
    for _ in range(5):
        world.breaker.failed()
    # When
    end = handled(world, claim, keeper)
    # Then
    assert isinstance(end, Postpone)
    assert (end.resource, world.store.objects) == ("S3", {})
