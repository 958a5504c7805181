"""The contract of targets over each adapter, and what holds of files."""

import errno
import os
import socket
import stat
from pathlib import Path
from typing import Any, cast

import pytest

from artifact_pipeline.domain.errors import (
    FileSystemLimitError,
    InvalidRequestError,
    TargetExistsError,
    WorkspaceUnavailableError,
)
from artifact_pipeline.domain.fakes import InMemoryTarget
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.target import Target
from tests.contract.target_contract import (
    CONTENT,
    PARTIAL,
    RANGE,
    THERE,
    Adapter,
    TargetContract,
    fetch,
    finish,
)
from tests.workspace.trees import LOGS, link


@pytest.fixture
def fake() -> Adapter:
    target = InMemoryTarget()
    return Adapter(target, lambda content: setattr(target, "content", content), lambda: target)


@pytest.fixture
def in_a_workspace(workspace: Workspace, logs: Path) -> Adapter:
    return Adapter(workspace.target(LOGS), logs.write_bytes, lambda: workspace.target(LOGS))


# An adapter takes part with a fixture of its own, named here.
@pytest.fixture(params=["fake", "in_a_workspace"])
def adapter(request: pytest.FixtureRequest) -> Adapter:
    return cast("Adapter", request.getfixturevalue(request.param))


class TestTarget(TargetContract):
    pass


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (ArtifactKind.JOB_CONFIG, "job_12/job_config.json"),
        (ArtifactKind.JOB_INPUT, "job_12/job_input.zip"),
        (ArtifactKind.RUN_CONFIG, "job_12/run_4_config.json"),
        (ArtifactKind.RUN_LOGS, "job_12/run_4_logs.log"),
        (ArtifactKind.RUN_RESULTS, "job_12/run_4_results.zip"),
    ],
)
def test_every_kind_has_its_place(
    workspace: Workspace, root: Path, kind: ArtifactKind, place: str
) -> None:
    finish(workspace.target(Artifact(kind, 12, 4 if kind.belongs_to_run else None)))
    assert (root / place).read_bytes() == CONTENT


@pytest.mark.parametrize("place", ["/etc/passwd", "../x", "job_12/../../x", "", "."])
def test_a_place_outside_is_refused(root: Path, place: str) -> None:
    with pytest.raises(InvalidRequestError):
        Target(LOGS, root, place)


def test_directories_are_made_as_deep_as_it_takes(root: Path) -> None:
    finish(Target(LOGS, root, "a/b/c/x.log"))
    assert (root / "a/b/c/x.log").read_bytes() == CONTENT


def test_looking_makes_nothing(target: Target, directory: Path) -> None:
    assert not target.exists
    target.discard()
    with pytest.raises(WorkspaceUnavailableError):
        list(target.chunks())
    assert not directory.exists()


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def test_nothing_but_the_file_is_left(target: Target, directory: Path) -> None:
    finish(target)
    assert names(directory) == ["run_4_logs.log"]


def test_the_partial_file_is_beside_it_and_the_only_one(target: Target, directory: Path) -> None:
    with target.partial(THERE, RANGE) as partial:
        fetch(partial, 1)
    assert names(directory) == [PARTIAL]
    assert (directory / PARTIAL).read_bytes()[RANGE : 2 * RANGE] == CONTENT[RANGE : 2 * RANGE]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o644)])
def test_who_may_read_it_is_up_to_the_mask(
    target: Target, directory: Path, mask: int, mode: int
) -> None:
    before = os.umask(mask)
    try:
        finish(target)
    finally:
        os.umask(before)
    assert stat.S_IMODE((directory / "run_4_logs.log").stat().st_mode) == mode


class TestLinks:
    """Users' programs write where we do."""

    def test_a_directory_that_is_a_link_is_not_followed(
        self, target: Target, directory: Path, tmp_path: Path
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        link(directory, elsewhere)
        with pytest.raises(TargetExistsError):
            finish(target)
        with pytest.raises(TargetExistsError):
            _ = target.exists
        assert names(elsewhere) == []

    def test_a_link_in_the_place_of_the_partial_file_is_not_followed(
        self, target: Target, directory: Path, tmp_path: Path
    ) -> None:
        elsewhere = tmp_path / "precious"
        for content in (None, b"precious"):
            if content:
                elsewhere.write_bytes(content)
            else:
                link(directory / PARTIAL, elsewhere)
            with pytest.raises(TargetExistsError):
                finish(target)
        assert elsewhere.read_bytes() == b"precious"

    def test_a_link_in_the_place_of_the_file_is_not_read(
        self, target: Target, directory: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "secret").write_bytes(b"secret")
        link(directory / "run_4_logs.log", tmp_path / "secret")
        with pytest.raises(TargetExistsError):
            list(target.chunks())

    def test_a_link_in_the_place_of_the_file_is_replaced_and_not_what_it_leads_to(
        self, target: Target, directory: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "precious").write_bytes(b"precious")
        link(directory / "run_4_logs.log", tmp_path / "precious")
        assert target.exists
        with pytest.raises(TargetExistsError):
            finish(target)
        finish(target, replaces=True)
        assert (tmp_path / "precious").read_bytes() == b"precious"
        assert b"".join(target.chunks()) == CONTENT

    def test_the_root_itself_may_be_a_link(self, root: Path, tmp_path: Path) -> None:
        link(tmp_path / "link", root)
        finish(Workspace(tmp_path / "link").target(LOGS))
        assert (root / "job_12/run_4_logs.log").read_bytes() == CONTENT


class TestSomethingElse:
    def test_a_directory_in_its_place_is_kept(self, target: Target, directory: Path) -> None:
        (directory / "run_4_logs.log").mkdir(parents=True)
        for replaces in (False, True):
            with pytest.raises(TargetExistsError):
                finish(target, replaces=replaces)
        with pytest.raises(TargetExistsError):
            list(target.chunks())

    @pytest.mark.parametrize("make", ["mkdir", "fifo", "socket"])
    def test_no_partial_file_in_its_place_is_kept(
        self, target: Target, directory: Path, monkeypatch: pytest.MonkeyPatch, make: str
    ) -> None:
        directory.mkdir()
        monkeypatch.chdir(directory)  # a socket's name must be short
        with socket.socket(socket.AF_UNIX) as sock:
            makers: dict[str, Any] = {
                "mkdir": os.mkdir,
                "fifo": os.mkfifo,
                "socket": sock.bind,
            }
            makers[make](PARTIAL)
            with pytest.raises(TargetExistsError):
                finish(target)

    def test_a_fifo_in_its_place_is_not_waited_for(self, target: Target, directory: Path) -> None:
        directory.mkdir()
        os.mkfifo(directory / "run_4_logs.log")
        with pytest.raises(TargetExistsError):
            list(target.chunks())

    def test_a_file_in_the_place_of_a_directory_is_kept(
        self, target: Target, directory: Path
    ) -> None:
        directory.write_bytes(b"mine")
        with pytest.raises(TargetExistsError):
            finish(target)
        assert directory.read_bytes() == b"mine"


class TestUnavailable:
    @pytest.mark.parametrize("call", ["pwrite", "ftruncate", "mkdir", "open", "fsync", "link"])
    @pytest.mark.parametrize(
        "number",
        [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ESTALE],
        ids=errno.errorcode.get,
    )
    def test_what_cannot_be_written_says_so_without_its_path(
        self, target: Target, monkeypatch: pytest.MonkeyPatch, call: str, number: int
    ) -> None:
        # Given
        def fail(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number), "/secret/path")

        if call == "link":  # without links, as by EPERM, it is renamed: fail there too
            monkeypatch.setattr(
                "artifact_pipeline.worker.workspace.naming._rename_without_link", fail
            )
        with monkeypatch.context() as patched:
            patched.setattr(os, call, fail)
            # When
            with pytest.raises(WorkspaceUnavailableError) as caught:
                finish(target)
        # Then
        assert "/" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    def test_a_root_that_is_missing_is_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(WorkspaceUnavailableError):
            finish(Workspace(tmp_path / "missing").target(LOGS))
        assert not (tmp_path / "missing").exists()

    def test_a_full_disk_says_so(self, target: Target) -> None:
        device = os.open("/dev/full", os.O_WRONLY)
        with target.partial(THERE, RANGE) as partial:
            os.dup2(device, cast("Any", partial).file)
            os.close(device)
            with pytest.raises(WorkspaceUnavailableError, match="no space left") as raised:
                partial.write(0, b"x")
        # And which file takes the space
        assert f"stays in {PARTIAL}: free space and ask again, or delete it" in str(raised.value)

    def test_a_file_that_is_too_large_for_the_file_system_says_so(
        self, target: Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise OSError(errno.EFBIG, "too big")

        monkeypatch.setattr(os, "pwrite", fail)
        with pytest.raises(FileSystemLimitError, match="too big: the target's file system cannot"):
            finish(target)


def test_few_bytes_written_at_once_are_followed_by_the_rest(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: pwrite(file, data[:7], at))
    finish(target)
    assert b"".join(target.chunks()) == CONTENT
