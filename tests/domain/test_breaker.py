"""An S3 that is down: transfers wait for it without spending their attempts."""

from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    SqlUnavailableError,
    StoreBreakerOpenError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.fakes import InMemoryEndpointFailures
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.transfers.circuit_breaker import Breaker
from tests.domain.world import CONFIG, COOL_OFF, World

LOGS = [Artifact(ArtifactKind.RUN_LOGS, 12, 4), Artifact(ArtifactKind.RUN_CONFIG, 12, 4)]


@pytest.fixture
def down(world: World) -> World:
    """A world whose S3 has failed twice, for two transfers, and is left alone now."""
    world.breaker = world.new_breaker(threshold=2)
    world.store.failures = [StoreUnavailableError() for _ in range(100)]
    for artifact in LOGS:
        world.workspace.contents[artifact] = b"content"
        with pytest.raises(StoreUnavailableError):
            world.upload(artifact)
    return world


def test_what_opened_it_has_spent_no_attempt(down: World) -> None:
    assert [down.latest(artifact).attempts for artifact in LOGS] == [1, 0]


def test_while_it_is_open_nobody_asks_s3(down: World) -> None:
    with pytest.raises(StoreBreakerOpenError):
        down.upload(CONFIG)
    assert down.store.puts.total() == len(LOGS)
    latest = down.latest()
    assert (latest.state, latest.attempts) == (TransferState.WAITING, 0)
    assert latest.reason_code is StoreBreakerOpenError.reason
    assert latest.next_attempt_at >= down.clock() + COOL_OFF


def test_however_long_it_lasts_no_transfer_runs_out_of_attempts(down: World) -> None:
    for _ in range(10 * down.max_attempts):
        with pytest.raises(StoreUnavailableError):
            down.upload(CONFIG)
        down.clock.advance(2 * COOL_OFF)
    assert (down.latest().state, down.latest().attempts) == (TransferState.WAITING, 0)


def test_when_s3_is_back_the_transfers_go_on(down: World) -> None:
    with pytest.raises(StoreBreakerOpenError):
        down.upload(CONFIG)
    down.store.failures = []
    down.clock.advance(2 * COOL_OFF)
    for artifact in (CONFIG, *LOGS):
        assert down.upload(artifact).state is TransferState.DONE
    # Then what was counted is forgotten
    assert down.failures.counts == {}


def test_one_failure_after_the_rest_opens_it_again(down: World) -> None:
    down.clock.advance(COOL_OFF)
    assert not down.breaker.open_for
    with pytest.raises(StoreUnavailableError):
        down.upload(CONFIG)
    assert down.breaker.open_for == COOL_OFF


def test_another_process_learns_it_from_its_own_first_failure(down: World) -> None:
    down.breaker = down.new_breaker(threshold=2)
    with pytest.raises(StoreUnavailableError):
        down.upload(CONFIG)
    assert down.latest().attempts == 0
    assert down.breaker.open_for == COOL_OFF


def test_other_failures_are_not_counted(world: World) -> None:
    world.store.failures = [AccessDeniedError()]
    with pytest.raises(AccessDeniedError):
        world.upload()
    assert world.failures.counts == {}


def test_the_waiting_come_back_spread_over_the_next_rest(down: World) -> None:
    delays = [down.breaker.delay() for _ in range(100)]
    assert all(COOL_OFF <= delay <= 2 * COOL_OFF for delay in delays)
    assert max(delays) - min(delays) > timedelta(seconds=5)


def test_success_clears_what_other_processes_counted_once_a_minute(world: World) -> None:
    # Given failures that a process counted which is gone, and one that has seen none
    for _ in range(4):
        world.failures.count(world.store.endpoint)
    world.upload(request_id="first")
    assert world.failures.counts.total() == 4
    # When it has been well for a minute
    world.clock.advance(timedelta(minutes=1))
    world.upload(request_id="second")
    # Then they are forgotten
    assert world.failures.counts == {}


def test_a_success_does_not_fail_because_it_cannot_be_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    class Away(InMemoryEndpointFailures):
        def forget(self, endpoint: str) -> None:
            raise SqlUnavailableError(endpoint)

    world.failures = Away()
    world.breaker = world.new_breaker()
    world.breaker.failed()
    assert world.upload().state is TransferState.DONE
    assert "are still counted" in caplog.text


def test_an_attempt_that_met_it_open_is_given_back_though_it_has_closed_since(
    down: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a rest that ends while the attempt is under way
    rest = iter([COOL_OFF])
    monkeypatch.setattr(Breaker, "open_for", property(lambda _: next(rest, timedelta(0))))
    with pytest.raises(StoreBreakerOpenError):
        down.upload(CONFIG)
    assert (down.latest().state, down.latest().attempts) == (TransferState.WAITING, 0)
