"""Which directory is the workspace: nothing is read from another one, nor written to it."""

import errno
import json
import os
from pathlib import Path
from uuid import uuid4

import pytest

from artifact_pipeline.domain.errors import SourceMissingError, WorkspaceUnavailableError
from artifact_pipeline.worker.workspace import DownloadDirectory, Workspace
from artifact_pipeline.worker.workspace.identity import Verdict, WorkspaceCheck
from artifact_pipeline.worker.workspace.marker import MARKER
from tests.contract.transfer_steps import at_once
from tests.workspace.identity_steps import download, marked
from tests.workspace.registry import InMemoryWorkspaces
from tests.workspace.trees import LOGS


@pytest.fixture
def workspace(root: Path, check: WorkspaceCheck) -> Workspace:
    return Workspace(root, check)


class TestMarker:
    def test_it_is_json_with_an_id_that_every_user_may_read(self, root: Path) -> None:
        before = os.umask(0o077)
        try:
            made = marked(root)
        finally:
            os.umask(before)
        assert json.loads((root / MARKER).read_text())["id"] == made
        assert (root / MARKER).stat().st_mode & 0o777 == 0o644

    def test_of_many_at_once_all_have_the_same(self, root: Path) -> None:
        assert len(set(at_once(lambda _: marked(root)))) == 1
        assert sorted(path.name for path in root.iterdir()) == [MARKER, "job_1"]

    def test_a_file_system_without_links_will_do(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr("os.link", refuse)
        assert marked(root) == marked(root)
        assert sorted(path.name for path in root.iterdir()) == [MARKER, "job_1"]


class TestFirst:
    def test_a_tree_that_holds_job_directories_is_marked_once(
        self, root: Path, check: WorkspaceCheck, known: InMemoryWorkspaces
    ) -> None:
        check()
        assert known.ids == {marked(root)}
        check()
        assert len(known.ids) == 1

    def test_by_many_workers_at_once_it_is_marked_once(
        self, root: Path, known: InMemoryWorkspaces
    ) -> None:
        at_once(lambda _: WorkspaceCheck(root, known, is_worker=True)())
        assert known.ids == {marked(root)}

    def test_a_worker_that_died_before_it_was_recorded_is_continued(
        self, root: Path, check: WorkspaceCheck, known: InMemoryWorkspaces
    ) -> None:
        made = marked(root)
        check()
        assert known.ids == {made}

    @pytest.mark.parametrize("beside", [(), ("lost+found",), (".snapshot", "job_input")])
    def test_an_empty_mount_point_is_never_marked(
        self, tmp_path: Path, known: InMemoryWorkspaces, beside: tuple[str, ...]
    ) -> None:
        # Given
        mount_point = tmp_path / "mount"
        for name in ("", *beside):
            (mount_point / name).mkdir()
        check = WorkspaceCheck(mount_point, known, is_worker=True)
        # When, then
        with pytest.raises(WorkspaceUnavailableError, match="run `artifacts workspace init`"):
            check()
        assert {path.name for path in mount_point.iterdir()} == set(beside)
        assert known.ids == set()

    @pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
    def test_where_it_cannot_be_marked_it_is_read_as_before(
        self,
        workspace: Workspace,
        logs: Path,
        known: InMemoryWorkspaces,
        monkeypatch: pytest.MonkeyPatch,
        code: int,
    ) -> None:
        # Given a worker that only uploads, by a read-only mount
        logs.write_bytes(b"lines")

        def refuse(_root: int) -> str:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr("artifact_pipeline.worker.workspace.identity.make_marker", refuse)
        # When, then
        assert b"".join(workspace.source(LOGS).chunks()) == b"lines"
        assert known.ids == set()

    def test_a_command_never_marks_an_operators_directory(
        self, root: Path, known: InMemoryWorkspaces
    ) -> None:
        WorkspaceCheck(root, known)()
        assert known.ids == set()
        assert not (root / MARKER).exists()

    def test_a_database_without_the_table_changes_nothing(
        self, tmp_path: Path, known: InMemoryWorkspaces
    ) -> None:
        known.has_table = False
        WorkspaceCheck(tmp_path, known, is_worker=True)()
        assert list(tmp_path.iterdir()) == []


class TestAnother:
    def test_a_second_tree_is_refused(
        self, tmp_path: Path, check: WorkspaceCheck, known: InMemoryWorkspaces
    ) -> None:
        # Given
        check()
        (first,) = known.ids
        second = tmp_path / "second"
        (second / "job_12").mkdir(parents=True)
        other = marked(second)
        # When, then
        with pytest.raises(WorkspaceUnavailableError, match=f"{other}; expected .* {first}"):
            WorkspaceCheck(second, known, is_worker=True)()

    def test_several_may_be_known(self, tmp_path: Path, known: InMemoryWorkspaces) -> None:
        known.ids = {marked(tmp_path), str(uuid4())}
        WorkspaceCheck(tmp_path, known)()

    def test_one_that_is_replaced_is_noticed_within_a_minute(
        self, root: Path, known: InMemoryWorkspaces
    ) -> None:
        # Given
        now = 0.0
        check = WorkspaceCheck(root, known, is_worker=True, clock=lambda: now)
        check()
        known.ids = {str(uuid4())}
        # When
        now = 61
        # Then
        with pytest.raises(WorkspaceUnavailableError):
            check()

    def test_another_directory_in_its_place_is_noticed_at_once(
        self, root: Path, known: InMemoryWorkspaces, tmp_path: Path
    ) -> None:
        # Given a workspace that was right just now
        check = WorkspaceCheck(root, known, is_worker=True, clock=lambda: 0.0)
        check()
        # When its share is away, and the empty mount point shows
        root.rename(tmp_path / "away")
        root.mkdir()
        # Then
        for _ in range(2):
            with pytest.raises(WorkspaceUnavailableError, match="no marker"):
                check()

    def test_a_marker_that_is_removed_is_noticed_within_a_second(
        self, root: Path, known: InMemoryWorkspaces
    ) -> None:
        # Given
        now = 0.0
        check = WorkspaceCheck(root, known, is_worker=True, clock=lambda: now)
        check()
        (root / MARKER).unlink()
        # When
        now = 1
        # Then each look says so, from then on
        for _ in range(2):
            with pytest.raises(WorkspaceUnavailableError, match="no marker"):
                check()

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"id": 1}', '{"id": "../x"}', "[" * 4000])
    @pytest.mark.parametrize("is_first", [True, False])
    def test_a_broken_marker_is_none_that_is_known(
        self,
        root: Path,
        check: WorkspaceCheck,
        known: InMemoryWorkspaces,
        content: str,
        is_first: bool,  # noqa: FBT001 - pytest gives it
    ) -> None:
        known.ids = set() if is_first else {str(uuid4())}
        (root / MARKER).write_text(content)
        with pytest.raises(WorkspaceUnavailableError, match="is broken"):
            check()
        assert check.look().verdict is Verdict.OTHER_ID

    def test_a_marker_that_is_a_link_is_not_followed(
        self, root: Path, check: WorkspaceCheck, tmp_path: Path
    ) -> None:
        (tmp_path / "elsewhere").write_text(json.dumps({"id": str(uuid4())}))
        (root / MARKER).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(WorkspaceUnavailableError, match="cannot be read"):
            check()


def test_a_missing_file_in_the_workspace_is_missing(workspace: Workspace) -> None:
    with pytest.raises(SourceMissingError):
        workspace.source(LOGS)


def test_an_output_directory_needs_no_marker(tmp_path: Path) -> None:
    download(DownloadDirectory(tmp_path).target(LOGS))
    assert [path.name for path in tmp_path.iterdir()] == ["run_4_logs.log"]
