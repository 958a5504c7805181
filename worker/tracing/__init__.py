"""Traces by OpenTelemetry. Nothing here is imported unless ARTIFACTS_TRACING turns it on."""
