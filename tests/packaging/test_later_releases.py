"""An installation from the lock is the same on any day, whatever is published after it was made."""

import json
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.conftest import ROOT
from tests.packaging.wheels import (
    UV,
    locked_wheels,
    make_newer,
    old_pip,
    required_with_an_extra,
    run_foreign,
    run_reporting,
)

pytestmark = pytest.mark.processes

LOCK = ROOT / "requirements.lock"
OTHERS = {"attrs", "click", "rich", "typing-extensions", "vine"}
"""Locked packages that are required without an extra."""
# All of an installation but the writing of 250 MB.
DRY_RUN = ("install", "--require-hashes", "--requirement", str(LOCK), "--dry-run", "--report")


def locked() -> dict[str, str]:
    """Return the locked version of each package that this platform needs."""
    heads = re.findall(r"(?m)^([a-z0-9][^\\\n]*?) ?\\?$", LOCK.read_text())
    requirements = [Requirement(head) for head in heads]
    return {
        canonicalize_name(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate()
    }


@pytest.fixture(scope="module")
def sources_of_packages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that offer the locked wheels, and newer releases of some, without a network."""
    newer = tmp_path_factory.mktemp("newer")
    with_extra = required_with_an_extra() & locked().keys()
    assert {"coverage", "kombu", "urllib3"} <= with_extra
    assert with_extra & OTHERS == set()
    for name in with_extra | OTHERS:
        make_newer(name, newer)
    return ["--no-index", "--find-links", str(locked_wheels(LOCK)), "--find-links", str(newer)]


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An empty environment."""
    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "environment"))
    return tmp_path / "environment"


def run(*command: str) -> None:
    run_foreign(command, {})


def test_uv_chooses_what_the_lock_says(
    sources_of_packages: list[str], environment: Path, tmp_path: Path
) -> None:
    # When
    uv = [UV, "pip", "sync", "--cache-dir", str(tmp_path / "cache")]
    options = ["--python", f"{environment}/bin/python", "--dry-run", "--require-hashes"]
    planned = run_reporting(*uv, *options, *sources_of_packages, str(LOCK))
    # Then
    assert dict(re.findall(r"(?m)^ \+ (\S+)==(\S+)$", planned)) == locked()


def chosen(report: Path) -> dict[str, str]:
    """Return the version of each package that pip would install, once it has checked the wheels."""
    packages = [each["metadata"] for each in json.loads(report.read_text())["install"]]
    return {canonicalize_name(each["name"]): each["version"] for each in packages}


def test_the_pip_of_today_chooses_what_the_lock_says(
    sources_of_packages: list[str], environment: Path, tmp_path: Path
) -> None:
    # When
    pip = [sys.executable, "-m", "pip", "--python", f"{environment}/bin/python"]
    run(*pip, *DRY_RUN, str(tmp_path / "report"), *sources_of_packages)
    # Then
    assert chosen(tmp_path / "report") == locked()


def test_an_old_pip_chooses_what_the_lock_says(
    sources_of_packages: list[str], environment: Path, tmp_path: Path
) -> None:
    # When: pip runs from what its wheel holds
    pip = [f"{environment}/bin/python", str(old_pip(LOCK))]
    run(*pip, *DRY_RUN, str(tmp_path / "report"), *sources_of_packages)
    # Then
    assert chosen(tmp_path / "report") == locked()
