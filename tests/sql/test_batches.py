"""Batches that were started: what may be done to them, and what they tell."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, update

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.batches import BatchFilter, BatchState, Outcome
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.sql.tables import BatchRow
from tests.sql.batch_steps import History, config_of, ids


@pytest.fixture
def history(engine: Engine) -> History:
    return History(engine)


class TestStart:
    def test_once_though_many_try(self, history: History) -> None:
        history.failed_configs(1)
        snapshot = history.preview().batch.id

        def start(_number: int) -> bool:
            try:
                return bool(history.start(snapshot))
            except InvalidRequestError:
                return False

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(start, range(4))) == 1

    def test_a_preview_without_members_is_not_kept(self, history: History) -> None:
        history.failed_configs(1)
        preview = history.preview(user_ids=[99])
        assert preview.members == 0
        assert history.batches.newest(5) == []

    def test_one_whose_filter_a_newer_version_has_written(self, history: History) -> None:
        # Given
        history.failed_configs(1)
        snapshot = history.preview().batch.id
        newer = {"colour": "red", "user_ids": [1], "reasons": ["source_missing", "too_blue"]}
        with history.engine.begin() as connection:
            connection.execute(update(BatchRow).values(filter=newer))
        # When
        batch = history.start(snapshot)
        # Then
        assert batch.state is BatchState.RUNNING
        reasons = (ReasonCode.SOURCE_MISSING, ReasonCode.UNEXPECTED)
        assert batch.filter == BatchFilter(user_ids=(1,), reasons=reasons)
        assert history.batches.newest(5) == [batch]


class TestCancelled:
    def test_what_is_under_way_stops_and_the_rest_never_begins(
        self, history: History, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a batch of which one is done, and some are under way
        monkeypatch.setattr("artifact_pipeline.worker.sql.batches.repository._PAGE", 2)
        history.failed_configs(*range(1, 11))
        batch = history.started()
        first = history.release(batch.id, limit=6)
        history.end(first[:1], TransferState.DONE, bytes_sent=10)
        # When
        assert history.batches.cancel(batch.id) == 5
        # Then
        assert history.release(batch.id) == []
        assert history.batches.get(batch.id).finished_at is not None
        assert history.outcomes(batch.id) == {Outcome.DONE: 1, Outcome.CANCELLED: 9}
        assert [member.outcome for member in history.members(batch.id)] == [
            Outcome.DONE,
            *[Outcome.CANCELLED] * 9,
        ]

    def test_transfers_of_others_go_on(self, history: History) -> None:
        history.failed_configs(1)
        batch = history.started()
        history.release(batch.id)
        history.job(2)
        history.transfer(config_of(2), TransferState.RUNNING)
        assert history.batches.cancel(batch.id) == 1
        assert history.preview(states=[TransferState.RUNNING]).left_out


class TestProgress:
    @pytest.fixture
    def batch_id(self, history: History) -> int:
        """Of ten members; one of each outcome, and the rest has not had its turn."""
        history.failed_configs(*range(1, 11))
        batch = history.started()
        history.transfer(config_of(6), TransferState.RUNNING)
        done, unchanged, failed, cancelled, _active = history.release(batch.id, limit=6)
        history.end([done], TransferState.DONE, bytes_sent=100)
        history.end([unchanged], TransferState.DONE, bytes_sent=0)
        reason = ReasonCode.ACCESS_DENIED
        history.end([failed], TransferState.QUARANTINED, reason_code=reason, attempts=8)
        history.end([cancelled], TransferState.CANCELLED)
        return batch.id

    def test_each_outcome_is_counted(self, history: History, batch_id: int) -> None:
        progress = history.batches.progress(batch_id)
        assert progress.outcomes == {
            Outcome.DONE: 1,
            Outcome.UNCHANGED: 1,
            Outcome.FAILED: 1,
            Outcome.CANCELLED: 1,
            Outcome.ACTIVE: 1,
            Outcome.ALREADY_RUNNING: 1,
            Outcome.PENDING: 4,
        }
        assert (progress.ended, progress.bytes_moved) == (5, 100)

    @pytest.mark.parametrize("page", [1, 3, 100])
    def test_every_member_is_told_of(
        self, history: History, batch_id: int, page: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("artifact_pipeline.worker.sql.batches.repository._PAGE", page)
        members = history.members(batch_id)
        assert ids(members) == list(range(1, 11))
        assert [member.outcome for member in members] == [
            Outcome.DONE,
            Outcome.UNCHANGED,
            Outcome.FAILED,
            Outcome.CANCELLED,
            Outcome.ACTIVE,
            Outcome.ALREADY_RUNNING,
            *[Outcome.PENDING] * 4,
        ]
        assert (members[0].bytes_moved, members[0].attempts) == (100, 0)
        assert (members[2].reason, members[2].attempts) == (ReasonCode.ACCESS_DENIED, 8)
