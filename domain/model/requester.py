"""Who asked for a transfer: an id of the platform's users, or a name."""

import re

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.random_ids import time_ordered_uuids
from artifact_pipeline.domain.redaction import redact

MAX_REQUESTER = 255
"""Characters."""

Requester = str | int

_USER_ID = re.compile("[0-9]{1,20}")


def requester_name(requested_by: Requester | None) -> str | None:
    """Return the text that is kept in SQL and shown by the commands.

    Raises:
        InvalidRequestError: it is empty, too long, or looks like a URL, a path or a secret.
    """
    if requested_by is None:
        return None
    name = str(requested_by).strip()
    if isinstance(requested_by, bool) or not name or len(name) > MAX_REQUESTER:
        raise InvalidRequestError(
            f"requested_by: {_shown(requested_by)} is not a user; give a user's id or a name of 1 "
            f"to {MAX_REQUESTER} characters"
        )
    # The commands show it to everybody who may see transfers.
    if redact(name) != name:
        raise InvalidRequestError(
            "requested_by: it holds a URL, a path, a secret or a control character; give a user's "
            "id or a name"
        )
    return name


def new_request_id(requested_by: str | None) -> str:
    """Return an id that no other request has."""
    [request_id] = new_request_ids(requested_by, 1)
    return request_id


def new_request_ids(requested_by: str | None, count: int) -> list[str]:
    """Return that many ids, each as `new_request_id` makes one."""
    prefix = request_id_prefix(requested_by)
    return [f"{prefix}{each}" for each in time_ordered_uuids(count)]


def request_id_prefix(requested_by: str | None) -> str:
    """Return what the ids of this user's requests begin with.

    A user's id stands in it, so that Flower, which shows task ids, finds what the user asked for
    by `user-42-`. A name stays in SQL, because messages carry only ids.
    """
    is_id = requested_by is not None and _USER_ID.fullmatch(requested_by)
    return f"user-{requested_by}-" if is_id else ""


def _shown(value: object) -> str:
    return f"a text of {len(value)} characters" if isinstance(value, str) else repr(value)
