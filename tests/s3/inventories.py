"""Inventories as S3 delivers them."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from artifact_pipeline.domain.model.objects import BucketObject

SCHEMA = (
    "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"
)
CREATED_MS = 1_767_225_600_000
"""2026-01-01."""


def row(
    key: str, size: int = 5, etag: str = "0123", *, latest: bool = True, marker: bool = False
) -> list[object]:
    """Return a row as a bucket with versions has it."""
    size_text: object = "" if marker else size
    flags = (str(latest).lower(), str(marker).lower())
    encoded = quote(key, safe="/")
    return [
        *("my-bucket", encoded, "v1", *flags, size_text, "2025-12-31T23:00:00.000Z"),
        *(etag, "STANDARD"),
    ]


def rows_of(objects: Sequence[BucketObject]) -> list[list[object]]:
    """Return the rows of what a listing has."""
    return [row(each.address.key, each.size, each.version.strip('"')) for each in objects]


def write_inventory(
    directory: Path,
    *files: Sequence[Sequence[object]],
    bucket: str = "my-bucket",
    packed: bool = True,
    below: str = "data",
    **changes: object,
) -> Path:
    """Write the files and their manifest. Return its path."""
    named = []
    for number, rows in enumerate(files):
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
        content = text.getvalue().encode()
        name = f"{number}.csv.gz" if packed else f"{number}.csv"
        path = directory / below / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if packed else content)
        checksum = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        key = f"prefix/my-bucket/all/data/{name}"
        named.append({"key": key, "size": path.stat().st_size, "MD5checksum": checksum})
    manifest = {
        "sourceBucket": bucket,
        "destinationBucket": "arn:aws:s3:::inventories",
        "version": "2016-11-30",
        "creationTimestamp": str(CREATED_MS),
        "fileFormat": "CSV",
        "fileSchema": SCHEMA,
        "files": named,
        **changes,
    }
    path = directory / "manifest.json"
    path.write_text(json.dumps(manifest))
    return path
