"""The spans of attempts, on the fakes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as encode_by_sdk
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.trace import StatusCode

from artifact_pipeline.domain.errors import (
    BrokerUnavailableError,
    PipelineError,
    SourceMissingError,
    SqlUnavailableError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.fakes import InMemoryWorkspace
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Run
from artifact_pipeline.domain.model.trace_context import trace_of_message
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.domain.transfers.attempt import claim_in_hand
from artifact_pipeline.worker.composition.adapters import OF_STORE, STORE
from artifact_pipeline.worker.tracing.encoding import encode_spans
from artifact_pipeline.worker.tracing.export import exporter_of_environment
from tests.domain.conftest import world as world  # noqa: PLC0414 - a fixture
from tests.domain.pages.steps import CONFIGS, COUNT, request_of
from tests.domain.paging import UNHURRIED, FakePages, HeldStore, page_runner
from tests.domain.world import CONFIG, RESULTS, World
from tests.tracing.collected import (
    PARENT,
    TRACE_ID,
    Collected,
    attributes,
    in_request,
    parent_id,
    span_id,
    trace_id,
)

UPLOAD = "artifacts.upload"


@pytest.fixture
def collected() -> Collected:
    return Collected()


@pytest.fixture
def traced(world: World, collected: Collected) -> World:
    """The world with spans, and an upload of its results that is requested in a trace."""
    world.tracing = collected.tracing
    world.store = collected.tracing.traced(world.store, STORE, OF_STORE)
    with in_request():
        world.transfers.request(RESULTS, Direction.UPLOAD, "a")
    return world


def upload(world: World) -> None:
    world.runner()(RESULTS, Direction.UPLOAD, "a")


def test_an_attempt_is_a_span_in_the_trace_of_its_request(
    traced: World, collected: Collected
) -> None:
    # When the upload begins a minute after its request
    traced.clock.advance(timedelta(minutes=1))
    upload(traced)
    # Then
    attempt = collected.one(UPLOAD)
    assert (trace_id(attempt), parent_id(attempt)) == (TRACE_ID, PARENT)
    assert attributes(attempt) == {
        "job": 12,
        "run": 4,
        "kind": "run_results",
        "direction": "upload",
        "transfer": 1,
        "attempt": 1,
        "queue_seconds": 60.0,
        "outcome": "done",
        "bytes": 2000,
    }
    assert attempt.status.status_code is StatusCode.UNSET
    # And its parts are in it
    assert collected.children(attempt) == [
        "artifacts.claim",
        "artifacts.store.put",
        "artifacts.record",
    ]
    for span in collected.spans:
        assert trace_id(span) == TRACE_ID
        assert span.start_time is not None
        assert span.end_time is not None
        assert attempt.start_time is not None
        assert attempt.start_time <= span.start_time <= span.end_time


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (StoreUnavailableError("https://user:secret@s3/path"), "waiting", "s3_unavailable"),
        (SourceMissingError("/srv/secret/job_12"), "quarantined", "source_missing"),
        (OSError("/srv/secret"), "waiting", "unexpected"),
    ],
)
def test_a_failure_shows_its_code_and_nothing_else(
    traced: World, collected: Collected, error: Exception, outcome: str, code: str
) -> None:
    traced.store.failures.append(error)
    # When
    with pytest.raises(PipelineError):
        upload(traced)
    # Then
    attempt = collected.one(UPLOAD)
    assert attributes(attempt)["outcome"] == outcome
    assert attributes(attempt)["reason"] == attempt.status.description == code
    assert attempt.status.status_code is StatusCode.ERROR
    assert "secret" not in "".join(span.to_json() for span in collected.spans)


def failing(error: Exception) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_every_attempt_is_in_the_one_trace(traced: World, collected: Collected) -> None:
    # Given a first attempt that fails
    traced.store.failures.append(StoreUnavailableError())
    with pytest.raises(StoreUnavailableError):
        upload(traced)
    # When it is tried again the next day, by another process, under its row alone
    traced.clock.advance(timedelta(days=1))
    upload(traced)
    # Then
    attempts = collected.named(UPLOAD)
    assert [attributes(each)["attempt"] for each in attempts] == [1, 2]
    assert {parent_id(each) for each in attempts} == {PARENT}


def test_an_end_that_cannot_be_recorded_ends_the_span(
    traced: World, collected: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    for write in ("record", "wait"):
        monkeypatch.setattr(traced.transfers, write, failing(SqlUnavailableError("postgres://u:p")))
    with pytest.raises(SqlUnavailableError):
        upload(traced)
    assert attributes(collected.one(UPLOAD))["outcome"] == "unrecorded"


def test_a_request_without_a_trace_has_one_of_its_own(traced: World, collected: Collected) -> None:
    traced.runner()(CONFIG, Direction.UPLOAD, "b")
    attempt = collected.one(UPLOAD)
    assert parent_id(attempt) is None
    assert trace_id(attempt) != TRACE_ID
    assert len(collected.children(attempt)) == 3


def test_a_trace_that_is_not_sampled_costs_no_spans(world: World, collected: Collected) -> None:
    world.tracing = collected.tracing
    with in_request(flags="00"):
        world.transfers.request(RESULTS, Direction.UPLOAD, "a")
    upload(world)
    assert world.latest(RESULTS).state is TransferState.DONE
    assert collected.spans == []


def test_what_an_attempt_requests_is_in_its_trace(
    traced: World, collected: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a handler that asks for another transfer
    def ask(*_: object, **__: object) -> None:
        traced.transfers.request(CONFIG, Direction.UPLOAD, "b")
        raise SourceMissingError

    monkeypatch.setattr(InMemoryWorkspace, "source", ask)
    with pytest.raises(SourceMissingError):
        upload(traced)
    # When that one is done
    monkeypatch.undo()
    traced.runner()(CONFIG, Direction.UPLOAD, "b")
    # Then
    first, second = collected.named(UPLOAD)
    assert (trace_id(second), parent_id(second)) == (TRACE_ID, span_id(first))


def test_spans_are_encoded_as_opentelemetry_does(traced: World, collected: Collected) -> None:
    # Given one that fails, and one whose request has a state of its trace
    traced.store.failures.append(StoreUnavailableError())
    with pytest.raises(StoreUnavailableError):
        upload(traced)
    with trace_of_message({"traceparent": f"00-{TRACE_ID}-{PARENT}-01", "tracestate": "a=1,b=2"}):
        traced.transfers.request(CONFIG, Direction.UPLOAD, "b")
    traced.runner()(CONFIG, Direction.UPLOAD, "b")
    # When / Then
    assert encode_spans(collected.spans) == encode_by_sdk(collected.spans)
    # And the exporter calls it
    exporter_of_environment()
    assert OTLPSpanExporter.export.__globals__["encode_spans"] is encode_spans


class TestPages:
    def test_each_upload_has_its_own_parent_and_the_page_links_to_all(
        self, world: World, collected: Collected
    ) -> None:
        # Given uploads that were requested in as many spans
        world.tracing = collected.tracing
        world.store = HeldStore(clock=world.clock)
        for number, config in enumerate(CONFIGS):
            with in_request(f"{number + 1:016x}"):
                _requested(world, config)
        world.store = collected.tracing.traced(world.store, STORE, OF_STORE)
        # When one message has them all uploaded
        limits = replace(UNHURRIED, threads=4, record_rows=COUNT // 2)
        runner = page_runner(world, FakePages(world), limits)
        runner._size = COUNT
        runner(CONFIGS[0], request_of(CONFIGS[0]))
        # Then
        attempts = collected.named(UPLOAD)
        assert {parent_id(each) for each in attempts} == {f"{n + 1:016x}" for n in range(COUNT)}
        assert {attributes(each)["outcome"] for each in attempts} == {"done"}
        # And their parts are attributes, since each span would cost them time
        assert not any(collected.children(each) for each in attempts)
        assert all(attributes(each)["store.put_seconds"] >= 0 for each in attempts)
        # And the page has what they share
        page = collected.one("artifacts.page")
        assert parent_id(page) is None
        linked = {link.context.span_id for link in page.links}
        assert linked == {each.context.span_id for each in attempts if each.context}
        assert collected.children(page) == ["artifacts.claim", *["artifacts.record"] * 2]
        assert encode_spans(collected.spans) == encode_by_sdk(collected.spans)

    def test_a_page_of_one_is_traced_as_an_attempt_alone(
        self, world: World, collected: Collected
    ) -> None:
        world.tracing = collected.tracing
        with in_request():
            _requested(world, CONFIGS[0])
        page_runner(world, FakePages(world))(CONFIGS[0], request_of(CONFIGS[0]))
        attempt = collected.one(UPLOAD)
        assert parent_id(attempt) == PARENT
        assert collected.children(attempt) == ["artifacts.claim", "artifacts.record"]
        assert collected.named("artifacts.page") == []


def _requested(world: World, config: Artifact) -> None:
    assert config.run_id is not None
    world.runs.rows[config.run_id] = Run(config.run_id, 12)
    world.workspace.contents[config] = str(config).encode()
    world.transfers.request(config, Direction.UPLOAD, request_of(config))


class TestPublishing:
    def test_each_message_of_the_dispatch_is_a_span_in_its_trace(
        self, traced: World, collected: Collected
    ) -> None:
        # Given one requested in a trace, and one in none
        transfers = [traced.latest(RESULTS)]
        transfers.append(traced.transfers.request(CONFIG, Direction.UPLOAD, "b"))
        with collected.tracing.publishing(transfers):
            pass
        sent = collected.one("artifacts.publish")
        assert parent_id(sent) == PARENT
        assert attributes(sent)["transfer"] == transfers[0].id

    def test_a_broker_that_is_away_shows(self, traced: World, collected: Collected) -> None:
        away = BrokerUnavailableError("redis://user:secret@host")
        with (
            pytest.raises(BrokerUnavailableError),
            collected.tracing.publishing([traced.latest(RESULTS)]),
        ):
            raise away
        sent = collected.one("artifacts.publish")
        assert sent.status.status_code is StatusCode.ERROR
        assert "secret" not in sent.to_json()


def test_the_log_knows_the_claim_in_hand(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    seen = []
    source = InMemoryWorkspace.source

    def note(workspace: InMemoryWorkspace, artifact: Artifact) -> Source:
        seen.append(claim_in_hand())
        return source(workspace, artifact)

    monkeypatch.setattr(InMemoryWorkspace, "source", note)
    world.transfers.request(RESULTS, Direction.UPLOAD, "a")
    # When
    upload(world)
    # Then
    [claim] = seen
    assert claim is not None
    assert (claim.artifact, claim.attempt) == (RESULTS, 1)
    assert claim_in_hand() is None
