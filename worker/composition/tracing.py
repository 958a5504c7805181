"""Whether a worker traces, and with what."""

import os
from collections.abc import Callable

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.domain.ports.tracing import NoTracing, Tracing
from artifact_pipeline.worker.settings import TracingSettings


def tracing_of(settings: TracingSettings) -> Callable[[], Tracing]:
    """Return what makes the traces of a process; it has a thread, so call it after a fork.

    Raises:
        ConfigurationError: OpenTelemetry is not installed, or one of its variables is wrong.
    """
    if not settings.tracing or _is_off_by_opentelemetry():
        return NoTracing
    try:
        from artifact_pipeline.worker.tracing import export  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigurationError(
            "ARTIFACTS_TRACING=true needs OpenTelemetry: install artifact-pipeline[tracing]"
        ) from None
    export.exporter_of_environment()
    return export.new_tracing


def _is_off_by_opentelemetry() -> bool:
    is_disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return is_disabled or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
