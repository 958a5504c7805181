"""Requests in the producer's own transaction: sent after its commit, and only then."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.embedded.servers import Valkey, free_port
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from tests.sql.producer import (
    Sent,
    ask,
    black_hole,
    count_rows,
    message_of,
    producing_to,
    sent_to,
    swept,
)
from tests.sql.steps import job_row, run_row

pytestmark = pytest.mark.processes


class OnPurposeError(Exception):
    """Ends a transaction."""


def fail_a_flush(session: Session) -> None:
    session.add_all([job_row(12), job_row(12)])
    with suppress(IntegrityError):
        session.commit()
    session.rollback()


ROLLBACKS: dict[str, Callable[[Session], None]] = {
    "rollback": Session.rollback,
    "close": Session.close,
    "reset": Session.reset,
    "invalidate": Session.invalidate,
    "a flush that fails in the commit": fail_a_flush,
}


@pytest.mark.filterwarnings("ignore:New instance .* with identity key")
@pytest.mark.parametrize("roll_back", ROLLBACKS.values(), ids=ROLLBACKS.keys())
def test_a_transaction_that_rolls_back_sends_nothing(
    engine: Engine, session: Session, sent: Sent, roll_back: Callable[[Session], None]
) -> None:
    # Given
    ask(session)
    # When
    roll_back(session)
    # Then
    assert (sent(), count_rows(engine)) == ([], 0)
    # And what the same session commits next is all that it sends
    second = ask(session, run_id=5)
    session.commit()
    assert sent() == [message_of(second)]
    assert count_rows(engine) == 1


def test_an_error_in_a_block_sends_nothing(engine: Engine, session: Session, sent: Sent) -> None:
    with suppress(OnPurposeError), session.begin():
        ask(session)
        raise OnPurposeError
    assert (sent(), count_rows(engine)) == ([], 0)


@pytest.mark.parametrize("commits", [True, False], ids=["commits", "rolls back"])
def test_in_somebody_elses_transaction_it_is_left_to_the_dispatch(
    engine: Engine,
    broker: Valkey,
    app: Celery,  # noqa: ARG001 - the default app
    *,
    commits: bool,
) -> None:
    # Given a session on a connection whose transaction is not its own
    with engine.connect() as connection, connection.begin() as outer:
        with Session(connection) as session:
            transfer = ask(session)
            # When
            session.commit()
        # Then nothing is sent that may yet be rolled back
        assert sent_to(broker) == []
        outer.commit() if commits else outer.rollback()
    assert swept(engine, broker) == ([message_of(transfer)] if commits else [])


@pytest.mark.parametrize("kind", ArtifactKind)
def test_a_commit_sends_the_request_once_and_to_its_queue(
    session: Session, sent: Sent, kind: ArtifactKind
) -> None:
    # Given
    transfer = request_upload(session, kind, 12, 4 if kind.belongs_to_run else None)
    assert sent() == []
    # When
    session.commit()
    # Then
    assert sent() == [message_of(transfer)]
    assert transfer.state is TransferState.REQUESTED


def test_a_job_its_run_and_its_request_are_one_transaction(
    engine: Engine, session: Session, sent: Sent
) -> None:
    with session.begin():
        session.add(job_row())
        session.flush()
        session.add(run_row())
        transfer = ask(session)
    assert sent() == [message_of(transfer)]
    assert SqlTransfers(engine).get_many([transfer.id]) == [transfer]


def test_a_second_commit_sends_nothing_again(session: Session, sent: Sent) -> None:
    # Given
    transfer = ask(session)
    session.commit()
    # When
    session.add(job_row())
    session.commit()
    session.commit()
    # Then
    assert sent() == [message_of(transfer)]


def test_each_transaction_of_a_session_sends_its_own(session: Session, sent: Sent) -> None:
    transfers = []
    for run_id in (4, 5, 6):
        transfers.append(ask(session, run_id))
        session.commit()
        assert sent() == [message_of(transfer) for transfer in reversed(transfers)]


def test_all_requests_of_a_transaction_are_sent(session: Session, sent: Sent) -> None:
    with session.begin():
        transfers = [ask(session, run_id) for run_id in range(1, 151)]
    assert sorted(sent()) == sorted(message_of(transfer) for transfer in transfers)


def test_a_savepoint_that_rolls_back_takes_its_own_requests_with_it(
    engine: Engine, session: Session, sent: Sent
) -> None:
    with session.begin():
        before = ask(session, 1)
        with suppress(OnPurposeError), session.begin_nested():
            ask(session, 2)
            raise OnPurposeError
        after = ask(session, 3)
    assert sorted(sent()) == sorted([message_of(before), message_of(after)])
    assert count_rows(engine) == 2


def test_a_released_savepoint_sends_nothing_before_the_commit(session: Session, sent: Sent) -> None:
    with session.begin():
        with session.begin_nested():
            transfer = ask(session)
        assert sent() == []
    assert sent() == [message_of(transfer)]


def test_a_released_savepoint_goes_with_the_transaction_that_rolls_back(
    engine: Engine, session: Session, sent: Sent
) -> None:
    with session.begin_nested():
        ask(session)
    session.rollback()
    session.commit()
    assert (sent(), count_rows(engine)) == ([], 0)


def test_a_savepoint_goes_with_the_savepoint_around_it(session: Session, sent: Sent) -> None:
    with session.begin(), session.begin_nested():
        kept = ask(session, 1)
        with suppress(OnPurposeError), session.begin_nested():
            with session.begin_nested():
                ask(session, 2)
            ask(session, 3)
            raise OnPurposeError
        also_kept = ask(session, 4)
    assert sorted(sent()) == sorted([message_of(kept), message_of(also_kept)])


def test_what_a_savepoint_took_back_can_be_asked_for_again(session: Session, sent: Sent) -> None:
    with session.begin():
        with suppress(OnPurposeError), session.begin_nested():
            ask(session)
            raise OnPurposeError
        again = ask(session)
    assert sent() == [message_of(again)]


def test_asking_twice_in_one_transaction_is_one_transfer(
    engine: Engine, session: Session, sent: Sent
) -> None:
    with session.begin():
        first, second = ask(session), ask(session)
    assert first == second
    assert set(sent()) == {message_of(first)}
    assert count_rows(engine) == 1


def test_asking_while_one_is_active_returns_that_one(
    engine: Engine, session: Session, sent: Sent
) -> None:
    # Given
    first = ask(session)
    session.commit()
    # When
    with Session(engine) as another, another.begin():
        second = ask(another)
    # Then a second message would do no harm, a second transfer would
    assert second == first
    assert set(sent()) == {message_of(first)}
    assert count_rows(engine) == 1


def test_sessions_do_not_send_for_each_other(engine: Engine, session: Session, sent: Sent) -> None:
    # Given a session that has asked before, and rolled back
    ask(session)
    session.rollback()
    # When
    with Session(engine) as another, another.begin():
        transfer = ask(another, 5)
    # Then
    assert sent() == [message_of(transfer)]


@pytest.mark.parametrize("away", ["closed port", "black hole"])
def test_a_broker_that_is_away_loses_nothing(engine: Engine, broker: Valkey, away: str) -> None:
    # Given
    with black_hole() as (hole, connections):
        url = hole if away == "black hole" else f"redis://127.0.0.1:{free_port()}/0"
        with producing_to(url), Session(engine) as session:
            transfer = ask(session)
            # When
            session.commit()
            # Then the commit has returned without a second try, and the session goes on
            assert len(connections) == (away == "black hole")
            session.add(job_row())
            session.commit()
    assert SqlTransfers(engine).get_many([transfer.id]) == [transfer]
    assert sent_to(broker) == []
    # And the dispatch sends it once the broker is back
    assert swept(engine, broker) == [message_of(transfer)]
