"""One process at a time publishes or deletes under a key."""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from artifact_pipeline.domain.errors import StoreConflictError
from artifact_pipeline.worker.file_store.layout import LOCKS
from artifact_pipeline.worker.file_store.root import StoreRoot

_TO_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
# All users of the store lock the same files; the umask takes away what others may not do.
_MODE = 0o666
_PAUSE_SECONDS = 0.02
_LONGEST_SECONDS = 60.0


@contextmanager
def locked(root: StoreRoot, key: str, checkpoint: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a key.

    Lock files are few and stay: to remove one while another process opens it would let two hold
    the lock. Keys that share a file only wait for each other.

    `flock` holds between the processes of a machine, and on NFS between all clients, where Linux
    turns it into a lock of the server. It does not hold between a client of NFS and a process on
    the server itself, nor on mounts with `nolock` or `local_lock=flock`.

    Args:
        root: of the store.
        key: of the object.
        checkpoint: called while another process holds the lock; what it raises ends the wait.

    Raises:
        StoreConflictError: another process did not release it in time.
    """
    # Never wait within the system call: a process that is stopped, or a server that is away,
    # would keep the lease renewed without end.
    deadline = time.monotonic() + _LONGEST_SECONDS
    with root.reached(LOCKS, make=True) as directory:
        file = os.open(_name(key), _TO_LOCK, _MODE, dir_fd=directory)
    try:
        while not try_lock(file):
            checkpoint()
            if time.monotonic() > deadline:
                raise StoreConflictError(f"{key}: another process writes this object now")
            time.sleep(_PAUSE_SECONDS)
        yield
    finally:
        os.close(file)


def try_lock(file: int) -> bool:
    """Lock a file until its descriptor is closed; return False if another descriptor has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:2]
