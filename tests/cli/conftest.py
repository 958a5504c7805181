import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery import _state
from mypy_boto3_s3 import S3Client
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.last_dispatch import note_dispatch
from artifact_pipeline.worker.cli.main import main
from artifact_pipeline.worker.embedded.servers import Ministack, Valkey
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from artifact_pipeline.worker.workspace.initialization import initialize
from tests import preloaded
from tests.cli.commands import Answer, Command, bare_environment
from tests.cli.doctor_steps import ABORT, set_lifecycle
from tests.cli.file_shelf import filled_shelf
from tests.cli.shelf import CONFIG, Shelf
from tests.file_store.steps import Shelf as FileShelf
from tests.sql.batch_steps import History
from tests.sql.status_steps import Rows

_CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - set(bare_environment()):
        monkeypatch.delenv(name)
    monkeypatch.delenv("COLUMNS", raising=False)  # a table in a pipe is cut where it is set


@pytest.fixture(autouse=True)
def _own_celery_app() -> Iterator[None]:
    """Undo what the commands do to Celery's state, which they have to themselves."""
    state: Any = _state
    default, current = state.default_app, state._tls.current_app
    yield
    state.set_default_app(default)
    state._set_current_app(current)


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """Undo what an interrupted command does to SIGINT: it is the last of its process."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def artifacts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command, in this process."""

    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["artifacts", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Answer(ended.value.code, out, err)

    return run


@pytest.fixture
def artifacts_process() -> Command:
    """The installed command, in a process of its own."""

    def run(*arguments: str, **settings: str) -> Answer:
        ended = subprocess.run(
            [Path(sys.executable).with_name("artifacts"), *arguments],
            env={**bare_environment(), **settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Answer(ended.returncode, ended.stdout, ended.stderr)

    return run


@pytest.fixture
def artifacts_forked() -> Command:
    """The command in a process of its own, which starts in a third of the time."""

    def run(*arguments: str, **settings: str) -> Answer:
        return Answer(*preloaded.run_command(arguments, {**bare_environment(), **settings}))

    return run


@pytest.fixture
def database(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """What the commands see: job 12 with the runs 4 and 5, job 13 with run 7, job 14 with none."""
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", sqlite_url)
    engine = make_engine(sqlite_url)
    _insert(engine, {12: [4, 5], 13: [7], 14: []})
    yield engine
    engine.dispose()


@pytest.fixture
def transfers(database: Engine) -> SqlTransfers:
    return SqlTransfers(database)


@pytest.fixture
def queues(broker: Valkey, monkeypatch: pytest.MonkeyPatch) -> Valkey:
    """An empty broker that the commands see."""
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", broker.url)
    return broker


@pytest.fixture
def rows(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Rows:
    """The transfers that a command sees."""
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", database_url)
    return Rows(engine)


@pytest.fixture
def no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait only a moment for the answers of workers, where no worker is."""
    for name in ("_ANSWER_SECONDS", "_LATE_ANSWER_SECONDS"):
        monkeypatch.setattr(f"artifact_pipeline.worker.diagnosis.consumers.{name}", 0.05)


@pytest.fixture
def shelf(
    database: Engine,
    ministack: Ministack,
    bucket: str,
    s3_client: S3Client,
    monkeypatch: pytest.MonkeyPatch,
) -> Shelf:
    """What is in the bucket that the commands see."""
    settings = {
        "ARTIFACTS_BUCKET": bucket,
        "ARTIFACTS_S3_ENDPOINT_URL": ministack.url,
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return Shelf(engine=database, client=s3_client, bucket=bucket, url=ministack.url)


@pytest.fixture
def files(tmp_path: Path, database: Engine, monkeypatch: pytest.MonkeyPatch) -> FileShelf:
    """A store that the commands see: results that are recorded, a config, and logs elsewhere."""
    shelf = filled_shelf(tmp_path, database)
    monkeypatch.setenv("ARTIFACTS_STORE", shelf.root.url)
    return shelf


@pytest.fixture
def healthy(
    queues: Valkey,
    shelf: Shelf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_workers: None,  # noqa: ARG001 - a fixture
) -> Shelf:
    """A deployment in which nothing is to be found."""
    note_dispatch(datetime.now(UTC), make_app(queues.url))
    monkeypatch.setenv("ARTIFACTS_WORKSPACE", str(tmp_path))
    initialize(tmp_path, SqlWorkspaces(shelf.engine))
    set_lifecycle(shelf, ABORT)
    shelf.record(CONFIG, b"something to read")
    return shelf


@pytest.fixture
def history(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """The commands see its database: four configs whose uploads were given up."""
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", sqlite_url)
    engine = make_engine(sqlite_url)
    history = History(engine)
    history.failed_configs(1, 2, 3, 4)
    yield history
    engine.dispose()


def _insert(engine: Engine, runs_of: dict[int, list[int]]) -> None:
    with Session(engine) as session, session.begin():
        for job_id, runs in runs_of.items():
            session.add(
                JobRow(id=job_id, user_id=1, status="PROCESSING", created_at=_CREATED_AT, tags=[])
            )
            session.flush()
            for run_id in runs:
                session.add(
                    RunRow(
                        id=run_id,
                        job_id=job_id,
                        user_id=1,
                        status="RUNNING",
                        created_at=_CREATED_AT,
                        request={},
                    )
                )
