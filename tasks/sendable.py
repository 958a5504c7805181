"""What a producer may send: it hears at once of what a worker would refuse or ignore."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from math import isfinite
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from kombu import Queue

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.tasks.arguments import (
    JobArguments,
    JobOrRunArguments,
    NoArguments,
    arguments_of,
    bind,
)
from artifact_pipeline.tasks.message_body import LINKS, LONGEST, RefusedError, is_compression
from artifact_pipeline.tasks.message_headers import HORIZON
from artifact_pipeline.tasks.message_validation import check_headers, check_priority
from artifact_pipeline.tasks.routing import (
    APPLY_RETENTION,
    AUDIT,
    CONFIRM,
    DELIVER_EVENTS,
    DISPATCH,
    DOWNLOAD_JOB,
    RECONCILE,
    RECORDED_HEADER,
    RELOCATE,
    TRANSFER_TASKS,
    UPLOAD_JOB,
    VERIFY_JOB,
    WRITE_MANIFEST,
)

_OURS = "artifacts."
_CELERYS_OWN = "celery."
_ARGUMENTS: Mapping[str, type[NoArguments]] = {
    **{name: arguments_of(kind) for name, (_direction, kind) in TRANSFER_TASKS.items()},
    CONFIRM: JobOrRunArguments,
    RELOCATE: JobArguments,
    DOWNLOAD_JOB: JobArguments,
    UPLOAD_JOB: JobArguments,
    VERIFY_JOB: JobArguments,
    WRITE_MANIFEST: JobArguments,
    AUDIT: NoArguments,
    DELIVER_EVENTS: NoArguments,
    DISPATCH: NoArguments,
    RECONCILE: NoArguments,
    APPLY_RETENTION: NoArguments,
}

IN_HEADERS = {
    **{name: name for name in ("root_id", "parent_id", "group_index", "retries")},
    **{name: name for name in ("argsrepr", "kwargsrepr", "origin")},
    **{name: name for name in ("ignore_result", "replaced_task_nesting")},
    "group_id": "group",
}
"""Options that a message has in its headers, by the headers' names."""
CHECKED = {
    *("task_id", "queue", "exchange", "routing_key", "countdown", "eta", "expires"),
    *("priority", "headers", "compression", "serializer"),
}
"""Options that are checked one by one."""
OF_SENDING = {
    *("producer", "publisher", "connection", "router", "route_name", "task_type", "result_cls"),
    *("add_to_parent", "retry", "retry_policy", "timeout", "confirm_timeout", "declare"),
    *("delivery_mode", "event_dispatcher", "reply_to"),
}
"""Options that concern how this process sends the message, or a result, which SQL has instead."""
_PROTOCOL = {
    *("lang", "task", "id", "shadow", "eta", "expires", "timelimit", "stamped_headers", "stamps"),
    *(*IN_HEADERS.values(), *LINKS, "compression"),
}
"""Headers that Celery makes of options, or runs."""

_NO_LINKS = "a message must not run other tasks. Look at how the transfer went instead"
_NO_LIMIT = "the workers' own limits hold"
_NO_ROUTE = "give queue= instead"
_INSTEAD = {
    **dict.fromkeys(("link", "link_error", "chain", "chord"), _NO_LINKS),
    **dict.fromkeys(("time_limit", "soft_time_limit"), _NO_LIMIT),
    **dict.fromkeys(("exchange", "routing_key"), _NO_ROUTE),
    "expiration": "give expires= instead",
    "shadow": "Flower shows the task's own name",
}
_MARGIN = 8 * 1024
"""Bytes of a message beside its headers."""


def check_sendable(name: str, args: Any, kwargs: Any, options: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Check a message of the pipeline, as Celery's `send_task` takes it.

    Tasks of other names are not looked at, except for Celery's own, which run further ones.

    Raises:
        InvalidRequestError: a worker would refuse it, or ignore a part of it.
    """
    if name.startswith(_CELERYS_OWN):
        raise InvalidRequestError(f"{name!r}: workers refuse Celery's own tasks")
    if not name.startswith(_OURS):
        return
    if name not in _ARGUMENTS:
        raise InvalidRequestError(f"{name!r} is not a task of the pipeline: see docs/producers.md")
    bind_arguments(_ARGUMENTS[name], args, kwargs)
    check_options(name, options)


def bind_arguments(model: type[NoArguments], args: Any, kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the arguments of Celery's `apply_async` by name. Raises: InvalidRequestError."""
    args, kwargs = args or (), kwargs or {}
    if not isinstance(args, (list, tuple)):
        raise InvalidRequestError(f"args: a list or tuple is needed, got {type(args).__name__}")
    if not isinstance(kwargs, Mapping) or not all(isinstance(name, str) for name in kwargs):
        raise InvalidRequestError("kwargs: a mapping of names is needed")
    return bind(model, args, kwargs)


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Check the options of Celery's `apply_async`. Raises: InvalidRequestError."""
    given = {
        option: value
        for option, value in options.items()
        if not _is_nothing(value) and not _is_of_the_task(option, value, options)
    }
    for option in given:
        _check_known(option, given)
    if given.get("serializer", "json") != "json":
        raise InvalidRequestError(f"serializer: {given['serializer']!r}; workers read only json")
    packed_by = given.get("compression", "gzip")
    if not is_compression(packed_by):
        raise InvalidRequestError(f"compression: {packed_by!r}; workers unpack only gzip")
    _check_queue(given.get("queue"))
    _check_times(given)
    try:
        check_priority(given.get("priority"))
        check_headers(_headers(name, given))
    except RefusedError as error:
        raise InvalidRequestError(f"{error}: a worker would refuse this message") from None
    _check_id(given)


def message_id(request_id: str) -> str:
    """Return the task id for a request's message.

    It is the request's own, unless another program wrote one that workers refuse: one such row
    would stop the dispatch of all.
    """
    is_taken = request_id.isprintable() and request_id and "://" not in request_id
    return request_id if is_taken else str(uuid5(NAMESPACE_OID, request_id))


def _is_nothing(value: object) -> bool:
    # It may be an empty list of links: Celery's own retry names every option.
    return value is None or (isinstance(value, (list, tuple, dict, bool)) and not value)


def _is_of_the_task(option: str, value: object, options: Mapping[str, Any]) -> bool:
    """Return whether Celery has added the option itself, from the task's attributes."""
    return option in _INSTEAD and getattr(options.get("task_type"), option, None) == value


def _check_known(option: str, given: Mapping[str, Any]) -> None:
    is_known = option in CHECKED or option in OF_SENDING or option in IN_HEADERS
    is_link = option in _INSTEAD and not (option in CHECKED and _names_a_queue(given))
    if not is_known or is_link:
        instead = _INSTEAD.get(option, "see docs/producers.md for what may be given")
        raise InvalidRequestError(f"{option}: workers ignore it; {instead}")


def _names_a_queue(given: Mapping[str, Any]) -> bool:
    """Return whether exchange and routing key name a queue, as of a retry."""
    return given.get("exchange") == "" or "retries" in given


def _check_queue(queue: object) -> None:
    if queue is None or isinstance(queue, Queue) or (isinstance(queue, str) and queue):
        return
    raise InvalidRequestError(f"queue: {queue!r} is not the name of a queue")


def _check_times(given: Mapping[str, Any]) -> None:
    now = datetime.now(UTC)
    due, expires = _due(given, now), _moment("expires", given.get("expires"), now)
    if due is not None and due > now + HORIZON:
        raise InvalidRequestError(f"due in more than {HORIZON.days} days: a worker refuses it")
    if expires is not None and expires <= max(now, due or now):
        raise InvalidRequestError("expires: passed when the message is due; it would never run")


def _due(given: Mapping[str, Any], now: datetime) -> datetime | None:
    if "countdown" in given:
        return _moment("countdown", _seconds("countdown", given["countdown"]), now)
    return _moment("eta", given.get("eta"), now)


def _moment(option: str, value: Any, now: datetime) -> datetime | None:  # noqa: ANN401
    """Return when this is; a text or a time without a zone is in UTC, as for a worker."""
    if value is None:
        return None
    if isinstance(value, (int, float)) and option != "eta":
        return _after(now, option, _seconds(option, value))
    try:
        text = value.isoformat() if isinstance(value, date) else value
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise InvalidRequestError(f"{option}: {value!r} is not a time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _after(now: datetime, option: str, seconds: float) -> datetime:
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        raise InvalidRequestError(f"{option}: {seconds:g} seconds are out of range") from None


def _seconds(option: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise InvalidRequestError(f"{option}: {value!r} is not a number of seconds")
    return value


def _headers(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a message's headers are. Raises: InvalidRequestError."""
    own = given.get("headers", {})
    if not isinstance(own, Mapping):
        raise InvalidRequestError(f"headers: a mapping is needed, got {type(own).__name__}")
    if made := _PROTOCOL & own.keys():
        raise InvalidRequestError(f"headers: {', '.join(sorted(made))} cannot be given as a header")
    headers = {header: given[option] for option, header in IN_HEADERS.items() if option in given}
    # If it is left out, Celery makes an id.
    headers = {"task": name, "id": given.get("task_id", "new"), **headers, **own}
    if len(json.dumps(headers, default=str)) > LONGEST - _MARGIN:
        raise InvalidRequestError(f"headers: over {(LONGEST - _MARGIN) // 1024} KB are refused")
    return headers


def _check_id(given: Mapping[str, Any]) -> None:
    """Refuse an id that a worker would replace, unless SQL knows the request by it."""
    task_id = given.get("task_id", "")
    if redact(task_id) != task_id and not given.get("headers", {}).get(RECORDED_HEADER):
        raise InvalidRequestError("task_id: it looks like a secret; a worker would replace it")
