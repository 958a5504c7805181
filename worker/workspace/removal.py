"""Removing a directory tree, however deep it is."""

import os
from collections.abc import Iterator
from itertools import count
from secrets import token_hex

from worker.workspace.directories import REAL_DIRECTORY


def remove_tree(name: str, directory: int) -> None:
    """Remove a directory and all that is below it, without following a link.

    Directories inside are first moved to the top, so that a deep tree needs neither a deep stack,
    nor a descriptor for each level, nor a path that is too long for the system.

    Args:
        name: of the directory.
        directory: the descriptor of the one that holds it.
    """
    top = os.open(name, REAL_DIRECTORY, dir_fd=directory)
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
    opened = os.open(name, REAL_DIRECTORY, dir_fd=top)
    try:
        for each in _without_files(opened):
            os.rename(each, next(new_names), src_dir_fd=opened, dst_dir_fd=top)
    finally:
        os.close(opened)
    os.rmdir(name, dir_fd=top)


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
