"""What the store of files does beside the contract: fences, locks and uploads."""

import fcntl
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.errors import (
    ChecksumMismatchError,
    LeaseLostError,
    ObjectReplacedError,
    SourceChangedError,
    StoreConflictError,
)
from artifact_pipeline.domain.model.preconditions import Create
from artifact_pipeline.domain.ports.packed import forms_of
from artifact_pipeline.worker.file_store import key_locks
from artifact_pipeline.worker.file_store.key_locks import locked
from artifact_pipeline.worker.workspace import Workspace
from tests.file_store.steps import Shelf, store_in
from tests.s3.steps import KEY, Progress, put, random_bytes
from tests.workspace.trees import RESULTS, all_of, plant

PART = 1000
CONTENT = random_bytes(3500)


class Waiting(Progress):
    """Loses the lease at a checkpoint, once something else has happened there."""

    def __init__(self, happen: Any) -> None:
        super().__init__()
        self._happen = happen

    def checkpoint(self) -> None:
        self._happen()


def lose() -> None:
    raise LeaseLostError


def nothing() -> None:
    pass


class Broken:
    """A source that breaks off."""

    exact_size = None
    largest_size = 10 * PART
    links_left_out = 0

    def chunks(self) -> Iterator[bytes]:
        yield CONTENT[:2500]
        raise SourceChangedError


def test_who_has_lost_the_lease_replaces_nothing(shelf: Shelf) -> None:
    first = put(shelf.store, b"first")
    with pytest.raises(LeaseLostError):
        put(shelf.store, b"late", Progress(lost_at=2), replaces=first.version)
    assert shelf.body(KEY) == b"first"
    assert list(shelf.store.open_uploads("")) == []


def test_the_lease_is_looked_at_while_the_lock_is_held(shelf: Shelf) -> None:
    """Else another could take the lease over, and write, between the look and the rename."""
    first, looks = put(shelf.store, b"first"), []

    def look() -> None:
        files = [
            os.open(path, os.O_RDWR) for path in (shelf.root.path / ".artifacts/locks").iterdir()
        ]
        looks.append([key_locks.try_lock(file) for file in files])
        for file in files:
            os.close(file)

    put(shelf.store, b"second", Waiting(look), replaces=first.version)
    assert looks[-1] == [False]


def test_who_waits_for_a_lock_hears_that_the_lease_is_lost(shelf: Shelf) -> None:
    checkpoints = []

    def lose_at_the_second() -> None:
        checkpoints.append(1)
        if len(checkpoints) == 3:
            lose()

    with locked(shelf.root, KEY, nothing), pytest.raises(LeaseLostError):
        put(shelf.store, b"x", Waiting(lose_at_the_second))
    assert shelf.body(KEY) is None


def test_a_lock_that_is_never_released_is_given_up(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_locks, "_LONGEST_SECONDS", 0)
    with locked(shelf.root, KEY, nothing), pytest.raises(StoreConflictError, match=KEY):
        put(shelf.store, b"x")
    assert list(shelf.store.open_uploads("")) == []


def test_where_locks_exclude_nobody_a_new_object_replaces_none(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a mount without locks, and a process that is faster between the look and the rename
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    utime, is_second = os.utime, list[bool]()

    def faster(*args: Any, **kwargs: Any) -> None:
        if not is_second:
            is_second.append(True)
            put(shelf.store, b"faster")
        utime(*args, **kwargs)

    monkeypatch.setattr(os, "utime", faster)
    # When / Then
    with pytest.raises(ObjectReplacedError):
        put(shelf.store, b"late")
    assert shelf.body(KEY) == b"faster"


def test_a_removed_directory_is_made_again(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a deletion that removes the directory while an object is about to appear in it
    neighbour = f"{KEY.rpartition('/')[0]}/neighbour"
    put(shelf.store, b"x", key=neighbour)
    utime, is_second = os.utime, list[bool]()

    def delete(*args: Any, **kwargs: Any) -> None:
        if not is_second:
            is_second.append(True)
            shelf.copier.delete([shelf.address(neighbour)])
        utime(*args, **kwargs)

    monkeypatch.setattr(os, "utime", delete)
    # When / Then
    put(shelf.store, CONTENT)
    assert shelf.body(KEY) == CONTENT
    assert shelf.described(KEY)[0] == "application/zip"


def test_an_upload_that_is_interrupted_is_listed_and_can_be_aborted(shelf: Shelf) -> None:
    # Given
    store, progress = shelf.with_parts(PART), Progress()
    with pytest.raises(SourceChangedError):
        put(store, Broken(), progress)
    # When / Then
    (upload,) = store.open_uploads("jobs/12/")
    assert (upload.key, upload.upload_id) == (KEY, progress.upload_id)
    assert upload.age.total_seconds() >= -1
    assert list(store.open_uploads("jobs/13/")) == []
    for _ in range(2):
        store.abort(upload.key, upload.upload_id)
    assert list(store.open_uploads("")) == []
    # And who goes on with it begins anew
    stored = put(store, CONTENT, Progress(progress.upload_id))
    assert stored.bytes_sent == len(CONTENT)


@pytest.mark.parametrize("upload_id", ["../../x", "", "2~of-a-bucket", "a" * 32])
def test_an_id_of_another_store_names_no_upload(shelf: Shelf, upload_id: str) -> None:
    shelf.store.abort(KEY, upload_id)
    put(shelf.store, CONTENT, Progress(upload_id))
    assert shelf.body(KEY) == CONTENT


def test_who_was_aborted_stores_nothing(shelf: Shelf) -> None:
    # Given an upload that is aborted once all of it is there
    store = shelf.with_parts(PART)

    def abort() -> None:
        for upload in store.open_uploads(""):
            store.abort(KEY, upload.upload_id)

    progress = Waiting(abort)
    # When / Then
    with pytest.raises(StoreConflictError, match="was removed while it was under way"):
        put(store, CONTENT, progress)
    assert shelf.body(KEY) is None


def test_small_uploads_are_not_resumed(shelf: Shelf) -> None:
    progress = Progress()
    put(shelf.store, CONTENT, progress)
    assert progress.started_ids == []


def test_a_large_object_is_proven_by_its_ranges(shelf: Shelf) -> None:
    stored = put(shelf.with_parts(PART), CONTENT)
    found = shelf.reader.find(shelf.address(KEY))
    assert found is not None
    assert found.checksum("SHA256") == stored.checksum
    assert shelf.reader.range_size(found, 900) == PART
    assert shelf.reader.range_size(found, 10 * PART) == 10 * PART
    digests = [sha256(CONTENT[at : at + PART]).digest() for at in range(0, len(CONTENT), PART)]
    assert shelf.reader.is_proven(found, digests)
    assert not shelf.reader.is_proven(found, digests[:-1])
    assert shelf.reader.is_proven(found, [sha256(CONTENT).digest()])


def test_a_copy_of_damaged_bytes_is_refused(shelf: Shelf) -> None:
    # Given a disk that has lost a bit, which changes no time
    put(shelf.store, CONTENT, key="old")
    path = shelf.root.path / "old"
    seen = path.stat()
    path.write_bytes(b"\0" + CONTENT[1:])
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    found = shelf.reader.find(shelf.address("old"))
    assert found is not None
    # When / Then
    with pytest.raises(ChecksumMismatchError):
        shelf.copier.copy(
            found,
            KEY,
            content_type="text/plain",
            metadata={},
            precondition=Create(),
            tier_name="",
            progress=Progress(),
        )
    assert shelf.body(KEY) is None


@pytest.mark.parametrize("begun", [0, 1], ids=["this release", "the former one"])
def test_results_go_on_in_the_form_in_which_their_upload_was_begun(
    shelf: Shelf, tmp_path: Path, begun: int
) -> None:
    # Given
    workspace = Workspace(tmp_path / "workspace")
    rows = "".join(f"{number},{number * number % 977}\n" for number in range(60_000)).encode()
    plant(workspace.path(RESULTS), {"RUN1/a.csv": rows, "RUN1/b.csv": rows[::-1]})
    forms = list(forms_of(workspace.source(RESULTS)))
    store, progress = store_in(shelf.root, 64 * 1024), Progress(lost_at=4)
    with pytest.raises(LeaseLostError):
        put(store, forms[begun], progress)
    # When
    stored = put(store, forms[0], Progress(progress.upload_id))
    # Then
    assert 0 < stored.bytes_sent < stored.size
    assert shelf.body(KEY) == all_of(forms[begun])
