"""Many requests at once: each as `request_upload` makes it, by one statement and one publish."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Transfer, TransferState
from artifact_pipeline.worker.embedded.servers import Valkey, free_port
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import (
    request_upload,
    request_uploads,
)
from tests.sql.producer import (
    Sent,
    artifacts_of,
    count_rows,
    message_of,
    producing_to,
    sent_to,
    swept,
)
from tests.sql.steps import HOUR, UPLOAD, Statements

pytestmark = pytest.mark.processes

CONFIG, INPUT = ArtifactKind.JOB_CONFIG, ArtifactKind.JOB_INPUT
LOGS, RUN_CONFIG = ArtifactKind.RUN_LOGS, ArtifactKind.RUN_CONFIG
MANY = [
    *((CONFIG, job_id, None) for job_id in range(50, 0, -1)),
    *((LOGS, 12, run_id) for run_id in range(1, 51)),
]


@pytest.fixture
def pushes(broker: Valkey) -> Iterator[Callable[[], float]]:
    """Say by how many commands messages were sent; with each, another one wakes a worker."""
    with broker.client() as client:
        client.config_resetstat()
        yield lambda: client.info("commandstats").get("cmdstat_lpush", {"calls": 0})["calls"] / 2


def make_templates(session: Session) -> None:
    request_uploads(session, [(CONFIG, 900, None), (LOGS, 900, 1)])
    session.commit()


class TestManyUploads:
    def test_each_is_requested_and_sent(self, engine: Engine, session: Session, sent: Sent) -> None:
        # Given
        statements = Statements(engine)
        # When
        transfers = request_uploads(session, MANY, requested_by=42)
        # Then by one statement, in the order that was asked for
        assert statements.seen == ["INSERT"]
        assert artifacts_of(transfers) == MANY
        assert sent() == []
        # And as they are in SQL
        session.commit()
        assert set(SqlTransfers(engine).get_many([each.id for each in transfers])) == set(transfers)
        assert sorted(sent()) == sorted(map(message_of, transfers))
        assert {each.requested_by for each in transfers} == {"42"}
        assert all(each.request_id.startswith("user-42-") for each in transfers)

    def test_a_row_is_as_one_of_a_single_request(self, session: Session) -> None:
        single = request_upload(session, LOGS, 12, 4)
        (many,) = request_uploads(session, [(LOGS, 12, 5)])
        changed = {"id", "request_id", "artifact", "requested_at", "next_attempt_at"}
        names = [name for name in Transfer.__slots__ if name not in changed]
        assert [getattr(single, name) for name in names] == [getattr(many, name) for name in names]

    def test_an_active_transfer_is_returned(self, engine: Engine, session: Session) -> None:
        # Given one that runs, one that is done, and one of the same transaction
        transfers = SqlTransfers(engine)
        running = transfers.claim(Artifact(LOGS, 12, 2), UPLOAD, "running", owner="w", lease=HOUR)
        done = transfers.claim(Artifact(LOGS, 12, 3), UPLOAD, "done", owner="w", lease=HOUR)
        assert running
        assert done
        transfers.cancel(12, run_id=3, kind=None)
        own = request_upload(session, CONFIG, 12)
        # When
        made = request_uploads(
            session, [(CONFIG, 12, None), (LOGS, 12, 1), (LOGS, 12, 2), (LOGS, 12, 3)]
        )
        session.commit()
        # Then
        assert made[0] == own
        assert made[2].id == running.transfer_id
        assert made[2].state is TransferState.RUNNING
        assert made[3].id != done.transfer_id
        assert count_rows(engine) == 5

    def test_one_that_is_named_twice_is_one_transfer(
        self, engine: Engine, session: Session, sent: Sent
    ) -> None:
        first, second, third = request_uploads(
            session, [(CONFIG, 12, None), (INPUT, 12, None), (CONFIG, 12, None)]
        )
        session.commit()
        assert first == third != second
        assert set(sent()) == {message_of(first), message_of(second)}
        assert count_rows(engine) == 2

    def test_none_is_nothing(self, session: Session, sent: Sent) -> None:
        assert request_uploads(session, []) == []
        session.commit()
        assert sent() == []

    @pytest.mark.parametrize(
        "wrong",
        [(CONFIG, 0, None), (CONFIG, 12, 4), (LOGS, 12, None), ("logs", 12, 4), (LOGS, 12), None],
        ids=str,
    )
    def test_a_wrong_one_refuses_all(self, engine: Engine, session: Session, wrong: Any) -> None:
        with pytest.raises(InvalidRequestError):
            request_uploads(session, [(CONFIG, 12, None), wrong])
        session.commit()
        assert count_rows(engine) == 0

    def test_a_rollback_takes_them_back(self, engine: Engine, session: Session, sent: Sent) -> None:
        request_uploads(session, MANY)
        session.rollback()
        session.commit()
        assert (sent(), count_rows(engine)) == ([], 0)

    def test_without_publishing_they_are_left_to_the_dispatch(
        self, engine: Engine, broker: Valkey
    ) -> None:
        with Session(engine) as session, session.begin():
            transfers = request_uploads(session, MANY, publish=False)
        assert {each.state for each in transfers} == {TransferState.WAITING}
        assert sent_to(broker) == []
        assert sorted(swept(engine, broker)) == sorted(map(message_of, transfers))

    def test_a_broker_that_is_away_loses_nothing(self, engine: Engine, broker: Valkey) -> None:
        away = f"redis://127.0.0.1:{free_port()}/0"
        with producing_to(away), Session(engine) as session, session.begin():
            transfers = request_uploads(session, MANY)
        assert sorted(swept(engine, broker)) == sorted(map(message_of, transfers))

    def test_more_active_ones_than_are_looked_up_at_once(
        self, engine: Engine, session: Session
    ) -> None:
        asked = [(CONFIG, job_id, None) for job_id in range(1, 1_102)]
        first = request_uploads(session, asked)
        second = request_uploads(session, reversed(asked))
        assert second == first[::-1]
        session.commit()
        assert count_rows(engine) == len(asked)


class TestOnePublish:
    def test_of_many_requests(self, session: Session, pushes: Callable[[], float]) -> None:
        make_templates(session)
        before = pushes()
        request_uploads(session, [(CONFIG, job_id, None) for job_id in range(1, 101)])
        session.commit()
        assert pushes() - before == 1

    def test_of_single_requests_in_a_commit(
        self, session: Session, pushes: Callable[[], float]
    ) -> None:
        make_templates(session)
        before = pushes()
        for job_id in range(1, 101):
            request_upload(session, CONFIG, job_id)
        session.commit()
        assert pushes() - before == 1

    def test_of_a_page_of_the_dispatch(
        self, engine: Engine, broker: Valkey, pushes: Callable[[], float]
    ) -> None:
        # Given
        with Session(engine) as session, session.begin():
            transfers = request_uploads(session, MANY, publish=False)
        # When
        found = swept(engine, broker)
        # Then by one command for each of the two queues
        assert sorted(found) == sorted(map(message_of, transfers))
        assert pushes() == 2
