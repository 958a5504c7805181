"""S3 Inventories in the place of a listing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.worker.s3 import inventory as module
from artifact_pipeline.worker.s3.inventory import Inventory
from tests.s3.inventories import row, write_inventory

KEYS = ["jobs/1/a", "jobs/10/b", "jobs/2/c d+e", "jobs/2/ü"]


def inventory(path: Path) -> Inventory:
    return Inventory(path, "my-bucket")


def keys(path: Path, after: str = "") -> list[str]:
    return [each.address.key for each in inventory(path)(after)]


def test_an_object_is_as_a_listing_has_it(tmp_path: Path) -> None:
    # Given
    path = write_inventory(tmp_path, [row("jobs/1/a", 7, "abc-2")])
    # When
    [found] = inventory(path)("")
    # Then
    assert (found.address.url, found.size) == ("s3://my-bucket/jobs/1/a", 7)
    assert (found.version, found.tier.name) == ('"abc-2"', "STANDARD")
    assert found.modified_at == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert inventory(path).created_at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("page", [1, 10_000])
def test_files_in_any_order_come_in_the_order_of_the_keys(
    tmp_path: Path, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given keys that need an encoding, over two files, the second with the first of them
    monkeypatch.setattr(module, "_ROWS", page)
    files = [[row(KEYS[3]), row(KEYS[1])], [row(KEYS[2]), row(KEYS[0])]]
    path = write_inventory(tmp_path, *files, packed=page == 1)
    # When / Then
    assert keys(path) == KEYS
    assert keys(path, after=KEYS[1]) == KEYS[2:]


def test_sorted_files_are_read_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.delattr(module, "_sorted")
    path = write_inventory(tmp_path, [row(KEYS[0]), row(KEYS[1])], [row(KEYS[2])])
    # When / Then
    assert keys(path) == KEYS[:3]
    assert keys(path, after=KEYS[0]) == KEYS[1:3]


def test_what_a_listing_would_not_have_is_left_out(tmp_path: Path) -> None:
    # Given an old version, a deleted object, and one outside of the jobs' directories
    rows = [
        row("jobs/1/a"),
        row("jobs/1/a", latest=False),
        row("jobs/1/b", marker=True),
        row("other/c"),
    ]
    # When / Then
    assert keys(write_inventory(tmp_path, rows)) == ["jobs/1/a"]


def test_the_files_may_lie_as_in_the_bucket_of_the_inventory(tmp_path: Path) -> None:
    # Given
    at = tmp_path / "prefix/my-bucket/all/2026-01-01T01-00Z"
    path = write_inventory(at, [row("jobs/1/a")], below="../data")
    # When / Then
    assert keys(path) == ["jobs/1/a"]
    # And beside the manifest; then one of them can be named alone
    path = write_inventory(tmp_path, [row("jobs/1/a")], [row("jobs/2/b")], below=".")
    assert keys(path.with_name("1.csv.gz")) == ["jobs/2/b"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bucket": "other"}, "of the bucket other, and not of ARTIFACTS_BUCKET=my-bucket"),
        ({"fileFormat": "ORC"}, "its files are ORC"),
        ({"fileSchema": "Bucket, Key"}, "its files have no Size, ETag"),
        ({"files": [{"key": "data/x.csv.gz", "MD5checksum": ""}]}, "and it is not there"),
        ({"files": None}, "it is no manifest of an S3 Inventory"),
        ({"creationTimestamp": "yesterday"}, "it is no manifest of an S3 Inventory"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_named(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = write_inventory(tmp_path, [row("jobs/1/a")], **changes)
    with pytest.raises(InvalidRequestError, match=said) as raised:
        inventory(path)
    assert str(tmp_path) in str(raised.value)


def test_a_file_that_was_not_downloaded_whole_is_named(tmp_path: Path) -> None:
    # Given
    path = write_inventory(tmp_path, [row("jobs/1/a")])
    file = tmp_path / "data/0.csv.gz"
    file.write_bytes(file.read_bytes()[:-1])
    # When / Then
    with pytest.raises(InvalidRequestError, match=r"0\.csv\.gz: its MD5 is not the one"):
        inventory(path)


@pytest.mark.parametrize(
    "rows", [[["my-bucket", "jobs/1/a"]], [[*row("jobs/1/a")[:5], "many", "", "e", ""]]]
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, rows: list[list[object]]) -> None:
    path = write_inventory(tmp_path, rows, packed=False)
    with pytest.raises(InvalidRequestError, match=r"0\.csv: row 1 or the next one"):
        keys(path)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match=r"manifest\.json: cannot be read: No such file"):
        inventory(tmp_path / "0.csv.gz")
