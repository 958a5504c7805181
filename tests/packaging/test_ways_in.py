"""The other ways in that the README names, each from the built wheel in an empty folder."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT
from tests.packaging.wheels import foreign_settings_left_out, locked_wheels

pytestmark = pytest.mark.processes

UV = str(ROOT / ".venv/bin/uv")
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
    ended = subprocess.run(
        command,
        cwd=directory,
        env=foreign_settings_left_out(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def keys_of(printed: str) -> set[str]:
    return set(json.loads(printed)["keys"])


def test_pip_installs_the_wheel_and_the_demo_runs(
    wheel: Path, offline: list[str], tmp_path: Path
) -> None:
    # Given
    run(sys.executable, "-m", "venv", "environment", directory=tmp_path)
    pip = ["environment/bin/python", "-m", "pip", "install", "--no-compile"]
    run(*pip, *offline, f"artifact-pipeline[embedded] @ {wheel.as_uri()}", directory=tmp_path)
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
    # When
    printed = run("environment/bin/artifacts", "demo", "--json", directory=tmp_path)
    # Then
    assert keys_of(printed) == KEYS


def test_uvx_runs_the_demo_from_the_wheel(wheel: Path, offline: list[str], tmp_path: Path) -> None:
    # When
    uvx = [UV, "tool", "run", "--cache-dir", str(tmp_path / "cache"), "--python", sys.executable]
    source = ["--from", f"artifact-pipeline[embedded] @ {wheel.as_uri()}"]
    printed = run(*uvx, *offline, *source, "artifacts", "demo", "--json", directory=tmp_path)
    # Then
    assert keys_of(printed) == KEYS
