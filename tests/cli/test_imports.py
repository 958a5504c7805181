"""A command imports no more than what is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import bare_environment

pytestmark = pytest.mark.processes

HEAVY = {"alembic", "boto3", "botocore", "celery", "kombu", "psycopg", "redis", "sqlalchemy"}


def modules_of(*arguments: str, status: int = 0, **settings: str) -> set[str]:
    """Return the modules that the installed command imports. `status` is its exit status."""
    command = str(Path(sys.executable).with_name("artifacts"))
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", command, *arguments],
        env={**bare_environment(), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == status, ended.stderr
    return {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}


def imported_by(*arguments: str, **settings: str) -> set[str]:
    """Return the top-level packages that the installed command imports."""
    return {name.split(".")[0] for name in modules_of(*arguments, status=0, **settings)}


def test_a_look_at_a_file_imports_no_library_of_a_server(tmp_path: Path) -> None:
    # Given
    file = tmp_path / "alive"
    file.touch()
    # When
    imported = imported_by("health", "live", ARTIFACTS_LIVENESS_FILE=str(file))
    # Then
    assert "typer" in imported
    assert imported & HEAVY == set()


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "db upgrade --help",
        "demo --help",
        "dev --help",
        "doctor --help",
        "health live --help",
        "jobs --help",
        "jobs list --help",
        "jobs upload --help",
        "jobs results upload --help",
        "jobs uploads list --help",
        "jobs uploads download --help",
        "jobs uploads relocate --help",
        "jobs uploads archive --help",
        "jobs uploads cat --help",
        "jobs uploads url --help",
        "jobs uploads verify --help",
        "metrics --help",
        "quarantine retry --help",
        "status --help",
    ],
)
def test_help_imports_nothing_to_work_with(arguments: str) -> None:
    assert imported_by(*arguments.split()) & (HEAVY | {"pydantic", "rich"}) == set()


@pytest.mark.parametrize("arguments", ["--help", "batch preview --help", "batch report --help"])
def test_help_of_batches_imports_no_library_of_a_server(arguments: str) -> None:
    assert imported_by(*arguments.split()) & (HEAVY | {"rich"}) == set()


def test_completion_imports_no_library_of_a_server() -> None:
    completing = {
        "_ARTIFACTS_COMPLETE": "complete_bash",
        "COMP_WORDS": "artifacts jobs uploads list --",
        "COMP_CWORD": "4",
    }
    assert imported_by(**completing) & HEAVY == set()


@pytest.mark.parametrize(
    "arguments",
    [
        *("jobs list --json", "jobs status 12", "jobs info 12 --json", "transfers list --json"),
        *("quarantine list", "batch list", "health ready --only database"),
    ],
)
@pytest.mark.usefixtures("database")
def test_a_look_into_sql_imports_neither_celery_nor_s3(arguments: str, sqlite_url: str) -> None:
    # When
    modules = modules_of(
        *arguments.split(),
        ARTIFACTS_DATABASE_URL=sqlite_url,
        ARTIFACTS_BROKER_URL="redis://127.0.0.1:1/0",
    )
    # Then
    imported = {name.split(".")[0] for name in modules}
    assert "sqlalchemy" in imported
    assert imported & {"alembic", "boto3", "botocore", "celery", "kombu", "redis", "rich"} == set()
    assert len(modules) < 620


@pytest.mark.usefixtures("database")
def test_a_look_at_a_job_does_not_import_what_changes_many_transfers(sqlite_url: str) -> None:
    # When
    modules = modules_of("jobs", "status", "12", ARTIFACTS_DATABASE_URL=sqlite_url)
    # Then
    ours = {name.removeprefix("artifact_pipeline.") for name in modules}
    assert "worker.sql.transfers.repository" in ours
    unwanted = {"quarantine", "page_claims", "page_records", "upload_pages"}
    assert ours & {f"worker.sql.transfers.{name}" for name in unwanted} == set()
    assert "domain.model.batches" not in ours


@pytest.mark.parametrize(
    ("part", "wanted", "unwanted"),
    [
        ("broker", "kombu", {"alembic", "boto3", "botocore", "rich", "sqlalchemy"}),
        ("bucket", "botocore", {"alembic", "celery", "kombu", "redis", "rich", "sqlalchemy"}),
        ("workspace", "sqlalchemy", {"alembic", "boto3", "botocore", "celery", "kombu", "rich"}),
    ],
)
def test_a_probe_imports_what_it_probes_alone(
    part: str, wanted: str, unwanted: set[str], sqlite_url: str, tmp_path: Path
) -> None:
    # Given nothing that answers
    settings = {
        "ARTIFACTS_DATABASE_URL": sqlite_url,
        "ARTIFACTS_BROKER_URL": "redis://127.0.0.1:1/0",
        "ARTIFACTS_BUCKET": "artifacts",
        "ARTIFACTS_S3_ENDPOINT_URL": "http://127.0.0.1:1",
        "ARTIFACTS_WORKSPACE": str(tmp_path),
    }
    # When
    modules = modules_of("health", "ready", "--only", part, status=1, **settings)
    # Then
    imported = {name.split(".")[0] for name in modules}
    assert wanted in imported
    assert imported & unwanted == set()


def test_help_imports_few_modules() -> None:
    assert len(modules_of("--help")) < 200


def test_a_command_does_not_look_for_garbage_in_what_it_imports(
    sqlite_url: str, tmp_path: Path
) -> None:
    # Given
    script = tmp_path / "counting.py"
    script.write_text(_COUNTING_COLLECTIONS)
    settings = {**bare_environment(), "ARTIFACTS_DATABASE_URL": sqlite_url}
    # When
    ended = subprocess.run(
        [sys.executable, str(script), "jobs", "list"],
        env=settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    # Then it hardly does, where Python would some two hundred times
    assert int(ended.stdout.splitlines()[-1]) < 10


_COUNTING_COLLECTIONS = """
import atexit, gc
begun = sum(each["collections"] for each in gc.get_stats())
atexit.register(lambda: print(sum(each["collections"] for each in gc.get_stats()) - begun))
from artifact_pipeline.worker.cli.main import main
main()
"""
