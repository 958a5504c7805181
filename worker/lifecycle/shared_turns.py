"""Turns of the processes that a worker has forked, in memory that they share."""

import mmap
import struct
import time

_PAGE_SECONDS = 0.05
"""A process waits no longer than this from the start of another one's page."""
_LOOK_SECONDS = 0.002
_TURN = struct.Struct("dd")


class SharedTurns:
    """Pages one after the other, as `PageTurns`.

    All of it is a hint, so nothing is locked: two processes may take a turn at once, and one that
    is killed keeps its turn for no longer than `_PAGE_SECONDS`. Make it before the first fork.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _TURN.size)

    def take(self) -> float:
        """Return when this turn began, by `time.monotonic()`."""
        while True:
            now = time.monotonic()
            began, is_backlog = self._read()
            if is_backlog or not began <= now < began + _PAGE_SECONDS:
                break
            time.sleep(_LOOK_SECONDS)
        self._write(now, is_backlog)
        return now

    def end(self, turn: float, *, is_full: bool | None) -> None:
        """End a turn; another process's that has begun since continues. Args: as `PageTurns`."""
        began, is_backlog = self._read()
        if is_full is not None:
            is_backlog = float(is_full)
        self._write(0.0 if began == turn else began, is_backlog)

    def _read(self) -> tuple[float, float]:
        began, is_backlog = _TURN.unpack_from(self._memory)
        return began, is_backlog

    def _write(self, began: float, is_backlog: float) -> None:
        _TURN.pack_into(self._memory, 0, began, is_backlog)
