"""Sending a message in the trace of the code that sends it."""

from typing import Any

from artifact_pipeline.domain.model.trace_context import current_headers
from artifact_pipeline.domain.model.trace_headers import trace_headers
from artifact_pipeline.tasks.routing import RECORDED_HEADER, REQUESTING_TASKS, TRANSFER_TASKS


def in_current_trace(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of `send_task`, with the headers of the current trace.

    The message of a request that is in SQL has those of its row. Upkeep is of no trace.
    """
    if name not in TRANSFER_TASKS and name not in REQUESTING_TASKS:
        return options
    own = options.get("headers") or {}
    if RECORDED_HEADER in own or trace_headers(own):
        return options
    found = current_headers()
    return {**options, "headers": {**own, **found}} if found else options
