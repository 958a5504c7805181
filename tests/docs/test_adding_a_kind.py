"""The worked example of a sixth kind applies to this version, and has all that a kind needs."""

import re
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from artifact_pipeline.worker.sql.version import newest_version

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
DIFF = re.search(
    r"^```diff\n(.*?)^```", (ROOT / "docs/adding-a-kind.md").read_text(), re.DOTALL | re.MULTILINE
)
_VERSIONS = "worker/sql/migrations/versions"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the project, which is no Git repository."""
    # With the compiled modules, which spare the second interpreter seconds.
    left_out = ignore_patterns(".*", "*.egg-info", "build", "dist")
    return Path(copytree(ROOT, tmp_path / "project", symlinks=True, ignore=left_out))


def test_the_example_passes_the_tests_of_kinds(project: Path) -> None:
    # Given
    assert DIFF is not None
    # When
    apply(DIFF[1], project)
    as_the_newest(project)
    # Then
    command = (sys.executable, "-m", "pytest", "tests/kinds", "-q", "-p", "no:cacheprovider")
    tested = subprocess.run(
        (*command, "-k", "run_checkpoint or concepts", f"--basetemp={project.parent / 'tmp'}"),
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    assert "run_checkpoint" in (project / "domain/model/kinds.py").read_text()
    assert int(re.findall(r"(\d+) passed", tested.stdout)[0]) > 20


def apply(diff: str, project: Path) -> None:
    """Apply the diff by Git, which takes only what fits line by line."""
    applied = subprocess.run(
        ("git", "apply", "-"),  # noqa: S607 - the developer's own
        cwd=project,
        # Else Git would look for a repository above the copy, and skip what is not below its root.
        env={"GIT_CEILING_DIRECTORIES": str(project.parent), "PATH": "/usr/bin:/bin"},
        input=diff,
        capture_output=True,
        text=True,
        check=False,
    )
    assert applied.returncode == 0, applied.stderr


def as_the_newest(project: Path) -> None:
    """Number the example's migration after this version's newest one, as its author would."""
    (example,) = (project / _VERSIONS).glob("*_run_checkpoint.py")
    newest = newest_version()
    number = f"{int(newest) + 1:04}"
    text = example.read_text()
    text = re.sub(r'(?m)^revision = "\d+"$', f'revision = "{number}"', text)
    text = re.sub(r'(?m)^down_revision = "\d+"$', f'down_revision = "{newest}"', text)
    example.unlink()
    (project / _VERSIONS / f"v{number}_run_checkpoint.py").write_text(text)
