"""File systems that lack something: hard links, names, sizes."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.errors import (
    FileSystemLimitError,
    PipelineError,
    TargetExistsError,
    UnexpectedError,
    WorkspaceNotWritableError,
    WorkspaceUnavailableError,
)
from artifact_pipeline.worker.workspace import naming
from artifact_pipeline.worker.workspace.marker import MARKER
from artifact_pipeline.worker.workspace.partial_file import writing
from artifact_pipeline.worker.workspace.target import Target
from artifact_pipeline.worker.workspace.workspace import Workspace
from tests.contract.target_contract import CONTENT, PARTIAL, RANGE, THERE, fetch, missing
from tests.workspace.c_functions import failing_with
from tests.workspace.extract_steps import INTO, extract, files, names, pack, tree
from tests.workspace.identity_steps import marked
from tests.workspace.trees import LOGS


def refusing(number: int) -> Any:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.fixture(params=["renameat2", "no such function", "not for this file system"])
def no_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hard links are refused, as by exFAT; also where renameat2 is of no use."""
    monkeypatch.setattr(os, "link", refusing(errno.EPERM))
    if request.param == "no such function":
        monkeypatch.setattr(naming, "_renameat2", None)
    if request.param == "not for this file system":
        monkeypatch.setattr(naming, "_renameat2", failing_with(errno.EINVAL))


@pytest.mark.usefixtures("no_links")
class TestWithoutHardLinks:
    def test_a_file_appears(self, target: Target, directory: Path) -> None:
        with target.partial(THERE, RANGE) as partial:
            fetch(partial, *missing(partial), content=CONTENT)
            partial.finish(replace=False)
        assert b"".join(target.chunks()) == CONTENT
        assert PARTIAL not in names(directory)

    def test_another_that_appears_at_the_last_moment_stays(
        self, target: Target, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        fsync = os.fsync

        def appear(descriptor: int) -> None:
            (directory / "run_4_logs.log").write_bytes(b"theirs")
            fsync(descriptor)

        with target.partial(THERE, RANGE) as partial:
            fetch(partial, *missing(partial), content=CONTENT)
            # When
            with monkeypatch.context() as patched:
                patched.setattr(os, "fsync", appear)
                with pytest.raises(TargetExistsError):
                    partial.finish(replace=False)
        # Then it stays, and so does what was fetched
        assert b"".join(target.chunks()) == b"theirs"
        with target.partial(THERE, RANGE) as partial:
            assert missing(partial) == []


def test_a_kill_leaves_no_empty_marker_where_only_a_plain_rename_works(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a file system without links, on which no rename refuses to replace
    seen: list[str] = []

    def rename(*_: object, **__: object) -> None:
        seen.extend(path.name for path in root.glob(MARKER))
        raise KeyboardInterrupt

    monkeypatch.setattr("os.link", refusing(errno.EPERM))
    monkeypatch.setattr("artifact_pipeline.worker.workspace.naming._renameat2", None)
    # When the process ends at the rename
    with monkeypatch.context() as patched:
        patched.setattr("os.rename", rename)
        with pytest.raises(KeyboardInterrupt):
            marked(root)
    # Then no other process saw a marker, and the next one makes it
    assert seen == []
    assert marked(root) == marked(root) != ""


def test_what_could_not_appear_is_not_fetched_again(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a file that is complete, and could not be given its name
    with target.partial(THERE, RANGE) as partial:
        fetch(partial, *missing(partial), content=CONTENT)
        with monkeypatch.context() as patched:
            patched.setattr(os, "link", refusing(errno.EDQUOT))
            with pytest.raises(WorkspaceNotWritableError):
                partial.finish(replace=False)
    # When the next attempt begins
    with target.partial(THERE, RANGE) as partial:
        # Then nothing is missing
        assert missing(partial) == []
        partial.finish(replace=False)
    assert b"".join(target.chunks()) == CONTENT


def test_what_could_not_be_flushed_is_fetched_again(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a file that could not be written to the disk, though it can still be read
    with target.partial(THERE, RANGE) as partial:
        fetch(partial, *missing(partial), content=CONTENT)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", refusing(errno.EIO))
            with pytest.raises(WorkspaceUnavailableError):
                partial.finish(replace=False)
    # When the next attempt begins
    with target.partial(THERE, RANGE) as partial:
        # Then it takes nothing of it
        assert missing(partial) == [0, 1, 2, 3]
        assert b"".join(partial.chunks()) == bytes(len(CONTENT))


def test_a_file_that_has_appeared_gets_no_marks(
    target: Target, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given that the other name cannot be taken away
    with target.partial(THERE, RANGE) as partial:
        fetch(partial, *missing(partial), content=CONTENT)
        with monkeypatch.context() as patched:
            patched.setattr(os, "unlink", refusing(errno.EIO))
            with pytest.raises(WorkspaceUnavailableError):
                partial.finish(replace=False)
    # Then the file is whole
    assert (directory / "run_4_logs.log").read_bytes() == CONTENT


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP])
def test_a_directory_that_cannot_be_synced_is_no_failure(
    target: Target, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    # Given a file system, as CIFS, that syncs files alone
    fsync = os.fsync

    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    # When, Then
    with target.partial(THERE, RANGE) as partial:
        fetch(partial, *missing(partial), content=CONTENT)
        partial.finish(replace=False)
    assert b"".join(target.chunks()) == CONTENT


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EFBIG, FileSystemLimitError),
        (errno.ENAMETOOLONG, FileSystemLimitError),
        (errno.EILSEQ, FileSystemLimitError),
        (errno.EINVAL, FileSystemLimitError),
        (errno.EPERM, WorkspaceUnavailableError),
        (errno.EROFS, WorkspaceNotWritableError),
        (errno.EDQUOT, WorkspaceNotWritableError),
        (errno.ENOSPC, WorkspaceNotWritableError),
    ],
)
def test_each_answer_of_the_system_has_its_meaning(number: int, expected: type) -> None:
    with pytest.raises(expected, match="run_logs of job 12 run 4"), writing(LOGS):
        refusing(number)()


def test_no_answer_of_the_system_is_let_through() -> None:
    for number in errno.errorcode:
        with suppress(PipelineError), writing(LOGS):
            refusing(number)()
    said = r"run_logs .*: Machine is not on the network: it cannot be written"
    with pytest.raises(UnexpectedError, match=said), writing(LOGS):
        refusing(errno.ENONET)()


class TestEntries:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        (tmp_path / "job_12").mkdir()
        return tmp_path

    def test_a_name_that_is_too_long_there(self, root: Path) -> None:
        pack(root, files(RUN1__a="x", **{f"RUN1__{'n' * 256}": "x"}))
        with pytest.raises(
            FileSystemLimitError, match=r"cannot hold entry 2: File name too long: '"
        ):
            extract(root)
        assert tree(root) == {}
        assert names(root / INTO) == []

    @pytest.mark.parametrize(
        ("number", "said"),
        [
            (errno.EINVAL, "the name is not allowed there"),
            (errno.ENOENT, "the name is not allowed there"),
            (errno.EPERM, "the name is reserved there"),
            (errno.EEXIST, "the name is another entry's there"),
            (errno.EFBIG, "File too large"),
            (errno.EILSEQ, "Invalid or incomplete multibyte"),
        ],
    )
    def test_a_name_that_the_file_system_refuses(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
    ) -> None:
        pack(root, files(RUN1__a="x", **{"RUN1__a:b": "x"}))
        opened = os.open

        def refuse(path: Any, *arguments: Any, **named: Any) -> int:
            if path == "a:b":
                raise OSError(number, os.strerror(number))
            return opened(path, *arguments, **named)

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(
            FileSystemLimitError, match=rf"cannot hold entry 2: {said}.*: 'RUN1/a:b'"
        ):
            extract(root)
        assert names(root / INTO) == []


@pytest.mark.parametrize(("number", "is_there"), [(errno.EACCES, True), (errno.ELOOP, False)])
def test_a_place_that_cannot_be_looked_at_is_left_to_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, is_there: bool
) -> None:
    monkeypatch.setattr(Path, "exists", refusing(number))
    assert Workspace(tmp_path).has(LOGS) is is_there
