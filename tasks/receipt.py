"""Bare messages: requests that SQL does not know of when a worker receives them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from celery import Celery

from domain.artifacts import Artifact, ArtifactKind
from domain.errors import InvalidRequestError
from domain.transfers import Direction
from tasks.arguments import JobArguments, RunArguments, bind
from tasks.contract import RECORDED_HEADER, task_name

_ATTRIBUTE = "artifact_receipt"
_TRANSFERS = {
    task_name(direction, kind): (direction, kind)
    for direction in (Direction.UPLOAD, Direction.DOWNLOAD)
    for kind in ArtifactKind
}
# A worker keeps a message that is due sooner; the dispatch sends the others from SQL.
_HELD_BY_WORKER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class BareRequest:
    """The request that a bare message makes.

    Attributes:
        request_id: the id of its task.
        delay: how long until the message's eta; zero if it is due now.
    """

    request_id: str
    artifact: Artifact
    direction: Direction
    delay: timedelta = timedelta(0)

    @property
    def is_left_to_dispatch(self) -> bool:
        """Whether it is due so late that, once it is in SQL, its message is not needed."""
        return self.delay > _HELD_BY_WORKER


class Receipt(Protocol):
    """Records requests in SQL while the worker's main loop goes on."""

    def record(self, request: BareRequest, then: Callable[[bool], None]) -> bool:
        """Have the request recorded; call `then` in the main loop, with whether it is in SQL.

        Return False, without calling `then`, if no loop runs.
        """


def attach_receipt(app: Celery, receipt: Receipt) -> None:
    """Have the app's workers record bare messages when they receive them."""
    setattr(app, _ATTRIBUTE, receipt)


def receipt_of(app: Celery) -> Receipt | None:
    """Return what records bare messages, or None in a process that records none."""
    return getattr(app, _ATTRIBUTE, None)


def bare_request(
    headers: Mapping[str, Any], args: Sequence[object], kwargs: Mapping[str, object]
) -> BareRequest | None:
    """Return the request of a bare message; None if it is in SQL already or makes none.

    Wrong arguments make none: the task itself refuses them, with a line that names them.
    """
    transfer = _TRANSFERS.get(headers["task"])
    if transfer is None or headers.get(RECORDED_HEADER) or _has_expired(headers.get("expires")):
        return None
    direction, kind = transfer
    try:
        ids = bind(RunArguments if kind.belongs_to_run else JobArguments, args, kwargs)
    except InvalidRequestError:
        return None
    return BareRequest(
        request_id=headers["id"],
        artifact=Artifact(kind, ids["job_id"], ids.get("run_id")),
        direction=direction,
        delay=max(_until(headers.get("eta"), timedelta(0)), timedelta(0)),
    )


def _has_expired(expires: str | None) -> bool:
    return _until(expires, timedelta.max) <= timedelta(0)


def _until(text: str | None, default: timedelta) -> timedelta:
    """Return how far it is ahead of this machine's clock, by which the envelope has put it."""
    return datetime.fromisoformat(text) - datetime.now(UTC) if text else default
