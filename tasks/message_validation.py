"""What a message's envelope must look like for kombu and Celery to see it at all.

Any client of Celery's may have sent it: https://docs.celeryq.dev/en/stable/internals/protocol.html
"""

import base64
import binascii
import json
import re
import zlib
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from artifact_pipeline.domain.model.trace_headers import trace_headers
from artifact_pipeline.tasks.message_body import LONGEST, RefusedError, checked, inflated, parsed
from artifact_pipeline.tasks.message_headers import HORIZON as HORIZON  # noqa: PLC0414 - re-exported
from artifact_pipeline.tasks.message_headers import (
    Part,
    Skew,
    checked_headers,
    no_skew,
    none_as_zero,
)

_HIGHEST_PRIORITY = 9


def rebuild_message(element: bytes, queue: str, tag: str, skew: Skew = no_skew) -> bytes:
    """Rebuild the message of an element of a Redis list from validated fields only.

    Args:
        element: from the list, where anyone who reaches the broker can put anything.
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
    """Check the headers of a message that is to be sent.

    Raises: RefusedError: a worker would refuse a message with these headers.
    """
    checked_headers(json.loads(json.dumps(headers, default=str)), no_skew)


def check_priority(priority: object) -> None:
    """Check the priority of a message that is to be sent.

    Raises: RefusedError: a worker would refuse a message of this priority.
    """
    try:
        _Priority.model_validate({"priority": priority})
    except ValidationError:
        raise RefusedError("priority") from None


def _message(envelope: "_Envelope", queue: str, tag: str, skew: Skew) -> dict[str, Any]:
    fields, body = envelope.unpacked()
    headers = checked_headers(fields, skew, "headers" if envelope.headers else "body")
    return {
        "headers": {"lang": "py", **headers.forwarded_headers(), **_traced(fields)},
        "properties": {
            "correlation_id": headers.id,
            "delivery_tag": tag,
            # A retry, and a message that a dead worker leaves, goes to this queue.
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


def _named(error: ValidationError) -> str:
    # Take two steps at most: all the names there are ours.
    steps = (item["loc"] for item in error.errors(include_input=False, include_url=False))
    return ", ".join(sorted({".".join(map(str, names[:2])) or "JSON" for names in steps}))


def _digits(value: object) -> object:
    """Return the number of a text, since clients may send one; leave other values."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,3}", value) else value


def _lower(value: object) -> object:
    return value.lower().replace(" ", "") if isinstance(value, str) else value


class _DeliveryInfo(Part):
    exchange: str | None = None
    routing_key: str | None = None


class _Priority(Part):
    priority: Annotated[int, BeforeValidator(_digits), BeforeValidator(none_as_zero)] = 0


class _Properties(_Priority):
    delivery_tag: Annotated[str, Field(min_length=1)]
    delivery_info: _DeliveryInfo
    body_encoding: Literal["base64"] | None = None
    correlation_id: str | None = None
    reply_to: str | None = None


_JSON = Literal["application/json", "application/json;charset=utf-8"]


class _Envelope(Part):
    # Clients in Go leave these out if they are empty.
    headers: dict[str, Any] | None = None
    properties: _Properties
    body: Annotated[str, Field(min_length=1)]
    # For any other value kombu looks for a decoder of that name: pickle's is one, bz2's another.
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
