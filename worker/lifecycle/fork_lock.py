"""A lock that no child inherits while it is held."""

import os
from threading import Lock

# A child that inherits a held lock of a database driver hangs. A fork must not wait longer for a
# database that hangs.
_FORK_WAITS_SECONDS = 1.0


class ForkLock:
    """Holds up forks of this process while a thread works."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_locked_for_fork = False
        os.register_at_fork(
            before=self._before,
            after_in_parent=self._after_in_parent,
            after_in_child=self._after_in_child,
        )

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()

    def acquire(self, *, blocking: bool = True) -> bool:
        """Return whether the lock is held from now on."""
        return self._lock.acquire(blocking)

    def _before(self) -> None:
        self._is_locked_for_fork = self._lock.acquire(timeout=_FORK_WAITS_SECONDS)

    def _after_in_parent(self) -> None:
        if self._is_locked_for_fork:
            self._lock.release()

    def _after_in_child(self) -> None:
        self._lock = Lock()
