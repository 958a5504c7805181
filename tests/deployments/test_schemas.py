"""Databases whose tables are not those that a worker needs: nothing is taken, and nothing lost."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Semaphore
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from billiard.einfo import ExceptionWithTraceback  # type: ignore[attr-defined]  # its stubs
from celery import Celery
from celery.exceptions import Retry
from celery.worker.request import Request
from sqlalchemy import Engine, text

from artifact_pipeline.domain.errors import SourceMissingError, SqlUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.tasks.events import WatchedRequest, attach_watch
from artifact_pipeline.tasks.receipt import BareRequest
from artifact_pipeline.worker.diagnosis.database import examine_database, reach_database
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.lifecycle.liveness import Liveness
from artifact_pipeline.worker.lifecycle.schema_watch import SchemaWatch
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.errors import SchemaError
from artifact_pipeline.worker.sql.tables import PipelineBase
from artifact_pipeline.worker.sql.transfers.receipt import record_requests
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.version import VERSION_TABLE, newest_version
from tests.databases import Databases, grant_needed, role
from tests.domain.world import World
from tests.integration.deployment import Deployment
from tests.sql.batch_steps import config_of
from tests.sql.steps import CONFIG, CREATED_AT, HOUR, UPLOAD

BARE = BareRequest(request_id="a", artifact=CONFIG, direction=UPLOAD)
RECORDS: dict[str, Callable[[Engine], object]] = {
    "receipt": lambda engine: record_requests(engine, [BARE]),
    "claim": lambda engine: SqlTransfers(engine).claim(
        CONFIG, UPLOAD, "a", owner="worker-1", lease=HOUR
    ),
}
CHANGES = {
    "no table": "DROP TABLE transfers",
    "no column": "ALTER TABLE transfers DROP COLUMN next_attempt_at",
    "another type": "DROP INDEX transfers_untried_uploads, transfers_untried_of_workspace;"
    " ALTER TABLE transfers ALTER attempts TYPE bool USING false",
    "a newer column": "ALTER TABLE transfers ADD newer int NOT NULL",
    "no schema": "ALTER SCHEMA public RENAME TO gone",
    "a view": "ALTER TABLE transfers RENAME TO old;"
    " CREATE VIEW transfers AS SELECT DISTINCT * FROM old",
}
ONE = ("--concurrency", "1")


@pytest.fixture
def fresh(fresh_postgres_url: str) -> Iterator[Engine]:
    engine = make_engine(fresh_postgres_url)
    yield engine
    engine.dispose()


def execute(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def set_version(engine: Engine, version: str) -> None:
    execute(engine, f"UPDATE {VERSION_TABLE} SET version_num = '{version}'")  # noqa: S608 - ours


class TestBeforeThereIsARow:
    """Each error is a SqlUnavailableError, for which a task sends its message back."""

    @pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
    @pytest.mark.parametrize("change", CHANGES)
    def test_another_schema(
        self, fresh: Engine, change: str, record: Callable[[Engine], object]
    ) -> None:
        # Given
        execute(fresh, *CHANGES[change].split(";"))
        # When / Then
        with pytest.raises(SchemaError) as refused:
            record(fresh)
        assert isinstance(refused.value, SqlUnavailableError)
        assert "`artifacts " in str(refused.value)
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
    def test_a_role_that_may_not_insert(
        self, fresh: Engine, fresh_postgres_url: str, record: Callable[[Engine], object]
    ) -> None:
        # Given
        with role(fresh_postgres_url) as url:
            engine = make_engine(url)
            name = str(engine.url.username)
            grant_needed(fresh, name)
            execute(fresh, f"REVOKE INSERT ON transfers FROM {name}")
            # When / Then
            with pytest.raises(SqlUnavailableError, match="permission denied for table transfers"):
                record(engine)
            engine.dispose()

    @pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
    def test_a_read_only_database(
        self, fresh_postgres_url: str, record: Callable[[Engine], object]
    ) -> None:
        read_only = "options=-cdefault_transaction_read_only%3Don"
        engine = make_engine(f"{fresh_postgres_url}&{read_only}")
        with pytest.raises(SqlUnavailableError, match="in a read-only transaction"):
            record(engine)
        engine.dispose()

    def test_an_error_that_no_adapter_knows(self) -> None:
        world = World()
        broken = RuntimeError("a constraint of somebody else's")
        with (
            patch.object(world.transfers, "claim", side_effect=broken),
            pytest.raises(SqlUnavailableError, match="not recorded: RuntimeError: a constraint"),
        ):
            world.upload()


class TestWatch:
    """Of a worker's main process."""

    @pytest.mark.parametrize("error", [SqlUnavailableError(), SourceMissingError(), OSError()])
    def test_other_failures_stop_nothing(self, error: Exception) -> None:
        watch = SchemaWatch(lambda: pytest.fail("looked"))
        watch.failed(error)
        assert watch.may_take()

    def test_nothing_is_taken_until_the_schema_is_as_needed(self, tmp_path: Path) -> None:
        # Given a database that is wrong at two looks, by which it is away once and then well
        answers: list[Exception | None] = [SchemaError("no table"), SqlUnavailableError(), None]
        looks, liveness = Semaphore(0), Liveness(tmp_path / "alive")
        seen: list[tuple[bool, str]] = []

        def reach() -> None:
            seen.append((watch.may_take(), (tmp_path / "alive").read_text()))
            if (answer := answers.pop(0)) is not None:
                raise answer

        watch = SchemaWatch(reach, liveness, lambda _seconds: looks.acquire(timeout=10))
        # When a task fails by it, and another one at the same time
        watch.failed(SchemaError("no column runs.config_url"))
        watch.failed(SchemaError("no column runs.config_url"))
        looks.release(3)
        # Then
        wait_for(lambda: watch.may_take() and not (tmp_path / "alive").read_text())
        assert seen == 3 * [(False, "database: no column runs.config_url")]

    def test_a_look_that_breaks_does_not_stop_the_worker_for_good(self) -> None:
        def reach() -> None:
            raise RuntimeError("a bug")

        watch = SchemaWatch(reach, None, lambda _seconds: None)
        watch.failed(SchemaError())
        wait_for(watch.may_take)

    def test_it_no_longer_shows_that_it_waits_before_it_takes_messages(
        self, tmp_path: Path
    ) -> None:
        # Given
        takes_already: list[bool] = []

        class Noted(Liveness):
            def starts(self) -> None:
                takes_already.append(watch.may_take())

        watch = SchemaWatch(lambda: None, Noted(tmp_path / "alive"), lambda _seconds: None)
        # When
        watch.failed(SchemaError())
        wait_for(watch.may_take)
        # Then a failure that comes next has its own sign
        assert takes_already == [False]

    @pytest.mark.parametrize("wrap", [lambda e: e, lambda e: Retry("later", exc=e)])
    def test_it_hears_of_failures_and_of_retries(self, wrap: Callable[[Exception], Any]) -> None:
        # Given
        app, error, heard = Celery(set_as_current=False), SchemaError(), list[BaseException]()
        attach_watch(app, heard.append)
        request: Any = WatchedRequest.__new__(WatchedRequest)
        request._app = app
        # When
        with patch.object(Request, "on_failure") as celerys:
            request.on_failure(SimpleNamespace(exception=ExceptionWithTraceback(wrap(error), None)))
        # Then
        assert heard == [error]
        assert celerys.called


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 30
    while not condition():
        assert monotonic() < deadline, "it did not happen"
        sleep(0.01)


class TestChecks:
    """Of `health ready` and of a worker's start, and of doctor."""

    @pytest.mark.parametrize(
        ("change", "said", "check"),
        [
            (f"UPDATE {VERSION_TABLE} SET version_num = '0001'", "0001", "database version"),  # noqa: S608
            (f"DROP TABLE {VERSION_TABLE}", "none", "database version"),
            ("DROP TABLE transfers CASCADE", "no table transfers", "pipeline columns"),
            ("ALTER TABLE artifacts DROP etag", "no column artifacts.etag", "pipeline columns"),
            ("ALTER TABLE jobs DROP created_at", "no column jobs.created_at", "platform columns"),
        ],
    )
    def test_each_names_what_is_missing(
        self, fresh: Engine, change: str, said: str, check: str
    ) -> None:
        # Given
        execute(fresh, change)
        # When
        with pytest.raises(SchemaError) as refused:
            reach_database(fresh)
        wrong = [each for each in examine_database(fresh) if each.severity is Severity.ERROR]
        # Then
        assert said in str(refused.value)
        (found,) = wrong
        assert found.check == check
        assert said in found.what

    def test_tables_of_the_pipeline_outside_of_the_search_path(self, fresh: Engine) -> None:
        # Given
        names = [*PipelineBase.metadata.tables, VERSION_TABLE]
        execute(fresh, "CREATE SCHEMA own", *(f"ALTER TABLE {n} SET SCHEMA own" for n in names))
        # When / Then
        with pytest.raises(SchemaError, match=f"found own.{VERSION_TABLE}, .* ALTER ROLE"):
            reach_database(fresh)


@pytest.mark.processes
class TestWorker:
    @pytest.fixture
    def deployed(self, databases: Databases, tmp_path: Path) -> Iterator[Deployment]:
        with databases.fresh() as url, EmbeddedStack(tmp_path / "stack", url) as stack:
            yield Deployment(stack)

    def test_it_waits_at_its_start_and_whenever_the_schema_changes(
        self, deployed: Deployment, tmp_path: Path
    ) -> None:
        # Given a database of an older version, and a message
        engine, alive = deployed.stack.engine, tmp_path / "alive"
        set_version(engine, "0001")
        first = asked(deployed)
        # When a worker is started
        environment = {"ARTIFACTS_LIVENESS_FILE": str(alive)}
        worker = deployed.stack.start_worker(*ONE, environment=environment)
        # Then it says what it waits for, and takes nothing
        deployed.wait_until(lambda: alive.exists() and bool(alive.read_text()))
        assert "database: its version is 0001, and " in alive.read_text()
        assert "not started yet" in worker.log.read_text()
        assert waiting(deployed) == 1
        # When the migration has run
        set_version(engine, newest_version())
        # Then
        assert deployed.ended(first).state is TransferState.DONE

        # When the schema changes while it runs
        execute(engine, "ALTER TABLE transfers RENAME next_attempt_at TO gone")
        second = asked(deployed)
        deployed.wait_until(lambda: "database: " in alive.read_text())
        further = [asked(deployed) for _ in range(3)]
        # Then the message that it had is in its queue again, beside those that it leaves there
        deployed.wait_until(lambda: waiting(deployed) == 1 + len(further))
        assert "no message is taken until this is corrected: " in worker.log.read_text()
        # When it is as before
        execute(engine, "ALTER TABLE transfers RENAME gone TO next_attempt_at")
        # Then
        for artifact in (second, *further):
            assert deployed.ended(artifact).state is TransferState.DONE
        assert alive.read_text() == ""
        assert "Traceback" not in worker.log.read_text()


def asked(deployed: Deployment) -> Artifact:
    """A config whose upload a bare message asks for."""
    artifact = config_of(deployed.job(CREATED_AT))
    deployed.write(artifact)
    deployed.send(artifact)
    return artifact


def waiting(deployed: Deployment) -> int:
    with deployed.stack.broker.client() as broker:
        count: Any = broker.llen("configs")
        return int(count)
