"""What a producer may send: it hears at once of what a worker would refuse."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.errors import InvalidRequestError
from tasks.arguments import JobArguments, JobOrRunArguments, NoArguments, arguments_of, bind
from tasks.contract import CONFIRM, DISPATCH, DOWNLOAD_JOB, RECONCILE, RELOCATE, TRANSFER_TASKS
from tasks.envelope import check_headers, check_priority
from tasks.message_body import RefusedError, is_compression

_OURS = "artifacts."
_ARGUMENTS: Mapping[str, type[NoArguments]] = {
    **{name: arguments_of(kind) for name, (_direction, kind) in TRANSFER_TASKS.items()},
    CONFIRM: JobOrRunArguments,
    RELOCATE: JobArguments,
    DOWNLOAD_JOB: JobArguments,
    DISPATCH: NoArguments,
    RECONCILE: NoArguments,
}
_HEADERS = ("root_id", "parent_id", "group_index", "shadow", "eta")


def check_sendable(name: str, args: Any, kwargs: Any, options: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Check a message of the pipeline, as Celery's `send_task` takes it; others are not looked at.

    Raises:
        InvalidRequestError: a worker would refuse it.
    """
    if not name.startswith(_OURS):
        return
    if name not in _ARGUMENTS:
        raise InvalidRequestError(f"{name!r} is no task of the pipeline: see docs/producers.md")
    bind(_ARGUMENTS[name], args or (), kwargs or {})
    check_options(name, options)


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Check the options of Celery's `apply_async`. Raises: InvalidRequestError."""
    if options.get("serializer") not in (None, "json"):
        raise InvalidRequestError(f"serializer: {options['serializer']!r}; workers read only json")
    compression = options.get("compression")
    if compression is not None and not is_compression(compression):
        raise InvalidRequestError(f"compression: {compression!r}; workers unpack only gzip")
    try:
        check_priority(options.get("priority"))
        check_headers(_headers(name, options))
    except RefusedError as error:
        raise InvalidRequestError(f"{error}: a worker would refuse this message") from None


def _headers(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: options[key] for key in _HEADERS if options.get(key) is not None}
    # Left out, Celery makes one.
    task_id = options.get("task_id")
    given = {"task": name, "id": "new" if task_id is None else task_id, **given}
    if options.get("countdown") is not None:
        given["eta"] = datetime.now(UTC) + timedelta(seconds=options["countdown"])
    if isinstance(options.get("expires"), (str, datetime)):
        given["expires"] = options["expires"]
    return {**given, **(options.get("headers") or {})}
