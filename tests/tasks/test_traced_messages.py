"""Messages belong to the trace of their request, however they are sent."""

import json
from dataclasses import replace
from typing import Any

import pytest
from celery import Celery

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.trace_context import trace_of_message
from artifact_pipeline.domain.model.trace_headers import as_text, parse, trace_headers
from artifact_pipeline.tasks.app import producing_with
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.tasks.receipt import bare_request
from artifact_pipeline.tasks.routing import DISPATCH, RECORDED_HEADER
from artifact_pipeline.tasks.uploads import upload_job_config
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.tasks.envelope_steps import taken_in
from tests.tasks.template_steps import by_celery, by_template, taken, transfer_of
from tests.traces import TRACE

pytestmark = pytest.mark.processes


def traced(**values: Any) -> Any:
    return replace(transfer_of(**values), trace_headers=as_text(TRACE))


def sent_headers(broker: Valkey) -> Any:
    [[message]] = taken(broker).values()
    return taken_in(json.loads(message))["headers"]


def test_the_message_of_a_row_has_the_trace_of_the_row(app: Celery, broker: Valkey) -> None:
    # When it is sent by code that works in another trace
    with trace_of_message({"traceparent": TRACE["traceparent"].replace("0af", "abc")}):
        publish([traced()], app)
    # Then OpenTelemetry finds it in the request, and Sentry in its headers
    headers = sent_headers(broker)
    assert trace_headers(headers) == headers["headers"] == TRACE


def test_traced_messages_are_celerys_to_the_byte(app: Celery, broker: Valkey) -> None:
    # Given rows with values that JSON escapes, of a batch and alone, and one without a trace
    odd = {**TRACE, "tracestate": 'a="\\%s"'}
    transfers = [
        traced(),
        traced(batch_id=7),
        replace(transfer_of(job_id=13), trace_headers=as_text(odd)),
        transfer_of(job_id=14),
    ]
    # Then
    expected = by_celery(app, transfers, broker)
    assert by_template(app, transfers, broker) == expected


def test_a_traceparent_costs_a_message_less_than_a_hundred_bytes(
    app: Celery, broker: Valkey
) -> None:
    lengths = []
    for text in (None, as_text({"traceparent": TRACE["traceparent"]})):
        [[message]] = by_template(
            app, [replace(transfer_of(), trace_headers=text)], broker
        ).values()
        lengths.append(len(message))
    assert lengths[1] - lengths[0] < 100


def test_a_bare_message_is_sent_in_the_current_trace(app: Celery, broker: Valkey) -> None:
    with trace_of_message(TRACE):
        app.send_task(upload_job_config.name, kwargs={"job_id": 12})
    assert trace_headers(sent_headers(broker)) == TRACE


def test_a_task_is_sent_in_the_current_trace(app: Celery, broker: Valkey) -> None:
    with trace_of_message(TRACE), producing_with(app):
        upload_job_config.delay(12)
    assert trace_headers(sent_headers(broker)) == TRACE


def test_headers_that_are_given_win(app: Celery, broker: Valkey) -> None:
    given = {"traceparent": TRACE["traceparent"].replace("0af", "abc")}
    with trace_of_message(TRACE):
        app.send_task(upload_job_config.name, kwargs={"job_id": 12}, headers=given)
    assert trace_headers(sent_headers(broker)) == given


@pytest.mark.parametrize(
    ("name", "headers"), [(DISPATCH, {}), (upload_job_config.name, {RECORDED_HEADER: 1})]
)
def test_upkeep_and_recorded_requests_get_no_other_trace(
    app: Celery, broker: Valkey, name: str, headers: dict[str, int]
) -> None:
    ids = {} if name == DISPATCH else {"job_id": 12}
    with trace_of_message(TRACE):
        app.send_task(name, kwargs=ids, headers=headers)
    assert trace_headers(sent_headers(broker)) == {}


def test_a_bare_message_is_recorded_with_its_trace() -> None:
    headers = {"id": "a", "task": upload_job_config.name, **TRACE, "headers": TRACE}
    request = bare_request(headers, (), {"job_id": 12})
    assert request is not None
    assert request.artifact == Artifact(ArtifactKind.JOB_CONFIG, 12)
    assert parse(request.trace_headers) == TRACE
