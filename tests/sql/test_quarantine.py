"""The quarantine in SQL: its pages, its clock, and what happens at the same moment."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import AccessDeniedError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.quarantine import QuarantineFilter, RetrySummary
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.insertion import request_transfer
from artifact_pipeline.worker.sql.transfers.quarantine import SqlQuarantine
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.contract.quarantine_contract import ALL, OTHER_JOB, artifacts, give_up
from tests.contract.transfer_steps import CONFIG, HOUR, RESULTS, UPLOAD, latest
from tests.sql.steps import sessions_waiting_for_a_lock


@pytest.fixture
def transfers(engine: Engine) -> SqlTransfers:
    return SqlTransfers(engine)


@pytest.fixture
def quarantine(engine: Engine) -> SqlQuarantine:
    return SqlQuarantine(engine)


class TestStatements:
    def test_age_is_the_time_since_it_was_given_up(
        self, transfers: SqlTransfers, quarantine: SqlQuarantine, engine: Engine
    ) -> None:
        for artifact in (CONFIG, RESULTS, OTHER_JOB):
            give_up(transfers, artifact, AccessDeniedError())
        old = update(TransferRow).where(TransferRow.job_id == 13)
        with Session(engine) as session, session.begin():
            session.execute(old.values(finished_at=utc_now(-2 * HOUR)))
        older, newer = QuarantineFilter(older_than=HOUR), QuarantineFilter(newer_than=HOUR)
        assert artifacts(list(quarantine.list(older, 10))) == [OTHER_JOB]
        assert artifacts(list(quarantine.list(newer, 10))) == [RESULTS, CONFIG]

    def test_more_than_a_page_is_retried(
        self, transfers: SqlTransfers, quarantine: SqlQuarantine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("artifact_pipeline.worker.sql.transfers.quarantine._PAGE", 3)
        for run_id in range(1, 9):
            give_up(transfers, Artifact(ArtifactKind.RUN_LOGS, 12, run_id), AccessDeniedError())
        assert quarantine.retry(ALL) == RetrySummary(retried=8)


def test_a_request_at_the_very_moment_of_a_retry_wins(postgres_url: str) -> None:
    # Given a transfer in quarantine, and a request for its artifact that is not committed yet
    engine = make_engine(postgres_url)
    transfers, quarantine = SqlTransfers(engine), SqlQuarantine(engine)
    give_up(transfers, CONFIG, AccessDeniedError())
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            request_transfer(connection, CONFIG, UPLOAD, "b")
            # When it is retried, which has to wait for the outcome
            retried = pool.submit(quarantine.retry, ALL)
            while not sessions_waiting_for_a_lock(engine):
                assert not retried.done()
        # Then the request is the active one
        assert retried.result() == RetrySummary(superseded=1)
    assert latest(transfers, CONFIG).request_id == "b"
    engine.dispose()


def test_what_left_the_quarantine_meanwhile_is_not_discarded(postgres_url: str) -> None:
    # Given two in quarantine, of which somebody else retries one and has not committed yet
    engine = make_engine(postgres_url)
    transfers, quarantine = SqlTransfers(engine), SqlQuarantine(engine)
    for artifact in (CONFIG, RESULTS):
        give_up(transfers, artifact, AccessDeniedError())
    retried = update(TransferRow).where(TransferRow.kind == RESULTS.kind)
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            connection.execute(retried.values(state=TransferState.REQUESTED))
            # When all are discarded, which has to wait
            discarded = pool.submit(quarantine.discard, ALL)
            while not sessions_waiting_for_a_lock(engine):
                assert not discarded.done()
        # Then only the other one is
        assert discarded.result() == 1
    assert latest(transfers, CONFIG).state is TransferState.CANCELLED
    assert latest(transfers, RESULTS).state is TransferState.REQUESTED
    engine.dispose()
