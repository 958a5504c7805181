import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.identity import WorkspaceCheck
from artifact_pipeline.worker.workspace.target import Target
from tests.workspace.registry import InMemoryWorkspaces
from tests.workspace.trees import LOGS, RESULTS


@pytest.fixture(autouse=True)
def _nothing_blocks() -> Iterator[None]:
    """Interrupt a test that hangs, on a FIFO for instance."""

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace in which another job has something."""
    directory = tmp_path / "workspace"
    (directory / "job_1").mkdir(parents=True)
    return directory


@pytest.fixture
def known() -> InMemoryWorkspaces:
    """What the database knows: nothing at first."""
    return InMemoryWorkspaces()


@pytest.fixture
def check(root: Path, known: InMemoryWorkspaces) -> WorkspaceCheck:
    """A worker's check of a workspace in which another job has something."""
    return WorkspaceCheck(root, known, is_worker=True)


@pytest.fixture
def workspace(root: Path) -> Workspace:
    return Workspace(root)


@pytest.fixture
def results(workspace: Workspace) -> Path:
    """The directory of RESULTS, with nothing in it."""
    directory = workspace.path(RESULTS)
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def logs(workspace: Workspace) -> Path:
    """The place of LOGS, with nothing there."""
    path = workspace.path(LOGS)
    path.parent.mkdir()
    return path


@pytest.fixture
def target(workspace: Workspace) -> Target:
    """The place of LOGS in a download."""
    return workspace.target(LOGS)


@pytest.fixture
def directory(root: Path) -> Path:
    """Of the job of LOGS, and missing."""
    return root / "job_12"
