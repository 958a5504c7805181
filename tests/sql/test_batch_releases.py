"""Members become transfers: in their order, at their pace, and never two of one artifact."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import time, timedelta

import pytest
from sqlalchemy import Engine

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.domain.maintenance.release_batches import AdvanceBatches
from artifact_pipeline.domain.model.batches import BatchPriority, BatchState, Outcome
from artifact_pipeline.domain.model.release_windows import ReleaseWindow
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.worker.sql.batches.releases import SqlBatchReleases
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.contract.transfer_steps import published
from tests.sql.batch_steps import History, config_of, ids
from tests.sql.steps import Statements


@pytest.fixture
def history(engine: Engine) -> History:
    return History(engine)


def state_of(history: History, batch_id: int) -> BatchState:
    return history.batches.get(batch_id).state


class TestPages:
    def test_a_message_leaves_after_its_row_is_there_for_all(self, history: History) -> None:
        history.failed_configs(1, 2)
        batch = history.started()
        seen: list[dict[Outcome, int]] = []
        advance(history, lambda _page: seen.append(history.outcomes(batch.id)), page_size=10)
        assert seen == [{Outcome.ACTIVE: 2}]
        # And does not count as lost while it waits
        assert published(SqlTransfers(history.engine)) == []

    def test_what_cannot_be_published_is_left_to_the_sweep(self, history: History) -> None:
        history.failed_configs(1, 2)
        batch = history.started()

        def fail(_transfers: Sequence[Transfer]) -> None:
            raise BrokerUnavailableError

        with pytest.raises(BrokerUnavailableError):
            advance(history, fail, page_size=10)
        assert history.outcomes(batch.id) == {Outcome.ACTIVE: 2}
        assert ids(published(SqlTransfers(history.engine))) == [1, 2]
        assert history.release(batch.id) == []

    def test_the_statements_do_not_grow_with_the_page(self, history: History) -> None:
        history.failed_configs(*range(1, 101))
        batch = history.started()
        counts = []
        for limit in (1, 10, 80):
            statements = Statements(history.engine)
            history.release(batch.id, limit)
            counts.append(len(statements.seen))
        # The row, the clock, the positions, the transfers, the mark.
        assert counts[0] == counts[-1] <= 5


class TestActive:
    def test_a_transfer_in_the_other_direction_is_another(self, history: History) -> None:
        history.failed_configs(1)
        batch = history.started()
        history.transfer(config_of(1), TransferState.RUNNING, Direction.DOWNLOAD)
        assert ids(history.release(batch.id)) == [1]

    def test_a_page_of_those_alone_publishes_nothing(self, history: History) -> None:
        history.failed_configs(1)
        batch = history.started()
        history.transfer(config_of(1), TransferState.RUNNING)
        assert history.release(batch.id) == []
        history.release(batch.id)
        assert state_of(history, batch.id) is BatchState.DONE

    def test_asked_for_once_more_it_is_the_batchs(self, history: History) -> None:
        history.failed_configs(1)
        batch = history.started()
        (released,) = history.release(batch.id)
        asked = SqlTransfers(history.engine).request(config_of(1), Direction.UPLOAD, "mine")
        assert (asked.id, asked.request_id) == (released.id, released.request_id)

    def test_two_batches_of_the_same_share_none(self, history: History) -> None:
        history.failed_configs(1, 2)
        first = history.started()
        shown = history.preview()
        history.release(first.id)
        second = history.start(shown.batch.id)
        assert history.release(second.id) == []
        assert history.outcomes(second.id) == {Outcome.ALREADY_RUNNING: 2}


class TestPace:
    def test_no_more_in_flight_than_allowed(self, history: History) -> None:
        history.failed_configs(*range(1, 8))
        batch = history.started(max_in_flight=3)
        first = history.release(batch.id)
        assert ids(first) == [1, 2, 3]
        assert history.release(batch.id) == []
        history.end(first[:2], TransferState.DONE)
        assert ids(history.release(batch.id)) == [4, 5]

    # The clock is the database's, and runs: rates are so slow that no stall is worth a member.

    def test_no_faster_than_its_rate(self, history: History) -> None:
        history.failed_configs(*range(1, 51))
        batch = history.started(rate=0.02)
        assert history.release(batch.id) == []
        history.age(batch.id, by=timedelta(seconds=100))
        assert ids(history.release(batch.id)) == [1, 2]
        assert history.release(batch.id) == []
        history.age(batch.id, by=timedelta(seconds=60))
        assert ids(history.release(batch.id)) == [3]
        assert history.release(batch.id) == []

    def test_what_is_saved_up_while_nobody_looks_has_a_bound(self, history: History) -> None:
        history.failed_configs(*range(1, 51))
        batch = history.started(rate=2)
        history.age(batch.id, by=timedelta(hours=1))
        assert len(history.release(batch.id)) == 20

    def test_a_slow_rate_has_its_turns(self, history: History) -> None:
        history.failed_configs(1, 2)
        batch = history.started(rate=0.01)
        history.age(batch.id, by=timedelta(seconds=101))
        assert ids(history.release(batch.id)) == [1]
        assert history.release(batch.id) == []

    @pytest.mark.parametrize(("rate", "seconds", "released"), [(0, 0, 50), (0.02, 60, 1)])
    def test_a_changed_rate_holds_at_once(
        self, history: History, rate: float, seconds: int, released: int
    ) -> None:
        history.failed_configs(*range(1, 51))
        batch = history.started(rate=0.01)
        history.batches.change(batch.id, rate=rate)
        history.age(batch.id, by=timedelta(seconds=seconds))
        assert len(history.release(batch.id)) == released

    def test_time_in_a_pause_saves_up_nothing(self, history: History) -> None:
        history.failed_configs(*range(1, 51))
        batch = history.started(rate=0.02)
        history.batches.pause(batch.id)
        history.age(batch.id, by=timedelta(hours=1))
        history.batches.resume(batch.id)
        assert history.release(batch.id) == []


class TestTogether:
    def test_batches_take_turns(self, history: History) -> None:
        # Given a large batch, and a small one that came later
        history.failed_configs(*range(1, 31), user_id=7)
        large = history.preview(user_ids=[7]).batch.id
        history.failed_configs(41, 42, user_id=8)
        small = history.preview(user_ids=[8]).batch.id
        for batch_id in (large, small):
            history.start(batch_id)
        # When
        pages: list[Sequence[Transfer]] = []
        advance(history, pages.append, page_size=10)
        # Then
        assert [ids(page) for page in pages[:2]] == [list(range(1, 11)), [41, 42]]
        assert [len(page) for page in pages] == [10, 2, 10, 10]

    def test_a_higher_priority_gets_the_room_of_the_queue(self, history: History) -> None:
        # Given a batch whose time zone this host does not know, and two others
        history.failed_configs(*range(1, 31), user_id=7)
        history.failed_configs(41, 42, user_id=8)
        unknown = history.started(
            priority=BatchPriority.HIGH, between=ReleaseWindow(time(1), time(2), "Mars/Base")
        )
        history.start(history.preview(user_ids=[7]).batch.id)
        high = history.preview(user_ids=[8]).batch.id
        history.start(high, priority=BatchPriority.HIGH)
        # When the queue has room for two pages, once the first has nothing to release
        room = iter([True, True, True, False])
        pages: list[Sequence[Transfer]] = []
        advance(history, pages.append, page_size=10, has_room=lambda: next(room))
        # Then
        assert [ids(page) for page in pages] == [[41, 42], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]
        assert state_of(history, unknown.id) is BatchState.RUNNING

    def test_a_full_queue_ends_it(self, history: History) -> None:
        history.failed_configs(*range(1, 31))
        history.started()
        room = iter([True, True, False])
        pages: list[Sequence[Transfer]] = []
        assert advance(history, pages.append, page_size=10, has_room=lambda: next(room)) == 20

    def test_many_dispatches_at_once_release_each_member_once(self, history: History) -> None:
        history.failed_configs(*range(1, 101))
        batch = history.started()
        pages: list[Sequence[Transfer]] = []
        with ThreadPoolExecutor(4) as pool:
            for each in [pool.submit(advance, history, pages.append, 7) for _ in range(4)]:
                each.result()
        # Who found it taken has left it to the other; the next sweep has the rest.
        advance(history, pages.append, 7)
        assert sorted(ids(transfer for page in pages for transfer in page)) == list(range(1, 101))
        assert history.outcomes(batch.id) == {Outcome.ACTIVE: 100}


def advance(
    history: History,
    publish: Callable[[Sequence[Transfer]], None],
    page_size: int,
    has_room: Callable[[], bool] = lambda: True,
) -> int:
    return AdvanceBatches(
        batches=SqlBatchReleases(history.engine),
        publish=publish,
        has_room=has_room,
        page_size=page_size,
    )()
