"""How the C library hands memory back to the system."""

import ctypes
import os
from typing import Any

_M_MMAP_THRESHOLD = -3
_LARGE_BLOCK = 4 * 2**20  # the system takes its time for each: only parts are that large
_CHOSEN_BY_OPERATOR = ("MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def return_large_blocks() -> None:
    """Have each large block go back to the system when it is freed. Children inherit this.

    glibc raises its limit for such blocks to the size of the largest one freed so far. From the
    first part of an upload on, parts would come from heaps, which never shrink again while a small
    block behind them is in use: https://man7.org/linux/man-pages/man3/mallopt.3.html.
    Other C libraries have no such function.
    """
    mallopt: Any = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and not any(name in os.environ for name in _CHOSEN_BY_OPERATOR):
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
