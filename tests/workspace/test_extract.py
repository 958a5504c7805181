"""Unpacking archives that do no harm, and what is around them."""

import errno
import fcntl
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.errors import (
    TargetBusyError,
    TargetExistsError,
    WorkspaceUnavailableError,
)
from artifact_pipeline.worker.workspace.enclosure import Enclosure
from artifact_pipeline.worker.workspace.extract import Extracted
from artifact_pipeline.worker.workspace.removal import remove_tree
from artifact_pipeline.worker.workspace.zip_stream import ZippedDirectory
from tests.workspace.extract_steps import (
    ARCHIVE,
    INTO,
    RESULTS,
    extract,
    files,
    names,
    pack,
    tree,
)

_OWNER = os.getuid() or 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "job_12").mkdir()
    return tmp_path


class TestHarmless:
    def test_what_was_zipped_while_it_was_sent(self, root: Path) -> None:
        # Given results as an upload packs them, with an empty directory and odd names
        source = root / "source"
        for name in ("RUN1/a b.csv", "RUN1/deep/er/ü.csv", "RUN2/+%?.csv"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text(name)
        (source / "RUN2/empty").mkdir()
        zipped = ZippedDirectory(RESULTS, Enclosure(root.resolve(), "source"))
        (root / ARCHIVE).write_bytes(b"".join(zipped.chunks()))
        assert extract(root) == Extracted(files=3, bytes=43)
        assert tree(root) == {name: name for name in tree(root)}
        assert len(tree(root)) == 3
        assert (root / INTO / "RUN2/empty").is_dir()

    def test_of_the_modes_only_the_executable_bit_is_taken(self, root: Path) -> None:
        def make(archive: zipfile.ZipFile) -> None:
            info = zipfile.ZipInfo("RUN1/tool")
            info.external_attr = (stat.S_IFREG | stat.S_ISUID | 0o777) << 16
            archive.writestr(info, "x")

        pack(root, make)
        os.umask(umask := os.umask(0o022))
        extract(root)
        mode = (root / INTO / "RUN1/tool").stat().st_mode
        assert stat.S_IMODE(mode) == 0o755 & ~umask

    def test_what_is_there_already_is_kept(self, root: Path) -> None:
        pack(root, files(RUN1__a="new", RUN2__a="new"))
        mine = root / INTO / "RUN1" / "mine"
        mine.parent.mkdir(parents=True)
        mine.write_text("old")
        assert extract(root).kept == ("RUN1",)
        assert tree(root) == {"RUN1/mine": "old", "RUN2/a": "new"}

    def test_what_is_there_already_gives_way_where_it_is_told_to(self, root: Path) -> None:
        pack(root, files(RUN1__a="new"))
        mine = root / INTO / "RUN1" / "mine"
        mine.parent.mkdir(parents=True)
        mine.write_text("old")
        assert extract(root, replace=True).kept == ()
        assert tree(root) == {"RUN1/a": "new"}
        assert names(root / INTO) == ["RUN1"]

    def test_what_a_killed_process_has_left_is_cleared(self, root: Path) -> None:
        pack(root, files(RUN1__a="new"))
        half = root / INTO / ".extracting" / "RUN1" / "half"
        half.parent.mkdir(parents=True)
        half.write_text("half")
        extract(root)
        assert (tree(root), names(root / INTO)) == ({"RUN1/a": "new"}, ["RUN1"])

    def test_what_gave_way_comes_back_if_the_new_tree_cannot_appear(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        pack(root, files(RUN1__a="new"))
        mine = root / INTO / "RUN1" / "mine"
        mine.parent.mkdir(parents=True)
        mine.write_text("old")
        rename = os.rename
        renames = iter(range(10))

        # When the second rename fails
        def fail(*arguments: Any, **named: Any) -> None:
            if next(renames) == 1:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            rename(*arguments, **named)

        monkeypatch.setattr(os, "rename", fail)
        with pytest.raises(WorkspaceUnavailableError):
            extract(root, replace=True)
        # Then
        assert tree(root) == {"RUN1/mine": "old"}
        assert names(root / INTO) == ["RUN1"]

    def test_what_gave_way_before_a_kill_comes_back(self, root: Path) -> None:
        # Given a process that was killed between the two renames
        pack(root, files(RUN1__a="new", RUN2__a="new"))
        mine = root / INTO / ".extracting-old" / "RUN1" / "mine"
        mine.parent.mkdir(parents=True)
        mine.write_text("old")
        # When
        extracted = extract(root)
        # Then
        assert extracted.kept == ("RUN1",)
        assert tree(root) == {"RUN1/mine": "old", "RUN2/a": "new"}

    def test_half_of_what_was_being_removed_does_not_come_back(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a process that was killed while it removed what gave way
        pack(root, files(RUN1__a="new"))
        (deep := root / INTO / "RUN1" / "deep" / "er").mkdir(parents=True)
        (deep / "mine").write_text("old")
        rmdir, killed = os.rmdir, iter(range(100))

        def kill(*arguments: Any, **named: Any) -> None:
            if next(killed) >= 2:
                raise KeyboardInterrupt
            rmdir(*arguments, **named)

        with monkeypatch.context() as patched:
            patched.setattr(os, "rmdir", kill)
            with pytest.raises(KeyboardInterrupt):
                extract(root, replace=True)
        # When
        extract(root)
        # Then
        assert tree(root) == {"RUN1/a": "new"}
        assert names(root / INTO) == ["RUN1"]

    def test_an_empty_archive(self, root: Path) -> None:
        pack(root, files())
        assert extract(root) == Extracted(files=0, bytes=0)


def test_a_tree_with_read_only_directories_is_removed_by_its_owner(tmp_path: Path) -> None:
    # Given directories that their owner may not write, one of them empty
    for name in ("tree/a/b/c", "tree/a/empty", "tree/d"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name).parent.joinpath("file").write_text("x")
    directories = [path for path in tmp_path.rglob("*") if path.is_dir()]
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, _OWNER, -1)
    for path in directories:
        path.chmod(0o555)
    # When
    opened = os.open(tmp_path, os.O_RDONLY)
    with as_owner():
        remove_tree("tree", opened)
    os.close(opened)
    # Then
    assert names(tmp_path) == []


class TestSurroundings:
    def test_a_link_on_the_way_is_not_followed(self, root: Path) -> None:
        pack(root, files(RUN1__a="x"))
        (outside := root / "outside").mkdir()
        (root / "job_12/OUT").symlink_to(outside)
        with pytest.raises(TargetExistsError):
            extract(root)
        assert names(outside) == []

    def test_an_archive_that_is_a_link(self, root: Path) -> None:
        pack(root, files(RUN1__a="x")).rename(root / "elsewhere.zip")
        (root / ARCHIVE).symlink_to(root / "elsewhere.zip")
        with pytest.raises(TargetExistsError):
            extract(root)

    def test_another_process_at_it(self, root: Path) -> None:
        pack(root, files(RUN1__a="x"))
        (root / INTO).mkdir(parents=True)
        with locked(root / INTO), pytest.raises(TargetBusyError):
            extract(root)


@contextmanager
def as_owner() -> Iterator[None]:
    """Be a user whom permissions bind, for root may do everything."""
    os.seteuid(_OWNER)
    try:
        yield
    finally:
        os.seteuid(os.getuid())


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)
