"""The sessions and isolation levels that producers have."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from artifact_pipeline.domain.errors import PipelineError, SessionTypeError, SqlUnavailableError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer
from artifact_pipeline.worker.composition.producer import Producer
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.settings import ProducerSettings
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.platform import SqlJobs
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import (
    SessionRequests,
    request_download,
    request_in,
    request_upload,
)
from tests.contract.transfer_steps import loss
from tests.sql.producer import count_rows, message_of, producing_to, sent_to, swept
from tests.sql.steps import CONFIG, HOUR, LOCATION, insert, job_row

ASK: dict[str, Callable[[Any, Celery], Any]] = {
    "request_upload": lambda session, app: request_upload(session, CONFIG.kind, 12, app=app),
    "request_download": lambda session, app: request_download(session, CONFIG.kind, 12, app=app),
    "request_in": lambda session, app: request_in(session, CONFIG, Direction.UPLOAD, app),
    "SessionRequests": lambda session, app: SessionRequests(session, app).request(
        CONFIG, Direction.UPLOAD
    ),
}
WORK: dict[str, Callable[[Any], object]] = {
    "jobs": lambda session: SqlJobs(session).get(12),
    "transfers": lambda session: SqlTransfers(session).expect(CONFIG, "a", HOUR),
    "artifacts": lambda session: SqlArtifacts(session).of_job(12),
    "confirm": lambda session: SessionRequests(session, publish=False).confirm(12, None),
}


@pytest.fixture
def app(broker: Valkey) -> Iterator[Celery]:
    with producing_to(broker.url) as app:
        yield app


class SubclassedSession(Session):
    """As `sqlmodel.Session`, and as the sessions of Flask-SQLAlchemy."""


class FlaskScopedSession(scoped_session[Any]):
    """As `db.session` of Flask-SQLAlchemy."""


class AsyncSession:
    """As SQLAlchemy's, whose module needs greenlet."""

    __module__ = "sqlalchemy.ext.asyncio.session"

    def run_sync(self) -> None:
        """Is not called here."""


class AsyncScopedSession:
    """As `async_scoped_session`, which has not all methods of a session."""

    __module__ = "sqlalchemy.ext.asyncio.scoping"


SESSIONS: dict[str, Callable[[Engine], Any]] = {
    "Session": Session,
    "subclass": SubclassedSession,
    "scoped": lambda engine: scoped_session(sessionmaker(engine)),
    "Flask": lambda engine: FlaskScopedSession(sessionmaker(engine, class_=SubclassedSession)),
}


@pytest.fixture(params=SESSIONS)
def session(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Any]:
    insert(engine, job_row())
    session = SESSIONS[request.param](engine)
    yield session
    session.close()


class TestAccepted:
    @pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
    def test_a_request_is_sent_after_the_commit(
        self, session: Any, app: Celery, broker: Valkey, ask: Callable[[Any, Celery], Transfer]
    ) -> None:
        # When
        transfer = ask(session, app)
        before = sent_to(broker)
        session.commit()
        # Then
        assert before == []
        assert sent_to(broker) == [message_of(transfer)]

    def test_a_rollback_takes_it_back(self, session: Any, engine: Engine, app: Celery) -> None:
        request_upload(session, CONFIG.kind, 12, app=app)
        session.rollback()
        assert count_rows(engine) == 0

    @pytest.mark.parametrize("work", WORK.values(), ids=WORK)
    def test_repositories_work_in_its_transaction(
        self, session: Any, engine: Engine, work: Callable[[Any], object]
    ) -> None:
        work(session)
        session.rollback()
        assert count_rows(engine) == 0

    def test_a_controller_works_in_it(self, session: Any, app: Celery, broker: Valkey) -> None:
        # Given
        settings = ProducerSettings(bucket="artifacts", broker_url=broker.url)
        # When
        controller = Producer(settings, app).controller(session)
        transfer = controller.request_download(ArtifactKind.JOB_CONFIG, 12)
        session.commit()
        # Then
        assert sent_to(broker) == [message_of(transfer)]


class TestRefused:
    @pytest.mark.parametrize(
        ("refused", "own"), [(AsyncSession(), "session"), (AsyncScopedSession(), "session()")]
    )
    @pytest.mark.parametrize("ask", [*ASK.values(), *WORK.values()], ids=[*ASK, *WORK])
    def test_an_asynchronous_one_is_told_what_to_pass(
        self, refused: object, own: str, ask: Callable[..., object]
    ) -> None:
        arguments = [refused, Celery(broker="memory://", set_as_current=False)]
        with pytest.raises(SessionTypeError) as error:
            ask(*arguments[: ask.__code__.co_argcount])
        assert str(error.value) == (
            f"session: {type(refused).__name__} is asynchronous. Have it pass its own synchronous"
            f" session: await {own}.run_sync(lambda s: request_upload(s, …))"
        )

    @pytest.mark.parametrize("wrong", [None, "postgresql://", sessionmaker(), object()], ids=type)
    def test_what_is_no_session_is_one_line(self, wrong: Any) -> None:
        with pytest.raises(SessionTypeError, match="Pass one, such as Session"):
            request_upload(wrong, CONFIG.kind, 12, publish=False)
        with pytest.raises(TypeError, match="Pass one, such as Session"):
            SqlJobs(wrong).get(12)

    def test_an_engine_is_no_session(self, engine: Engine) -> None:
        with pytest.raises(SessionTypeError, match="session: Engine is not a Session"):
            request_upload(engine, CONFIG.kind, 12, publish=False)  # type: ignore[arg-type]


class TestIsolation:
    @pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE", "READ COMMITTED"])
    def test_requests_work(
        self, postgres_url: str, app: Celery, broker: Valkey, level: Any
    ) -> None:
        engine = create_engine(postgres_url, isolation_level=level)
        insert(engine, job_row())
        # When
        with Session(engine) as session, session.begin():
            transfer = request_upload(session, CONFIG.kind, 12, app=app)
            again = request_upload(session, CONFIG.kind, 12, app=app)
            SqlJobs(session).submit(12, LOCATION)
        # Then
        assert transfer == again
        assert message_of(transfer) in sent_to(broker)
        engine.dispose()

    @pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
    def test_a_request_that_another_transaction_has_made_meanwhile_is_one_line(
        self, postgres_url: str, level: Any
    ) -> None:
        # Given a transaction that sees the database as it was before another one's request
        engine, other = (
            create_engine(postgres_url, isolation_level=level),
            create_engine(postgres_url),
        )
        with Session(engine) as session:
            session.execute(text("SELECT 1 FROM transfers"))
            SqlTransfers(other).request(CONFIG, Direction.UPLOAD, "another")
            # When / Then
            with pytest.raises(SqlUnavailableError) as refused:
                request_upload(session, CONFIG.kind, 12, publish=False)
            assert "Roll back, and repeat the whole transaction" in str(refused.value)
            assert "\n" not in str(refused.value)
            # And it joins that request once it does so
            session.rollback()
            assert request_upload(session, CONFIG.kind, 12, publish=False).request_id == "another"
        for each in (engine, other):
            each.dispose()

    @pytest.mark.parametrize("database", ["sqlite_url", "postgres_url"])
    def test_under_autocommit_the_row_is_there_at_once(
        self, request: pytest.FixtureRequest, database: str, app: Celery, broker: Valkey
    ) -> None:
        # Given
        url = request.getfixturevalue(database)
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with Session(engine) as session:
            # When a session asks, and commits
            committed = request_upload(session, CONFIG.kind, 12, app=app)
            assert (count_rows(engine), sent_to(broker)) == (1, [])
            session.commit()
            # Then
            assert sent_to(broker) == [message_of(committed)]
            # When it asks, and rolls back what is committed already
            kept = request_download(session, CONFIG.kind, 12, app=app)
            session.rollback()
            # Then it is left to the dispatch
            assert sent_to(broker) == [message_of(committed)]
        assert {message_of(committed), message_of(kept)} == set(swept(engine, broker, loss()))
        engine.dispose()

    def test_a_read_only_transaction_is_one_line(self, postgres_url: str) -> None:
        engine = create_engine(postgres_url)
        read_only = engine.execution_options(postgresql_readonly=True)
        with Session(read_only) as session, pytest.raises(PipelineError) as refused:
            request_upload(session, CONFIG.kind, 12, publish=False)
        assert "cannot execute INSERT in a read-only transaction" in str(refused.value)
        assert "\n" not in str(refused.value)
        engine.dispose()
