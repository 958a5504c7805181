"""Where spans go, by OpenTelemetry's own variables."""

import os
from collections.abc import Callable

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.tracing.encoding import encode_spans
from artifact_pipeline.worker.tracing.spans import OpenTelemetryTracing

_SERVICE = "artifact-pipeline"
_PROTOCOL = "http/protobuf"


def new_tracing(exporter: SpanExporter | None = None) -> OpenTelemetryTracing:
    """Return what traces in this process. It has a thread, so make it after a fork.

    Args:
        exporter: by default the one of OTEL_TRACES_EXPORTER.
    """
    # The sampler and the limits of spans are read from OTEL_… by the provider itself.
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    return OpenTelemetryTracing(
        provider, BatchSpanProcessor(exporter or exporter_of_environment()())
    )


def exporter_of_environment() -> Callable[[], SpanExporter]:
    """Return the class of the exporter. Raises: ConfigurationError: a variable is wrong."""
    name = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    if name == "console":
        return ConsoleSpanExporter
    if name != "otlp":
        raise ConfigurationError(
            f"OTEL_TRACES_EXPORTER: {name!r} is unknown. Use otlp, console or none"
        )
    _check_protocol("OTEL_EXPORTER_OTLP_PROTOCOL")
    _check_protocol("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
    # It loads `requests`, which nothing else here needs.
    from opentelemetry.exporter.otlp.proto.http import trace_exporter  # noqa: PLC0415

    # Encoding by the SDK would take most of the time that the span of a small upload costs.
    trace_exporter.encode_spans = encode_spans  # type: ignore[attr-defined] # the exporter calls it
    return trace_exporter.OTLPSpanExporter


def _check_protocol(variable: str) -> None:
    given = os.environ.get(variable) or _PROTOCOL
    if given != _PROTOCOL:
        raise ConfigurationError(f"{variable}: {given!r} is not installed. Use {_PROTOCOL}")


def _resource() -> Resource:
    """Return what all spans have; the variables win over the name given here."""
    given = Resource.create()
    is_named = not str(given.attributes[SERVICE_NAME]).startswith("unknown_service")
    return given if is_named else given.merge(Resource({SERVICE_NAME: _SERVICE}))
