"""The sweep, over a backlog of several pages."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest

from artifact_pipeline.domain.maintenance.dispatch import DispatchDueTransfers
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, QueueCapacity, Transfer
from tests.contract.transfer_steps import ROOM
from tests.domain.world import CONFIG, JOB, World


def remembers_all(_clock: Callable[[], datetime]) -> datetime:
    return JOB.created_at


def room_for(*kinds: ArtifactKind) -> QueueCapacity:
    return QueueCapacity(kinds=frozenset(kinds), batches=False)


def request_logs_of(world: World, runs: int) -> None:
    for run_id in range(1, runs + 1):
        artifact = Artifact(ArtifactKind.RUN_LOGS, 12, run_id)
        world.transfers.request(artifact, Direction.UPLOAD, f"run-{run_id}")


@pytest.mark.parametrize(
    ("backlog", "page_sizes"),
    [(0, []), (1, [1]), (3, [3]), (4, [3, 1]), (7, [3, 3, 1])],
)
def test_pages_are_published_until_one_is_short(
    world: World, backlog: int, page_sizes: list[int]
) -> None:
    request_logs_of(world, backlog)
    pages: list[Sequence[Transfer]] = []
    assert sweep(world, pages) == backlog
    assert [len(page) for page in pages] == page_sizes
    assert [transfer.id for page in pages for transfer in page] == list(range(1, backlog + 1))


def test_a_queue_without_room_gets_no_more(world: World) -> None:
    # Given a backlog of logs, and a queue that is full after the first page
    request_logs_of(world, 7)
    room = iter([room_for(ArtifactKind.RUN_LOGS), room_for(ArtifactKind.JOB_CONFIG), room_for()])
    pages: list[Sequence[Transfer]] = []
    dispatch = DispatchDueTransfers(
        transfers=world.transfers,
        publish=pages.append,
        room=lambda _workspace: next(room),
        broker_epoch=remembers_all,
        page_size=3,
        unclaimed_after=timedelta(0),
        republish_after=timedelta(hours=1),
    )
    # When it is swept, then one page was published; the rest waits unmarked
    assert dispatch() == 3
    assert sum(transfer.enqueued_at is None for transfer in world.transfers.rows.values()) == 4


def test_the_producer_gets_its_time_and_a_lost_message_its_repetition(world: World) -> None:
    request_logs_of(world, 1)
    pages: list[Sequence[Transfer]] = []
    # Given a request of this moment, which its producer publishes itself
    assert sweep(world, pages, unclaimed_after=timedelta(seconds=30)) == 0
    # When nobody has claimed it half a minute later, then it is published
    world.clock.advance(timedelta(seconds=30))
    assert sweep(world, pages, unclaimed_after=timedelta(seconds=30)) == 1
    # Then it is left alone, and published again when that message must be lost
    world.clock.advance(timedelta(minutes=59))
    assert sweep(world, pages) == 0
    world.clock.advance(timedelta(minutes=1))
    assert sweep(world, pages) == 1


def test_an_expired_lease_is_published_in_the_next_sweep(world: World) -> None:
    claim = world.claim(lease=timedelta(minutes=2))
    pages: list[Sequence[Transfer]] = []
    assert sweep(world, pages) == 0
    world.clock.advance(claim.lease)
    assert sweep(world, pages) == 1


def test_a_task_that_runs_as_it_is_published_is_done(world: World) -> None:
    # Given a producer that runs its tasks at once
    world.transfers.request(Artifact(ArtifactKind.JOB_CONFIG, 12), Direction.UPLOAD, "a")

    def run(page: Sequence[Transfer]) -> None:
        for transfer in page:
            world.upload(transfer.artifact, transfer.request_id)

    dispatch = DispatchDueTransfers(
        transfers=world.transfers,
        publish=run,
        room=lambda _workspace: ROOM,
        broker_epoch=remembers_all,
        page_size=3,
        unclaimed_after=timedelta(0),
        republish_after=timedelta(hours=1),
    )
    assert dispatch() == 1
    assert world.latest().finished_at is not None


def test_what_the_broker_has_forgotten_is_sent_again_in_the_next_sweep(world: World) -> None:
    # Given a request that its producer has just sent, and one that the dispatch has
    patience = timedelta(seconds=30)
    request_logs_of(world, 1)
    world.clock.advance(patience)
    assert sweep(world, [], unclaimed_after=patience) == 1
    world.transfers.request(CONFIG, Direction.UPLOAD, "a")
    assert sweep(world, [], unclaimed_after=patience) == 0
    # When the broker forgets everything, and begins to remember anew
    world.clock.advance(timedelta(seconds=1))
    forgotten_at = world.clock()
    # Then both are sent again at once, and once only
    pages: list[Sequence[Transfer]] = []
    assert sweep(world, pages, patience, lambda _clock: forgotten_at) == 2
    assert sweep(world, pages, patience, lambda _clock: forgotten_at) == 0


def test_the_broker_is_asked_with_the_clock_of_the_transfers(world: World) -> None:
    asked: list[datetime] = []

    def broker_epoch(clock: Callable[[], datetime]) -> datetime:
        asked.append(clock())
        return clock()

    sweep(world, [], broker_epoch=broker_epoch)
    assert asked == [world.clock()]


def sweep(
    world: World,
    pages: list[Sequence[Transfer]],
    unclaimed_after: timedelta = timedelta(0),
    broker_epoch: Callable[[Callable[[], datetime]], datetime] = remembers_all,
) -> int:
    return DispatchDueTransfers(
        transfers=world.transfers,
        publish=pages.append,
        room=lambda _workspace: ROOM,
        broker_epoch=broker_epoch,
        page_size=3,
        unclaimed_after=unclaimed_after,
        republish_after=timedelta(hours=1),
    )()
