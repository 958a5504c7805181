"""Having the kernel write a file to the disk while more of it still comes."""

import ctypes
import errno

from artifact_pipeline.worker.workspace.c_library import c_function, raise_failure

_SYNC_FILE_RANGE_WRITE = 2
_LEFT_DIRTY = {
    *(errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EINVAL, errno.ESPIPE),
    *(errno.ENOMEM, errno.EAGAIN, errno.EINTR),
}
"""Errors after which the bytes are still to be written: the call is not possible here, or now."""


def start_writeback(file: int, at: int, size: int) -> None:
    """Have the kernel begin to write bytes of a file to the disk.

    It does not wait until they are there, but may block while the disk's queue is full. An `fsync`
    must follow, which also writes the metadata and then has less to wait for. The bytes stay in
    the page cache for the next reader; POSIX_FADV_DONTNEED would drop them.

    Without `sync_file_range`, which only Linux has, and on a file system without a disk, this does
    nothing.

    Args:
        file: its descriptor.
        at: the first byte.
        size: in bytes.

    Raises:
        OSError: the kernel cannot write them. It may have dropped them, and need not say so again
            to the `fsync`.
    """
    # https://man7.org/linux/man-pages/man2/sync_file_range.2.html
    if _sync_file_range is None or not _sync_file_range(file, at, size, _SYNC_FILE_RANGE_WRITE):
        return
    raise_failure(_LEFT_DIRTY)


_sync_file_range = c_function(
    "sync_file_range", ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint
)
