"""What every adapter promises about the history: what may be pruned, and what must stay."""

from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import NotFoundError, SourceMissingError
from artifact_pipeline.domain.maintenance.prune_history import PruneHistory
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batches import BatchState
from artifact_pipeline.domain.model.history import PrunedRows
from artifact_pipeline.domain.model.transfers import Direction, Transfer
from tests.contract.batch_world import BatchWorld, config_of
from tests.contract.transfer_steps import HOUR

CONFIG = config_of(12)
NOW = timedelta(0)
DAY = timedelta(days=1)


def prune(world: BatchWorld, older_than: timedelta = NOW) -> PrunedRows:
    return PruneHistory(history=world.history, older_than=older_than).everything()


def request(
    world: BatchWorld,
    number: int,
    artifact: Artifact = CONFIG,
    direction: Direction = Direction.UPLOAD,
) -> Transfer:
    return world.transfers.request(artifact, direction, f"request-{number}")


def done(world: BatchWorld, number: int, **of: object) -> Transfer:
    transfer = request(world, number, **of)  # type: ignore[arg-type] # by name
    world.finish(transfer)
    return transfer


def kept(world: BatchWorld, *transfers: Transfer) -> list[bool]:
    found = world.transfers.of_request
    return [
        found(each.request_id, each.artifact.job_id, each.direction) is not None
        for each in transfers
    ]


class TransferHistoryContract:
    def test_the_last_transfer_of_an_artifact_and_direction_stays(self, world: BatchWorld) -> None:
        # Given
        uploads = [done(world, number) for number in range(3)]
        downloads = [done(world, number, direction=Direction.DOWNLOAD) for number in (3, 4)]
        other = done(world, 5, artifact=config_of(13))
        # When
        pruned = prune(world)
        # Then
        assert pruned == PrunedRows(transfers=3)
        assert kept(world, *uploads, *downloads, other) == [False, False, True, False, True, True]

    def test_what_ended_just_now_stays(self, world: BatchWorld) -> None:
        transfers = [done(world, number) for number in range(2)]
        assert prune(world, HOUR) == PrunedRows()
        assert kept(world, *transfers) == [True, True]

    def test_what_is_active_or_in_quarantine_stays(self, world: BatchWorld) -> None:
        # Given an upload in quarantine, and a later one that has not begun
        world.give_up(CONFIG)
        quarantined = world.transfers.latest(CONFIG, Direction.UPLOAD)
        assert quarantined is not None
        active = request(world, 2)
        # Then
        assert prune(world) == PrunedRows()
        assert kept(world, quarantined, active) == [True, True]

    def test_what_is_not_verified_stays_until_it_is(self, world: BatchWorld) -> None:
        # Given an upload that was cancelled while it ran, which may have been written
        cancelled = request(world, 1)
        claim = world.transfers.claim(
            CONFIG, Direction.UPLOAD, cancelled.request_id, owner="w", lease=HOUR
        )
        assert claim is not None
        world.transfers.cancel(12, None, None)
        done(world, 2)
        assert prune(world) == PrunedRows()
        # When
        world.verified(cancelled)
        # Then
        assert prune(world) == PrunedRows(transfers=1)

    def test_what_would_be_pruned_is_counted_and_stays(self, world: BatchWorld) -> None:
        transfers = [done(world, number) for number in range(3)]
        work = PruneHistory(history=world.history, older_than=NOW)
        assert work.count() == PrunedRows(transfers=2)
        assert kept(world, *transfers) == [True] * 3

    def test_pruning_twice_changes_nothing_more(self, world: BatchWorld) -> None:
        [done(world, number) for number in range(3)]
        assert [prune(world).total, prune(world).total] == [2, 0]

    def test_a_page_that_another_process_has_pruned_is_no_error(self, world: BatchWorld) -> None:
        [done(world, number) for number in range(3)]
        page = world.history.page(NOW, after=0, limit=10)
        removed = [world.history.prune_transfers(page.prunable, NOW) for _ in range(2)]
        assert (removed, page.is_end) == ([2, 0], True)

    def test_the_periodic_task_continues_where_its_time_was_over(self, world: BatchWorld) -> None:
        # Given a pass that came to the first transfer
        [done(world, number) for number in range(3)]
        page = world.history.page(NOW, after=0, limit=1)
        world.history.keep_position(page.last)
        work = PruneHistory(history=world.history, older_than=NOW)
        # When it continues, the transfer before it stays
        assert work() == PrunedRows(transfers=1)
        # Then the pass is complete, and the next one waits
        assert world.history.position(DAY) is None
        assert work() == PrunedRows()
        assert world.history.position(NOW) == 0

    def test_without_time_nothing_is_pruned(self, world: BatchWorld) -> None:
        [done(world, number) for number in range(3)]
        work = PruneHistory(history=world.history, older_than=NOW)
        assert work(budget=NOW) == PrunedRows()
        assert work() == PrunedRows(transfers=2)


class BatchHistoryContract:
    @pytest.fixture
    def ended(self, world: BatchWorld) -> int:
        """A batch of two configs that were stored before, and are done again."""
        for job_id in (12, 13):
            world.job(job_id)
            done(world, job_id, artifact=config_of(job_id))
        batch = world.started()
        for transfer in world.release(batch.id):
            world.finish(transfer)
        world.release(batch.id)
        assert world.batches.get(batch.id).state is BatchState.DONE
        return batch.id

    def test_an_ended_batch_goes_with_its_members(self, world: BatchWorld, ended: int) -> None:
        # When: the last transfers of the artifacts are the batch's
        pruned = prune(world)
        # Then they stay, and those before them go
        assert pruned == PrunedRows(transfers=2, batches=1, batch_members=2)
        last = world.transfers.latest(CONFIG, Direction.UPLOAD)
        assert last is not None
        assert last.batch_id is None
        with pytest.raises(NotFoundError, match=f"there is no batch {ended}"):
            world.batches.progress(ended)

    def test_what_would_be_pruned_of_batches_is_counted(
        self, world: BatchWorld, ended: int
    ) -> None:
        done(world, 3)
        work = PruneHistory(history=world.history, older_than=NOW)
        assert work.count() == PrunedRows(transfers=3, batches=1, batch_members=2)
        assert world.batches.progress(ended).ended == 2

    def test_a_batch_that_ended_just_now_keeps_its_transfers(
        self, world: BatchWorld, ended: int
    ) -> None:
        # Given: a later upload, so that only the batch keeps the one before
        done(world, 3)
        before = world.batches.progress(ended).outcomes
        # When
        prune(world, HOUR)
        # Then
        assert world.batches.progress(ended).outcomes == before

    def test_a_batch_with_a_member_in_quarantine_stays(self, world: BatchWorld) -> None:
        # Given
        world.failed_configs(12, 13)
        batch = world.started()
        first, second = world.release(batch.id)
        world.finish(first)
        world.fail(second, SourceMissingError())
        world.release(batch.id)
        before = world.batches.progress(batch.id).outcomes
        # When
        pruned = prune(world)
        # Then
        assert pruned == PrunedRows()
        assert world.batches.progress(batch.id).outcomes == before

    def test_a_batch_that_runs_stays(self, world: BatchWorld) -> None:
        world.failed_configs(12)
        batch = world.started()
        assert prune(world) == PrunedRows()
        assert world.batches.get(batch.id).state is BatchState.RUNNING

    def test_rows_are_removed_in_pages(self, world: BatchWorld, ended: int) -> None:
        pages = [world.history.prune_batch(ended, NOW, limit=1) for _ in range(6)]
        totals = [None if page is None else page.total for page in pages]
        # Two transfers lose their batch, then two members go, and the batch.
        assert totals == [0, 0, 1, 1, 1, None]
