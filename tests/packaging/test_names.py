"""The names that the installed wheel has, from the wheel itself, in a folder of somebody else's."""

import json
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline import ArtifactKind
from artifact_pipeline.former_names import MOVED, STILL_DOCUMENTED
from artifact_pipeline.tasks.routing import queue_of
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.packaging.wheels import foreign_settings_left_out, run_quietly

pytestmark = pytest.mark.processes

PRODUCER = """
import json, os
from datetime import UTC, datetime

import celeryconfig, domain, tasks, worker
from celery import Celery
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from artifact_pipeline import ArtifactKind, Producer, producer_app, request_upload

producer_app()
engine = create_engine(os.environ["ARTIFACTS_DATABASE_URL"])
with Session(engine) as session, session.begin():
    session.execute(
        text("INSERT INTO jobs (id, user_id, status, created_at) VALUES (12, 1, 'CREATED', :at)"),
        {"at": datetime(2025, 10, 23, 21, 15, tzinfo=UTC)},
    )
    transfer = request_upload(session, ArtifactKind.JOB_INPUT, job_id=12)
with Session(engine) as session, session.begin():
    controller = Producer().controller(session)
    location = controller.submit_job_config(job_id=12)
app = Celery(broker=os.environ["ARTIFACTS_BROKER_URL"])
app.conf.task_ignore_result = True
app.send_task("artifacts.upload_run_logs", kwargs={"job_id": 12, "run_id": 4}, queue="logs")
print(json.dumps({
    "state": transfer.state,
    "key": location.url.split("?")[0].split("/", 3)[3],
    "platform": [module.OWNER for module in (celeryconfig, domain, tasks, worker)],
}))
"""
FORMER = """
import importlib, json, sys, warnings

moved, documented = json.loads(sys.argv[1])
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    for name in documented:
        importlib.import_module(name)
    quiet = [str(warning.message) for warning in seen if "deprecated" in str(warning.message)]
    for old, new in moved.items():
        assert importlib.import_module(old) is importlib.import_module("artifact_pipeline." + new)
    told = [str(warning.message).split()[0] for warning in seen]
    from domain.errors import PipelineError
    from worker.sql.transfers import SqlTransfers
import artifact_pipeline
import artifact_pipeline.worker.sql.transfers.state_values
assert artifact_pipeline.PipelineError is PipelineError
assert artifact_pipeline.SqlTransfers is SqlTransfers
print(json.dumps([quiet, sorted(set(told) & set(moved))]))
"""


LATER = """
import sys
from importlib.machinery import PathFinder

class Later:
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, ["elsewhere"])

sys.meta_path.append(Later)
import tasks
print(tasks.OWNER, tasks.__file__)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A platform's folder, where its own modules have the names that ours had."""
    for name in ("domain", "worker"):
        (tmp_path / name).mkdir()
    for name in ("tasks.py", "celeryconfig.py", "domain/__init__.py", "worker/__init__.py"):
        (tmp_path / name).write_text("OWNER = 'the platform'\n")
    return tmp_path


@pytest.fixture
def bare_folder(tmp_path: Path) -> Path:
    """Folders of a platform that are packages without an `__init__.py`."""
    for name in ("domain", "tasks", "worker"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.py").write_text("OWNER = 'the platform'\n")
    return tmp_path


def settings(directory: Path, broker: Valkey) -> dict[str, str]:
    return {
        **foreign_settings_left_out(),
        "ARTIFACTS_DATABASE_URL": f"sqlite:///{directory}/pipeline.db",
        "ARTIFACTS_BROKER_URL": broker.url,
        "ARTIFACTS_BUCKET": "artifacts",
        "ARTIFACTS_WORKSPACE": str(directory),
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def test_a_producer_works_beside_modules_of_the_same_names(
    image: Path, folder: Path, broker: Valkey
) -> None:
    # Given
    environment = settings(folder, broker)
    upgrade = (str(image / "bin/artifacts"), "db", "upgrade", "--with-platform-tables")
    run_quietly(*upgrade, directory=folder, environment=environment)
    # When it asks for an upload, for a URL, and sends a bare message
    said: dict[str, Any] = json.loads(
        run_quietly(
            *(str(image / "bin/python"), "-c", PRODUCER),
            directory=folder,
            environment=environment,
        )
    )
    # Then each name is whose it was, and ours has done its work
    assert said["platform"] == ["the platform"] * 4
    assert (said["state"], said["key"]) == (
        "requested",
        "jobs/12/2025/10/23/211500/job_config.json",
    )
    with broker.client() as client:
        queues = (queue_of(ArtifactKind.JOB_INPUT), "logs")
        assert [client.llen(queue) for queue in queues] == [1, 1]


def test_the_names_of_before_are_the_same_modules(
    image: Path, tmp_path: Path, broker: Valkey
) -> None:
    # When
    names = json.dumps([MOVED, STILL_DOCUMENTED])
    said = run_quietly(
        *(str(image / "bin/python"), "-c", FORMER, names),
        directory=tmp_path,
        environment=settings(tmp_path, broker),
    )
    # Then the commands of deployments hear nothing, and imports hear what to do
    assert json.loads(said) == [[], sorted(MOVED)]


def test_folders_without_an_init_are_the_platforms(image: Path, bare_folder: Path) -> None:
    # When
    code = "import domain.own, tasks.own, worker.own, artifact_pipeline.worker.cli.main as cli"
    said = run_quietly(
        *(str(image / "bin/python"), "-c", f"{code}; print(worker.own.OWNER, cli.__name__)"),
        directory=bare_folder,
        environment=foreign_settings_left_out(),
    )
    # Then
    assert said == "the platform artifact_pipeline.worker.cli.main\n"


def test_installed_modules_are_the_platforms(image: Path, tmp_path: Path, folder: Path) -> None:
    # Given a later directory of the path than the wheel's
    code = f"import sys; sys.path.append({str(folder)!r}); import domain, tasks, worker"
    (tmp_path / "empty").mkdir()
    # When
    said = run_quietly(
        *(str(image / "bin/python"), "-c", f"{code}; print({{domain.OWNER, worker.OWNER}})"),
        directory=tmp_path / "empty",
        environment=foreign_settings_left_out(),
    )
    # Then
    assert said == "{'the platform'}\n"


def test_a_finder_that_is_added_later_comes_first(image: Path, tmp_path: Path) -> None:
    # Given what an editable installation adds, whose .pth file may be read after ours
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/tasks.py").write_text("OWNER = 'the platform'\n")
    # When
    said = run_quietly(
        *(str(image / "bin/python"), "-c", LATER),
        directory=tmp_path,
        environment=foreign_settings_left_out(),
    )
    # Then
    assert said.startswith("the platform ")


def test_an_app_of_the_platform_does_not_get_our_settings(image: Path, tmp_path: Path) -> None:
    # Given: Celery looks for a module `celeryconfig` if an app was given no settings
    code = "from celery import Celery; print(Celery('platform').conf.task_default_queue)"
    # When
    said = run_quietly(
        *(str(image / "bin/python"), "-c", code),
        directory=tmp_path,
        environment=foreign_settings_left_out(),
    )
    # Then
    assert said == "celery\n"


@pytest.mark.parametrize("app", ["worker.app", "worker.control"])
def test_celery_finds_the_apps_by_the_names_of_before(
    image: Path, tmp_path: Path, broker: Valkey, app: str
) -> None:
    # When
    said = run_quietly(
        *(str(image / "bin/celery"), "-A", app, "report"),
        directory=tmp_path,
        environment=settings(tmp_path, broker),
    )
    # Then
    assert "task_default_queue: 'configs'" in said
