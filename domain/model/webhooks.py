"""Signed webhooks by Standard Webhooks 1.0: https://www.standardwebhooks.com."""

import hashlib
import hmac
import time
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError

from artifact_pipeline.domain.errors import WebhookError
from artifact_pipeline.domain.model.artifact_events import ArtifactEvent

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
TOLERANCE = timedelta(minutes=5)
"""How far the time of a delivery may be from the receiver's clock."""

_PREFIX = "whsec_"
_VERSION = "v1"
_SHORTEST, _LONGEST = 24, 64
"""Bytes of a secret, by the specification."""


def secret_key(secret: str) -> bytes:
    """Return the bytes of a secret such as `whsec_…`.

    Raises:
        ValueError: it is not base64, too short or too long; the secret is not quoted.
    """
    try:
        key = b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (NotBase64, ValueError):
        raise ValueError("a secret is whsec_ and base64 after it") from None
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"a secret has {_SHORTEST} to {_LONGEST} bytes, this one {len(key)}")
    return key


def webhook_headers(
    event_id: str, body: bytes, secrets: Sequence[str], now: datetime
) -> dict[str, str]:
    """Return the headers of a delivery.

    Args:
        event_id: of the event.
        body: that is sent, byte for byte.
        secrets: it has a signature by each; several during a change of the secret.
        now: the time of the delivery.
    """
    timestamp = str(int(now.timestamp()))
    signatures = [_signature(event_id, timestamp, body, secret) for secret in secrets]
    return {
        ID_HEADER: event_id,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: " ".join(signatures),
    }


def verify_webhook(
    headers: Mapping[str, str],
    body: bytes | str,
    secret: str | Sequence[str],
    *,
    tolerance: timedelta = TOLERANCE,
    now: float | None = None,
) -> ArtifactEvent:
    """Check that the pipeline has sent this request, and return its event.

    Args:
        headers: of the request; upper and lower case are the same.
        body: of the request, before it is parsed.
        secret: ARTIFACTS_EVENTS_SECRET, or several; one must fit.
        tolerance: how far the request's time may be from this clock.
        now: in seconds since 1970; by default the time now.

    Raises:
        WebhookError: a header is missing, the signature is another, or the request is too old.
        ValueError: the secret is none.
    """
    given = {name.lower(): value for name, value in headers.items()}
    content = body.encode() if isinstance(body, str) else body
    event_id, timestamp, signatures = (
        _header(given, name) for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)
    )
    _check_time(timestamp, tolerance, time.time() if now is None else now)
    secrets = [secret] if isinstance(secret, str) else secret
    expected = [_signature(event_id, timestamp, content, each) for each in secrets]
    if not any(_is_same(one, other) for one in signatures.split() for other in expected):
        raise WebhookError("webhook-signature: no signature fits the body and the secret")
    return _event(content)


def _event(content: bytes) -> ArtifactEvent:
    try:
        return ArtifactEvent.model_validate_json(content)
    except ValidationError as error:
        raise WebhookError(f"the body is no event: {error.error_count()} errors") from None


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise WebhookError(f"{name}: the header is missing")
    return value


def _check_time(timestamp: str, tolerance: timedelta, now: float) -> None:
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise WebhookError("webhook-timestamp: not a number of seconds")
    if abs(int(timestamp) - now) > tolerance.total_seconds():
        raise WebhookError("webhook-timestamp: too far from this clock")


def _is_same(signature: str, expected: str) -> bool:
    return hmac.compare_digest(signature.encode(), expected.encode())


def _signature(event_id: str, timestamp: str, body: bytes, secret: str) -> str:
    signed = b".".join((event_id.encode(), timestamp.encode(), body))
    digest = hmac.new(secret_key(secret), signed, hashlib.sha256).digest()
    return f"{_VERSION},{b64encode(digest).decode()}"
