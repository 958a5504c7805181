"""Names of workspaces: directory trees that only some hosts can see."""

import re
from dataclasses import dataclass
from datetime import datetime

from artifact_pipeline.domain.errors import InvalidRequestError

MAX_WORKSPACE = 36
"""Characters; a UUID fits, and the name of a queue that ends in it fits every broker."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)


def workspace_name(name: object) -> str | None:
    """Return the name of a workspace; None for the deployment's default workspace.

    Args:
        name: None and the empty text mean the default workspace.

    Raises:
        InvalidRequestError: it cannot be a name, which becomes a part of queues' names.
    """
    if name is None or name == "":
        return None
    if isinstance(name, str) and len(name) <= MAX_WORKSPACE and _NAME.fullmatch(name):
        return name
    shown = repr(name[: 2 * MAX_WORKSPACE]) if isinstance(name, str) else type(name).__name__
    raise InvalidRequestError(
        f"workspace: {shown} cannot be a name: use 1 to {MAX_WORKSPACE} lowercase letters, digits"
        " and hyphens, with a letter or digit at both ends. Example: host-a"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedWorkspace:
    """A workspace with a name, as the database knows it.

    Attributes:
        ids: in the markers of its trees; empty if only transfers name it.
        added_at: when the first was added.
        added_by: who added it.
        seen_at: the last sign of life of one of its workers.
        active: transfers that have not ended.
        due: of them, those that may start now.
        since: when the first of these became due.
        quarantined: transfers in the quarantine.
    """

    name: str
    ids: tuple[str, ...] = ()
    added_at: datetime | None = None
    added_by: str | None = None
    seen_at: datetime | None = None
    active: int = 0
    due: int = 0
    since: datetime | None = None
    quarantined: int = 0
