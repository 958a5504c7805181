"""Names in the store: keys, versions, and the store's own directories."""

import hashlib
import os
import re
from pathlib import PurePosixPath

from artifact_pipeline.domain.errors import RefusedByStoreError

OWN = ".artifacts"
"""Directories of this name are the store's own, and no part of a key."""
UPLOADS = PurePosixPath(OWN, "uploads")
LOCKS = PurePosixPath(OWN, "locks")

_VERSION = re.compile(r"-?[0-9a-f]+-[0-9a-f]+")
_NO_NAMES = {"", ".", "..", OWN}
# A longer name, with the version behind it, would exceed the 255 bytes that file systems allow.
_LONGEST_NAME = 200


def is_key(key: str) -> bool:
    """Return whether the key is a path that stays inside the store."""
    try:
        key.encode()
    except UnicodeEncodeError:  # of a file name that is not UTF-8
        return False
    return "\0" not in key and not _NO_NAMES.intersection(key.split("/"))


def place_of(key: str) -> PurePosixPath:
    """Return the path of an object, relative to the root.

    Raises:
        RefusedByStoreError: no file can have this key.
    """
    if not is_key(key):
        raise RefusedByStoreError(
            f"{key!r}: a store of files has no such key. Its parts between slashes must not be"
            f" empty, '.', '..' or '{OWN}'"
        )
    return PurePosixPath(key)


def version_of(seen: os.stat_result) -> str:
    """Return the version of a file: it changes with each write, and a copy by `cp -a` keeps it."""
    return f"{seen.st_mtime_ns:x}-{seen.st_size:x}"


def description_name(name: str, version: str) -> str:
    """Return the name of the description of a file in this version."""
    return f"{_stem(name)}.{version}.json"


def describes(description: str, name: str) -> bool:
    """Return whether it is the name of a description of the file, in whatever version."""
    version = description.removeprefix(f"{_stem(name)}.").removesuffix(".json")
    return bool(_VERSION.fullmatch(version)) and description == description_name(name, version)


def _stem(name: str) -> str:
    encoded = os.fsencode(name)
    return name if len(encoded) <= _LONGEST_NAME else hashlib.sha256(encoded).hexdigest()
