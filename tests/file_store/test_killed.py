"""A process that dies at any call of the system: nothing is torn, and another goes on."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import pytest

from artifact_pipeline.domain.errors import LeaseLostError
from artifact_pipeline.domain.model.artifacts import StoredObject
from tests.file_store.steps import Shelf
from tests.s3.steps import CONTENT_TYPE, KEY, METADATA, Progress, put, random_bytes

PART = 1000
OLD, NEW = random_bytes(2500), random_bytes(3500)
_CALLS = (
    *("write", "pwrite", "fsync", "fdatasync", "ftruncate", "utime", "mkdir", "rmdir"),
    *("link", "unlink", "rename", "replace"),
)
"""All that changes something in a file system."""


class KilledError(BaseException):
    """The process is dead."""


class Death:
    """Counts calls that change something; from one on, none has any effect."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.calls = 0

    def each(self, act: Callable[[], object]) -> Iterator[bool]:
        """Do it again and again, killed at one call later each time, until it is not killed.

        Yield after each time whether it was killed.
        """
        is_killed, calls = True, 0
        while is_killed:
            with self.after(calls):
                try:
                    act()
                    is_killed = False
                except KilledError:
                    calls += 1
            yield is_killed
        assert calls > 3

    @contextmanager
    def after(self, calls: int) -> Iterator[None]:
        self.calls = 0
        with self._monkeypatch.context() as patched:
            for name in _CALLS:
                patched.setattr(os, name, self._counted(getattr(os, name), calls))
            yield

    def _counted(self, call: Callable[..., Any], limit: int) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            # A dead process cleans nothing up either.
            if self.calls > limit:
                raise KilledError
            return call(*args, **kwargs)

        return counted


@pytest.fixture
def death(monkeypatch: pytest.MonkeyPatch) -> Death:
    return Death(monkeypatch)


def put_in_parts(
    shelf: Shelf, content: bytes, progress: Progress | None = None, replaces: str | None = None
) -> StoredObject:
    return put(shelf.with_parts(PART), content, progress, replaces=replaces)


def assert_is_whole(shelf: Shelf, expected: list[bytes]) -> None:
    """One of these is there, with its own description and no other."""
    found = shelf.reader.find(shelf.address(KEY))
    body = shelf.body(KEY)
    if found is None:
        assert body is None
        assert b"" in expected
        return
    assert body in expected
    assert found.sha256 == sha256(body or b"").hexdigest()
    assert shelf.described(KEY) == (CONTENT_TYPE, METADATA)
    assert [each.address.key for each in shelf.reader.list("")] == [KEY]


@pytest.mark.parametrize("content", [NEW, NEW[:500]], ids=["large", "small"])
def test_a_new_object_appears_whole_or_not_at_all(
    shelf: Shelf, death: Death, content: bytes
) -> None:
    attempts: list[Progress] = []

    def write() -> None:
        attempts.append(Progress())
        put_in_parts(shelf, content, attempts[-1])

    for _ in death.each(write):
        assert_is_whole(shelf, [b"", content])
        # When another goes on
        stored = put_in_parts(shelf, content, Progress(attempts[-1].upload_id))
        # Then
        assert_is_whole(shelf, [content])
        assert shelf.store.holds(stored)
        assert_nothing_is_left(shelf, stored)
        shelf.copier.delete([shelf.address(KEY)])


def test_an_object_is_replaced_whole_or_not_at_all(shelf: Shelf, death: Death) -> None:
    first = put_in_parts(shelf, OLD)
    attempts: list[Progress] = []

    def write() -> None:
        attempts.append(Progress())
        put_in_parts(shelf, NEW, attempts[-1], first.version)

    for _ in death.each(write):
        assert_is_whole(shelf, [OLD, NEW])
        # When another goes on: the new object may be there, and is taken for this write
        stored = put_in_parts(shelf, NEW, Progress(attempts[-1].upload_id), first.version)
        # Then
        assert_is_whole(shelf, [NEW])
        assert_nothing_is_left(shelf, stored)
        shelf.copier.delete([shelf.address(KEY)])
        first = put_in_parts(shelf, OLD)


def test_a_deletion_removes_the_object_or_leaves_it_whole(shelf: Shelf, death: Death) -> None:
    put_in_parts(shelf, OLD)
    for _ in death.each(lambda: shelf.copier.delete([shelf.address(KEY)])):
        assert_is_whole(shelf, [b"", OLD])
        # When it is deleted again
        shelf.copier.delete([shelf.address(KEY)])
        # Then
        assert shelf.reader.find(shelf.address(KEY)) is None
        assert [path.name for path in shelf.root.path.iterdir()] == [".artifacts"]
        put_in_parts(shelf, OLD)


def assert_nothing_is_left(shelf: Shelf, stored: StoredObject) -> None:
    """Nothing but uploads that the reconcile finds, and what a deletion removes."""
    for upload in list(shelf.store.open_uploads("jobs/")):
        shelf.store.abort(upload.key, upload.upload_id)
    uploads = shelf.root.path / ".artifacts/uploads"
    assert list(uploads.iterdir()) == []
    descriptions = [path for path in shelf.own_files() if path.startswith("jobs/")]
    assert sum(stored.version in path for path in descriptions) == 1


def test_another_attempt_sends_only_the_parts_that_are_missing(shelf: Shelf, death: Death) -> None:
    # Given an attempt that was killed when two of four parts were on the disk
    for calls in range(10_000):
        progress = Progress()
        with death.after(calls), pytest.raises(KilledError):
            put_in_parts(shelf, NEW, progress)
        if progress.upload_id and len(shelf.marks(progress.upload_id)) == 2:
            break
    # When
    stored = put_in_parts(shelf, NEW, Progress(progress.upload_id))
    # Then
    assert stored.bytes_sent == len(NEW) - 2 * PART
    assert shelf.body(KEY) == NEW


def test_parts_of_another_content_are_sent_again(shelf: Shelf) -> None:
    # Given an upload of which all parts are there
    progress = Progress(lost_at=5)
    with pytest.raises(LeaseLostError):
        put_in_parts(shelf, NEW, progress)
    assert len(shelf.marks(str(progress.upload_id))) == 4
    # When the source has changed in its second part, and is shorter
    changed = NEW[:1500] + b"x" + NEW[1501:3200]
    stored = put_in_parts(shelf, changed, Progress(progress.upload_id))
    # Then: after the part that differs, nothing of before is believed
    assert stored.bytes_sent == len(changed) - PART
    assert shelf.body(KEY) == changed
    assert stored.sha256 == sha256(changed).hexdigest()
