"""Making directories and files below a descriptor, by paths of any length."""

import os
from collections.abc import Callable
from typing import Self

from artifact_pipeline.worker.workspace.directories import REAL_DIRECTORY

_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK

Parts = tuple[str, ...]


class UnpackedTree:
    """What is unpacked so far.

    The system takes no path of more than 4,095 bytes, so each step is one part. The directory
    that was used last stays open: the entries of an archive are mostly in its order.

    Args:
        root: the descriptor of the directory that holds all.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._parts: Parts = ()
        self._last = os.dup(root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._last)

    def find_directory(self, parts: Parts) -> int | None:
        """Return the descriptor of a directory, or None if it is missing."""
        try:
            return self._directory(parts, _open)
        except FileNotFoundError:
            return None

    def make_directory(self, parts: Parts) -> int:
        """Make what is missing on the way to a directory; return its descriptor, until the next."""
        return self._directory(parts, _open_or_make)

    def _directory(self, parts: Parts, step: Callable[[str, int], int]) -> int:
        if parts != self._parts:
            descriptor = os.dup(self._root)
            try:
                for part in parts:
                    deeper = step(part, descriptor)
                    os.close(descriptor)
                    descriptor = deeper
            except BaseException:
                os.close(descriptor)
                raise
            os.close(self._last)
            self._parts, self._last = parts, descriptor
        return self._last

    def create(self, parts: Parts, mode: int = 0o644) -> int:
        """Return the descriptor of a new file."""
        *above, name = parts
        return os.open(name, _NEW_FILE, mode, dir_fd=self.make_directory(tuple(above)))


def _open(name: str, directory: int) -> int:
    return os.open(name, REAL_DIRECTORY, dir_fd=directory)


def _open_or_make(name: str, directory: int) -> int:
    try:
        return _open(name, directory)
    except FileNotFoundError:
        os.mkdir(name, 0o755, dir_fd=directory)
        return _open(name, directory)
