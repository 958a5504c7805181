"""The workspace."""

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from domain.errors import MisconfiguredError, SqlUnavailableError, WorkspaceUnavailableError
from worker.diagnosis.findings import Finding, error, ok, warning
from worker.workspace.identity import IWorkspaces, Verdict, WorkspaceCheck

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


def examine_identity(directory: Path, workspaces: IWorkspaces) -> Iterator[Finding]:
    """Examine whether the directory is the workspace; the database has its own examination."""
    try:
        look = WorkspaceCheck(directory, workspaces).look()
    except SqlUnavailableError:
        return
    except WorkspaceUnavailableError as away:
        yield _not_the_workspace(f"{directory}: {away}")
        return
    if look.wrong:
        yield _not_the_workspace(f"{directory}: {look.wrong}")
    elif look.verdict is Verdict.NEW:
        yield ok("workspace marker", "none yet: the next worker that starts makes it")
    elif look.verdict is Verdict.OK:
        yield ok("workspace marker", f"it is the workspace {look.marked}")


def _not_the_workspace(what: str) -> Finding:
    return error(
        "workspace marker",
        what,
        why="nothing is read from it or written to it; uploads and downloads wait",
        mend="mount it, or artifacts workspace init",
    )


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
