"""Snapshots where a job was deleted and its id used again."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batches import Listed
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.sql.engine import make_engine
from tests.sql.batch_steps import History, config_of
from tests.sql.steps import CREATED_AT, job_row, run_row

DAY = timedelta(days=1)
CONFIGS = [ArtifactKind.JOB_CONFIG]
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 1, 10)


@pytest.fixture
def history(engine: Engine) -> History:
    history = History(engine)
    history.job(1, [10])
    return history


def use_the_id_again(history: History, after: timedelta = DAY) -> None:
    with history.engine.begin() as connection:
        connection.execute(text("DELETE FROM runs WHERE id = 10"))
        connection.execute(text("DELETE FROM jobs WHERE id = 1"))
    with Session(history.engine) as session, session.begin():
        session.add(job_row(1, CREATED_AT + after))
        session.flush()
        session.add(run_row(10, 1))


def never_requested(history: History, **which: Any) -> int:
    return history.preview(never_requested=True, kinds=CONFIGS, **which).members


class TestSizes:
    def test_an_earlier_jobs_row_gives_no_size(self, history: History) -> None:
        # Given an artifact that the earlier job has stored, and an upload of the later one's
        history.transfer(RESULTS, TransferState.DONE, stored=10)
        use_the_id_again(history)
        history.transfer(RESULTS)
        # When / Then
        (group,) = history.preview(states=[TransferState.QUARANTINED]).groups
        assert (group.members, group.stored, group.known_bytes) == (1, 0, 0)

    def test_the_jobs_own_row_gives_it(self, history: History) -> None:
        history.transfer(RESULTS, TransferState.DONE, stored=10)
        history.transfer(RESULTS)
        (group,) = history.preview(states=[TransferState.QUARANTINED]).groups
        assert (group.members, group.stored, group.known_bytes) == (1, 1, 10)

    def test_a_download_of_what_another_job_has_stored_has_no_source(
        self, history: History
    ) -> None:
        history.transfer(RESULTS, TransferState.DONE, stored=10)
        use_the_id_again(history)
        missing = ReasonCode.ARTIFACT_MISSING
        history.transfer(RESULTS, direction=Direction.DOWNLOAD, reason=missing)
        preview = history.preview(directions=[Direction.DOWNLOAD])
        assert (preview.members, sum(preview.left_out.values())) == (0, 1)


class TestNeverRequested:
    @pytest.mark.parametrize("state", [each for each in TransferState if not each.is_active])
    def test_an_earlier_jobs_requests_are_not_this_ones(
        self, history: History, state: TransferState
    ) -> None:
        history.transfer(config_of(1), state)
        assert never_requested(history) == 0
        use_the_id_again(history)
        assert never_requested(history) == 1

    def test_nor_is_what_it_has_stored(self, history: History) -> None:
        # Given a row of the earlier job, and no transfer that a clock could tell from this one's
        history.transfer(config_of(1), TransferState.DONE, stored=10)
        use_the_id_again(history, timedelta(seconds=1))
        assert never_requested(history) == 1

    def test_nor_what_ended_because_the_id_was_used_again(self, history: History) -> None:
        history.transfer(config_of(1), reason=ReasonCode.JOB_REPLACED)
        assert never_requested(history) == 1

    @pytest.mark.parametrize("state", [each for each in TransferState if each.is_active])
    def test_an_active_request_is_for_the_job_that_has_the_id(
        self, history: History, state: TransferState
    ) -> None:
        history.transfer(config_of(1), state)
        use_the_id_again(history)
        assert never_requested(history) == 0

    def test_a_request_of_the_jobs_own_transaction_counts_however_the_clocks_differ(
        self, history: History
    ) -> None:
        # Given a platform whose clock is ahead of the database's
        history.transfer(config_of(1))
        use_the_id_again(history, timedelta(seconds=60))
        assert never_requested(history) == 0

    def test_times_may_have_a_zone(self, fresh_postgres_url: str) -> None:
        history = History(make_engine(fresh_postgres_url))
        with history.engine.begin() as connection:
            connection.execute(text("ALTER TABLE jobs ALTER created_at TYPE timestamptz"))
        history.job(1)
        history.transfer(config_of(1), TransferState.DONE, stored=10)
        assert never_requested(history) == 0
        use_the_id_again(history)
        assert never_requested(history) == 1
        history.engine.dispose()


def test_a_line_of_a_file_is_one_member(history: History) -> None:
    # Given an artifact that only the earlier job requested
    history.transfer(config_of(1))
    use_the_id_again(history)
    # When / Then
    listed = Listed(job_id=1, run_id=None, kind=ArtifactKind.JOB_CONFIG)
    for directions in ([], [Direction.UPLOAD]):
        assert history.preview(listed=iter([listed]), directions=directions).members == 1
