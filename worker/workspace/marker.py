"""The file in the root of a workspace that says which one it is."""

import json
import os
import re
from contextlib import suppress
from uuid import UUID, uuid4

from artifact_pipeline.domain.errors import WorkspaceUnavailableError
from artifact_pipeline.worker.workspace.naming import (
    Place,
    rename_without_replacing,
    sync_directory,
)

MARKER = ".artifacts-workspace"
"""Hidden, so that it is no job's directory, and left alone by `rm *`."""

_ABOUT = (
    "Identifies the workspace of an artifact pipeline. Do not delete it, nor copy it elsewhere."
)
_LONGEST = 4096
_MODE = 0o644
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_JOB = re.compile(r"job_\d+", re.ASCII)


def read_marker(root: int) -> str | None:
    """Return the id in the marker, "" if it has none; None if there is no marker.

    Args:
        root: a descriptor of the workspace's root.

    Raises:
        WorkspaceUnavailableError: it cannot be read.
    """
    try:
        file = os.open(MARKER, _READ, dir_fd=root)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(error) from None
    try:
        return _id_in(os.read(file, _LONGEST))
    except OSError as error:
        raise _unreadable(error) from None
    finally:
        os.close(file)


def make_marker(root: int) -> str:
    """Make the marker, and return its id: of two processes at once, both return the same.

    Raises:
        OSError: it cannot be written.
    """
    workspace_id = str(uuid4())
    unfinished = f"{MARKER}.{workspace_id}"
    try:
        _write(root, unfinished, json.dumps({"id": workspace_id, "about": _ABOUT}) + "\n")
        _name(root, unfinished)
        sync_directory(root)
    finally:
        with suppress(OSError):
            os.unlink(unfinished, dir_fd=root)
    return read_marker(root) or ""


def remove_marker(root: int) -> None:
    """Remove the marker if there is one. Raises: OSError."""
    with suppress(FileNotFoundError):
        os.unlink(MARKER, dir_fd=root)


def holds_jobs(root: int) -> bool:
    """Return whether a job's directory is in the root; `lost+found` and the like are none.

    Raises:
        OSError: the root cannot be listed.
    """
    with os.scandir(root) as entries:
        return any(
            _JOB.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False) for entry in entries
        )


def _id_in(content: bytes) -> str:
    try:
        return str(UUID(json.loads(content)["id"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ""


def _write(root: int, name: str, text: str) -> None:
    file = os.open(name, _NEW, _MODE, dir_fd=root)
    try:
        with suppress(PermissionError):  # FAT has no modes
            os.fchmod(file, _MODE)  # other users' workers read it, whatever the umask
        os.write(file, text.encode())
        os.fsync(file)
    finally:
        os.close(file)


def _name(root: int, unfinished: str) -> None:
    """Give the finished file its name, unless another process was faster."""
    # An empty marker, left by a kill, would make the workspace one without an id.
    with suppress(FileExistsError):
        rename_without_replacing(Place(unfinished, root), Place(MARKER, root), reserves=False)


def _unreadable(error: OSError) -> WorkspaceUnavailableError:
    return WorkspaceUnavailableError(f"the marker {MARKER} cannot be read: {error.strerror}")
