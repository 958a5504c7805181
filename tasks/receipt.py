"""Bare messages: requests that SQL does not know of when a worker receives them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from celery import Celery

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.trace_headers import as_text
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.arguments import arguments_of, bind
from artifact_pipeline.tasks.routing import (
    RECORDED_HEADER,
    TRANSFER_TASKS,
    WORKSPACE_HEADER,
    workspace_of_queue,
)

_ATTRIBUTE = "artifact_receipt"


@dataclass(frozen=True, slots=True, kw_only=True)
class BareRequest:
    """The request that a bare message makes.

    Attributes:
        request_id: the id of its task.
        trace_headers: as of `Transfer`.
        workspace: the name of the one with its source or target; None is the default workspace.
    """

    request_id: str
    artifact: Artifact
    direction: Direction
    trace_headers: str | None = None
    workspace: str | None = None


class Receipt(Protocol):
    """Records requests in SQL while the worker's main loop continues."""

    def record(self, request: BareRequest, then: Callable[[], None]) -> bool:
        """Have the request recorded; call `then` in the main loop, also if SQL is away.

        Return False, without calling `then`, if no loop runs.
        """


def attach_receipt(app: Celery, receipt: Receipt) -> None:
    """Have the app's workers record bare messages when they receive them."""
    setattr(app, _ATTRIBUTE, receipt)


def receipt_of(app: Celery) -> Receipt | None:
    """Return what records bare messages, or None in a process that records none."""
    return getattr(app, _ATTRIBUTE, None)


def bare_request(
    headers: Mapping[str, Any],
    args: Sequence[object],
    kwargs: Mapping[str, object],
    queue: str = "",
) -> BareRequest | None:
    """Return the request of a bare message; None if it is in SQL already or makes none.

    Wrong arguments make none: the task itself refuses them, with a line that names them. Nor does
    a message that is due later: its row would answer, and so put off, other requests until then.

    Args:
        headers: of the message.
        args: of its task.
        kwargs: the same.
        queue: that it was taken from.
    """
    transfer = TRANSFER_TASKS.get(headers["task"])
    if transfer is None or headers.get(RECORDED_HEADER) or headers.get("eta"):
        return None
    if _has_expired(headers.get("expires")):
        return None
    direction, kind = transfer
    try:
        ids = bind(arguments_of(kind), args, kwargs)
    except InvalidRequestError:
        return None
    return BareRequest(
        request_id=headers["id"],
        artifact=Artifact(kind, ids["job_id"], ids.get("run_id")),
        direction=direction,
        trace_headers=as_text(headers),
        workspace=workspace_of_message(headers, queue),
    )


def workspace_of_message(headers: Any, queue: str) -> str | None:  # noqa: ANN401 - see below
    """Return the name of the workspace that a bare message is for; None is the default workspace.

    Its header decides, or else its queue.

    Args:
        headers: the message's, or the request that Celery makes of them.
        queue: that it was taken from.
    """
    return headers.get(WORKSPACE_HEADER) or workspace_of_queue(queue)


def _has_expired(expires: str | None) -> bool:
    # The envelope has computed it by this machine's clock.
    return expires is not None and datetime.fromisoformat(expires) <= datetime.now(UTC)
