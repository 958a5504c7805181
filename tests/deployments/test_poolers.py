"""The pipeline behind PgBouncer, in its default configuration and in both usable modes."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import MisconfiguredError
from artifact_pipeline.domain.model.batches import BatchState, Listed
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.app import make_app, producer_app
from artifact_pipeline.worker.diagnosis.broker import examine_broker, fail_fast_app
from artifact_pipeline.worker.diagnosis.database import examine_database, reach_database
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.engine import autocommit, make_engine, transaction
from artifact_pipeline.worker.sql.migrate import upgrade
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from tests.databases import Databases
from tests.deployments.pgbouncer import Mode, PgBouncer
from tests.integration.deployment import Deployment
from tests.sql.batch_steps import History, config_of
from tests.sql.migration_steps import move
from tests.sql.steps import CREATED_AT

pytestmark = pytest.mark.processes

SETTINGS = (
    *("timezone", "search_path", "statement_timeout", "idle_in_transaction_session_timeout"),
    "transaction_isolation",
)
DEFAULTS = ("UTC", '"$user", public', "1min", "1min", "read committed")
# One more than psycopg runs before it prepares a statement in the server, on two connections.
OFTEN = 2 * 6


@pytest.fixture(scope="module")
def bouncer(databases: Databases) -> Iterator[PgBouncer]:
    """Before a database without any table."""
    with databases.fresh("template0") as url, PgBouncer(url) as bouncer:
        yield bouncer


@dataclass(frozen=True)
class Pooled:
    mode: Mode
    url: str
    deployment: Deployment
    worker: ManagedProcess

    @property
    def engine(self) -> Engine:
        return self.deployment.stack.engine


@pytest.fixture(scope="module")
def stack(bouncer: PgBouncer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """Its tables were made through the pooler."""
    directory = tmp_path_factory.mktemp("stack")
    with EmbeddedStack(directory, bouncer.url("transaction")) as stack:
        yield stack


@pytest.fixture(scope="module", params=["transaction", "session"])
def pooled(
    request: pytest.FixtureRequest, bouncer: PgBouncer, stack: EmbeddedStack
) -> Iterator[Pooled]:
    """A worker with beat, whose database is behind the pooler in that mode."""
    url = bouncer.url(request.param)
    worker = stack.start_worker(
        "--concurrency", "1", "--beat", environment={"ARTIFACTS_DATABASE_URL": url}
    )
    deployment = Deployment(stack)
    yield Pooled(request.param, url, deployment, worker)
    worker.stop()


def settings_of(engine: Engine, *, in_transaction: bool) -> tuple[str, ...]:
    shown = ", ".join(f"current_setting('{name}')" for name in SETTINGS)
    with (transaction if in_transaction else autocommit)(engine) as connection:
        return tuple(connection.execute(text(f"SELECT {shown}")).one())


class TestDeployment:
    def test_uploads_of_producers_are_done(self, pooled: Pooled) -> None:
        # Given a producer that prepares no statements
        deployment = pooled.deployment
        own = create_engine(pooled.url, connect_args={"prepare_threshold": None})
        app = producer_app(deployment.stack.broker.url)
        # When it asks for more uploads than statements are run before they are prepared
        artifacts = [config_of(deployment.job(CREATED_AT)) for _ in range(OFTEN)]
        for artifact in artifacts:
            deployment.write(artifact)
            with Session(own) as session, session.begin():
                request_upload(session, artifact.kind, artifact.job_id, app=app)
        # Then
        for artifact in artifacts:
            deployment.stored(artifact)
        own.dispose()
        assert "Traceback" not in pooled.worker.log.read_text()

    def test_a_request_without_a_message_is_dispatched(self, pooled: Pooled) -> None:
        # Given
        deployment = pooled.deployment
        artifact = config_of(deployment.job(CREATED_AT))
        deployment.write(artifact)
        with Session(pooled.engine) as session, session.begin():
            request_upload(session, artifact.kind, artifact.job_id, publish=False)
        # When
        deployment.foreign.send_task("artifacts.dispatch", queue="upkeep")
        # Then
        deployment.stored(artifact)

    def test_a_batch_from_a_file_is_done(self, pooled: Pooled) -> None:
        # Given failed uploads, and an engine behind the pooler
        deployment = pooled.deployment
        engine = make_engine(pooled.url)
        history = History(engine, producer_app(deployment.stack.broker.url))
        jobs = [deployment.new_id() for _ in range(3)]
        history.failed_configs(*jobs)
        for job_id in jobs:
            deployment.write(config_of(job_id))
        # When they are named in a file, which is read into a temporary table
        preview = history.preview(
            [Listed(job_id=each, kind=ArtifactKind.JOB_CONFIG) for each in jobs]
        )
        batch = history.start(preview.batch.id)
        # Then
        assert preview.members == len(jobs)
        deployment.wait_until(lambda: history.batches.get(batch.id).state is BatchState.DONE)
        for job_id in jobs:
            deployment.stored(config_of(job_id))
        engine.dispose()

    def test_an_upgrade_goes_through_it(self, pooled: Pooled) -> None:
        # Given the database as version 0008 left it
        engine = make_engine(pooled.url)
        move(engine, "0008")
        # When
        upgrade(engine)
        # Then
        reach_database(engine)
        engine.dispose()

    def test_doctor_names_it_and_finds_the_database_well(self, pooled: Pooled) -> None:
        # When
        engine = make_engine(pooled.url)
        findings = {each.check: each for each in examine_database(engine)}
        engine.dispose()
        # Then
        assert findings["database pooler"].severity is Severity.OK
        assert [each for each in findings.values() if each.severity is not Severity.OK] == []


@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("in_transaction", [True, False])
class TestSettings:
    def test_each_transaction_has_the_defaults(
        self, bouncer: PgBouncer, mode: Mode, *, in_transaction: bool
    ) -> None:
        engine = make_engine(bouncer.url(mode))
        seen = {settings_of(engine, in_transaction=in_transaction) for _ in range(OFTEN)}
        engine.dispose()
        assert seen == {DEFAULTS}

    def test_each_transaction_has_those_of_the_url(
        self, bouncer: PgBouncer, mode: Mode, *, in_transaction: bool
    ) -> None:
        options = "options=-csearch_path%3Da,b%20-cstatement_timeout%3D7s%20-ctimezone%3DJapan"
        engine = make_engine(f"{bouncer.url(mode)}&{options}")
        seen = {settings_of(engine, in_transaction=in_transaction) for _ in range(OFTEN)}
        engine.dispose()
        assert seen == {("UTC", "a,b", "7s", "1min", "read committed")}


@pytest.mark.parametrize(
    ("mode", "severity"), [("transaction", Severity.WARNING), ("session", Severity.OK)]
)
def test_a_broker_behind_it_is_polled_where_nothing_notifies(
    bouncer: PgBouncer, mode: Mode, severity: Severity
) -> None:
    # Given a consumer that has found its queue empty
    with make_app(bouncer.url(mode)).connection_for_write() as connection:
        queue = connection.SimpleQueue("configs")
        with pytest.raises(queue.Empty):
            queue.get(timeout=0.1)
        # When
        with make_app(bouncer.url(mode)).connection_for_write() as other:
            other.SimpleQueue("configs").put({"job_id": 1})
        # Then
        message = queue.get(timeout=30)
        assert message.payload == {"job_id": 1}
        message.ack()
    # And doctor says whether notifications pass
    findings = {each.check: each for each in examine_broker(fail_fast_app(bouncer.url(mode)))}
    assert findings["broker"].severity is Severity.OK
    assert findings["broker notifications"].severity is severity


def test_nothing_is_left_to_the_next_client(bouncer: PgBouncer) -> None:
    # Given a client that has used the only connection to the server
    engine = make_engine(bouncer.url("one_connection"))
    assert settings_of(engine, in_transaction=True) == DEFAULTS
    # When another one gets it
    other = create_engine(bouncer.url("one_connection"))
    with other.connect() as connection:
        timeout = connection.scalar(text("SHOW statement_timeout"))
        prepared = connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
    # Then
    assert (timeout, prepared) == ("0", 0)
    for each in (engine, other):
        each.dispose()


def test_a_threshold_that_is_set_counts(bouncer: PgBouncer) -> None:
    thresholds = {}
    for threshold in (None, 0, 3):
        engine = make_engine(bouncer.url("session"), prepare_threshold=threshold)
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            thresholds[threshold] = driver.prepare_threshold
        engine.dispose()
    assert thresholds == {None: None, 0: None, 3: 3}


@pytest.mark.usefixtures("stack")
def test_a_producer_that_prepares_statements_is_told_what_to_set(bouncer: PgBouncer) -> None:
    # Given two engines as SQLAlchemy makes them, which call their statements alike
    own = [create_engine(bouncer.url("one_connection")) for _ in range(2)]

    def ask_by_turns() -> None:
        for engine in own * 6:
            SqlTransfers(engine).request(config_of(1), Direction.UPLOAD, "a")

    # When / Then
    with pytest.raises(MisconfiguredError, match=r'connect_args=\{"prepare_threshold": None\}'):
        ask_by_turns()
    for engine in own:
        engine.dispose()


def test_a_mode_without_transactions_is_one_line(bouncer: PgBouncer) -> None:
    engine = make_engine(bouncer.url("statement"))
    with pytest.raises(MisconfiguredError, match="Set the pooler's pool_mode to transaction"):
        settings_of(engine, in_transaction=True)
    engine.dispose()
