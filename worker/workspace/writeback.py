"""Having the kernel write a file to the disk while more of it still comes."""

import ctypes
from collections.abc import Callable

_WRITE = 2
"""SYNC_FILE_RANGE_WRITE."""


def start_writeback(file: int, at: int, size: int) -> None:
    """Have the kernel begin to write bytes of a file to the disk, without waiting for it.

    This is a hint. It says nothing about errors and writes no metadata: an `fsync` must follow,
    which then has less to wait for. The bytes stay in the page cache for who reads them next,
    which POSIX_FADV_DONTNEED would not leave them.

    Args:
        file: its descriptor.
        at: the first byte.
        size: in bytes.
    """
    # https://man7.org/linux/man-pages/man2/sync_file_range.2.html
    if _sync_file_range is not None:
        _sync_file_range(file, at, size, _WRITE)


def _found_sync_file_range() -> Callable[..., int] | None:
    """Return the C library's function, which Python lacks; None if the system is not Linux."""
    function = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return function


_sync_file_range = _found_sync_file_range()
