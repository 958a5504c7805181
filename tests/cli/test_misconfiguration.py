"""Wrong settings end every command with one line that names the setting."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import Command
from tests.databases import role

pytestmark = pytest.mark.processes

OURS = ("ARTIFACTS_", "AWS_")
OF_THE_BUCKET = [
    ("jobs", "uploads", "list", "--job-id", "12"),
    ("jobs", "uploads", "download", "--job-id", "12", "--output-dir", "{directory}"),
    ("jobs", "uploads", "relocate", "--job-id", "12"),
    ("jobs", "uploads", "archive", "--job-id", "12", "--storage-class", "GLACIER_IR"),
    ("jobs", "results", "upload", "--job-id", "12", "--run-id", "4", "--results-dir", "{results}"),
    ("health", "ready", "--only", "bucket"),
]
OF_THE_DATABASE = [
    ("db", "upgrade"),
    ("jobs", "list"),
    ("jobs", "info", "--job-id", "12"),
    ("jobs", "status", "--job-id", "12"),
    ("jobs", "upload", "--job-id", "12"),
    ("jobs", "cancel", "--job-id", "12"),
    ("jobs", "uploads", "list", "--job-id", "12"),
    ("quarantine", "list"),
    ("quarantine", "retry", "--all"),
    ("batch", "list"),
    ("batch", "preview"),
    ("health", "ready", "--only", "database"),
]


pytestmark = pytest.mark.usefixtures("shelf", "queues")


@pytest.fixture
def error_of(
    artifacts: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """What a command says that fails under these settings."""
    (tmp_path / "results" / "RUN1").mkdir(parents=True)
    (tmp_path / "results" / "RUN1" / "out").write_text("1")

    def run(command: tuple[str, ...], **settings: str) -> str:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        places = {"directory": tmp_path / "out", "results": tmp_path / "results"}
        answer = artifacts(*(part.format(**places) for part in command))
        assert answer.status == 1
        return answer.error

    return run


@pytest.mark.parametrize("command", OF_THE_BUCKET, ids=" ".join)
@pytest.mark.parametrize(
    ("variable", "value"),
    [("AWS_PROFILE", "prod-x"), ("AWS_DEFAULT_REGION", "eu west"), ("AWS_CONFIG_FILE", __file__)],
)
def test_a_wrong_setting_of_aws(
    error_of: Callable[..., str], command: tuple[str, ...], variable: str, value: str
) -> None:
    assert f"{variable}={value}: " in error_of(command, **{variable: value})


@pytest.mark.parametrize("command", OF_THE_DATABASE, ids=" ".join)
@pytest.mark.parametrize(
    "url", ["sqlite:////nobodys/artifacts.db", "sqlite:////tmp/artifacts.db?timeout=x"]
)
def test_a_wrong_url_of_the_database(
    error_of: Callable[..., str], command: tuple[str, ...], url: str
) -> None:
    assert "ARTIFACTS_DATABASE_URL: " in error_of(command, ARTIFACTS_DATABASE_URL=url)


@pytest.mark.parametrize("command", OF_THE_DATABASE, ids=" ".join)
def test_a_role_without_grants(
    artifacts_forked: Command, fresh_postgres_url: str, command: tuple[str, ...]
) -> None:
    settings = {name: value for name, value in os.environ.items() if name.startswith(OURS)}
    # When, in a process that leaves no connection behind
    with role(fresh_postgres_url) as url:
        answer = artifacts_forked(*command, **{**settings, "ARTIFACTS_DATABASE_URL": url})
    # Then
    assert answer.status == 1
    assert "permission denied" in answer.error or "GRANT " in answer.error
