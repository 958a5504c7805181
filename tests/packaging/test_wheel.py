"""What the wheel holds."""

import configparser
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> dict[str, str]:
    """The texts of its dist-info."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            name.split("/", 1)[1]: archive.read(name).decode()
            for name in archive.namelist()
            if ".dist-info/" in name
        }


@pytest.mark.parametrize(
    "name",
    [
        "__init__.pyi",
        "celeryconfig.py",
        "domain/model/keys.py",
        "py.typed",
        "tasks/uploads.py",
        "worker/app.py",
        "worker/cli/main.py",
        "worker/sql/migrations/env.py",
        "worker/sql/migrations/script.py.mako",
        "worker/sql/migrations/versions/v0001_platform_tables.py",
        "worker/sql/migrations/versions/v0002_pipeline_tables.py",
        "worker/sql/migrations/versions/v0003_reliability.py",
    ],
)
def test_the_wheel_holds(names: set[str], name: str) -> None:
    # Then
    assert f"artifact_pipeline/{name}" in names


def test_the_wheel_holds_every_module_of_the_packages(names: set[str], sources: Path) -> None:
    # Given
    modules = {
        f"artifact_pipeline/{path.relative_to(sources)}"
        for package in ("domain", "tasks", "worker")
        for path in (sources / package).rglob("*.py")
    }
    assert len(modules) > 40
    # Then
    assert modules - names == set()


def test_the_wheel_holds_all_that_the_web_pages_are_made_of(names: set[str], sources: Path) -> None:
    # Given
    web = sources / "worker" / "web"
    parts = {
        f"artifact_pipeline/{path.relative_to(sources)}"
        for directory in (web / "static", web / "templates")
        for path in directory.iterdir()
    }
    assert len(parts) > 15
    # Then
    assert parts - names == set()


def test_the_wheel_holds_nothing_else(names: set[str]) -> None:
    # When
    others = {name for name in names if not name.startswith("artifact_pipeline/")}
    # Then its files have one name, beside the finder of the former names
    described = {name for name in others if ".dist-info/" in name}
    finder = "artifact_pipeline-0.1.0.data/purelib/artifact_pipeline_former_names.pth"
    assert others - described == {finder}


def test_the_wheel_brings_the_command(metadata: dict[str, str]) -> None:
    # When
    entries = configparser.ConfigParser()
    entries.read_string(metadata["entry_points.txt"])
    # Then
    assert dict(entries["console_scripts"]) == {
        "artifacts": "artifact_pipeline.worker.cli.main:main"
    }


def test_the_wheel_names_its_licence_and_the_broker_extra(metadata: dict[str, str]) -> None:
    # Then
    lines = metadata["METADATA"].splitlines()
    assert "License-Expression: Apache-2.0" in lines
    assert "Requires-Python: >=3.11" in lines
    assert any(line.startswith("Requires-Dist: celery[redis]") for line in lines)
    assert metadata["licenses/LICENSE"] == (ROOT / "LICENSE").read_text()
