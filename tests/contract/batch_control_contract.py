"""How fast, when and before which others batches go, on every adapter."""

from datetime import timedelta

from artifact_pipeline.domain.model.batch_states import PaceChange
from artifact_pipeline.domain.model.batches import BatchPriority, BatchState
from artifact_pipeline.domain.model.release_windows import ALWAYS, ReleaseWindow
from artifact_pipeline.domain.model.transfers import Transfer
from tests.contract.batch_world import BatchWorld, config_of, jobs_of

MIB = 2**20
FAST = 2**30
"""Bytes per second: a microsecond is worth more than what these members move."""


def window_from(world: BatchWorld, hours: int) -> ReleaseWindow:
    """Return the window of two hours that begins so many hours from now."""
    begin = (world.transfers.now() + timedelta(hours=hours)).replace(second=0, microsecond=0)
    return ReleaseWindow(begin.time(), (begin + timedelta(hours=2)).time())


def finish(world: BatchWorld, transfer: Transfer, bytes_sent: int) -> None:
    """End the transfer at a moment that has passed; the clock of SQLite has milliseconds."""
    world.finish(transfer, bytes_sent)
    ended = world.transfers.now()
    while world.transfers.now() <= ended:
        pass


class BatchBytesContract:
    def test_members_wait_until_the_one_before_is_paid_for(self, world: BatchWorld) -> None:
        # Given members that are larger than what the limit saves up
        world.failed_configs(1, 2, 3)
        for job_id in (1, 2, 3):
            world.store(config_of(job_id), MIB)
        # When
        batch = world.started(bytes_per_second=1024)
        # Then they are released one at a time
        assert batch.bytes_per_second == 1024
        (first,) = world.release(batch.id)
        assert (first.artifact.job_id, first.charged_bytes) == (1, MIB)
        assert world.release(batch.id) == []
        # And a change holds at once
        assert (
            world.batches.change(batch.id, PaceChange(bytes_per_second=MIB)).bytes_per_second == MIB
        )
        assert jobs_of(world.release(batch.id)) == [2]
        assert (
            world.batches.change(batch.id, PaceChange(bytes_per_second=0)).bytes_per_second is None
        )
        (third,) = world.release(batch.id)
        assert (third.artifact.job_id, third.charged_bytes) == (3, None)

    def test_unchanged_bytes_cost_nothing(self, world: BatchWorld) -> None:
        # Given
        world.failed_configs(1, 2)
        for job_id in (1, 2):
            world.store(config_of(job_id), MIB)
        batch = world.started(bytes_per_second=1024)
        (first,) = world.release(batch.id)
        # When
        finish(world, first, bytes_sent=0)
        # Then
        assert jobs_of(world.release(batch.id)) == [2]

    def test_unknown_sizes_are_learned_from_the_first(self, world: BatchWorld) -> None:
        # Given members that were never stored: the first is charged the whole bucket
        world.failed_configs(1, 2)
        batch = world.started(bytes_per_second=FAST)
        (first,) = world.release(batch.id)
        assert first.charged_bytes == 10 * FAST
        # When
        finish(world, first, bytes_sent=10)
        # Then
        (second,) = world.release(batch.id)
        assert second.charged_bytes == 5 * FAST + 5

    def test_what_is_larger_than_expected_is_paid_for(self, world: BatchWorld) -> None:
        # Given
        world.failed_configs(1, 2)
        batch = world.started(bytes_per_second=FAST)
        (first,) = world.release(batch.id)
        # When it moves an hour's bytes
        finish(world, first, bytes_sent=3600 * FAST)
        # Then the next waits
        assert world.release(batch.id) == []


class BatchWindowContract:
    def test_members_are_released_within_it_only(self, world: BatchWorld) -> None:
        # Given
        world.failed_configs(1, 2)
        closed = window_from(world, hours=3)
        batch = world.started(between=closed)
        assert batch.between == closed
        # Then
        assert world.release(batch.id) == []
        progress = world.batches.progress(batch.id)
        assert progress.as_of is not None
        assert progress.continues_at == closed.opens_at(progress.as_of)
        # When it is changed
        world.batches.change(batch.id, PaceChange(between=window_from(world, hours=-1)))
        assert world.batches.progress(batch.id).continues_at is None
        assert jobs_of(world.release(batch.id, limit=1)) == [1]
        # Then the rest follows at any hour
        assert world.batches.change(batch.id, PaceChange(between=ALWAYS)).between is None
        assert jobs_of(world.release(batch.id)) == [2]

    def test_a_batch_ends_outside_of_it(self, world: BatchWorld) -> None:
        # Given a batch whose last member is under way when the window ends
        world.failed_configs(1)
        batch = world.started()
        (last,) = world.release(batch.id)
        world.batches.change(batch.id, PaceChange(between=window_from(world, hours=3)))
        # When
        world.finish(last)
        world.release(batch.id)
        # Then
        assert world.batches.get(batch.id).state is BatchState.DONE


class BatchPriorityContract:
    def test_the_higher_come_first(self, world: BatchWorld) -> None:
        # Given
        world.failed_configs(1, 2)
        low = world.started(priority=BatchPriority.LOW).id
        normal = world.started().id
        high = world.started(priority=BatchPriority.HIGH).id
        assert world.batches.get(low).priority is BatchPriority.LOW
        assert world.releases.running() == [[high], [normal], [low]]
        # When
        world.batches.change(low, PaceChange(priority=BatchPriority.HIGH))
        # Then
        assert world.releases.running() == [[low, high], [normal]]

    def test_among_equals_the_one_with_the_fewest_in_flight_is_first(
        self, world: BatchWorld
    ) -> None:
        world.failed_configs(1, 2)
        first, second = world.started().id, world.started().id
        (released,) = world.release(first, limit=1)
        assert world.releases.running() == [[second, first]]
        world.finish(released)
        assert world.releases.running() == [[first, second]]
