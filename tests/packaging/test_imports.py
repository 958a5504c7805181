"""What an import loads, each time in a fresh process: a producer must not pay for the worker."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

S3 = ("boto3", "botocore", "s3transfer")
SQL = ("alembic", "psycopg", "sqlalchemy")
TERMINAL = ("rich", "typer")


def loaded_by(modules: str) -> set[str]:
    """The top-level packages in memory after the import."""
    code = f"import sys, {modules}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={k: v for k, v in os.environ.items() if not k.startswith(("ARTIFACTS_", "COV_"))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return set(ended.stdout.split())


@pytest.mark.parametrize(
    ("modules", "wanted", "unwanted"),
    [
        (
            "artifact_pipeline.tasks.uploads, artifact_pipeline.tasks.upkeep, artifact_pipeline.tasks.publish, artifact_pipeline.tasks.app",
            "celery",
            (*S3, *SQL, *TERMINAL, "pydantic_settings", "worker"),
        ),
        (
            "artifact_pipeline.worker.sql.transfers.requests",
            "sqlalchemy",
            (*S3, *TERMINAL, "pydantic_settings"),
        ),
        (
            "artifact_pipeline.domain.transfers.upload, artifact_pipeline.domain.maintenance.dispatch",
            "domain",
            (*S3, *SQL, *TERMINAL, "celery", "kombu"),
        ),
        ("celeryconfig", "kombu", (*S3, *SQL, *TERMINAL, "pydantic_settings", "worker")),
    ],
    ids=["tasks", "artifact_pipeline.worker.sql.transfers.requests", "domain", "celeryconfig"],
)
def test_an_import_loads_no_more_than_it_needs(
    modules: str, wanted: str, unwanted: tuple[str, ...]
) -> None:
    # When
    loaded = loaded_by(modules)
    # Then
    assert wanted in loaded
    assert loaded & set(unwanted) == set()
