"""What `celery -A artifact_pipeline.worker.app` meets, each time in a process of its own."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

MISSING = (
    "ARTIFACTS_DATABASE_URL: not set (example: postgresql+psycopg://USER:PASSWORD@HOST/DATABASE)",
    "ARTIFACTS_BUCKET: not set (example: my-artifacts)",
    "ARTIFACTS_WORKSPACE: not set (example: /srv/simulations)",
)
# Run before the import: tells on stderr of every address that is connected to.
WATCH = (
    "import sys; "
    "sys.addaudithook(lambda event, args: event == 'socket.connect' "
    "and print('connects', args[1], file=sys.stderr)); "
)


def python(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    foreign = ("ARTIFACTS_", "AWS_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**inherited, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("-c", "import artifact_pipeline.worker.app"),
        ("-m", "celery", "-A", "artifact_pipeline.worker.app", "worker"),
    ],
    ids=["import", "celery"],
)
def test_missing_settings_end_it_with_one_line(arguments: tuple[str, ...]) -> None:
    # When
    ended = python(*arguments, ARTIFACTS_BROKER_URL="redis://127.0.0.1:1/0")
    # Then
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert ended.stderr.startswith("artifacts: ")
    said = ended.stderr.strip().removeprefix("artifacts: ").split("; ")
    assert sorted(said) == sorted(MISSING)


def test_a_wrong_setting_ends_it_without_being_quoted(good: dict[str, str]) -> None:
    # When
    wrong = {**good, "ARTIFACTS_DATABASE_URL": "postgresql://u:hunter2"}
    ended = python("-c", "import artifact_pipeline.worker.app", **wrong)
    # Then
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "artifacts: ARTIFACTS_DATABASE_URL: not a database URL."
        " Example: postgresql+psycopg://user@host:5432/name\n"
    )


def test_the_app_connects_nowhere_until_it_is_used(good: dict[str, str]) -> None:
    # When
    code = (
        "from artifact_pipeline.worker.app import app\n"
        "app.loader.import_default_modules()\n"
        "print(list(app.tasks))"
    )
    ended = python("-c", f"{WATCH}{code}", **good)
    # Then
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "artifacts.upload_run_results" in ended.stdout


def test_celerys_settings_connect_nowhere() -> None:
    # When
    ended = python("-c", f"{WATCH}import celeryconfig")
    # Then
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_the_watch_tells_of_a_connection() -> None:
    # When
    code = "import socket; socket.socket().connect_ex(('127.0.0.1', 1))"
    ended = python("-c", f"{WATCH}{code}")
    # Then
    assert ended.stderr == "connects ('127.0.0.1', 1)\n"
