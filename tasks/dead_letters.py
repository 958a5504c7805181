"""Dead letters: a note of each message that workers refused, kept in the broker.

There, because a message is refused when the broker has just handed it out, and SQL may be away.
"""

import json
import logging
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from redis.exceptions import RedisError

from artifact_pipeline.domain.model.transfers import MAX_REQUEST_ID
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.tasks.broker_records import records_of
from artifact_pipeline.tasks.message_body import LONGEST

logger = logging.getLogger(__name__)

MOST = 1_000
"""The newest are kept."""
_KEY = "artifacts.dead_letters"
# Use the broker's clock, and one round trip, because there may be many letters. KEYS: the list.
# ARGV: the fields without the time, how many are kept.
_KEEP = """
redis.call('LPUSH', KEYS[1], redis.call('TIME')[1] .. ' ' .. ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
"""
_IDS = ("job_id", "run_id")
_LARGEST_ID = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """What is known of a refused message; never its body.

    Attributes:
        at: by the broker's clock.
        reason: the part of the message that was wrong, or why.
        size: of the message, in bytes.
        task: its name, if it can be read.
        request_id: the task's id, if it can be read and shown.
    """

    id: str
    at: datetime
    queue: str
    reason: str
    size: int
    task: str | None = None
    request_id: str | None = None
    job_id: int | None = None
    run_id: int | None = None


def keep_dead_letter(
    client: Any,  # noqa: ANN401 - of redis-py
    queue: str,
    element: bytes,
    reason: str,
    prefix: str = "",
) -> None:
    """Note a message that is refused. A broker that takes no note does not stop the worker.

    Args:
        client: one that adds no prefix.
        queue: where it was.
        element: the message.
        reason: why it is refused.
        prefix: of the keys in the broker.
    """
    fields = letter_fields(queue, element, reason)
    try:
        client.eval(_KEEP, 1, prefix + _KEY, json.dumps(fields), MOST)
    except (RedisError, OSError) as error:
        logger.warning("a refused message could not be noted: %s", type(error).__name__)


def count_dead_letters(channel: Any) -> int:  # noqa: ANN401 - a kombu channel
    """Return how many are kept."""
    return records_of(channel).count_letters()


def dead_letters(channel: Any, limit: int = MOST) -> list[DeadLetter]:  # noqa: ANN401
    """Return the newest ones, the newest first."""
    return records_of(channel).letters(limit)


def discard_dead_letters(channel: Any, ids: set[str] | None) -> int:  # noqa: ANN401
    """Delete these, or all if `ids` is None; return how many there were."""
    return records_of(channel).discard_letters(lambda letter: ids is None or letter.id in ids)


def prune_dead_letters(channel: Any, older_than: timedelta) -> int:  # noqa: ANN401
    """Delete those that are so old, by the broker's clock; return how many there were."""
    return records_of(channel).prune_letters(older_than)


def old_dead_letters(channel: Any, older_than: timedelta) -> set[str]:  # noqa: ANN401
    """Return the ids of those that `prune_dead_letters` would delete."""
    until = records_of(channel).now() - older_than
    return {letter.id for letter in dead_letters(channel) if letter.at <= until}


def parsed_text(text: bytes) -> DeadLetter | None:
    """Return a letter that is kept as a text: its time, a blank and its fields."""
    seconds, _blank, fields = text.partition(b" ")
    return parsed_letter(seconds, fields)


def parsed_letter(seconds: bytes, fields: bytes) -> DeadLetter | None:
    """Return a letter that is kept as its time and its fields, or None if it is of another form."""
    try:
        return DeadLetter(at=datetime.fromtimestamp(int(seconds), UTC), **json.loads(fields))
    except (ValueError, TypeError, OverflowError, OSError):
        return None  # of another version


def letter_fields(queue: str, element: bytes, reason: str) -> dict[str, Any]:
    """Return what is noted of a message that is refused, without its time."""
    return {
        "id": uuid4().hex[:12],
        "queue": redact(queue),
        "reason": redact(reason),
        "size": len(element),
        **readable_parts(element),
    }


def readable_parts(element: bytes) -> dict[str, Any]:
    """Return what can be read of the message, and shown: the names and ids, if they are such."""
    try:
        message = json.loads(element) if len(element) <= LONGEST else None
    except (ValueError, RecursionError):
        return {}
    headers = _part(message, "headers")
    fields = {"task": _shown(headers.get("task")), "request_id": _shown(headers.get("id"))}
    return {**fields, **_ids(message)}


def _ids(message: Any) -> dict[str, int]:  # noqa: ANN401 - of JSON
    try:
        body = json.loads(b64decode(_part(message, "").get("body", ""), validate=True))
    except (ValueError, TypeError, RecursionError):
        return {}
    kwargs = body[1] if isinstance(body, list) and len(body) > 1 else _part(body, "kwargs")
    if not isinstance(kwargs, dict):
        return {}
    return {name: kwargs[name] for name in _IDS if _is_id(kwargs.get(name))}


def _part(value: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - of JSON
    """Return the part of an object, or the object itself; nothing if it is none."""
    found = value.get(name) if name and isinstance(value, dict) else value
    return found if isinstance(found, dict) else {}


def _is_id(value: object) -> bool:
    return type(value) is int and 0 < value < _LARGEST_ID


def _shown(value: object) -> str | None:
    is_shown = isinstance(value, str) and len(value) <= MAX_REQUEST_ID and redact(value) == value
    return str(value) if is_shown else None
