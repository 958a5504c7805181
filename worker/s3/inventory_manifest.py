"""The manifest of an S3 Inventory: which files it has, and what their columns are.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from artifact_pipeline.domain.errors import InvalidRequestError

_NEEDED = ("Key", "Size", "ETag")
_NAME = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryManifest:
    """What an inventory is of, and the files that it consists of.

    Attributes:
        bucket: that was listed.
        created_at: when it was listed.
        columns: of its files, which have no headers.
        files: on this machine.
    """

    bucket: str
    created_at: datetime
    columns: tuple[str, ...]
    files: tuple[Path, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the manifest, and find its files on this machine.

        Args:
            path: of a `manifest.json`; or of one of its files, with the manifest beside it.

        Raises:
            InvalidRequestError: it cannot be read, is no manifest of CSV files, or a file is
                missing or not whole.
        """
        only = None if path.suffix == ".json" else path
        path = path if only is None else path.with_name(_NAME)
        try:
            return cls._of(path, json.loads(path.read_text(encoding="utf-8")), only)
        except InvalidRequestError:
            raise
        except OSError as error:
            raise InvalidRequestError(f"{path}: cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidRequestError(
                f"{path}: it is no manifest of an S3 Inventory: {error!r}"
            ) from None

    @classmethod
    def _of(cls, path: Path, said: Mapping[str, Any], only: Path | None) -> Self:
        if said["fileFormat"] != "CSV":
            raise InvalidRequestError(
                f"{path}: its files are {said['fileFormat']}. Configure the inventory as CSV"
            )
        columns = tuple(name.strip() for name in said["fileSchema"].split(","))
        missing = [name for name in _NEEDED if name not in columns]
        if missing:
            raise InvalidRequestError(
                f"{path}: its files have no {', '.join(missing)}. Add the fields to the inventory"
            )
        files = [file for file in said["files"] if only is None or _name(file) == only.name]
        if only is not None and not files:
            raise InvalidRequestError(f"{only}: {path} does not name it")
        return cls(
            bucket=said["sourceBucket"],
            created_at=datetime.fromtimestamp(int(said["creationTimestamp"]) / 1000, UTC),
            columns=columns,
            files=tuple(_found(path.parent, file) for file in files),
        )


def _name(file: Mapping[str, Any]) -> str:
    return str(file["key"]).rpartition("/")[2]


def _found(directory: Path, file: Mapping[str, Any]) -> Path:
    path = next((each for each in _places(directory, file) if each.is_file()), None)
    if path is None:
        raise InvalidRequestError(
            f"{directory / _name(file)}: the inventory has this file, and it is not there."
            f" Download {file['key']} too"
        )
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False))
    if digest.hexdigest() != file["MD5checksum"]:
        raise InvalidRequestError(
            f"{path}: its MD5 is not the one in the manifest: download it again"
        )
    return path


def _places(directory: Path, file: Mapping[str, Any]) -> Iterator[Path]:
    """Yield where a file may be: beside the manifest, or as in the bucket of the inventory."""
    name = _name(file)
    yield directory / name
    yield directory / "data" / name
    yield directory.parent / "data" / name
    for parent in directory.resolve().parents:
        yield parent / str(file["key"])
