"""Making a directory the workspace."""

from enum import StrEnum
from pathlib import Path
from typing import Protocol

from artifact_pipeline.domain.errors import InvalidRequestError, WorkspaceUnavailableError
from artifact_pipeline.worker.workspace.identity import IWorkspaces, Verdict, look_at, opened_root
from artifact_pipeline.worker.workspace.marker import make_marker, remove_marker


class IWorkspaceRegistry(IWorkspaces, Protocol):
    """The workspaces that the database knows, and how an operator changes them."""

    def add(self, workspace_id: str) -> None:
        """Add the workspace beside those that are known."""

    def replace_all(self, workspace_id: str) -> None:
        """Have this workspace as the only one."""


class Others(StrEnum):
    """What happens to the workspaces that the database knows already."""

    REFUSE = "refuse"
    """This directory is refused, as it may be a mount point whose share is away."""
    REPLACE = "replace"
    KEEP = "keep"


def initialize(
    directory: Path, workspaces: IWorkspaceRegistry, others: Others = Others.REFUSE
) -> str:
    """Make the directory the workspace, and return its id; done before, it changes nothing.

    Raises:
        InvalidRequestError: the database knows another workspace, or the marker is broken.
        WorkspaceUnavailableError: it cannot be read, or not be written.
    """
    with opened_root(directory) as root:
        known = workspaces.known()
        if known is None:
            raise InvalidRequestError("the database has no workspaces yet: `artifacts db upgrade`")
        look = look_at(root, known)
        if look.verdict in {Verdict.NO_MARKER, Verdict.OTHER_ID} and others is Others.REFUSE:
            raise InvalidRequestError(f"{directory}: {look.wrong}")
        marked = look.marked or _marked(directory, root, is_broken=look.marked is not None)
    match others:
        case Others.REPLACE:
            workspaces.replace_all(marked)
        case Others.KEEP:
            workspaces.add(marked)
        case Others.REFUSE if look.verdict is not Verdict.OK:
            _add_first(directory, workspaces, marked)
    return marked


def _add_first(directory: Path, workspaces: IWorkspaceRegistry, marked: str) -> None:
    workspaces.add_first(marked)
    if marked not in (workspaces.known() or ()):
        raise InvalidRequestError(f"{directory}: another workspace was initialized just now")


def _marked(directory: Path, root: int, *, is_broken: bool) -> str:
    try:
        if is_broken:
            remove_marker(root)
        return make_marker(root)
    except OSError as error:
        raise WorkspaceUnavailableError(f"{directory}: {error.strerror}") from error
