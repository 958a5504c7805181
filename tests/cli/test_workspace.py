"""`artifacts workspace init|show`, and the commands that use the workspace."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from artifact_pipeline.worker.workspace.marker import MARKER
from tests.cli.commands import Command
from tests.cli.shelf import CONFIG, Shelf


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that the settings name."""
    directory = tmp_path / "tree"
    directory.mkdir()
    monkeypatch.setenv("ARTIFACTS_WORKSPACE", str(directory))
    return directory


def known(database: Engine) -> frozenset[str]:
    return SqlWorkspaces(database).known() or frozenset()


def id_of(directory: Path) -> str:
    return str(json.loads((directory / MARKER).read_text())["id"])


class TestInit:
    def test_an_empty_directory_becomes_the_workspace(
        self, artifacts: Command, database: Engine, tree: Path
    ) -> None:
        answer = artifacts("workspace", "init")
        assert (answer.status, answer.err) == (0, "")
        assert answer.out == f"{tree} is the workspace {id_of(tree)}\n"
        assert known(database) == {id_of(tree)}

    def test_again_it_changes_nothing(
        self, artifacts: Command, database: Engine, tree: Path
    ) -> None:
        first = artifacts("workspace", "init")
        assert artifacts("workspace", "init") == first
        assert known(database) == {id_of(tree)}

    def test_a_mount_point_without_its_share_is_refused(
        self, artifacts: Command, database: Engine, tree: Path
    ) -> None:
        # Given
        artifacts("workspace", "init")
        before = known(database)
        (tree / MARKER).unlink()
        # When
        answer = artifacts("workspace", "init")
        # Then
        assert answer.status == 1
        assert answer.error == (
            f"artifacts: {tree}: it has no marker {MARKER}; expected the workspace {min(before)}."
            " Mount the share, or run `artifacts workspace init --adopt` if it is the workspace now"
        )
        assert list(tree.iterdir()) == []
        assert known(database) == before

    def test_adopted_it_is_the_only_one(
        self, artifacts: Command, database: Engine, tree: Path
    ) -> None:
        artifacts("workspace", "init")
        (tree / MARKER).unlink()
        assert artifacts("workspace", "init", "--adopt").status == 0
        assert known(database) == {id_of(tree)}

    def test_added_it_is_one_more(
        self, artifacts: Command, database: Engine, tree: Path, tmp_path: Path
    ) -> None:
        # Given
        artifacts("workspace", "init")
        first = id_of(tree)
        tree.rename(tmp_path / "first")
        tree.mkdir()
        # When
        assert artifacts("workspace", "init", "--add").status == 0
        # Then
        assert known(database) == {first, id_of(tree)}

    def test_a_broken_marker_is_replaced_only_when_it_is_adopted(
        self, artifacts: Command, database: Engine, tree: Path
    ) -> None:
        (tree / MARKER).write_text("{")
        assert "is broken" in artifacts("workspace", "init").error
        assert artifacts("workspace", "init", "--adopt").status == 0
        assert known(database) == {id_of(tree)}

    @pytest.mark.usefixtures("database")
    def test_one_that_cannot_be_written_is_one_line(
        self, artifacts: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARTIFACTS_WORKSPACE", "/proc")
        answer = artifacts("workspace", "init")
        assert answer.status == 1
        assert answer.error.startswith("artifacts: /proc: ")

    @pytest.mark.usefixtures("database", "tree")
    def test_both_ways_at_once_are_wrong_usage(self, artifacts: Command) -> None:
        answer = artifacts("workspace", "init", "--adopt", "--add")
        assert answer.status == 2
        assert "give one" in answer.err


class TestShow:
    @pytest.mark.usefixtures("database")
    def test_before_it_is_initialized(self, artifacts: Command, tree: Path) -> None:
        answer = artifacts("workspace", "show", "--json")
        assert answer.status == 1
        assert answer.json == {
            "path": str(tree),
            "name": None,
            "id": None,
            "known": [],
            "verdict": "not_initialized",
            "is_usable": False,
            "wrong": "no workspace was initialized yet, and it has no job's directory. Mount the"
            " share, then run `artifacts workspace init`",
        }

    def test_afterwards(self, artifacts: Command, database: Engine, tree: Path) -> None:
        artifacts("workspace", "init")
        answer = artifacts("workspace", "show")
        assert answer.status == 0
        assert answer.out.splitlines() == [
            f"path     {tree}",
            f"id       {id_of(tree)}",
            f"known    {min(known(database))}",
            "verdict  ok",
        ]

    @pytest.mark.usefixtures("database")
    def test_a_tree_that_is_in_use_already(self, artifacts: Command, tree: Path) -> None:
        (tree / "job_12").mkdir()
        answer = artifacts("workspace", "show", "--json")
        assert (answer.status, answer.json["verdict"]) == (0, "new")
        assert not (tree / MARKER).exists()


class TestDownload:
    def test_nothing_is_written_into_a_mount_point(
        self, artifacts: Command, shelf: Shelf, tree: Path, tmp_path: Path
    ) -> None:
        # Given
        shelf.record(CONFIG, b"config")
        artifacts("workspace", "init")
        (tree / MARKER).unlink()
        # When
        answer = artifacts("jobs", "uploads", "download", "12")
        # Then
        assert answer.status == 1
        assert answer.error.startswith(f"artifacts: ARTIFACTS_WORKSPACE={tree}: it has no marker")
        assert list(tree.iterdir()) == []
        # And a directory of the operator's own needs no marker
        mine = str(tmp_path / "mine")
        assert artifacts("jobs", "uploads", "download", "12", "--output-dir", mine).status == 0
