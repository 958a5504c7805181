"""How the C library hands memory back to the system."""

import ctypes
import os
from typing import Any

# https://man7.org/linux/man-pages/man3/mallopt.3.html
_M_ARENA_MAX = -8
_M_MMAP_THRESHOLD = -3
_LARGE_BLOCK = 4 * 2**20  # the system takes its time for each: only parts are that large
_CHOSEN_BY_OPERATOR = ("MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_heaps_small() -> None:
    """Have glibc keep one heap, without large blocks. Children inherit this.

    By default each thread has a heap, and from the first part of an upload on, parts come from
    heaps too. A heap does not shrink while a small block at its end is in use.
    Call it before the first thread starts. Other C libraries have no such function.
    """
    mallopt: Any = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and not any(name in os.environ for name in _CHOSEN_BY_OPERATOR):
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
        mallopt(_M_ARENA_MAX, 1)
