"""Reaching a directory below a root that users' programs write into as well."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from artifact_pipeline.worker.workspace.naming import sync_directory
from artifact_pipeline.worker.workspace.partial_file import look

RootCheck = Callable[[int], None]
"""Raises an error for an opened root that is not the workspace."""

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
"""How a directory is opened, also through a link."""
REAL_DIRECTORY = DIRECTORY | os.O_NOFOLLOW
"""How a directory is opened, but not through a link."""


@contextmanager
def reached(
    root: Path, directory: PurePosixPath, *, make: bool, check: RootCheck | None = None
) -> Iterator[int | None]:
    """Open the directory without following a link; return its descriptor, None if missing.

    Args:
        root: which may be a link itself.
        directory: relative to the root.
        make: what is missing.
        check: of the root, by the descriptor that all else is reached from: so what is mounted or
            unmounted afterwards makes no difference.
    """
    descriptor = os.open(root, DIRECTORY)
    try:
        if check is not None:
            check(descriptor)
        for part in directory.parts:
            if make:
                _make(part, descriptor)
            elif look(part, descriptor) is None:
                yield None
                return
            deeper = os.open(part, REAL_DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = deeper
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_directory(name: str, directory: int) -> Iterator[int]:
    """Yield a descriptor of a directory inside of another one, and not of a link's target."""
    descriptor = os.open(name, REAL_DIRECTORY, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _make(name: str, directory: int) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=directory)
        sync_directory(directory)
