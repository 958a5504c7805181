"""Serves the metrics by HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

from prometheus_client import CollectorRegistry, generate_latest, start_http_server

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.metrics.collector import PipelineCollector
from artifact_pipeline.worker.metrics.workers import WorkerWatch


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Attributes: `port` may be 0, for a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@contextmanager
def serving(
    collector: PipelineCollector, workers: WorkerWatch, address: Address
) -> Iterator[Address]:
    """Answer scrapes, and ask the workers in the background; yield where it listens.

    Raises:
        ConfigurationError: it cannot listen there.
    """
    stop = Event()
    try:
        server, thread = start_http_server(
            address.port, addr=address.host, registry=_registry(collector)
        )
    except OSError as error:
        raise ConfigurationError(
            f"--listen {address}: {error.strerror or error}. Give another address or port"
        ) from error
    watching = Thread(target=workers.run, args=(stop,), name="workers", daemon=True)
    watching.start()
    try:
        yield Address(address.host, server.server_port)
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
        watching.join()


def as_text(collector: PipelineCollector) -> str:
    """Return the metrics in Prometheus's text format."""
    return generate_latest(_registry(collector)).decode()


def _registry(collector: PipelineCollector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry
