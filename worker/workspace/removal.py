"""Removing a directory tree, however deep it is."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from secrets import token_hex

from artifact_pipeline.worker.workspace.directories import REAL_DIRECTORY


def remove_tree(name: str, directory: int) -> None:
    """Remove a directory and all that is below it, without following a link.

    Directories inside are first moved to the top, so that a deep tree needs neither a deep stack,
    nor a descriptor for each level, nor a path that is too long for the system.

    Args:
        name: of the directory.
        directory: the descriptor of the one that holds it.
    """
    top = _opened(name, directory)
    try:
        token = token_hex(8)  # no name that is there already
        new_names = (f"{token}.{number}" for number in count())
        while directories := _without_files(top):
            for each in directories:
                _flatten(each, top, new_names)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=directory)


def _flatten(name: str, top: int, new_names: Iterator[str]) -> None:
    opened = _opened(name, top)
    try:
        for each in _without_files(opened):
            try:
                os.rmdir(each, dir_fd=opened)  # an empty one may be read-only, and need not move
            except OSError:
                _move(each, opened, next(new_names), top)
    finally:
        os.close(opened)
    os.rmdir(name, dir_fd=top)


def _move(name: str, directory: int, new_name: str, top: int) -> None:
    try:
        os.rename(name, new_name, src_dir_fd=directory, dst_dir_fd=top)
    except PermissionError:
        # A directory that moves must be writable itself, for its `..` changes.
        os.close(_opened(name, directory))
        os.rename(name, new_name, src_dir_fd=directory, dst_dir_fd=top)


def _opened(name: str, directory: int) -> int:
    """Return the descriptor of a directory, and let its owner remove what is in it."""
    opened = os.open(name, REAL_DIRECTORY, dir_fd=directory)
    if os.fstat(opened).st_mode & stat.S_IRWXU != stat.S_IRWXU:
        # A directory of another owner may be writable by its group; if not, the removal itself says
        # what fails.
        with suppress(OSError):
            os.fchmod(opened, stat.S_IRWXU)
    return opened


def _without_files(directory: int) -> list[str]:
    """Remove what is no directory; return the names of the directories."""
    with os.scandir(directory) as found:
        entries = list(found)
    directories = []
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            directories.append(entry.name)
        else:
            os.unlink(entry.name, dir_fd=directory)
    return directories
