"""All files of a store below a prefix, in the order of their keys."""

import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import PurePosixPath

from artifact_pipeline.worker.file_store.failures import ABSENT
from artifact_pipeline.worker.file_store.layout import OWN, is_key
from artifact_pipeline.worker.file_store.root import StoreRoot
from artifact_pipeline.worker.workspace.directories import opened_directory
from artifact_pipeline.worker.workspace.enclosure import is_regular


def files_below(root: StoreRoot, prefix: str) -> Generator[tuple[str, os.stat_result]]:
    """Yield the keys that begin with the prefix, and what a look at their files says.

    Directories are read one by one, so a listing that is not read to its end costs little.
    """
    directory, _, start = prefix.rpartition("/")
    if directory and not is_key(directory):
        return
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(root.reached(PurePosixPath(directory), make=False))
        except OSError as error:
            if error.errno in ABSENT:
                return
            raise
        if opened is not None:
            yield from _files(opened, f"{directory}/" if directory else "", start)


def _files(directory: int, above: str, start: str = "") -> Generator[tuple[str, os.stat_result]]:
    for name, is_directory in _sorted(directory, start):
        if is_directory:
            yield from _files_in(name, directory, above)
        elif (seen := _look(name, directory)) is not None:
            yield f"{above}{name}", seen


def _files_in(name: str, directory: int, above: str) -> Generator[tuple[str, os.stat_result]]:
    with ExitStack() as stack:
        try:
            deeper = stack.enter_context(opened_directory(name, directory))
        except OSError as error:
            if error.errno in ABSENT:
                return  # it was just removed
            raise
        yield from _files(deeper, f"{above}{name}/")


def _sorted(directory: int, start: str) -> list[tuple[str, bool]]:
    """Return names and whether they are directories, in the order of the keys that they make."""
    with os.scandir(directory) as entries:
        found = [
            (entry.name, entry.is_dir(follow_symlinks=False))
            for entry in entries
            if entry.name != OWN and entry.name.startswith(start) and is_key(entry.name)
        ]
    # "a-b" comes before "a/b", and that before "a0".
    return sorted(found, key=lambda each: (f"{each[0]}/" if each[1] else each[0]).encode())


def _look(name: str, directory: int) -> os.stat_result | None:
    """Return what a look says; None if it is no file, or was just removed."""
    try:
        seen = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return seen if is_regular(seen) else None
