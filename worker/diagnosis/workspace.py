"""The workspace."""

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from artifact_pipeline.domain.errors import (
    MisconfiguredError,
    SqlUnavailableError,
    WorkspaceUnavailableError,
)
from artifact_pipeline.worker.diagnosis.findings import Finding, error, ok, warning
from artifact_pipeline.worker.workspace.identity import IWorkspaces, WorkspaceCheck

logger = logging.getLogger(__name__)

_LEAST_FREE = 1 << 30


def reach_directory(directory: Path) -> None:
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


def reach_workspace(directory: Path, workspaces: IWorkspaces) -> None:
    """Find out whether the directory is a workspace of this database, and change nothing.

    Raises:
        WorkspaceUnavailableError: it is not.
    """
    look = WorkspaceCheck(directory, workspaces).look()
    if look.wrong:
        raise WorkspaceUnavailableError(f"ARTIFACTS_WORKSPACE={directory}: {look.wrong}")


def await_workspace(check: WorkspaceCheck) -> None:
    """Have a worker wait for its share; a tree that is in use already is marked.

    While the database knows no workspace, nothing is waited for: a producer may make the first
    directory of a job at any time, and transfers without files are done all the same.

    Raises:
        WorkspaceUnavailableError: the database knows a workspace, and this is another directory.
    """
    try:
        check()
    except WorkspaceUnavailableError as error:
        if check.workspaces.known():
            raise
        logger.warning("uploads and downloads wait: %s", error)


def examine_workspace(directory: Path, workspaces: IWorkspaces | None) -> Iterator[Finding]:
    """Examine identity first: the mount point of an absent share needs a mount, and no chown.

    Without `workspaces`, as with a database that cannot be opened, any marker is right.
    """
    wrong, marked = _identified(directory, workspaces)
    if wrong:
        yield error(
            "workspace",
            f"{directory}: {wrong}",
            why="nothing is read from it or written to it; uploads and downloads wait",
            fix="mount it, or artifacts workspace init",
        )
        return
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as refused:
        yield error(
            "workspace",
            f"{directory}: {refused.strerror}",
            why="downloads have nowhere to go",
            fix=f"chown {os.geteuid()} {directory}",
        )
        return
    yield ok("workspace", f"{directory} is writable; {_named(marked)}")
    state = os.statvfs(directory)
    free = state.f_bavail * state.f_frsize
    if free < _LEAST_FREE:
        yield warning(
            "workspace room",
            f"{free / _LEAST_FREE:.2f} GiB are free",
            why="a download of more will fail",
            fix=f"make room: du --max-depth 1 {directory} | sort -n",
        )


def _identified(directory: Path, workspaces: IWorkspaces | None) -> tuple[str, str | None]:
    """Return what is wrong with the marker, and its id."""
    if workspaces is None:
        return "", None
    try:
        look = WorkspaceCheck(directory, workspaces).look()
    except SqlUnavailableError:
        return "", None  # the examination of the database reports it
    except WorkspaceUnavailableError as away:
        return str(away), None
    return look.wrong, look.marked


def _named(marked: str | None) -> str:
    return f"its id is {marked}" if marked else "it has no marker yet: a worker makes it"
