"""What the store of files says when the system fails, or its directory is none."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    FileSystemLimitError,
    PipelineError,
    RefusedByStoreError,
    StoreUnavailableError,
    UnexpectedError,
)
from artifact_pipeline.worker.file_store.root import StoreRoot
from tests.file_store.steps import Shelf
from tests.s3.steps import KEY, put, random_bytes

CONTENT = random_bytes(3500)


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, number: int) -> Iterator[None]:
    """Let all writes fail."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number), "/srv/secret-path")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fail)
        yield


@pytest.mark.parametrize(
    ("number", "expected", "said"),
    [
        (errno.ENOSPC, StoreUnavailableError, "no space left in ARTIFACTS_STORE"),
        (errno.EDQUOT, StoreUnavailableError, "no space left in ARTIFACTS_STORE"),
        (errno.EROFS, StoreUnavailableError, "ARTIFACTS_STORE is read-only"),
        (errno.EIO, StoreUnavailableError, "ARTIFACTS_STORE is away"),
        (errno.ESTALE, StoreUnavailableError, "ARTIFACTS_STORE is away"),
        (errno.ENOLCK, StoreUnavailableError, "has no file locks"),
        (errno.EACCES, AccessDeniedError, "Change owner or mode"),
        (errno.EFBIG, FileSystemLimitError, "cannot hold it"),
        (errno.EISDIR, RefusedByStoreError, "is in its place"),
        (errno.EBADMSG, UnexpectedError, "Bad message"),
    ],
)
def test_what_the_system_says_is_one_line_without_the_path(
    shelf: Shelf,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    expected: type[PipelineError],
    said: str,
) -> None:
    with failing(monkeypatch, number), pytest.raises(expected) as refused:
        put(shelf.store, CONTENT)
    assert type(refused.value) is expected
    assert said in str(refused.value)
    assert KEY in str(refused.value)
    assert "/srv" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(shelf.store.open_uploads("")) == []


@pytest.mark.parametrize("kind", ["missing", "a file", "not mounted"])
def test_a_root_that_is_no_store_is_away(tmp_path: Path, kind: str) -> None:
    # Given
    path = tmp_path / "store"
    if kind == "a file":
        path.write_bytes(b"")
    if kind == "not mounted":
        path.mkdir()
    shelf = Shelf.at(path)
    # When / Then: nothing counts as missing, and nothing is written to a mount point
    with pytest.raises(StoreUnavailableError, match=r"ARTIFACTS_STORE: .*Mount it"):
        shelf.reader.find(shelf.address(KEY))
    with pytest.raises(StoreUnavailableError):
        list(shelf.reader.list("jobs/"))
    with pytest.raises(StoreUnavailableError):
        put(shelf.store, CONTENT)
    with pytest.raises(StoreUnavailableError):
        list(shelf.store.open_uploads("jobs/"))
    with pytest.raises(StoreUnavailableError):
        shelf.copier.delete([shelf.address(KEY)])
    assert not path.is_dir() or list(path.iterdir()) == []


def test_a_root_may_be_a_link(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(shelf.root.path)
    put(shelf.store, CONTENT)
    linked = Shelf.at(tmp_path / "link")
    assert linked.reader.find(linked.address(KEY)) is not None


def test_a_store_is_initialized_once(tmp_path: Path) -> None:
    root = StoreRoot(tmp_path)
    assert (root.initialize(), root.initialize()) == (True, False)
