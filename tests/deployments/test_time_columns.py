"""Times in columns of both types, in whatever time zone the server or a producer has."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.model.attempts import parse_attempts
from artifact_pipeline.domain.model.batches import BatchFilter
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.composition.batches import Batches
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.engine import autocommit, make_engine, transaction
from artifact_pipeline.worker.sql.platform import SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import SessionRequests, request_upload
from tests.contract.transfer_steps import published
from tests.databases import Databases
from tests.deployments.time_steps import (
    A_WHILE,
    COLUMNS,
    ZONE,
    fill,
    give_times_the_type,
    is_as_written,
    moments,
)
from tests.sql.batch_steps import WHO, History, config_of
from tests.sql.steps import (
    CONFIG,
    CREATED_AT,
    HOUR,
    LOCATION,
    RESULTS,
    UPLOAD,
    claimed,
    insert,
    insert_job_with_run,
    job_row,
    stored_artifact,
)


@pytest.fixture(params=["timestamp", "timestamptz"])
def url(request: pytest.FixtureRequest, databases: Databases) -> str:
    kind: str = request.param
    return databases.altered(f"{kind}_in_zone", partial(give_times_the_type, kind=kind))


@pytest.fixture
def ours(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    insert_job_with_run(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["transactions", "autocommit"])
def producers(request: pytest.FixtureRequest, ours: Engine) -> Iterator[Engine]:
    """A producer's own engine, whose sessions have the database's zone."""
    url = ours.url
    level: Any = {"autocommit": "AUTOCOMMIT"}.get(request.param)
    engine = create_engine(url, **({"isolation_level": level} if level else {}))
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW timezone")) == ZONE
    yield engine
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW timezone")) == ZONE
    engine.dispose()


class TestWorkers:
    def test_every_time_is_as_it_was_written(self, ours: Engine) -> None:
        # When
        fill(ours)
        # Then
        found = moments(ours)
        wrong = {name: times for name, times in found.items() if not all(map(is_as_written, times))}
        assert wrong == {}
        unseen = {str(column) for column in COLUMNS} - found.keys()
        assert unseen == {"transfers.verified_to", "workspaces.seen_at"}

    def test_the_directory_is_that_of_the_creation(self, ours: Engine) -> None:
        # Given
        fill(ours)
        # When
        (found,) = [each for each in SqlArtifacts(ours).of_job(12) if each.artifact == CONFIG]
        # Then it is recorded as the job's own, which SQL compares by its directory
        assert found.object.key.startswith("jobs/12/2025/10/23/211500/")
        assert SqlJobs(ours).get(12).created_at == CREATED_AT
        assert SqlJobs(ours).get(12).config_location == LOCATION.sanitized
        assert SqlRuns(ours).get(4).results_url == LOCATION.sanitized

    def test_a_filter_compares_moments(self, ours: Engine) -> None:
        # Given
        History(ours).transfer(CONFIG)
        second = timedelta(seconds=1)
        # When
        members = {
            name: Batches(ours).preview(BatchFilter(**which), requested_by=WHO).members
            for name, which in {
                "from then": {"created_after": CREATED_AT},
                "later": {"created_after": CREATED_AT + second},
                "before": {"created_before": CREATED_AT},
                "until then": {"created_before": CREATED_AT + second},
            }.items()
        }
        # Then
        assert members == {"from then": 1, "later": 0, "before": 0, "until then": 1}

    def test_what_is_due_and_what_is_not(self, ours: Engine) -> None:
        # Given
        transfers = SqlTransfers(ours)
        transfers.request(CONFIG, UPLOAD, "due")
        transfers.expect(config_of(13), "in an hour", HOUR)
        # When / Then
        assert [each.request_id for each in published(transfers)] == ["due"]

    def test_past_attempts_have_the_times_of_their_begin_and_end(self, ours: Engine) -> None:
        # Given one that was lost, and one that was given back
        transfers = SqlTransfers(ours)
        for owner in ("a:1", "b:1"):
            assert transfers.claim(RESULTS, UPLOAD, "a", owner=owner, lease=timedelta(0))
        assert transfers.release_leases("b") == 1
        # When
        [transfer] = transfers.of_job(12)
        past = parse_attempts(transfer.past_attempts)
        # Then
        times = [moment for each in past for moment in (each.began_at, each.ended_at) if moment]
        assert len(times) == 4
        assert all(map(is_as_written, times))


class TestProducers:
    def test_what_a_session_writes_has_the_time_in_utc(self, producers: Engine, url: str) -> None:
        # When
        with Session(producers) as session, session.begin():
            transfer = request_upload(session, CONFIG.kind, 12, publish=False)
            SqlTransfers(session).expect(config_of(13), "expected", HOUR)
            SqlJobs(session).submit(12, LOCATION)
            SqlRuns(session).save(SqlRuns(session).get(4))
            stored = stored_artifact(RESULTS)
            SqlArtifacts(session).record(stored, LOCATION, None)
            assert SqlJobs(session).get(12).created_at == CREATED_AT
            uploaded_at = session.scalar(select(RunRow.results_uploaded_at))
        # Then
        assert uploaded_at == stored.stored_at
        assert abs(transfer.requested_at - datetime.now(UTC)) < A_WHILE
        engine = make_engine(url)
        assert all(map(is_as_written, set().union(*moments(engine).values())))
        (due,) = published(SqlTransfers(engine))
        assert due.requested_at == transfer.requested_at
        engine.dispose()

    def test_a_confirmation_makes_what_was_put_off_due(self, producers: Engine, url: str) -> None:
        # Given
        engine = make_engine(url)
        SqlTransfers(engine).expect(CONFIG, "expected", HOUR)
        # When
        with Session(producers) as session, session.begin():
            SessionRequests(session, publish=False).confirm(12, None)
        # Then
        latest = SqlTransfers(engine).latest(CONFIG, Direction.CONFIRM)
        assert latest is not None
        assert latest.state is TransferState.REQUESTED
        with autocommit(engine) as connection:
            due_at = connection.scalar(select(TransferRow.next_attempt_at))
        assert due_at is not None
        assert abs(due_at - datetime.now(UTC)) < A_WHILE
        engine.dispose()

    def test_an_error_leaves_the_sessions_zone(self, producers: Engine) -> None:
        with Session(producers) as session:
            with pytest.raises(ValueError, match="status"):
                submit_twice(session)
            assert session.scalar(text("SHOW timezone")) == ZONE

    def test_a_lost_connection_is_an_outage(self, producers: Engine) -> None:
        end = text("SELECT pg_terminate_backend(pg_backend_pid())")
        with (
            Session(producers) as session,
            pytest.raises(SqlUnavailableError, match="terminating connection"),
            transaction(session) as connection,
        ):
            connection.execute(end)


def submit_twice(session: Session) -> None:
    for _ in range(2):
        SqlJobs(session).submit(12, LOCATION)


FORMS = [
    "2025-10-23 21:15:00",
    "2025-10-23 21:15:00.250000",
    "2025-10-23T21:15:00Z",
    "2025-10-23T21:15:00",
    "2025-10-23 21:15:00+00:00",
    "2025-10-23 23:15:00.999999+02:00",
    "2025-10-23T16:15:00-05:00",
]


@pytest.mark.parametrize("form", FORMS)
def test_times_as_text_with_and_without_an_offset(sqlite_url: str, form: str) -> None:
    # Given
    engine = make_engine(sqlite_url)
    insert_job_with_run(engine)
    insert(engine, job_row(13, CREATED_AT - timedelta(minutes=1)))
    with engine.begin() as connection:
        written = text("UPDATE jobs SET created_at = :form WHERE id = 12")
        connection.execute(written, {"form": form})
    # When
    transfers = SqlTransfers(engine)
    transfers.record(claimed(transfers), stored_artifact(RESULTS), LOCATION)
    transfers.record(claimed(transfers, CONFIG), stored_artifact(CONFIG), LOCATION)
    # Then it is the job's own, and so recorded in its row
    job = SqlJobs(engine).get(12)
    assert (job.created_at, job.config_location) == (CREATED_AT, LOCATION.sanitized)
    assert moments(engine)["runs.results_uploaded_at"] == {CREATED_AT + HOUR}
    # And a filter finds it
    which = BatchFilter(created_after=CREATED_AT, created_before=CREATED_AT + HOUR)
    History(engine).transfer(config_of(13))
    preview = Batches(engine).preview(which, requested_by=WHO)
    assert preview.members == 2
    engine.dispose()


def test_each_time_column_of_the_platform_is_known() -> None:
    names = {str(column) for column in COLUMNS if column.table.name in {"jobs", "runs"}}
    assert names == {
        *(str(column) for column in (JobRow.__table__.c.created_at, JobRow.__table__.c.updated_at)),
        *("runs.created_at", "runs.updated_at", "runs.results_uploaded_at"),
    }
