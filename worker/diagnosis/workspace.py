"""The workspace."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from domain.errors import MisconfiguredError, WorkspaceUnavailableError
from worker.diagnosis.findings import Finding, error, ok, warning

_LEAST_FREE = 1 << 30


def reach_workspace(directory: Path) -> None:
    """Find out whether it can be read; only downloads write to it.

    Raises:
        MisconfiguredError: this user may not read it.
        WorkspaceUnavailableError: it does not answer, as a share that is gone.
    """
    try:
        with os.scandir(directory) as entries:
            next(entries, None)
    except (PermissionError, NotADirectoryError) as error:
        raise MisconfiguredError(
            f"ARTIFACTS_WORKSPACE={directory}: {error.strerror} for user {os.geteuid()}. Change"
            " its owner or its mode"
        ) from error
    except OSError as error:
        raise WorkspaceUnavailableError(f"{directory}: {error.strerror}") from error


def examine_workspace(directory: Path) -> Iterator[Finding]:
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as refused:
        yield error(
            "workspace",
            f"{directory}: {refused.strerror}",
            why="downloads have nowhere to go",
            mend=f"chown {os.geteuid()} {directory}",
        )
        return
    yield ok("workspace", f"{directory} is writable")
    state = os.statvfs(directory)
    free = state.f_bavail * state.f_frsize
    if free < _LEAST_FREE:
        yield warning(
            "workspace room",
            f"{free / _LEAST_FREE:.2f} GiB are free",
            why="a download of more will fail",
            mend=f"make room: du --max-depth 1 {directory} | sort -n",
        )
