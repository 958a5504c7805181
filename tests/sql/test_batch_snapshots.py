"""Snapshots: what fits a filter, frozen and described, with nothing else changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from artifact_pipeline.domain.errors import NotFoundError
from artifact_pipeline.domain.model.batches import (
    BatchMode,
    BatchState,
    Listed,
    PreviewGroup,
    SkipReason,
)
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.selection import IdRange
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.sql.batches.snapshots import delete_expired
from artifact_pipeline.worker.sql.tables import BatchRow, MemberRow, TransferRow
from tests.sql.batch_steps import MISSING, WHO, History, config_of, ids, logs_of

MIB = 2**20
DAY = timedelta(days=1)
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.fixture
def history(engine: Engine) -> History:
    return History(engine)


def found(history: History, **which: Any) -> list[int]:
    """The jobs of all that fits, in their order."""
    shown = history.preview(**which)
    if not shown.members:
        return []
    return ids(history.members(history.start(shown.batch.id).id))


class TestFilter:
    @pytest.fixture(autouse=True)
    def _jobs(self, history: History) -> None:
        """Jobs 1 and 2 of user 7, and 3 of user 8, have a failure each; job 4 has none."""
        history.job(1, [10], tags=["urgent", "beta"], created_at=NOON - 2 * DAY)
        history.transfer(config_of(1), reason=MISSING, finished_at=NOON - DAY)
        history.job(2, [20, 21], tags={"team": "blue"}, created_at=NOON - DAY)
        history.transfer(logs_of(2, 20), reason=ReasonCode.ACCESS_DENIED, finished_at=NOON)
        history.job(3, user_id=8, created_at=NOON)
        history.transfer(config_of(3), TransferState.CANCELLED, Direction.DOWNLOAD)
        history.job(4, user_id=8, created_at=NOON + DAY)
        history.transfer(config_of(4), TransferState.DONE, stored=10)

    @pytest.mark.parametrize(
        ("which", "jobs"),
        [
            ({}, [1, 3, 2, 4]),
            ({"job_ids": [IdRange(first=1, last=1), IdRange(first=3, last=9)]}, [1, 3, 4]),
            ({"job_ids": [IdRange(first=2, last=3)]}, [2, 3]),
            ({"run_ids": [IdRange(first=20, last=20)]}, [2]),
            ({"user_ids": [8]}, [3, 4]),
            ({"user_ids": [7, 9]}, [1, 2]),
            ({"kinds": [ArtifactKind.RUN_LOGS]}, [2]),
            ({"directions": [Direction.DOWNLOAD]}, [3]),
            ({"states": [TransferState.QUARANTINED]}, [1, 2]),
            ({"states": [TransferState.CANCELLED, TransferState.DONE]}, [3, 4]),
            ({"reasons": [ReasonCode.ACCESS_DENIED]}, [2]),
            ({"created_after": NOON}, [3, 4]),
            ({"created_before": NOON}, [1, 2]),
            ({"created_after": NOON - DAY, "created_before": NOON + DAY}, [2, 3]),
            ({"failed_after": NOON}, [2]),
            ({"failed_before": NOON}, [1]),
            ({"tags": ["urgent"]}, [1]),
            ({"tags": ["urgent", "beta"]}, [1]),
            ({"tags": ["urgent", "gamma"]}, []),
            ({"tags": ["team=blue"]}, [2]),
            ({"tags": ["team=red"]}, []),
            ({"tags": ["team"]}, []),
            ({"tags": ["' OR 1=1 --"]}, []),
            ({"user_ids": [7], "states": [TransferState.CANCELLED]}, []),
        ],
    )
    def test_each_criterion_holds(
        self, history: History, which: dict[str, Any], jobs: list[int]
    ) -> None:
        assert sorted(found(history, **which)) == sorted(jobs)

    @pytest.mark.parametrize(
        ("listed", "jobs", "unmatched"),
        [
            ([Listed(1), Listed(3)], [1, 3], 0),
            ([Listed(2, 20)], [2], 0),
            ([Listed(2, 21), Listed(9)], [], 2),
            (
                # A line that names a kind is a member even if nobody has requested it before.
                [Listed(2, 20, ArtifactKind.RUN_LOGS), Listed(1, None, ArtifactKind.JOB_INPUT)],
                [1, 2],
                0,
            ),
            ([Listed(9, None, ArtifactKind.JOB_INPUT)], [], 1),
            ([], [], 0),
        ],
    )
    def test_only_what_a_file_names(
        self, history: History, listed: list[Listed], jobs: list[int], unmatched: int
    ) -> None:
        shown = history.preview(listed=iter(listed))
        assert (shown.members, shown.batch.filter.unmatched) == (len(jobs), unmatched)
        assert sorted(ids(shown.examples)) == jobs

    def test_a_line_that_fits_a_download_is_no_upload_as_well(self, history: History) -> None:
        # Given an artifact that was only ever downloaded
        history.job(9)
        history.transfer(config_of(9), direction=Direction.DOWNLOAD)
        # When
        shown = history.preview(listed=[Listed(9, kind=ArtifactKind.JOB_CONFIG)])
        # Then
        assert [each.direction for each in shown.examples] == [Direction.DOWNLOAD]

    def test_the_lists_of_two_previews_are_their_own(self, history: History) -> None:
        first, second = history.preview(listed=[Listed(1)]), history.preview(listed=[Listed(3)])
        assert (ids(first.examples), ids(second.examples)) == ([1], [3])

    def test_a_file_that_is_wrong_half_way_freezes_nothing(self, history: History) -> None:
        def lines() -> Any:
            yield Listed(1)
            raise ValueError

        with pytest.raises(ValueError):  # noqa: PT011 - its own
            history.preview(listed=lines())
        assert history.batches.newest(10) == []
        assert history.preview(listed=[Listed(1)]).members == 1

    def test_it_is_the_last_transfer_that_counts(self, history: History) -> None:
        history.transfer(config_of(1), TransferState.DONE)
        assert found(history, states=[TransferState.QUARANTINED]) == [2]


class TestLeftOut:
    @pytest.mark.parametrize(
        "state", [TransferState.REQUESTED, TransferState.RUNNING, TransferState.WAITING]
    )
    def test_what_is_being_transferred(self, history: History, state: TransferState) -> None:
        history.failed_configs(1)
        history.job(2)
        history.transfer(config_of(2), state)
        shown = history.preview()
        assert (shown.members, shown.left_out) == (1, {SkipReason.RUNNING: 1})

    def test_what_has_no_source(self, history: History) -> None:
        history.failed_configs(1, 2, 3)
        history.has_source = lambda artifact: artifact.job_id == 2
        shown = history.preview()
        assert ids(shown.examples) == [2]
        assert shown.left_out == {SkipReason.NO_SOURCE: 2}

    def test_a_download_of_what_is_nowhere(self, history: History) -> None:
        history.job(1)
        history.transfer(
            config_of(1), direction=Direction.DOWNLOAD, reason=ReasonCode.ARTIFACT_MISSING
        )
        assert history.preview().left_out == {SkipReason.NO_SOURCE: 1}

    def test_a_workspace_is_not_asked_for_downloads(self, history: History) -> None:
        history.job(1)
        history.transfer(config_of(1), TransferState.DONE, Direction.DOWNLOAD, stored=1)
        history.has_source = lambda _artifact: False
        assert history.preview().members == 1


class TestDescribed:
    def test_each_direction_kind_and_state_with_its_cost(self, history: History) -> None:
        # Given uploads small, large and never stored, and a download
        for job_id, stored in ((1, 100), (2, 40 * MIB), (3, None)):
            history.job(job_id)
            history.transfer(config_of(job_id), stored=stored)
        history.transfer(config_of(2), TransferState.DONE, Direction.DOWNLOAD)
        # When
        shown = history.preview()
        # Then
        assert shown.groups == [
            PreviewGroup(
                direction=Direction.DOWNLOAD,
                kind=ArtifactKind.JOB_CONFIG,
                state=TransferState.DONE,
                members=1,
                stored=1,
                known_bytes=40 * MIB,
                requests_at_least=0,
                requests_at_most=3,
            ),
            PreviewGroup(
                direction=Direction.UPLOAD,
                kind=ArtifactKind.JOB_CONFIG,
                state=TransferState.QUARANTINED,
                members=3,
                stored=2,
                known_bytes=40 * MIB + 100,
                requests_at_least=3,
                requests_at_most=1 + (3 + 2) + 1,
            ),
        ]
        assert shown.members == 4
        modes = {mode: shown.of_mode(mode) for mode in BatchMode}
        assert modes == {BatchMode.FAILED: 3, BatchMode.MISSING: 1, BatchMode.ALL: 4}

    def test_who_asked_for_what_and_until_when(self, history: History) -> None:
        history.failed_configs(1)
        batch = history.preview(user_ids=[7], expires_in=DAY).batch
        assert (batch.state, batch.requested_by) == (BatchState.PREVIEWED, WHO)
        assert batch.filter.user_ids == (7,)
        assert batch.expires_at == batch.requested_at + DAY

    def test_a_few_examples(self, history: History) -> None:
        history.failed_configs(*range(1, 10))
        assert ids(history.preview().examples) == [1, 2, 3, 4, 5]

    def test_users_take_turns(self, history: History) -> None:
        history.failed_configs(*range(1, 6), user_id=7)
        history.failed_configs(6, 7, user_id=8)
        history.failed_configs(8, user_id=9)
        assert found(history) == [1, 6, 8, 2, 7, 3, 4, 5]

    def test_an_unknown_snapshot(self, history: History) -> None:
        with pytest.raises(NotFoundError, match="there is no batch 99"):
            history.batches.get(99)


class TestFrozen:
    def test_nothing_is_asked_for(self, history: History, engine: Engine) -> None:
        history.failed_configs(1, 2)
        before = rows(engine, TransferRow)
        history.preview()
        assert rows(engine, TransferRow) == before

    def test_what_fails_later_is_no_member(self, history: History) -> None:
        history.failed_configs(1, 2)
        shown = history.preview()
        history.failed_configs(3)
        assert ids(history.members(history.start(shown.batch.id).id)) == [1, 2]

    def test_what_is_well_later_still_is_one(self, history: History) -> None:
        history.failed_configs(1, 2)
        shown = history.preview(states=[TransferState.QUARANTINED])
        history.transfer(config_of(1), TransferState.DONE)
        assert ids(history.members(history.start(shown.batch.id).id)) == [1, 2]


class TestExpired:
    def test_they_are_removed_and_no_others(self, history: History, engine: Engine) -> None:
        # Given a snapshot that has expired, one that has not, and one that was started in time
        history.failed_configs(1, 2, 3)
        old, young = history.preview().batch.id, history.preview().batch.id
        running = history.started().id
        history.age(old, by=2 * DAY)
        history.age(running, by=2 * DAY)
        # When
        assert delete_expired(engine) == 3
        # Then
        assert [batch.id for batch in history.batches.newest(10)] == [running, young]
        assert len(rows(engine, MemberRow)) == 6
        assert delete_expired(engine) == 0

    def test_page_by_page(
        self, history: History, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("artifact_pipeline.worker.sql.batches.snapshots._PAGE", 2)
        history.failed_configs(*range(1, 6))
        history.age(history.preview().batch.id, by=DAY)
        assert delete_expired(engine) == 5
        with engine.connect() as connection:
            assert connection.scalar(select(func.count()).select_from(BatchRow)) == 0


def rows(engine: Engine, table: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(table.__table__)).all())
