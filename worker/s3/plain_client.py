"""Whether requests of a client go out as botocore alone makes them."""

import logging
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_EVENTS = (
    "provide-client-params",
    "before-parameter-build",
    "before-call",
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "response-received",
    "before-parse",
    "needs-retry",
    "after-call",
    "after-call-error",
)
"""All that happens in one request. https://docs.aws.amazon.com/boto3/latest/guide/events.html"""

_OWN_MODULES = {
    "botocore.client",
    "botocore.handlers",
    "botocore.retries.standard",
    "botocore.retryhandler",
    "botocore.signers",
    "botocore.useragent",
    "botocore.utils",
    "artifact_pipeline.worker.s3.direct_requests",
    "artifact_pipeline.worker.s3.refused_requests",
}
"""Modules whose handlers change requests in the same way each time.

Not in it are botocore's stubs, and its adaptive retries, which delay requests.
"""

_botocore = logging.getLogger("botocore")


def parts_of(client: "S3Client", method: str) -> tuple[object, ...]:
    """Return the objects that take part in the method; a change replaces one of them."""
    lookups = _emitter(client)._lookup_cache  # noqa: SLF001 - no public API tells new hooks
    function = getattr(getattr(client, method), "__func__", None)
    return lookups, function, getattr(type(client), "_make_api_call", None)


def is_plain(client: "S3Client", method: str) -> bool:
    """Return whether neither hooks nor wrappers watch or change the method."""
    _, *functions = parts_of(client, method)
    operation = client.meta.method_to_api_mapping[method]
    return all(map(_is_of_botocore, functions)) and not _foreign_hooks(client, operation)


def is_logged() -> bool:
    """Return whether botocore logs each request."""
    return _botocore.isEnabledFor(logging.DEBUG)


def _foreign_hooks(client: "S3Client", operation: str) -> list[object]:
    names = ["before-endpoint-resolution.s3", *(f"{each}.s3.{operation}" for each in _EVENTS)]
    handlers: Any = _emitter(client)._handlers  # noqa: SLF001 - nothing public lists them
    return [
        hook
        for name in names
        for hook in handlers.prefix_search(name)
        if getattr(hook, "__module__", "") not in _OWN_MODULES
    ]


def _emitter(client: "S3Client") -> Any:  # noqa: ANN401 - botocore has no types
    events: Any = client.meta.events
    return events._emitter  # noqa: SLF001 - the same


def _is_of_botocore(function: object) -> bool:
    # Tracing libraries replace these functions by their own.
    name = function.__globals__["__name__"] if isinstance(function, FunctionType) else ""
    return str(name).startswith("botocore.")
