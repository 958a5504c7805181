"""The description of an object, in a separate file beside the object's bytes."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from artifact_pipeline.worker.file_store.layout import OWN, describes, description_name
from artifact_pipeline.worker.workspace.directories import opened_directory
from artifact_pipeline.worker.workspace.naming import sync_directory

MODE = 0o644
NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
TO_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST = 1024 * 1024
_UNFINISHED = "description"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is known of an object beside its bytes.

    Attributes:
        sha256: of the whole object, hexadecimal.
        checksum: its SHA-256 in base64; of a large object the SHA-256 of its parts' SHA-256, then
            a hyphen and their number.
        part_size: of these parts, in bytes.
        headers: all else that a copy keeps.
    """

    content_type: str
    metadata: Mapping[str, str]
    sha256: str
    checksum: str
    part_size: int
    headers: Mapping[str, Any] = field(default_factory=dict)
    stored_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    @classmethod
    def parse(cls, content: bytes) -> Self | None:
        """Return the description; None if the content is none, as after a change by hand."""
        try:
            found = cls(**json.loads(content))
            bytes.fromhex(found.sha256)
        except (ValueError, TypeError, RecursionError):
            return None
        return found

    def dump(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False, indent=1).encode() + b"\n"


def read_description(directory: int, name: str, version: str) -> Description | None:
    """Return the description of a file in this version; None if it has none.

    Args:
        directory: a descriptor of the directory where the file is.
        name: of the file.
        version: of the file.
    """
    try:
        with opened_directory(OWN, directory) as own:
            file = os.open(description_name(name, version), TO_READ, dir_fd=own)
    except FileNotFoundError:
        return None
    try:
        return Description.parse(os.read(file, _LONGEST))
    finally:
        os.close(file)


def write_description(
    description: Description, *, unfinished: int, directory: int, name: str, version: str
) -> None:
    """Store a description durably, whole or not at all, before the file has this version.

    Args:
        description: of the object.
        unfinished: a descriptor of the directory where it is written first.
        directory: a descriptor of the directory where the file will be.
        name: of the file.
        version: of the file.
    """
    file = os.open(_UNFINISHED, NEW, MODE, dir_fd=unfinished)
    try:
        write_all(file, description.dump())
        os.fsync(file)
    finally:
        os.close(file)
    with suppress(FileExistsError):
        os.mkdir(OWN, dir_fd=directory)
        sync_directory(directory)
    with opened_directory(OWN, directory) as own:
        final = description_name(name, version)
        os.replace(_UNFINISHED, final, src_dir_fd=unfinished, dst_dir_fd=own)
        sync_directory(own)


def remove_description(directory: int, name: str, version: str) -> None:
    """Remove the description of a version that no file has any more."""
    with suppress(FileNotFoundError), opened_directory(OWN, directory) as own:
        os.unlink(description_name(name, version), dir_fd=own)


def remove_descriptions(directory: int, name: str) -> None:
    """Remove all descriptions of a file that is gone, also those that a kill has left."""
    with suppress(FileNotFoundError), opened_directory(OWN, directory) as own:
        for each in os.listdir(own):  # noqa: PTH208 - of a descriptor
            if describes(each, name):
                os.unlink(each, dir_fd=own)


def write_all(file: int, content: bytes | memoryview, at: int | None = None) -> None:
    """Write all of the content, at an offset or where the file is."""
    rest = memoryview(content)
    while rest:
        written = os.write(file, rest) if at is None else os.pwrite(file, rest, at)
        at = None if at is None else at + written
        rest = rest[written:]
