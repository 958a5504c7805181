"""The identity of an agent's directory tree: its marker, and its row in SQL."""

import socket
from pathlib import Path

from sqlalchemy import Engine

from artifact_pipeline.domain.errors import InvalidRequestError, WorkspaceUnavailableError
from artifact_pipeline.domain.model.workspaces import MAX_WORKSPACE, workspace_name
from artifact_pipeline.tasks.own_workspace import NAME_VARIABLE
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from artifact_pipeline.worker.workspace.identity import opened_root
from artifact_pipeline.worker.workspace.marker import make_marker, read_marker


def agent_name(given: str | None, setting: str | None) -> str:
    """Return the name of an agent's workspace; by default the name of its host.

    Raises:
        InvalidRequestError: it cannot be a name.
    """
    chosen = workspace_name(given) or setting
    if chosen is not None:
        return chosen
    host = socket.gethostname().partition(".")[0].lower()
    try:
        return workspace_name(host) or ""
    except InvalidRequestError:
        raise InvalidRequestError(
            f"the host's name {host!r} cannot be the name of a workspace, which has at most"
            f" {MAX_WORKSPACE} characters: give --name, or set {NAME_VARIABLE}"
        ) from None


def register(directory: Path, name: str, engine: Engine) -> str:
    """Make the directory the workspace of this name, and return its id.

    Its marker stays when the container is started again, so that its work continues.

    Raises:
        InvalidRequestError: another tree has the name, or this tree another one.
        WorkspaceUnavailableError: the directory cannot be read, or not be written.
    """
    workspaces = SqlWorkspaces(engine, f"agent@{socket.gethostname()}", name)
    with opened_root(directory) as root:
        marked, known = read_marker(root), workspaces.known() or frozenset()
        if marked is None and known:
            raise _taken(name)
        workspace_id = marked if marked is not None else _marked(directory, root)
    if not workspace_id:
        raise InvalidRequestError(f"{directory}: its marker is broken: remove it")
    workspaces.add_first(workspace_id)
    if workspace_id not in (workspaces.known() or ()):
        raise _taken(name)
    return workspace_id


def _marked(directory: Path, root: int) -> str:
    try:
        return make_marker(root)
    except OSError as error:
        raise WorkspaceUnavailableError(f"{directory}: {error.strerror}") from error


def _taken(name: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"the workspace {name} has another directory tree, whose work only that tree's worker can"
        " do: give another --name. If that tree is gone for good:"
        f" artifacts workspaces forget {name}"
    )
