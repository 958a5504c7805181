"""What is in the directory, for people and other programs."""

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import (
    InvalidRequestError,
    ObjectReplacedError,
    RefusedByStoreError,
)
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.file_store.layout import is_key
from artifact_pipeline.worker.file_store.root import StoreRoot
from artifact_pipeline.worker.file_store.urls import parse_address, parse_root
from tests.file_store.steps import Shelf
from tests.s3.steps import KEY, METADATA, Progress, put, random_bytes

SMALL = random_bytes(1000)


def test_the_bytes_are_a_file_and_its_description_is_beside_it(shelf_on_disk: Shelf) -> None:
    # When
    stored = put(shelf_on_disk.store, SMALL)
    # Then
    assert (shelf_on_disk.root.path / KEY).read_bytes() == SMALL
    directory, name = KEY.rsplit("/", 1)
    descriptions = [p for p in shelf_on_disk.own_files() if "/locks/" not in p]
    assert descriptions == [f"{directory}/.artifacts/{name}.{stored.version}.json"]
    found = json.loads((shelf_on_disk.root.path / descriptions[0]).read_text())
    assert (found["metadata"], found["sha256"]) == (METADATA, sha256(SMALL).hexdigest())


def test_a_replaced_object_leaves_nothing(shelf: Shelf) -> None:
    first = put(shelf.store, SMALL)
    second = put(shelf.store, SMALL[::-1], replaces=first.version)
    assert first.version != second.version
    assert [p for p in shelf.own_files() if first.version in p] == []
    assert len([p for p in shelf.own_files() if second.version in p]) == 1


def test_a_copy_of_the_whole_directory_has_the_same_versions(shelf: Shelf, tmp_path: Path) -> None:
    # Given
    stored = put(shelf.store, SMALL)
    # When it moves to another disk, as by `cp -a`
    shutil.copytree(shelf.root.path, tmp_path / "moved")
    # Then
    moved = Shelf.at(tmp_path / "moved")
    assert moved.store.holds(stored)
    assert moved.described(KEY) == shelf.described(KEY)


def test_a_file_that_was_put_there_by_hand_is_an_object_without_a_description(
    shelf: Shelf,
) -> None:
    (shelf.root.path / "jobs").mkdir()
    (shelf.root.path / "jobs/by-hand").write_bytes(SMALL)
    found = shelf.reader.find(shelf.address("jobs/by-hand"))
    assert found is not None
    assert (found.size, found.sha256, found.metadata) == (len(SMALL), None, None)
    assert not shelf.reader.verifier(found).is_sure
    assert b"".join(shelf.reader.read(found)) == SMALL


def test_a_file_that_was_changed_by_hand_has_lost_its_description(shelf: Shelf) -> None:
    stored = put(shelf.store, SMALL)
    (shelf.root.path / KEY).write_bytes(SMALL[::-1])
    found = shelf.reader.find(shelf.address(KEY))
    assert found is not None
    assert (found.sha256, found.metadata) == (None, None)
    assert not shelf.store.holds(stored)


def test_a_file_that_is_changed_by_hand_while_it_is_read(shelf: Shelf) -> None:
    put(shelf.store, random_bytes(3 * 2**20))
    found = shelf.reader.find(shelf.address(KEY))
    assert found is not None
    read = shelf.reader.read(found)
    next(read)
    with (shelf.root.path / KEY).open("r+b") as file:
        file.write(b"changed")
    with pytest.raises(ObjectReplacedError):
        list(read)


def test_what_is_read_while_it_is_replaced_is_the_old_object_whole(shelf: Shelf) -> None:
    content = random_bytes(3 * 2**20)
    first = put(shelf.store, content)
    found = shelf.reader.find(shelf.address(KEY))
    assert found is not None
    read = shelf.reader.read(found)
    begin = next(read)
    put(shelf.store, SMALL, replaces=first.version)
    assert begin + b"".join(read) == content


def test_two_writes_in_one_tick_of_the_clock_have_two_versions(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a file system whose times are whole seconds, and stand still
    utime = os.utime

    def coarse(file: int, *, ns: tuple[int, int]) -> None:
        whole = ns[1] - ns[1] % 10**9
        utime(file, ns=(whole, whole))

    monkeypatch.setattr(os, "utime", coarse)
    # When
    first = put(shelf.store, SMALL)
    second = put(shelf.store, SMALL[::-1], replaces=first.version)
    third = put(shelf.store, SMALL, replaces=second.version)
    # Then
    assert len({first.version, second.version, third.version}) == 3


def test_objects_are_listed_in_the_order_of_their_keys(shelf: Shelf) -> None:
    keys = ["a-b", "a/b", "a/b-c", "a/b.c/d", "a0", "ä", "jobs/1/x", "jobs/12/x", "jobs/12/y/z"]
    for key in reversed(keys):
        shelf.put(shelf.address(key), b"")
    assert [each.address.key for each in shelf.reader.list("")] == sorted(keys, key=str.encode)
    below = [each.address.key for each in shelf.reader.list("jobs/1")]
    assert below == ["jobs/1/x", "jobs/12/x", "jobs/12/y/z"]
    assert [each.address.key for each in shelf.reader.list("jobs/12/y")] == ["jobs/12/y/z"]


def test_only_files_are_listed(shelf: Shelf) -> None:
    # Given beside an object all that may be in a directory
    put(shelf.store, SMALL, key="jobs/12/x")
    job = shelf.root.path / "jobs/12"
    (job / "empty").mkdir()
    (job / "link").symlink_to(job / "x")
    (job / "linked").symlink_to(shelf.other.path)
    os.mkfifo(job / "fifo")
    Path(os.fsdecode(os.fsencode(job) + b"/\xff")).write_bytes(b"")
    # When / Then
    assert [each.address.key for each in shelf.reader.list("")] == ["jobs/12/x"]
    for name in ("empty", "link", "linked/x", "fifo", "x/y"):
        assert shelf.reader.find(shelf.address(f"jobs/12/{name}")) is None


def test_empty_directories_go_with_the_last_object(shelf: Shelf) -> None:
    put(shelf.store, SMALL, key="jobs/12/a/x")
    put(shelf.store, SMALL, key="jobs/12/b/x")
    shelf.copier.delete([shelf.address("jobs/12/a/x")])
    assert sorted(p.name for p in (shelf.root.path / "jobs/12").iterdir()) == ["b"]
    shelf.copier.delete([shelf.address("jobs/12/b/x")])
    assert [p.name for p in shelf.root.path.iterdir()] == [".artifacts"]


@pytest.mark.parametrize(
    "key",
    ["", "/", "a//b", "/a", "a/", "..", "../a", "a/../b", "./a", "a/.", "a\0", "\udcff"],
)
def test_no_key_leads_out_of_the_store(shelf: Shelf, key: str) -> None:
    assert not is_key(key)
    assert shelf.reader.find(shelf.address(key)) is None
    assert shelf.copier.delete([shelf.address(key)]) == {}
    with pytest.raises(RefusedByStoreError, match="has no such key"):
        put(shelf.store, SMALL, key=key)


@pytest.mark.parametrize("key", [".artifacts/x", "jobs/.artifacts/x", ".artifacts"])
def test_the_stores_own_files_are_no_objects(shelf: Shelf, key: str) -> None:
    assert shelf.reader.find(shelf.address(key)) is None
    with pytest.raises(RefusedByStoreError):
        put(shelf.store, SMALL, key=key)


def test_a_link_on_the_way_is_not_followed(shelf: Shelf) -> None:
    shelf.put(ObjectAddress(str(shelf.other.path), "x"), SMALL)
    (shelf.root.path / "out").symlink_to(shelf.other.path)
    assert shelf.reader.find(shelf.address("out/x")) is None
    with pytest.raises(RefusedByStoreError, match="something else than a file"):
        put(shelf.store, SMALL, key="out/y")
    assert not (shelf.other.path / "y").exists()


@pytest.mark.parametrize("key", ["taken", "file/x"])
def test_what_is_no_file_is_never_replaced(shelf: Shelf, key: str) -> None:
    (shelf.root.path / "taken").mkdir()
    (shelf.root.path / "file").write_bytes(b"")
    with pytest.raises(RefusedByStoreError, match="is in its place"):
        put(shelf.store, SMALL, key=key)
    assert shelf.own_files() == [p for p in shelf.own_files() if "/locks/" in p]


def test_a_location_is_read_back_as_it_was_recorded(shelf: Shelf) -> None:
    key = "jobs/12/a b+c%d#e?f/größe.zip"
    location = shelf.store.location(key)
    assert location.url.startswith("file:///")
    assert location.sanitized == location.url
    assert parse_address(location.url, [shelf.root]) == shelf.address(key)
    assert shelf.address(key).url == location.url


@pytest.mark.parametrize(
    "url",
    [
        *("/srv/store/x", "s3://bucket/x", "https://example.org/x", "file:///srv/store"),
        *("file:///srv/store/../x", "file:///srv/storeroom/x", "file://host/srv/store/x"),
        *("file:///etc/passwd", "file:///srv/store/%00", "file:///srv/store/.artifacts/x", "["),
    ],
)
def test_another_url_names_no_object(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="not the URL of an object in ARTIFACTS_STORE="):
        parse_address(url, [StoreRoot(Path("/srv/store"))])


@pytest.mark.parametrize(
    "url",
    ["srv", "/srv", "s3://bucket", "file://srv/store", "file:///", "file:", "file:///a/../b"],
)
def test_a_store_is_named_by_an_absolute_path(url: str) -> None:
    with pytest.raises(ValueError, match="file:///srv/artifacts"):
        parse_root(url)


def test_the_url_of_a_store() -> None:
    assert parse_root("file:///srv/my%20artifacts/").path == Path("/srv/my artifacts")
    assert parse_root("file://localhost/srv/a").url == "file:///srv/a"


def test_bytes_that_are_there_by_hand_are_taken_for_the_write(shelf: Shelf) -> None:
    (shelf.root.path / "x").write_bytes(SMALL)
    stored = put(shelf.store, SMALL, Progress(), key="x")
    assert shelf.store.holds(stored)
