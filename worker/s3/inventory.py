"""An S3 Inventory in the place of a listing."""

import csv
import gzip
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from itertools import islice, pairwise
from pathlib import Path
from typing import IO
from urllib.parse import unquote_plus

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.keys import ROOT
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.worker.s3.inventory_manifest import InventoryManifest
from artifact_pipeline.worker.s3.tiers import tier

_ROWS = 10_000
"""That are sorted with one statement."""
_DAMAGED = (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error, ValueError)

_Row = tuple[str, int, str, str, str]
"""Key, size, ETag, time and storage class, as the inventory has them."""


class Inventory:
    """The objects of the jobs that an inventory has, in the order of their keys.

    Args:
        path: as `InventoryManifest.read` takes it.
        bucket: that it must be of.

    Raises:
        InvalidRequestError: it cannot be used.
    """

    def __init__(self, path: Path, bucket: str) -> None:
        self._manifest = InventoryManifest.read(path)
        if self._manifest.bucket != bucket:
            raise InvalidRequestError(
                f"{path}: it is of the bucket {self._manifest.bucket}, and not of"
                f" ARTIFACTS_BUCKET={bucket}"
            )
        self._is_sorted: bool | None = None

    @property
    def created_at(self) -> datetime:
        """When the bucket was listed."""
        return self._manifest.created_at

    def __call__(self, after: str) -> Iterator[BucketObject]:
        """Yield the objects after a key. What is not sorted is sorted in a temporary file.

        Raises:
            InvalidRequestError: a file is damaged.
        """
        if self._is_sorted is None:
            keys = (row[0] for row in self._rows())
            self._is_sorted = all(key <= following for key, following in pairwise(keys))
        rows = self._rows() if self._is_sorted else _sorted(self._rows(), after)
        for row in rows:
            if row[0] > after:
                yield self._object(row)

    def _rows(self) -> Iterator[_Row]:
        for path in self._manifest.files:
            yield from _rows_of(path, self._manifest.columns)

    def _object(self, row: _Row) -> BucketObject:
        key, size, etag, modified_at, storage_class = row
        return BucketObject(
            address=ObjectAddress(self._manifest.bucket, key),
            size=size,
            # A listing has it in quotes.
            version=f'"{etag}"',
            modified_at=datetime.fromisoformat(modified_at) if modified_at else self.created_at,
            tier=tier(storage_class or "STANDARD"),
        )


def _rows_of(path: Path, columns: Sequence[str]) -> Iterator[_Row]:
    number = 0
    try:
        with _opened(path) as file:
            for cells in csv.reader(file):
                number += 1
                row = _row(dict(zip(columns, cells, strict=True)))
                if row is not None:
                    yield row
    except _DAMAGED as error:
        raise InvalidRequestError(
            f"{path}: row {number} or the next one cannot be read: {error}"
        ) from None


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", newline="", encoding="utf-8")
    return path.open(newline="", encoding="utf-8")


def _row(named: Mapping[str, str]) -> _Row | None:
    """Return what counts of a row; None for what a listing does not have."""
    key = unquote_plus(named["Key"])
    is_replaced = named.get("IsLatest", "").lower() == "false"
    is_deleted = named.get("IsDeleteMarker", "").lower() == "true"
    if not key.startswith(ROOT) or is_replaced or is_deleted:
        return None
    modified_at = named.get("LastModifiedDate", "")
    # Here, so that the error of a wrong time names its file.
    datetime.fromisoformat(modified_at or "2000-01-01")
    size, etag = int(named["Size"]), named["ETag"].strip('"')
    return key, size, etag, modified_at, named.get("StorageClass", "")


def _sorted(rows: Iterator[_Row], after: str) -> Iterator[_Row]:
    """Yield the rows by their keys. SQLite sorts them in a file, so memory does not grow."""
    # Without a name it is a file of this connection alone, which no kill leaves behind.
    with closing(sqlite3.connect("", isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode = OFF")
        file.execute("CREATE TABLE objects (key TEXT, size, etag, modified_at, storage_class)")
        while page := list(islice(rows, _ROWS)):
            file.execute("BEGIN")
            file.executemany("INSERT INTO objects VALUES (?, ?, ?, ?, ?)", page)
            file.execute("COMMIT")
        yield from file.execute("SELECT * FROM objects WHERE key > ? ORDER BY key", (after,))
