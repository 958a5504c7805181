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
    """The modules in memory after the import."""
    code = f"import sys, {modules}\nprint(*sys.modules)"
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
            ", ".join(f"artifact_pipeline.tasks.{m}" for m in ("uploads", "upkeep", "publish")),
            "celery",
            (*S3, *SQL, *TERMINAL, "pydantic_settings", "artifact_pipeline.worker"),
        ),
        (
            "artifact_pipeline.worker.sql.transfers.requests",
            "sqlalchemy",
            (*S3, *TERMINAL, "alembic", "psycopg", "pydantic_settings"),
        ),
        (
            (
                "artifact_pipeline.domain.transfers.upload,"
                " artifact_pipeline.domain.maintenance.dispatch"
            ),
            "artifact_pipeline.domain",
            (*S3, *SQL, *TERMINAL, "celery", "kombu"),
        ),
        (
            "artifact_pipeline.celeryconfig",
            "kombu",
            (*S3, *SQL, *TERMINAL, "pydantic_settings", "artifact_pipeline.worker"),
        ),
        (
            "artifact_pipeline; artifact_pipeline.Producer; artifact_pipeline.JobController",
            "pydantic_settings",
            (*S3, *TERMINAL, "alembic", "psycopg"),
        ),
        ("artifact_pipeline", "lazy_loader", (*S3, *SQL, *TERMINAL, "celery", "pydantic")),
    ],
    ids=["tasks", "requests", "domain", "celeryconfig", "producer", "public names"],
)
def test_an_import_loads_no_more_than_it_needs(
    modules: str, wanted: str, unwanted: tuple[str, ...]
) -> None:
    # When
    loaded = loaded_by(modules)
    # Then
    assert wanted in loaded
    assert loaded & set(unwanted) == set()
