"""A workspace whose share is away, or goes away: what lies in its place is not used instead."""

import errno
import os
from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import WorkspaceUnavailableError
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.identity import WorkspaceCheck
from tests.workspace.identity_steps import download
from tests.workspace.trees import LOGS


@pytest.fixture
def workspace(root: Path, check: WorkspaceCheck) -> Workspace:
    return Workspace(root, check)


@pytest.fixture
def unmounted(root: Path, check: WorkspaceCheck) -> Path:
    """The mount point of a share that was there before; returns where the share is now."""
    check()
    away = root.with_name("away")
    root.rename(away)
    root.mkdir()
    return away


@pytest.mark.usefixtures("unmounted")
class TestUnmounted:
    @pytest.mark.parametrize("beside", [(), ("lost+found",), (".snapshot",), ("job_12",)])
    def test_an_upload_waits(
        self, root: Path, workspace: Workspace, beside: tuple[str, ...]
    ) -> None:
        for name in beside:
            (root / name).mkdir()
        with pytest.raises(WorkspaceUnavailableError, match="no marker"):
            workspace.source(LOGS)

    def test_a_download_writes_nothing(self, root: Path, workspace: Workspace) -> None:
        target = workspace.target(LOGS)
        with pytest.raises(WorkspaceUnavailableError, match="no marker"):
            download(target)
        for look in (lambda: target.exists, target.discard, lambda: list(target.chunks())):
            with pytest.raises(WorkspaceUnavailableError, match="no marker"):
                look()
        assert list(root.iterdir()) == []

    def test_nothing_is_unpacked(self, root: Path, workspace: Workspace) -> None:
        with pytest.raises(WorkspaceUnavailableError, match="no marker"):
            workspace.downloads(12).extraction(LOGS)(replace=False)
        assert list(root.iterdir()) == []

    def test_when_it_is_back_all_goes_on(
        self, root: Path, unmounted: Path, workspace: Workspace
    ) -> None:
        root.rmdir()
        unmounted.rename(root)
        download(workspace.target(LOGS))
        assert workspace.path(LOGS).read_bytes() == b"data"


def test_a_share_that_goes_away_after_the_look_gets_nothing(
    root: Path, workspace: Workspace, check: WorkspaceCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a share that is unmounted right after its marker was read
    check()
    opened = WorkspaceCheck.opened

    def unmount(self: WorkspaceCheck, descriptor: int) -> None:
        opened(self, descriptor)
        root.rename(root.with_name("away"))
        root.mkdir()
        monkeypatch.setattr(WorkspaceCheck, "opened", opened)

    monkeypatch.setattr(WorkspaceCheck, "opened", unmount)
    # When
    download(workspace.target(LOGS))
    # Then
    assert list(root.iterdir()) == []
    assert Workspace(root.with_name("away")).path(LOGS).read_bytes() == b"data"


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.ENOTCONN])
def test_a_root_that_does_not_answer(
    root: Path, check: WorkspaceCheck, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    # Given
    check()
    real = os.open

    def refuse(path: object, *args: int, **options: int) -> int:
        if path == root:
            raise OSError(code, os.strerror(code))
        return real(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("os.open", refuse)
    # When, then
    with pytest.raises(WorkspaceUnavailableError, match=os.strerror(code)):
        check()
