"""Requests of a whole job at once, by one statement and few messages."""

import time
from collections import Counter
from typing import Any
from uuid import RFC_4122, UUID

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.tasks.routing import CONFIGS, UPLOAD_JOB
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.sql.transfers.job_requests import new_id
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import (
    request_job_uploads,
    request_upload,
)
from tests.sql.producer import Sent, artifacts_of, count_rows, message_of, swept
from tests.sql.steps import Statements, insert, job_row, run_row

pytestmark = pytest.mark.processes

CONFIG = ArtifactKind.JOB_CONFIG
LOGS, RUN_CONFIG = ArtifactKind.RUN_LOGS, ArtifactKind.RUN_CONFIG


def is_postgresql(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql"


def begins_with_the_time(request_id: UUID) -> bool:
    seconds = (request_id.int >> 80) / 1000
    is_ordered = (request_id.version, request_id.variant) == (7, RFC_4122)
    return is_ordered and abs(seconds - time.time()) < 60


@pytest.fixture
def runs(engine: Engine) -> list[int]:
    """Two runs of a job, and one of another job."""
    insert(engine, job_row(), job_row(13), run_row(4), run_row(5), run_row(6, job_id=13))
    return [4, 5]


class TestAJob:
    def test_all_of_it_is_requested_by_one_statement(
        self, engine: Engine, session: Session, sent: Sent, runs: list[int]
    ) -> None:
        # Given
        statements = Statements(engine)
        # When
        transfers = request_job_uploads(session, 12, requested_by=42)
        # Then
        assert statements.seen == ["INSERT"]
        expected = {
            (kind, 12, run_id)
            for kind in ArtifactKind
            for run_id in (runs if kind.belongs_to_run else [None])
        }
        assert set(artifacts_of(transfers)) == expected
        session.commit()
        assert set(SqlTransfers(engine).get_many([each.id for each in transfers])) == set(transfers)
        assert sorted(sent()) == sorted(map(message_of, transfers))
        assert len({each.request_id for each in transfers}) == len(expected)
        assert all(each.request_id.startswith("user-42-") for each in transfers)

    @pytest.mark.usefixtures("runs")
    def test_the_database_makes_ids_as_they_are_made_here(
        self, engine: Engine, session: Session
    ) -> None:
        # When
        transfers = request_job_uploads(session, 12)
        # Then they begin with the time, except on SQLite
        ids = [UUID(each.request_id) for each in transfers]
        assert {begins_with_the_time(each) for each in ids} == {is_postgresql(engine)}

    @pytest.mark.parametrize(
        ("kinds", "number"), [([CONFIG], 1), ([LOGS], 2), ([CONFIG, LOGS], 3), ([], 0)]
    )
    @pytest.mark.usefixtures("runs")
    def test_of_some_kinds(self, session: Session, kinds: list[ArtifactKind], number: int) -> None:
        transfers = request_job_uploads(session, 12, kinds=kinds)
        assert {each.artifact.kind for each in transfers} == set(kinds)
        assert len(transfers) == number

    def test_with_runs_of_the_same_transaction(self, session: Session) -> None:
        with session.no_autoflush:
            session.add(job_row())
            session.flush()
            session.add_all(map(run_row, range(1, 4)))
            transfers = request_job_uploads(session, 12, kinds=[ArtifactKind.RUN_CONFIG])
        assert [each.artifact.run_id for each in transfers] == [1, 2, 3]

    @pytest.mark.usefixtures("runs")
    def test_an_active_transfer_is_left_alone(
        self, engine: Engine, session: Session, sent: Sent
    ) -> None:
        first = request_upload(session, LOGS, 12, 4)
        transfers = request_job_uploads(session, 12, kinds=[LOGS])
        session.commit()
        assert artifacts_of(transfers) == [(LOGS, 12, 5)]
        assert sorted(sent()) == sorted(map(message_of, [first, *transfers]))
        assert count_rows(engine) == 2

    def test_many_configs_have_a_few_messages_together(
        self, engine: Engine, session: Session, sent: Sent
    ) -> None:
        # Given a job with many runs, and one with few
        few = [run_row(run_id, job_id=13) for run_id in range(1000, 1032)]
        insert(engine, job_row(), job_row(13), *few, *map(run_row, range(1, 301)))
        # When all of both is requested
        request_job_uploads(session, 12, kinds=[CONFIG, RUN_CONFIG, LOGS])
        alone = request_job_uploads(session, 13, kinds=[RUN_CONFIG])
        request_upload(session, CONFIG, 14)
        session.commit()
        # Then the logs, and what is not of many, have a message each
        messages = sent()
        tasks = Counter((message.task, message.job_id) for message in messages)
        assert tasks == {
            (UPLOAD_JOB, 12): 3,
            ("artifacts.upload_run_logs", 12): 300,
            ("artifacts.upload_run_config", 13): 32,
            ("artifacts.upload_job_config", 14): 1,
        }
        assert {message_of(each) for each in alone} <= set(messages)
        of_job = {message for message in messages if message.task == UPLOAD_JOB}
        assert {message.queue for message in of_job} == {CONFIGS}
        assert len({message.id for message in of_job}) == 3

    def test_no_request_needs_more_than_the_largest_number_of_messages(
        self, engine: Engine, session: Session, sent: Sent
    ) -> None:
        insert(engine, job_row(), *map(run_row, range(1, 3001)))
        request_job_uploads(session, 12, kinds=[RUN_CONFIG])
        session.commit()
        assert [message.task for message in sent()] == [UPLOAD_JOB] * 8

    def test_the_dispatch_sends_what_no_such_message_has_done(
        self, engine: Engine, session: Session, broker: Valkey
    ) -> None:
        # Given messages that were lost with the broker
        insert(engine, job_row(), *map(run_row, range(1, 41)))
        transfers = request_job_uploads(session, 12, kinds=[RUN_CONFIG])
        session.commit()
        with broker.client() as client:
            client.flushall()
        # Then each upload has a message of its own
        assert sorted(swept(engine, broker)) == sorted(map(message_of, transfers))

    @pytest.mark.parametrize(("job_id", "kinds"), [(0, None), ("12", None), (12, ["logs"])])
    def test_what_is_wrong_is_refused(self, session: Session, job_id: Any, kinds: Any) -> None:
        with pytest.raises(InvalidRequestError):
            request_job_uploads(session, job_id, kinds=kinds)


def test_ids_begin_with_the_time_in_any_time_zone(engine: Engine) -> None:
    with engine.begin() as connection:
        if is_postgresql(engine):
            connection.execute(text("SET LOCAL timezone = 'Asia/Kolkata'"))
        made = connection.execute(select(new_id())).scalar_one()
    assert begins_with_the_time(UUID(made)) == is_postgresql(engine)
