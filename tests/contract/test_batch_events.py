"""Events of the ends of batches: in memory, on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import SourceMissingError
from artifact_pipeline.domain.maintenance.prune_history import PruneHistory
from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.history import PrunedRows
from tests.contract.batch_world import BatchWorld, in_memory, on_sql
from tests.contract.transfer_steps import HOUR

pytestmark = pytest.mark.processes

Worlds = Callable[..., BatchWorld]


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def world_of(request: pytest.FixtureRequest) -> Iterator[Worlds]:
    """Makes a world, given the targets of all events."""
    made: list[Iterator[BatchWorld]] = []

    def make(*targets: str, off: bool = False) -> BatchWorld:
        chosen = None if off else targets
        if request.param == "fake":
            return in_memory(chosen)
        name = "postgres_url" if request.param == "postgresql" else "sqlite_url"
        made.append(on_sql(request.getfixturevalue(name), chosen))
        return next(made[-1])

    yield make
    for each in made:
        list(each)


def told(world: BatchWorld) -> list[tuple[str, object]]:
    """What each target was told of ends of batches."""
    return [
        (each.target, (each.event.batch_id, each.event.batch_state, each.event.batch_members))
        for each in world.outbox.list(100)
        if each.event.type == EventType.BATCH_ENDED
    ]


def run(world: BatchWorld, batch_id: int) -> None:
    """Release and finish all members."""
    while transfers := world.release(batch_id):
        for transfer in transfers:
            world.finish(transfer)
    world.release(batch_id)


def test_a_batch_that_is_done_is_told_once(world_of: Worlds) -> None:
    # Given
    world = world_of("webhook")
    world.failed_configs(1, 2)
    batch = world.started()
    # When
    run(world, batch.id)
    world.release(batch.id)
    # Then
    assert told(world) == [("webhook", (batch.id, "done", 2))]


def test_a_cancelled_batch_is_told(world_of: Worlds) -> None:
    # Given
    world = world_of("webhook")
    world.failed_configs(1, 2)
    batch = world.started()
    world.release(batch.id, limit=1)
    # When
    world.batches.cancel(batch.id)
    # Then
    assert told(world) == [("webhook", (batch.id, "cancelled", 2))]
    # And so is the member that was under way
    [member] = [e.event for e in world.outbox.list(100) if e.event.type == "transfer.cancelled"]
    assert (member.batch_id, member.job_id, member.request_id) == (
        batch.id,
        1,
        f"batch-{batch.id}-1",
    )


def test_a_snapshot_that_was_never_started_is_not(world_of: Worlds) -> None:
    world = world_of("webhook")
    world.failed_configs(1)
    world.batches.cancel(world.freeze())
    assert told(world) == []


def test_a_batch_can_have_a_target_of_its_own(world_of: Worlds) -> None:
    # Given one that only this batch's end is for
    world = world_of()
    world.failed_configs(1)
    batch = world.started(notify="nightly")
    assert batch.notify == "nightly"
    # When
    run(world, batch.id)
    # Then it gets nothing else
    assert told(world) == [("nightly", (batch.id, "done", 1))]
    assert [each.event.type for each in world.outbox.list(10)] == ["batch.ended"]


def test_it_is_told_beside_the_others_and_not_twice(world_of: Worlds) -> None:
    world = world_of("task", "webhook")
    world.failed_configs(1)
    for notify in ("nightly", "webhook"):
        world.batches.cancel(world.started(notify=notify).id)
    targets = [target for target, _ in told(world)]
    assert targets == ["task", "webhook", "nightly", "task", "webhook"]


def test_without_events_nothing_is_written(world_of: Worlds) -> None:
    # Given
    world = world_of(off=True)
    world.failed_configs(1, 2)
    batch = world.started(notify="nightly")
    # When one member is done, one fails, and the batch ends
    first, second = world.release(batch.id)
    world.finish(first)
    world.fail(second, SourceMissingError())
    world.release(batch.id)
    # Then
    assert world.batches.get(batch.id).state == "done"
    assert world.outbox.list(10) == []


def test_members_are_told_with_their_batch(world_of: Worlds) -> None:
    # Given
    world = world_of("webhook")
    world.failed_configs(1)
    batch = world.started()
    [transfer] = world.release(batch.id)
    # When
    world.fail(transfer, SourceMissingError())
    # Then
    [event] = [e.event for e in world.outbox.take(["webhook"], 10, HOUR) if e.event.batch_id]
    assert (event.type, event.batch_id) == ("transfer.quarantined", batch.id)
    assert event.request_id == f"batch-{batch.id}-1"


def test_events_that_were_refused_long_ago_are_pruned(world_of: Worlds) -> None:
    # Given an event that its target has refused, and one that waits
    world = world_of("webhook")
    world.failed_configs(1, 2)
    [refused] = world.outbox.take(["webhook"], 1, HOUR)
    world.outbox.refuse(refused, "HTTP 410")
    # When
    recent = PruneHistory(history=world.history, older_than=HOUR).everything()
    old = PruneHistory(history=world.history, older_than=timedelta(0))
    counted, pruned = old.count(), old.everything()
    # Then
    assert recent == PrunedRows()
    assert counted == pruned == PrunedRows(artifact_events=1)
    assert [each.event.job_id for each in world.outbox.list(10)] == [2]
