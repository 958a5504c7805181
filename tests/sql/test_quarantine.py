"""The quarantine in SQL: what is in it, and what becomes of it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from domain.artifacts import Artifact, ArtifactKind
from domain.errors import AccessDeniedError, ReasonCode, SourceMissingError, TransferError
from domain.quarantine import QuarantineFilter, RetrySummary
from domain.transfers import Transfer, TransferState
from tests.contract.transfer_steps import (
    CONFIG,
    HOUR,
    RESULTS,
    UPLOAD,
    claim_of,
    latest,
    published,
)
from tests.sql.steps import sessions_waiting_for_a_lock
from worker.sql.clock import utc_now
from worker.sql.engine import make_engine
from worker.sql.quarantine import SqlQuarantine
from worker.sql.tables import TransferRow
from worker.sql.transfers import SqlTransfers
from worker.sql.writes import request_transfer

ALL = QuarantineFilter()
OTHER_JOB = Artifact(ArtifactKind.JOB_CONFIG, 13)


@pytest.fixture
def transfers(engine: Engine) -> SqlTransfers:
    return SqlTransfers(engine)


@pytest.fixture
def quarantine(engine: Engine) -> SqlQuarantine:
    return SqlQuarantine(engine)


@pytest.fixture
def three(transfers: SqlTransfers) -> SqlTransfers:
    """Three in quarantine: two without a source, one that was denied in another job."""
    give_up(transfers, CONFIG, SourceMissingError())
    give_up(transfers, RESULTS, SourceMissingError())
    give_up(transfers, OTHER_JOB, AccessDeniedError())
    return transfers


def give_up(
    transfers: SqlTransfers, artifact: Artifact, error: TransferError, request_id: str = "a"
) -> None:
    claim = claim_of(transfers, artifact, request_id)
    assert claim is not None
    transfers.keep_upload_id(claim, f"upload of {artifact}")
    transfers.quarantine(claim, error)


def artifacts(transfers: list[Transfer]) -> list[Artifact]:
    return [transfer.artifact for transfer in transfers]


@pytest.mark.usefixtures("three")
class TestFilter:
    @pytest.mark.parametrize(
        ("which", "found"),
        [
            (ALL, [OTHER_JOB, RESULTS, CONFIG]),
            (QuarantineFilter(reasons=frozenset({ReasonCode.ACCESS_DENIED})), [OTHER_JOB]),
            (QuarantineFilter(kinds=frozenset({ArtifactKind.RUN_RESULTS})), [RESULTS]),
            (QuarantineFilter(job_ids=frozenset({12})), [RESULTS, CONFIG]),
            (
                QuarantineFilter(
                    job_ids=frozenset({12}), kinds=frozenset({ArtifactKind.JOB_CONFIG})
                ),
                [CONFIG],
            ),
            (QuarantineFilter(older_than=HOUR), []),
            (QuarantineFilter(newer_than=HOUR), [OTHER_JOB, RESULTS, CONFIG]),
        ],
    )
    def test_only_what_fits_is_found_newest_first(
        self, quarantine: SqlQuarantine, which: QuarantineFilter, found: list[Artifact]
    ) -> None:
        assert artifacts(list(quarantine.list(which, 10))) == found
        assert quarantine.count(which) == len(found)

    def test_age_is_the_time_since_it_was_given_up(
        self, quarantine: SqlQuarantine, engine: Engine
    ) -> None:
        old = update(TransferRow).where(TransferRow.job_id == 13)
        with Session(engine) as session, session.begin():
            session.execute(old.values(finished_at=utc_now(-2 * HOUR)))
        older, newer = QuarantineFilter(older_than=HOUR), QuarantineFilter(newer_than=HOUR)
        assert artifacts(list(quarantine.list(older, 10))) == [OTHER_JOB]
        assert artifacts(list(quarantine.list(newer, 10))) == [RESULTS, CONFIG]

    def test_the_list_is_as_long_as_its_limit(self, quarantine: SqlQuarantine) -> None:
        assert artifacts(list(quarantine.list(ALL, 1))) == [OTHER_JOB]


class TestRetry:
    def test_it_begins_anew_and_is_sent_by_the_next_sweep(
        self, three: SqlTransfers, quarantine: SqlQuarantine
    ) -> None:
        assert quarantine.retry(ALL) == RetrySummary(retried=3)
        transfer = latest(three, CONFIG)
        assert (transfer.state, transfer.attempts) == (TransferState.REQUESTED, 0)
        assert (transfer.reason_code, transfer.last_error, transfer.finished_at) == (None,) * 3
        # What it had sent is kept, to go on from there
        assert transfer.upload_id == f"upload of {CONFIG}"
        # And no producer is waited for, however fresh the request is
        assert len(published(three, unclaimed_after=HOUR)) == 3
        assert quarantine.count(ALL) == 0

    def test_the_preview_changes_nothing_and_says_the_same(
        self, three: SqlTransfers, quarantine: SqlQuarantine
    ) -> None:
        three.request(CONFIG, UPLOAD, "b")
        preview = quarantine.preview(ALL)
        assert quarantine.count(ALL) == 3
        assert quarantine.retry(ALL) == preview == RetrySummary(retried=2, superseded=1)

    def test_a_late_worker_of_before_still_cannot_write(
        self, transfers: SqlTransfers, quarantine: SqlQuarantine
    ) -> None:
        give_up(transfers, CONFIG, AccessDeniedError())
        fence = latest(transfers, CONFIG).fence
        quarantine.retry(ALL)
        again = claim_of(transfers, CONFIG, "a")
        assert again is not None
        assert again.fence == fence + 1

    @pytest.mark.parametrize("state", ["requested", "quarantined", "cancelled"])
    def test_what_was_asked_for_again_is_left(
        self, three: SqlTransfers, quarantine: SqlQuarantine, state: str
    ) -> None:
        three.request(CONFIG, UPLOAD, "b")
        if state == "quarantined":
            give_up(three, CONFIG, SourceMissingError(), "b")
        if state == "cancelled":
            three.cancel(12, None, ArtifactKind.JOB_CONFIG)
        newer = latest(three, CONFIG)
        summary = quarantine.retry(QuarantineFilter(kinds=frozenset({ArtifactKind.JOB_CONFIG})))
        assert summary.superseded == 1
        assert latest(three, CONFIG).id == newer.id

    def test_only_what_fits_is_retried(
        self, three: SqlTransfers, quarantine: SqlQuarantine
    ) -> None:
        which = QuarantineFilter(reasons=frozenset({ReasonCode.ACCESS_DENIED}))
        assert quarantine.retry(which) == RetrySummary(retried=1)
        assert latest(three, OTHER_JOB).state is TransferState.REQUESTED
        assert latest(three, CONFIG).state is TransferState.QUARANTINED

    def test_more_than_a_page_is_retried(
        self, transfers: SqlTransfers, quarantine: SqlQuarantine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("worker.sql.quarantine._PAGE", 3)
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


class TestDiscard:
    def test_it_is_cancelled_and_still_says_why(
        self, three: SqlTransfers, quarantine: SqlQuarantine
    ) -> None:
        assert quarantine.discard(ALL) == 3
        transfer = latest(three, CONFIG)
        assert transfer.state is TransferState.CANCELLED
        assert transfer.reason_code is ReasonCode.SOURCE_MISSING
        assert transfer.finished_at is not None
        assert quarantine.discard(ALL) == 0

    def test_what_was_asked_for_again_can_be_discarded_too(
        self, three: SqlTransfers, quarantine: SqlQuarantine
    ) -> None:
        three.request(CONFIG, UPLOAD, "b")
        assert quarantine.discard(QuarantineFilter(older_than=timedelta(0))) == 3
        assert latest(three, CONFIG).state is TransferState.REQUESTED
