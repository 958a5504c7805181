"""Opening files inside a directory and nothing else, even if another process swaps them."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_NO_LINK = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: to open a FIFO that has no writer would block the worker without end.
_TO_READ = _NO_LINK | os.O_NONBLOCK
# O_PATH, where there is one: to pass through a directory takes no permission to list it.
_TO_PASS = _NO_LINK | os.O_DIRECTORY | getattr(os, "O_PATH", 0)
_TO_ENTER = _TO_PASS & ~os.O_NOFOLLOW
"""How the workspace is opened, which may be a link."""

_NO_STEPS = {"", "."}
_NO_NAMES = {*_NO_STEPS, ".."}


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which file it was, and what tells that it has changed.

    It lives as long as one attempt, and is in no message and no row. The time of change is there
    because a program may put back the time of modification, but not the time of change.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, seen: os.stat_result) -> Self:
        times = (seen.st_mtime_ns, seen.st_ctime_ns)
        return cls(seen.st_dev, seen.st_ino, seen.st_size, *times)


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A directory, by the path of the workspace and its own real path relative to it.

    Only the workspace itself is trusted to stay what it is: below it, users' programs write.
    """

    workspace: Path
    directory: str

    def real(self, relative: str) -> str | None:
        """Return where the path leads, relative to this directory; None if outside.

        It may lead to nothing, or, after a circle, to a link.
        """
        if not self._passes_links(relative):
            return relative
        base = Path(os.path.realpath(self.workspace), self.directory)
        target = Path(os.path.realpath(base / relative))
        return target.relative_to(base).as_posix() if target.is_relative_to(base) else None

    def _passes_links(self, relative: str) -> bool:
        """Return whether a link, or a step back, is on the way from the workspace to there."""
        at = str(self.workspace)
        for part in f"{self.directory}/{relative}".split("/"):
            at = f"{at}/{part}"
            if part in _NO_NAMES or os.path.islink(at):  # noqa: PTH114 - making a Path takes longer
                return True
        return False

    def look(self, real: str) -> os.stat_result:
        return os.lstat(f"{self.workspace}/{self.directory}/{real}")

    @contextmanager
    def opened(self, real: str) -> Iterator[int]:
        """Yield a descriptor of what lies there, reached without following a link.

        Between looking and opening another process may put a link in the place of a file or of any
        directory above it. So each component is opened from the one above: O_NOFOLLOW on the
        whole path would watch its last component only.
        """
        parts = f"{self.directory}/{real}".split("/")
        *above, last = [part for part in parts if part not in _NO_STEPS]
        descriptor = os.open(self.workspace, _TO_ENTER)
        try:
            for part in above:
                descriptor = _step(descriptor, part, _TO_PASS)
            descriptor = _step(descriptor, last, _TO_READ)
            yield descriptor
        finally:
            os.close(descriptor)


def _step(descriptor: int, part: str, flags: int) -> int:
    deeper = os.open(part, flags, dir_fd=descriptor)
    os.close(descriptor)
    return deeper


def is_regular(seen: os.stat_result) -> bool:
    return stat.S_ISREG(seen.st_mode)
