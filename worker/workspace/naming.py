"""Giving a finished file its name without replacing another, on any file system."""

import ctypes
import errno
import os
from collections.abc import Callable

# FAT and exFAT have no hard links, and some NFS and CIFS servers refuse them.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
# As NFS answers to the flag, or a kernel before Linux 3.15.
_NO_FLAG = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
_RENAME_NOREPLACE = 1


def rename_without_replacing(old: str, new: str, directory: int) -> None:
    """Rename a file within a directory, given by its descriptor.

    Raises:
        FileExistsError: the new name is taken.
    """
    # A link never replaces; to have looked is no guarantee.
    try:
        os.link(old, new, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _rename_without_link(old, new, directory)
    else:
        os.unlink(old, dir_fd=directory)


def _rename_without_link(old: str, new: str, directory: int) -> None:
    if _renameat2 is not None:
        names = os.fsencode(old), os.fsencode(new)
        if _renameat2(directory, names[0], directory, names[1], _RENAME_NOREPLACE) == 0:
            return
        number = ctypes.get_errno()
        if number not in _NO_FLAG:
            raise OSError(number, os.strerror(number))
    _replace_placeholder(old, new, directory)


def _replace_placeholder(old: str, new: str, directory: int) -> None:
    """Reserve the name by an empty file, which others may see for a moment."""
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, dir_fd=directory))
    try:
        os.rename(old, new, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.unlink(new, dir_fd=directory)
        raise


def _found_renameat2() -> Callable[..., int] | None:
    """Return the C library's function; Python has none."""
    function: Callable[..., int] | None = getattr(
        ctypes.CDLL(None, use_errno=True), "renameat2", None
    )
    return function


_renameat2 = _found_renameat2()
