"""The workspace that this process's requests are for, by its environment."""

import os

from artifact_pipeline.domain.errors import ConfigurationError, InvalidRequestError
from artifact_pipeline.domain.model.workspaces import workspace_name

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
