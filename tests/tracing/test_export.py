"""Where spans are sent, and when not."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery import Celery

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.domain.ports.tracing import NoTracing
from artifact_pipeline.worker.composition.tracing import tracing_of
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.embedded.servers import free_port
from artifact_pipeline.worker.settings import TracingSettings, WorkerSettings, load
from artifact_pipeline.worker.tracing.export import new_tracing
from benchmarks.collector import Receiver, receiving
from tests.worker.conftest import good as good  # noqa: PLC0414 - a fixture

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def _on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTIFACTS_TRACING", "true")


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as receiver:
        monkeypatch.setenv(ENDPOINT, receiver.url)
        yield receiver


def send_one() -> None:
    tracing = new_tracing()
    tracing.page(0, 0).end()
    tracing.close()


def test_spans_are_sent_by_the_end_of_a_process(receiver: Receiver) -> None:
    send_one()
    assert {span.name for span in receiver.spans} == {"artifacts.page", "artifacts.claim"}
    assert receiver.services == {"artifact-pipeline"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_SERVICE_NAME", "ours"), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=ours")],
)
def test_the_service_is_named_by_its_own_variables(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    send_one()
    assert receiver.services == {"ours"}


def test_the_sampler_is_opentelemetrys(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    send_one()
    assert receiver.spans == []


def test_a_collector_that_is_away_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr("artifact_pipeline.worker.tracing.spans._CLOSE_SECONDS", 0.1)
    # It tries once. A later try would draw a random number while another test runs, which
    # Hypothesis takes for one of its own.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    send_one()
    for thread in threading.enumerate():
        if thread.name == "traces":
            thread.join()
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"ARTIFACTS_TRACING": "true", "OTEL_SDK_DISABLED": "true"},
        {"ARTIFACTS_TRACING": "true", "OTEL_TRACES_EXPORTER": "none"},
    ],
    ids=str,
)
def test_it_is_off(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    # Given OpenTelemetry cannot even be imported
    with without_opentelemetry(monkeypatch):
        assert tracing_of(load(TracingSettings)) is NoTracing


@pytest.mark.usefixtures("_on")
def test_without_the_extra_the_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        without_opentelemetry(monkeypatch),
        pytest.raises(ConfigurationError, match=r"install artifact-pipeline\[tracing\]"),
    ):
        tracing_of(load(TracingSettings))


@contextmanager
def without_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    ours = "artifact_pipeline.worker.tracing"
    with monkeypatch.context() as patched:
        for name in [name for name in sys.modules if name.startswith(("opentelemetry", ours))]:
            patched.delitem(sys.modules, name)
        patched.setitem(sys.modules, "opentelemetry", None)
        yield


@pytest.mark.usefixtures("_on")
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
    ],
)
def test_what_is_not_installed_is_refused_at_the_start(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"{variable}: '{value}'"):
        tracing_of(load(TracingSettings))


@pytest.mark.usefixtures("_on", "good")
def test_each_process_makes_its_own_after_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    settings = load(WorkerSettings)
    new = tracing_of(settings)
    composition = Composition(settings, Celery("tests", set_as_current=False), new_tracing=new)
    # When the parent closes before it has traced anything, nothing is made
    composition.close_tracing()
    assert "tracing" not in vars(composition.adapters)
    # Then a child has another one than its parent
    of_parent = composition.adapters.tracing
    composition.after_fork()
    of_child = composition.adapters.tracing
    assert of_parent is not of_child
    for each in (of_parent, of_child):
        each.close()
