"""Producers share the platform's environment, whose SQLAlchemy may be 2.0."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.sql.engine import make_engine
from tests.packaging.conftest import ROOT
from tests.packaging.wheels import UV, locked_wheels, run_foreign

pytestmark = pytest.mark.processes

OLD = ROOT / "tests/packaging/sqlalchemy-2.0.txt"
SCRIPT = ROOT / "tests/packaging/producer_script.py"
DIRECTORY = "https://artifacts.s3.eu-west-1.amazonaws.com/jobs/12/2025/10/23/211500"


@pytest.fixture(scope="module")
def with_2_0(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the image's environment, with the platform's SQLAlchemy and with psycopg2."""
    installed = tmp_path_factory.mktemp("image") / "venv"
    # Its commands would still run the original's Python, but that of its own finds its packages.
    shutil.copytree(image, installed, symlinks=True)
    python = f"{installed}/bin/python"
    found = ["--offline", "--no-index", "--find-links", str(locked_wheels(OLD))]
    command = [UV, "pip", "install", "--quiet", "--python", python, "--no-deps", *found]
    _run(*command, "--require-hashes", "--requirement", str(OLD))
    return installed


@pytest.fixture
def environment(broker: Valkey, tmp_path: Path) -> dict[str, str]:
    return {
        "ARTIFACTS_DATABASE_URL": f"sqlite:///{tmp_path / 'platform.db'}",
        "ARTIFACTS_BROKER_URL": broker.url,
        "ARTIFACTS_BUCKET": "artifacts",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests-secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }


def _run(*command: str, environment: dict[str, str] | None = None) -> str:
    return run_foreign(command, environment or {})


def test_the_declared_ranges_allow_2_0(with_2_0: Path) -> None:
    _run(UV, "pip", "check", "--python", f"{with_2_0}/bin/python")


@pytest.mark.parametrize("driver", ["pysqlite", "psycopg2", "psycopg"])
def test_a_producer_runs_on_2_0(
    with_2_0: Path,
    broker: Valkey,
    environment: dict[str, str],
    driver: str,
    request: pytest.FixtureRequest,
) -> None:
    # Given
    if driver != "pysqlite":
        url = make_url(request.getfixturevalue("empty_postgres_url"))
        named = url.set(drivername=f"postgresql+{driver}")
        environment["ARTIFACTS_DATABASE_URL"] = named.render_as_string(hide_password=False)
    # When
    said = _run(f"{with_2_0}/bin/python", str(SCRIPT), environment=environment)
    # Then
    seen: dict[str, Any] = json.loads(said)
    assert (seen["sqlalchemy"], seen["driver"]) == ("2.0.44", driver)
    assert "tables are missing: run `artifacts db upgrade`" in seen["unready"]
    assert seen["is_recorded"] is True
    names = ["job_config.json", "run_4_config.json", "job_input.zip"]
    assert seen["urls"] == [f"{DIRECTORY}/{name}" for name in names]
    assert "current status: submitted" in seen["second"]
    assert len(seen["status"]) == 5
    if driver == "psycopg":
        session, scoped, state = seen["asynchronous"]
        assert session.startswith("session: AsyncSession is asynchronous. ")
        assert scoped.startswith("session: async_scoped_session is asynchronous. ")
        assert state == "waiting"
    # And its messages have left: an upload, a download, two confirmations, a task
    with broker.client() as client:
        queues: Any = {name: client.llen(name) for name in ("configs", "results")}
    assert queues == {"configs": 2, "results": 3}


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_url_without_a_driver_means_psycopg_3(scheme: str) -> None:
    """SQLAlchemy 2.0 would look for psycopg2, which the pipeline does not install."""
    engine = make_engine(f"{scheme}://user:secret@host/name")
    assert engine.url.drivername == "postgresql+psycopg"
    assert (engine.driver, engine.url.password) == ("psycopg", "secret")
