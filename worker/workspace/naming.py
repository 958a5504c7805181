"""Naming a finished file without replacing another, on any file system."""

import errno
import os
from contextlib import suppress
from dataclasses import dataclass

from artifact_pipeline.worker.workspace.c_library import c_function, raise_failure

# FAT and exFAT have no hard links, and some NFS and CIFS servers refuse them.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
# NFS answers so to the flag, and so does a kernel before Linux 3.15.
_NO_FLAG = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
_NO_SYNC = {errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP, errno.ENOSYS}
_RENAME_NOREPLACE = 1
_PLACEHOLDER = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Place:
    """A name, and the descriptor of the directory where it is."""

    name: str
    directory: int


def rename_without_replacing(old: Place, new: Place, *, reserves: bool = True) -> None:
    """Give a file another name, in the same directory or in another one.

    Args:
        old: the file.
        new: its name to be.
        reserves: where nothing else works, reserve the name by an empty file. Without it, look and
            then rename: no empty file is ever seen, but of two at once the second one replaces.

    Raises:
        FileExistsError: the new name is taken.
    """
    # A link never replaces; to have looked is no guarantee.
    try:
        os.link(
            old.name,
            new.name,
            src_dir_fd=old.directory,
            dst_dir_fd=new.directory,
            follow_symlinks=False,
        )
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _rename_without_link(old, new, reserves=reserves)
    else:
        os.unlink(old.name, dir_fd=old.directory)


def sync_directory(directory: int) -> None:
    """Write a directory's names to the disk; CIFS and some FUSE file systems cannot."""
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _rename_without_link(old: Place, new: Place, *, reserves: bool) -> None:
    if _renameat2 is not None:
        source = old.directory, os.fsencode(old.name)
        target = new.directory, os.fsencode(new.name)
        if _renameat2(*source, *target, _RENAME_NOREPLACE) == 0:
            return
        raise_failure(_NO_FLAG)
    if reserves:
        _replace_placeholder(old, new)
    else:
        _look_and_rename(old, new)


def _look_and_rename(old: Place, new: Place) -> None:
    with suppress(FileNotFoundError):
        os.stat(new.name, dir_fd=new.directory, follow_symlinks=False)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory)


def _replace_placeholder(old: Place, new: Place) -> None:
    """Reserve the name by an empty file, which others may see for a moment."""
    os.close(os.open(new.name, _PLACEHOLDER, dir_fd=new.directory))
    try:
        os.rename(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory)
    except BaseException:
        os.unlink(new.name, dir_fd=new.directory)
        raise


_renameat2 = c_function("renameat2")
