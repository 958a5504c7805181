"""Batches that were started: what may be done to them, and what they tell."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, update

from domain.batches import BatchFilter, BatchMode, BatchState, Outcome
from domain.errors import InvalidRequestError, NotFoundError, ReasonCode
from domain.transfers import TransferState
from tests.sql.batch_steps import History, config_of, ids
from worker.sql.tables import BatchRow

DAY = timedelta(days=1)


@pytest.fixture
def history(engine: Engine) -> History:
    return History(engine)


class TestStart:
    @pytest.mark.parametrize(
        ("mode", "jobs"),
        [
            (BatchMode.FAILED, [1, 2]),
            (BatchMode.MISSING, [2]),
            (BatchMode.ALL, [1, 2, 3]),
        ],
    )
    def test_the_members_of_its_mode_are_transferred(
        self, history: History, mode: BatchMode, jobs: list[int]
    ) -> None:
        # Given one that failed though it is stored, one that was cancelled, and one that is done
        for job_id, state, stored in (
            (1, TransferState.QUARANTINED, 10),
            (2, TransferState.CANCELLED, None),
            (3, TransferState.DONE, 10),
        ):
            history.job(job_id)
            history.transfer(config_of(job_id), state, stored=stored)
        # When
        batch = history.started(mode)
        # Then
        assert (batch.state, batch.members) == (BatchState.RUNNING, len(jobs))
        assert ids(history.members(batch.id)) == jobs
        assert ids(history.release(batch.id)) == jobs

    def test_who_when_and_why_are_kept(self, history: History) -> None:
        history.failed_configs(1)
        batch = history.started(
            reason="  the share is back ", requested_by="me", rate=2.5, max_in_flight=3
        )
        assert (batch.reason, batch.requested_by) == ("the share is back", "me")
        assert (batch.rate, batch.max_in_flight, batch.mode) == (2.5, 3, BatchMode.ALL)
        assert batch.started_at is not None
        assert history.batches.newest(1) == [batch]

    @pytest.mark.parametrize("reason", ["", "  ", "\n"])
    def test_a_reason_is_needed(self, history: History, reason: str) -> None:
        history.failed_configs(1)
        with pytest.raises(InvalidRequestError, match="a batch needs a reason"):
            history.started(reason=reason)

    def test_once(self, history: History) -> None:
        history.failed_configs(1)
        batch = history.started()
        with pytest.raises(InvalidRequestError, match="was started before: it is running"):
            history.start(batch.id)

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

    def test_not_after_it_has_expired(self, history: History) -> None:
        history.failed_configs(1)
        snapshot = history.preview().batch.id
        history.age(snapshot, by=DAY)
        with pytest.raises(InvalidRequestError, match="has expired: preview again"):
            history.start(snapshot)

    def test_not_without_members(self, history: History) -> None:
        history.job(5)
        history.transfer(config_of(5), TransferState.DONE, stored=100)
        snapshot = history.preview().batch.id
        with pytest.raises(InvalidRequestError, match="has no member for the mode failed"):
            history.start(snapshot, mode=BatchMode.FAILED)

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

    def test_not_what_is_no_snapshot(self, history: History) -> None:
        with pytest.raises(NotFoundError):
            history.start(99)


class TestGoing:
    def test_a_paused_one_goes_on_when_it_is_resumed(self, history: History) -> None:
        history.failed_configs(1, 2)
        batch = history.started()
        assert history.batches.pause(batch.id).state is BatchState.PAUSED
        assert history.release(batch.id) == []
        assert history.batches.resume(batch.id).state is BatchState.RUNNING
        assert ids(history.release(batch.id)) == [1, 2]

    @pytest.mark.parametrize(
        ("states", "attempt", "said"),
        [
            ([], lambda batches, id_: batches.resume(id_), "is running"),
            (["pause"], lambda batches, id_: batches.pause(id_), "is paused"),
            (["cancel"], lambda batches, id_: batches.resume(id_), "is cancelled"),
            (["cancel"], lambda batches, id_: batches.pause(id_), "is cancelled"),
            (["cancel"], lambda batches, id_: batches.cancel(id_), "is cancelled"),
            (["cancel"], lambda batches, id_: batches.change(id_, rate=1), "is cancelled"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, history: History, states: list[str], attempt: Any, said: str
    ) -> None:
        history.failed_configs(1)
        batch = history.started()
        for state in states:
            getattr(history.batches, state)(batch.id)
        with pytest.raises(InvalidRequestError, match=f"^batch {batch.id} {said}$"):
            attempt(history.batches, batch.id)

    @pytest.mark.parametrize("attempt", ["pause", "resume", "cancel", "progress", "get"])
    def test_an_unknown_one(self, history: History, attempt: str) -> None:
        with pytest.raises(NotFoundError, match="there is no batch 99"):
            getattr(history.batches, attempt)(99)

    def test_a_snapshot_has_no_pace_to_change(self, history: History) -> None:
        history.failed_configs(1)
        snapshot = history.preview().batch.id
        with pytest.raises(InvalidRequestError, match="is previewed"):
            history.batches.change(snapshot, rate=1)

    def test_a_snapshot_that_is_cancelled_cannot_be_started(self, history: History) -> None:
        history.failed_configs(1)
        snapshot = history.preview().batch.id
        assert history.batches.cancel(snapshot) == 0
        with pytest.raises(InvalidRequestError, match="it is cancelled"):
            history.start(snapshot)


class TestCancelled:
    def test_what_is_under_way_stops_and_the_rest_never_begins(
        self, history: History, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a batch of which one is done, and some are under way
        monkeypatch.setattr("worker.sql.batches._PAGE", 2)
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
        monkeypatch.setattr("worker.sql.batches._PAGE", page)
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

    def test_a_snapshot_has_made_none(self, history: History) -> None:
        history.failed_configs(1)
        assert history.outcomes(history.preview().batch.id) == {}

    def test_the_newest_are_told_of_first(self, history: History) -> None:
        history.failed_configs(1)
        first, second = history.preview().batch.id, history.started().id
        assert [batch.id for batch in history.batches.newest(5)] == [second, first]
        assert [batch.id for batch in history.batches.newest(1)] == [second]
