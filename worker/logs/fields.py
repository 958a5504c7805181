"""What a line of the log says beside its text: which transfer it is about, and in which trace.

These are ids, codes and figures alone. A key or a path is in no line.
"""

import sys
from logging import LogRecord
from typing import Any

from celery._state import get_current_task

from artifact_pipeline.domain.model.transfers import Claim
from artifact_pipeline.domain.transfers.attempt import claim_in_hand
from artifact_pipeline.tasks.routing import TRANSFER_TASKS

_OF_AN_END = ("outcome", "reason", "bytes", "seconds")
"""What the last line of an attempt has."""


def fields_of(record: LogRecord) -> dict[str, Any]:
    """Return the fields of a record that is written now, by this thread."""
    fields = {**_of_running_task(), **transfer_fields()}
    of_end = {name: getattr(record, name) for name in _OF_AN_END if hasattr(record, name)}
    return {**fields, **of_end, **_of_task(record), **_of_trace()}


def transfer_fields() -> dict[str, Any]:
    """Return the fields of the transfer that this thread works for; empty if for none.

    A task may work for one without a claim, as in Celery's own line about its end.
    """
    claim = claim_in_hand()
    return _of_request(_running_task()) if claim is None else _of_claim(claim)


def _of_claim(claim: Claim) -> dict[str, Any]:
    artifact = claim.artifact
    fields = {
        "job": artifact.job_id,
        "run": artifact.run_id,
        "kind": artifact.kind.value,
        "direction": claim.direction.value,
        "transfer": claim.transfer_id,
        "attempt": claim.attempt,
        "batch": claim.batch_id,
        "request": claim.request_id,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _running_task() -> Any:  # noqa: ANN401 - the stubs lack what is read here
    """Return the request of the task that this thread runs, or None."""
    task: Any = get_current_task()
    request = task and task.request
    return request if request and request.id else None


def _of_running_task() -> dict[str, Any]:
    request = _running_task()
    return {} if request is None else {"task": request.task, "task_id": request.id}


def _of_request(request: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Return what the message of a task says of its transfer: whole numbers are its ids alone."""
    if request is None or not request.task:
        return {}
    direction, kind = TRANSFER_TASKS.get(request.task, (None, None))
    ids = request.kwargs if isinstance(request.kwargs, dict) else {}
    fields = {"job": ids.get("job_id"), "run": ids.get("run_id")}
    known = {name: value for name, value in fields.items() if type(value) is int}
    if direction is None or kind is None:
        return known
    return {**known, "kind": kind.value, "direction": direction.value, "request": request.id}


def _of_task(record: LogRecord) -> dict[str, Any]:
    """Return what Celery's own lines are about."""
    data = getattr(record, "data", None)
    if not isinstance(data, dict):
        return {}
    # Leave out the rest: it has results, errors and tracebacks.
    return {key: data[name] for key, name in (("task", "name"), ("task_id", "id")) if name in data}


def _of_trace() -> dict[str, str]:
    # With traces off, the library is not loaded.
    trace: Any = sys.modules.get("opentelemetry.trace")
    context = trace and trace.get_current_span().get_span_context()
    if not context or not context.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
    }
