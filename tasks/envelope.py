"""What a message's envelope must look like for kombu and Celery to see it at all.

Any client of Celery's may have sent it: https://docs.celeryq.dev/en/stable/internals/protocol.html
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, cast
from uuid import UUID, uuid5

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)

from domain.redaction import redact
from domain.transfers import MAX_REQUEST_ID
from tasks.contract import (
    BATCH_HEADER,
    BEAT_HEADER,
    DELAY_HEADER,
    DISPATCH,
    RECONCILE,
    RECORDED_HEADER,
)
from tasks.message_body import LONGEST, RefusedError, checked, inflated, parsed
from tasks.trace_headers import trace_headers

HORIZON = timedelta(days=7)
"""How far ahead an eta may be: while SQL is away, a worker keeps the message until then."""

_OPTIONAL = (BATCH_HEADER, BEAT_HEADER, RECORDED_HEADER)
_UPKEEP = (DISPATCH, RECONCILE)
_CELERYS_OWN = "celery."
_HIGHEST_PRIORITY = 9
_NAMESPACE = UUID("7a3c3f0e-3d0b-5b1e-9f43-2f3a51d9c0a7")

Skew = Callable[[], timedelta]
"""Returns how far the broker's clock is ahead of this machine's."""


def _no_skew() -> timedelta:
    return timedelta(0)


def made_anew(element: bytes, queue: str, tag: str, skew: Skew = _no_skew) -> bytes:
    """The message that the element of a Redis list stands for, of nothing but checked parts.

    Args:
        element: as it was in the list, put there by whoever reaches the broker.
        queue: the list.
        tag: the delivery tag that it gets: two messages of one tag count as one against the
            prefetch limit.
        skew: of the clocks. Its eta and expiry are by the broker's, and are passed on by this
            machine's, which Celery will look at.

    Raises:
        RefusedError: it is not what a Celery producer would send.
    """
    if len(element) > LONGEST:
        raise RefusedError("size")
    try:
        envelope = _Envelope.model_validate_json(element)
    except ValidationError as error:
        raise RefusedError(_named(error)) from None
    return json.dumps(_message(envelope, queue, tag, skew)).encode("ascii")


def check_headers(headers: dict[str, Any]) -> None:
    """Raises: RefusedError: a worker would refuse a message with these headers."""
    try:
        _Headers.model_validate(json.loads(json.dumps(headers, default=str)), context=_no_skew)
    except ValidationError as error:
        raise RefusedError(_named(error, "headers")) from None


def check_priority(priority: object) -> None:
    """Raises: RefusedError: a worker would refuse a message of this priority."""
    try:
        _Priority.model_validate({"priority": priority})
    except ValidationError:
        raise RefusedError("priority") from None


def _message(envelope: "_Envelope", queue: str, tag: str, skew: Skew) -> dict[str, Any]:
    fields, body = envelope.unpacked()
    try:
        headers = _Headers.model_validate(fields, context=skew)
    except ValidationError as error:
        raise RefusedError(_named(error, "headers" if envelope.headers else "body")) from None
    return {
        "headers": {"lang": "py", **headers.passed_on(), **_traced(fields)},
        "properties": {
            "correlation_id": headers.id,
            "delivery_tag": tag,
            # A retry, and what a dead worker leaves, goes where this says.
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": min(max(envelope.properties.priority, 0), _HIGHEST_PRIORITY),
            "body_encoding": "base64",
        },
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
    }


def _traced(fields: dict[str, Any]) -> dict[str, Any]:
    found = trace_headers(fields)
    # OpenTelemetry looks for them in the request, Sentry in its `headers`.
    return {**found, "headers": found} if found else {}


def _named(error: ValidationError, part: str | None = None) -> str:
    # Two steps at most: all the names there are ours.
    steps = (item["loc"] for item in error.errors(include_input=False, include_url=False))
    if part:
        return ", ".join(sorted({f"{part}.{names[0]}" for names in steps}))
    return ", ".join(sorted({".".join(map(str, names[:2])) or "JSON" for names in steps}))


def _presentable(text: str) -> str:
    """Ids and names appear in the log and in Flower: no URL, secret or control character may."""
    if redact(text) != text:
        raise ValueError("not presentable")
    return text


def _id(text: str) -> str:
    """An id that could be a secret is replaced by one that is made from it, always the same."""
    if not text.isprintable() or "://" in text:
        raise ValueError("not presentable")
    return text if redact(text) == text else str(uuid5(_NAMESPACE, text))


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
    skew = cast("Skew", info.context)
    now = datetime.now(UTC)
    delay = info.data.get(DELAY_HEADER)
    if delay is None:
        ahead = datetime.fromisoformat(text) - now - skew()
    else:
        ahead = timedelta(seconds=min(delay, HORIZON.total_seconds()))
    if ahead > HORIZON:
        raise ValueError("too far ahead")
    return (now + ahead).isoformat() if ahead > timedelta(0) else None


def _expiry(text: str, info: ValidationInfo) -> str | None:
    """Leave it out of upkeep: what piles up is harmless, and what is thrown away is missed."""
    if info.data.get("task") in _UPKEEP:
        return None
    skew = cast("Skew", info.context)
    try:
        return (datetime.fromisoformat(text) - skew()).isoformat()
    except OverflowError:
        return text  # at an end of the calendar, where no skew matters


def _digits(value: object) -> object:
    """A number may be sent as a text."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,3}", value) else value


def _none_as_zero(value: object) -> object:
    return 0 if value is None else value


def _lower(value: object) -> object:
    return value.lower().replace(" ", "") if isinstance(value, str) else value


_Name = Annotated[str, Field(min_length=1, max_length=MAX_REQUEST_ID), AfterValidator(_presentable)]
_Id = Annotated[str, Field(min_length=1, max_length=MAX_REQUEST_ID), AfterValidator(_id)]
_Count = Annotated[int, Field(ge=0, lt=2**31)]
_Moment = Annotated[str, Field(max_length=40), AfterValidator(_moment)]

# Of the right type, and yet not passed on: the worker needs none of them, and each would give the
# sender a say in something.
_LeftOut = Field(default=None, exclude=True)
# Further tasks to run. They are ignored: each would run whatever the sender names.
_Links = Annotated[list[Any] | dict[str, Any] | None, _LeftOut]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Headers(_Part):
    """Celery's; others are left out.

    Celery makes each header an attribute of the task's request, whatever its name.
    """

    lang: Annotated[str | None, _LeftOut]
    task: Annotated[_Name, AfterValidator(_for_us)]
    id: _Id
    root_id: _Id | None = None
    parent_id: _Id | None = None
    group: _Id | None = None
    group_index: _Count | None = None
    retries: Annotated[_Count, BeforeValidator(_none_as_zero)] = 0

    # Ours: the batch that asked for it.
    artifacts_batch: _Count | None = None
    # Ours: its request is in SQL.
    artifacts_recorded: _Count | None = None
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
    # Where the body has none of these, Celery takes them from here, and runs them.
    callbacks: _Links
    errbacks: _Links
    chain: _Links
    chord: _Links

    def passed_on(self) -> dict[str, Any]:
        headers = self.model_dump()
        absent = [name for name in _OPTIONAL if headers[name] is None]
        return {name: value for name, value in headers.items() if name not in absent}


class _DeliveryInfo(_Part):
    exchange: str | None = None
    routing_key: str | None = None


class _Priority(_Part):
    priority: Annotated[int, BeforeValidator(_digits), BeforeValidator(_none_as_zero)] = 0


class _Properties(_Priority):
    delivery_tag: Annotated[str, Field(min_length=1)]
    delivery_info: _DeliveryInfo
    body_encoding: Literal["base64"] | None = None
    correlation_id: str | None = None
    reply_to: str | None = None


_JSON = Literal["application/json", "application/json;charset=utf-8"]


class _Envelope(_Part):
    # Clients in Go leave them out where there are none.
    headers: dict[str, Any] | None = None
    properties: _Properties
    body: Annotated[str, Field(min_length=1)]
    # Any other has kombu look for a decoder of that name: pickle's is one, bz2's another.
    content_type: Annotated[_JSON, BeforeValidator(_lower), Field(alias="content-type")]
    content_encoding: Annotated[
        Literal["utf-8", "utf8"], BeforeValidator(_lower), Field(alias="content-encoding")
    ]

    def unpacked(self) -> tuple[dict[str, Any], list[Any]]:
        """Return the headers and the body as Celery's second protocol has them.

        Raises:
            RefusedError: the body is of another shape.
        """
        body = parsed(self._text())
        headers = self.headers or {}
        if "task" in headers:
            return headers, checked(body)
        if not isinstance(body, dict) or "task" not in body:
            raise RefusedError("body" if body is None else "headers.task" if headers else "headers")
        # The first protocol has all of it in the body.
        arguments = [body.pop("args", None) or [], body.pop("kwargs", None) or {}, {}]
        return {**headers, **body}, checked(arguments)

    def _text(self) -> bytes:
        raw = self.body.encode(errors="replace")
        try:
            if self.properties.body_encoding:
                raw = base64.b64decode(raw, validate=True)
            compression = (self.headers or {}).get("compression")
            return raw if compression is None else inflated(raw, compression)
        except (binascii.Error, zlib.error):
            raise RefusedError("body") from None
