"""Which Celery app a request is sent by, and what is said where there is none."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import (
    ConfigurationError,
    InvalidRequestError,
    ProducerNotConfiguredError,
)
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.worker.embedded.servers import Valkey, free_port
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from tests.preloaded import start_code
from tests.sql.producer import count_rows, message_of, producing_to, sent_to

# Tells on stderr of every network address that is connected to.
ASK = """
import sys
sys.addaudithook(lambda event, args: event == 'socket.connect' and print(args[1], file=sys.stderr))
from sqlalchemy.orm import Session
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.errors import ProducerNotConfiguredError
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.transfers.requests import request_upload
with Session(make_engine(sys.argv[1])) as session:
    try:
        request_upload(session, ArtifactKind.JOB_CONFIG, 12)
    except ProducerNotConfiguredError as error:
        print(error)
    assert not session.in_transaction()
    session.commit()
"""


def ask(engine: Engine, app: Celery | None = None) -> Transfer:
    with Session(engine) as session, session.begin():
        return request_upload(session, ArtifactKind.JOB_CONFIG, 12, app=app)


@pytest.mark.processes
def test_without_an_app_it_is_refused_before_anything_is_inserted(
    engine: Engine, database_url: str
) -> None:
    # When in a process of its own, for the app that Celery falls back to is the whole process's
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ARTIFACTS_")}
    ended = start_code(ASK, database_url, env=environment).ended()
    # Then it says what to do, and has connected to no broker
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("no broker: set ARTIFACTS_BROKER_URL and call ")
    assert count_rows(engine) == 0


def test_an_app_without_a_broker_is_refused(engine: Engine) -> None:
    with Celery("platform", set_as_current=False) as app, pytest.raises(ProducerNotConfiguredError):
        ask(engine, app)
    assert count_rows(engine) == 0


def test_a_thread_that_did_not_make_the_app_sends_by_it(engine: Engine, broker: Valkey) -> None:
    # Given
    with producing_to(broker.url), ThreadPoolExecutor(1) as pool:
        # When
        transfer = pool.submit(ask, engine).result()
    # Then
    assert sent_to(broker) == [message_of(transfer)]


def test_a_given_app_is_preferred_to_the_current_one(engine: Engine, broker: Valkey) -> None:
    with producing_to(broker.url) as app, producing_to(f"redis://127.0.0.1:{free_port()}/0"):
        transfer = ask(engine, app)
    assert sent_to(broker) == [message_of(transfer)]


def test_requests_of_one_transaction_go_by_the_app_each_was_given(
    engine: Engine, broker: Valkey
) -> None:
    with (
        producing_to(broker.url) as app,
        producing_to(f"redis://127.0.0.1:{free_port()}/0") as away,
        Session(engine) as session,
    ):
        # When
        lost = request_upload(session, ArtifactKind.JOB_CONFIG, 12, app=away)
        kept = request_upload(session, ArtifactKind.JOB_INPUT, 12, app=app)
        session.commit()
    # Then the one that is away does not keep the other from being sent
    assert sent_to(broker) == [message_of(kept)]
    assert lost.id != kept.id
    assert count_rows(engine) == 2


@pytest.mark.parametrize(
    ("kind", "job_id", "run_id"),
    [
        (ArtifactKind.JOB_CONFIG, 0, None),
        (ArtifactKind.JOB_CONFIG, 12, 4),
        (ArtifactKind.RUN_LOGS, 12, None),
        (ArtifactKind.RUN_LOGS, 12, 2**31),
    ],
)
def test_ids_that_name_no_artifact_are_refused(
    engine: Engine, broker: Valkey, kind: ArtifactKind, job_id: int, run_id: int | None
) -> None:
    with (
        producing_to(broker.url),
        Session(engine) as session,
        pytest.raises(InvalidRequestError),
    ):
        request_upload(session, kind, job_id, run_id)
    assert count_rows(engine) == 0


def test_a_database_without_the_tables_says_what_to_run(
    empty_postgres_url: str, broker: Valkey
) -> None:
    engine = make_engine(empty_postgres_url)
    with producing_to(broker.url), pytest.raises(ConfigurationError, match="db upgrade"):
        ask(engine)
    engine.dispose()
