"""What a message's envelope must look like for kombu and Celery to see it at all."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, cast
from uuid import uuid4

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)

from domain.errors import PipelineError
from domain.redaction import redact
from domain.transfers import MAX_REQUEST_ID
from tasks.contract import BATCH_HEADER, BEAT_HEADER, DELAY_HEADER, DISPATCH, RECONCILE

LONGEST = 64 * 1024
"""Bytes; ours have about 1 KB."""

_CELERYS_OWN = "celery."
_HIGHEST_PRIORITY = 9
_A_DAY = 86_400.0
_UPKEEP = (DISPATCH, RECONCILE)
_OPTIONAL = (BATCH_HEADER, BEAT_HEADER)


class RefusedError(PipelineError):
    """An element of a queue that is no message; says which part, never what was in it."""


def _no_skew() -> timedelta:
    return timedelta(0)


@dataclass(frozen=True, slots=True)
class _Clocks:
    """Attributes: `skew` is how far the broker's clock is ahead of this machine's."""

    horizon: timedelta
    skew: Callable[[], timedelta]


def made_anew(
    element: bytes,
    queue: str,
    horizon: timedelta,
    skew: Callable[[], timedelta] = _no_skew,
) -> bytes:
    """The message that the element of a Redis list stands for, of nothing but checked parts.

    Args:
        element: as it was in the list, put there by whoever reaches the broker.
        queue: the list.
        horizon: how far ahead its eta may be.
        skew: returns how far the broker's clock is ahead of this machine's. Its eta and expiry are
            by the broker's, and are passed on by this machine's, which Celery will look at.

    Raises:
        RefusedError: it is not what a Celery producer would send.
    """
    if len(element) > LONGEST:
        raise RefusedError("size")
    try:
        envelope = _Envelope.model_validate_json(element, context=_Clocks(horizon, skew))
    except ValidationError as error:
        raise RefusedError(_named(error)) from None
    return json.dumps(envelope.message(queue)).encode("ascii")


def _named(error: ValidationError) -> str:
    # Two steps at most: all the names there are ours.
    steps = (item["loc"][:2] for item in error.errors(include_input=False, include_url=False))
    return ", ".join(sorted({".".join(map(str, step)) or "JSON" for step in steps}))


def _presentable(text: str) -> str:
    """Ids and names appear in the log and in Flower: no URL, secret or control character may."""
    if redact(text) != text:
        raise ValueError("not presentable")
    return text


def _for_us(task: str) -> str:
    """Celery's own tasks run others, which the message names, and trust the shape of its body."""
    if task.startswith(_CELERYS_OWN):
        raise ValueError("not a task of ours")
    return task


def _moment(text: str) -> str:
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.isoformat()


def _soon(text: str, info: ValidationInfo) -> str | None:
    """Until its eta a worker keeps a message, and takes another one in its stead."""
    clocks = cast("_Clocks", info.context)
    now = datetime.now(UTC)
    delay = info.data.get(DELAY_HEADER)
    if delay is None:
        ahead = datetime.fromisoformat(text) - now - clocks.skew()
    else:
        # At the horizon at most: the message would be delivered again before that.
        ahead = min(timedelta(seconds=min(delay, _A_DAY)), clocks.horizon)
    if ahead > clocks.horizon:
        raise ValueError("too far ahead")
    return (now + ahead).isoformat() if ahead > timedelta(0) else None


def _expiry(text: str, info: ValidationInfo) -> str | None:
    """Leave it out of upkeep: what piles up is harmless, and what is thrown away is missed."""
    if info.data.get("task") in _UPKEEP:
        return None
    clocks = cast("_Clocks", info.context)
    try:
        return (datetime.fromisoformat(text) - clocks.skew()).isoformat()
    except OverflowError:
        return text  # at an end of the calendar, where no skew matters


def _nothing(value: object) -> None:
    if value:
        raise ValueError("none of ours has it")


def _base64(text: str) -> str:
    base64.b64decode(text, validate=True)
    return text


_Name = Annotated[str, Field(min_length=1, max_length=MAX_REQUEST_ID), AfterValidator(_presentable)]
_Count = Annotated[int, Field(ge=0, lt=2**31)]
_Moment = Annotated[str, Field(max_length=40), AfterValidator(_moment)]

# Of the right type, and yet not passed on: the worker needs none of them, and each would give the
# sender a say in something.
_LeftOut = Field(default=None, exclude=True)
_Nothing = Annotated[Any, AfterValidator(_nothing), _LeftOut]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Headers(_Part):
    """Celery's, https://docs.celeryq.dev/en/stable/internals/protocol.html; others are left out.

    Celery makes each header an attribute of the task's request, whatever its name.
    """

    lang: Annotated[str | None, _LeftOut]
    task: Annotated[_Name, AfterValidator(_for_us)]
    id: _Name
    root_id: _Name | None = None
    parent_id: _Name | None = None
    group: _Name | None = None
    group_index: _Count | None = None
    retries: _Count = 0
    # Ours: the batch that asked for it.
    artifacts_batch: _Count | None = None

    # Celery's: beat asked for it.
    celery_beat_task: bool | None = None
    # Ours: of a retry, in seconds. Its eta is by the clock of the worker that sent it.
    artifacts_delay: Annotated[float | None, Field(ge=0, allow_inf_nan=False), _LeftOut]
    eta: Annotated[_Moment, AfterValidator(_soon)] | None = None
    expires: Annotated[_Moment, AfterValidator(_expiry)] | None = None

    # The worker's own limits hold. Our producers send these along, from the same settings.
    timelimit: Annotated[list[float | None] | None, Field(max_length=2), _LeftOut]
    # The strategy makes them anew from the body.
    argsrepr: Annotated[str | None, _LeftOut]
    kwargsrepr: Annotated[str | None, _LeftOut]
    # Would be shown in the task's stead.
    shadow: Annotated[str | None, _LeftOut]
    origin: Annotated[str | None, _LeftOut]
    ignore_result: Annotated[bool | None, _LeftOut]
    replaced_task_nesting: Annotated[_Count | None, _LeftOut]
    stamped_headers: Annotated[list[str] | None, _LeftOut]
    stamps: Annotated[dict[str, Any] | None, _LeftOut]

    # Few bytes that become many.
    compression: _Nothing
    # Where the body has none of these, Celery takes them from here, and runs them.
    callbacks: _Nothing
    errbacks: _Nothing
    chain: _Nothing
    chord: _Nothing

    def passed_on(self) -> dict[str, Any]:
        headers = self.model_dump()
        return {k: v for k, v in headers.items() if v is not None or k not in _OPTIONAL}


class _DeliveryInfo(_Part):
    exchange: str
    routing_key: str


class _Properties(_Part):
    delivery_tag: Annotated[str, Field(min_length=1)]
    delivery_info: _DeliveryInfo
    body_encoding: Literal["base64"]
    priority: _Count | None = None
    correlation_id: str | None = None
    reply_to: str | None = None


class _Envelope(_Part):
    headers: _Headers
    properties: _Properties
    body: Annotated[str, Field(min_length=1), AfterValidator(_base64)]
    # Any other has kombu look for a decoder of that name: pickle's is one, bz2's another.
    content_type: Annotated[Literal["application/json"], Field(alias="content-type")]
    content_encoding: Annotated[Literal["utf-8"], Field(alias="content-encoding")]

    def message(self, queue: str) -> dict[str, Any]:
        return {
            "headers": {"lang": "py", **self.headers.passed_on()},
            "properties": {
                "correlation_id": self.headers.id,
                # A fresh one: two messages of one tag count as one against the prefetch limit.
                "delivery_tag": str(uuid4()),
                # A retry, and what a dead worker leaves, goes where this says.
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": min(self.properties.priority or 0, _HIGHEST_PRIORITY),
                "body_encoding": self.properties.body_encoding,
            },
            "body": self.body,
            "content-type": self.content_type,
            "content-encoding": self.content_encoding,
        }
