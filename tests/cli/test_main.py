"""The root of the command line, which imports no more than what is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import Command, bare_environment
from worker.cli.main import make_app

ALL = {
    "batch",
    "db",
    "demo",
    "dev",
    "doctor",
    "health",
    "jobs",
    "quarantine",
    "status",
    "transfers",
}
HEAVY = {"alembic", "boto3", "botocore", "celery", "kombu", "psycopg", "redis", "sqlalchemy"}


def imported_by(*arguments: str, **settings: str) -> set[str]:
    """The top-level packages that the installed command imports."""
    command = str(Path(sys.executable).with_name("artifacts"))
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", command, *arguments],
        env={**bare_environment(), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    names = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    return {name.split(".")[0] for name in names}


def test_a_look_at_a_file_imports_no_library_of_a_server(tmp_path: Path) -> None:
    # Given
    file = tmp_path / "alive"
    file.touch()
    # When
    imported = imported_by("health", "live", ARTIFACTS_LIVENESS_FILE=str(file))
    # Then
    assert "typer" in imported
    assert imported & HEAVY == set()


def test_the_help_of_all_shows_all(artifacts: Command) -> None:
    # When
    answer = artifacts("--help")
    # Then
    shown = {line.strip("│ ").split(" ")[0] for line in answer.out.splitlines()}
    assert shown >= ALL


@pytest.mark.parametrize("name", sorted(ALL))
def test_one_alone_is_the_same_as_among_all(artifacts: Command, name: str) -> None:
    # When
    answer = artifacts(name, "--help")
    # Then
    assert answer.status == 0
    assert f"Usage: artifacts {name} " in answer.out
    alone = make_app(name)
    assert len([*alone.registered_groups, *alone.registered_commands]) == 1


def test_a_name_that_is_none_is_compared_with_all(artifacts: Command) -> None:
    assert "Did you mean 'health'?" in artifacts("helth").refusal
