"""The workspace that this process's requests are for, by its environment."""

import os
from typing import Any

from artifact_pipeline.domain.errors import ConfigurationError, InvalidRequestError
from artifact_pipeline.domain.model.workspaces import workspace_name
from artifact_pipeline.tasks.routing import (
    CONFIGS,
    DOWNLOAD_JOB,
    TRANSFER_TASKS,
    UPLOAD_JOB,
    WORKSPACE_HEADER,
    queue_in,
    queue_of,
)

_ROUTED = {"queue", "exchange", "routing_key", "retries"}
"""Options of a message that has its place already, such as a retry."""
_QUEUES = {
    **{name: queue_of(kind) for name, (_direction, kind) in TRANSFER_TASKS.items()},
    UPLOAD_JOB: CONFIGS,
}
"""The queues of the tasks that need a workspace."""

NAME_VARIABLE = "ARTIFACTS_WORKSPACE_NAME"


def requested_workspace(given: str | None) -> str | None:
    """Return the name of the workspace that a request is for; None is the default workspace.

    Args:
        given: with the request. The empty text is the default workspace; None is the one of the
            environment.

    Raises:
        InvalidRequestError: it cannot be a name.
        ConfigurationError: the environment's cannot.
    """
    if given is not None:
        return workspace_name(given)
    try:
        return workspace_name(os.environ.get(NAME_VARIABLE))
    except InvalidRequestError as error:
        raise ConfigurationError(f"{NAME_VARIABLE}: {error}") from None


def for_own_workspace(task: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of `apply_async`, for the workspace of the environment.

    A message that names a queue or a workspace keeps it.

    Raises:
        ConfigurationError: the environment's name cannot be one.
    """
    headers: dict[str, Any] = options.get("headers") or {}
    needs_workspace = task in _QUEUES or task == DOWNLOAD_JOB
    is_placed = WORKSPACE_HEADER in headers or any(options.get(name) for name in _ROUTED)
    name = requested_workspace(None) if needs_workspace and not is_placed else None
    if name is None:
        return options
    placed = {**options, "headers": {**headers, WORKSPACE_HEADER: name}}
    return {**placed, "queue": queue_in(_QUEUES[task], name)} if task in _QUEUES else placed
