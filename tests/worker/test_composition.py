"""Which connections a process makes, and when."""

import io
import os
import sqlite3
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from celery import Celery
from sqlalchemy import Engine, QueuePool, event, text

from artifact_pipeline.domain.errors import (
    BrokerUnavailableError,
    MisconfiguredError,
    SqlUnavailableError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.audit_cursor import AuditedPages
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.settings import WorkerSettings, load
from artifact_pipeline.worker.sql.status import SqlStatus
from artifact_pipeline.worker.workspace.extra_fields import timestamp

CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)


@pytest.fixture
def composition(good: dict[str, str]) -> Composition:
    app = Celery("tests", broker=good["ARTIFACTS_BROKER_URL"], set_as_current=False)
    app.conf.broker_transport_options = {"max_retries": 0}
    return Composition(load(WorkerSettings), app)


@pytest.fixture
def on_sqlite(
    monkeypatch: pytest.MonkeyPatch, good: dict[str, str], sqlite_url: str
) -> Iterator[Composition]:
    opened: list[sqlite3.Connection] = []

    def note(connection: sqlite3.Connection, _record: object) -> None:
        opened.append(connection)

    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", sqlite_url)
    app = Celery("tests", broker=good["ARTIFACTS_BROKER_URL"], set_as_current=False)
    event.listen(Engine, "connect", note)
    yield Composition(load(WorkerSettings), app)
    event.remove(Engine, "connect", note)
    # A child forgets its parent's connections without closing them.
    for connection in opened:
        connection.close()


def test_reconcile_prunes_what_ended_long_ago_only_if_it_is_asked_to(
    on_sqlite: Composition, good: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given an artifact that was downloaded twice, a hundred days ago, and a broker that is away
    transfers = on_sqlite.adapters.transfers
    for request_id in ("first", "last"):
        claim = transfers.claim(
            CONFIG, Direction.DOWNLOAD, request_id, owner="w", lease=timedelta(minutes=1)
        )
        assert claim is not None
        transfers.finish(claim, 0)
    with on_sqlite.adapters.engine.begin() as connection:
        connection.execute(text("UPDATE transfers SET requested_at = '2020-01-01 00:00:00.000000'"))
        connection.execute(text("UPDATE transfers SET finished_at = requested_at"))
    monkeypatch.setenv("ARTIFACTS_STORE", tmp_path.as_uri())
    load(WorkerSettings).stores[0].initialize()
    app = Celery("tests", broker=good["ARTIFACTS_BROKER_URL"], set_as_current=False)
    app.conf.broker_transport_options = {"max_retries": 0}
    # When
    pruned = [Composition(load(WorkerSettings), app).reconcile().pruned]
    monkeypatch.setenv("ARTIFACTS_HISTORY_DAYS", "90")
    pruned += [Composition(load(WorkerSettings), app).reconcile().pruned for _ in range(2)]
    # Then
    assert pruned == [0, 1, 0]
    assert transfers.of_request("first", 12, Direction.DOWNLOAD) is None
    assert transfers.of_request("last", 12, Direction.DOWNLOAD) is not None


def test_the_periodic_audit_compares_the_store_and_counts(
    on_sqlite: Composition, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given a store of files with an object of a job that does not exist
    monkeypatch.setenv("ARTIFACTS_STORE", tmp_path.as_uri())
    settings = load(WorkerSettings)
    settings.stores[0].initialize()
    orphan = tmp_path / "jobs/99/2025/10/23/211500/job_config.json"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"{}")
    app = Celery("tests", set_as_current=False)
    # When
    runs = [Composition(settings, app).audit() for _ in range(2)]
    # Then
    assert runs == [AuditedPages(objects=1, jobs=1, faults=1), AuditedPages()]
    audit = SqlStatus(on_sqlite.adapters.engine, 5).read().audit
    assert audit is not None
    assert audit.result == {"objects": 1, "jobs": 1, "orphaned": 1}
    assert not audit.is_running


def test_nothing_connects_before_it_is_used(composition: Composition) -> None:
    # Given: addresses where nobody answers
    # When: even the use cases are made
    assert composition.handlers.upload is not None
    assert composition.handlers.relocate is not None
    # Then: it takes a call to notice
    with pytest.raises(BrokerUnavailableError):
        composition.dispatch()
    with pytest.raises(SqlUnavailableError):
        composition.transfer(Direction.UPLOAD, CONFIG, "a")


def test_a_fork_before_any_use_is_nothing_special(composition: Composition) -> None:
    # When
    composition.after_fork()
    # Then
    assert "engine" not in vars(composition.adapters)


def test_a_forked_process_makes_connections_of_its_own(on_sqlite: Composition) -> None:
    # Given: a parent that was at work, with a connection in its pool
    parent = _connections(on_sqlite)
    on_sqlite.release_leases()
    # When
    on_sqlite.after_fork()
    # Then
    child = _connections(on_sqlite)
    assert all(mine is not inherited for mine, inherited in zip(child, parent, strict=True))
    assert on_sqlite.release_leases() == 0


def test_no_connection_is_left_by_what_is_read_before_the_fork(on_sqlite: Composition) -> None:
    # When
    assert on_sqlite.database_id()
    # Then
    pool = on_sqlite.adapters.engine.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedin() == 0


def test_a_forked_process_leaves_the_parents_connections_open(on_sqlite: Composition) -> None:
    # Given: a connection that the parent has in use, and one in its pool
    used = on_sqlite.adapters.engine.connect()
    idle = on_sqlite.adapters.engine.raw_connection()
    driver = idle.driver_connection
    idle.close()
    # When
    on_sqlite.after_fork()
    # Then
    assert driver is not None
    assert driver.execute("SELECT 1").fetchone() == (1,)
    assert used.execute(text("SELECT 1")).scalar_one() == 1
    # No pool has them any more, so close them here: else they are left to the garbage collector.
    used.detach()
    used.close()
    driver.close()


def test_the_store_has_what_the_settings_say(
    composition: Composition, good: dict[str, str]
) -> None:
    # When
    store = composition.handlers.upload.store
    # Then
    url = store.location("jobs/12/key").sanitized
    assert url.startswith(f"{good['ARTIFACTS_S3_ENDPOINT_URL']}/artifacts/")
    assert url.endswith("jobs/12/key")


@pytest.mark.parametrize("direction", Direction)
def test_an_attempt_without_an_s3_client_is_recorded(
    on_sqlite: Composition, monkeypatch: pytest.MonkeyPatch, direction: Direction
) -> None:
    # Given
    monkeypatch.setenv("AWS_PROFILE", "prod-x")
    # When
    with pytest.raises(MisconfiguredError, match=r"^AWS_PROFILE=prod-x: "):
        on_sqlite.transfer(direction, CONFIG, "a")
    # Then
    latest = on_sqlite.adapters.transfers.latest(CONFIG, direction)
    assert latest is not None
    assert (latest.state, latest.attempts) == (TransferState.WAITING, 1)
    assert latest.reason_code is ReasonCode.MISCONFIGURED
    assert str(latest.last_error).startswith("AWS_PROFILE=prod-x: ")


def test_a_transfer_makes_its_own_handler_alone(composition: Composition) -> None:
    # When
    with pytest.raises(SqlUnavailableError):
        composition.transfer(Direction.UPLOAD, CONFIG, "a")
    # Then
    made = vars(composition.handlers).keys() | vars(composition.adapters).keys()
    assert {"upload", "store"} <= made
    assert made.isdisjoint({"download", "confirm", "locate", "fetch", "reader", "copier"})


def test_planning_makes_no_handler(composition: Composition) -> None:
    # When
    with pytest.raises(SqlUnavailableError):
        composition.request_downloads(12)
    # Then
    made = vars(composition.handlers).keys() | vars(composition.adapters).keys()
    assert "locate" in made
    assert made.isdisjoint({"upload", "download", "confirm", "fetch", "copier"})


def _connections(composition: Composition) -> list[object]:
    adapters = composition.adapters
    return [
        adapters.engine,
        adapters.client,
        composition.runner.policy.circuits[0],
        composition.handlers.upload.store,
    ]


@pytest.mark.parametrize(("times", "fields"), [("drop", {b""}), ("keep", {timestamp(10**18)})])
def test_a_worker_packs_times_if_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch,
    good: dict[str, str],
    sqlite_url: str,
    times: str,
    fields: set[bytes],
) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("ARTIFACTS_ZIP_TIMES", times)
    settings = load(WorkerSettings)
    results = settings.workspace / "job_12/OUT/run_4/RUN1"
    results.mkdir(parents=True)
    (results / "a").write_bytes(b"1")
    os.utime(results / "a", ns=(10**18, 10**18))
    composition = Composition(settings, Celery("tests", broker=good["ARTIFACTS_BROKER_URL"]))
    # When
    source = composition.handlers.upload.workspace.source(Artifact(ArtifactKind.RUN_RESULTS, 12, 4))
    content = io.BytesIO(b"".join(source.chunks()))
    composition.adapters.close()
    # Then
    with zipfile.ZipFile(content) as archive:
        assert {info.extra for info in archive.infolist()} == fields
