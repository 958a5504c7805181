"""Hooks, tracing libraries and logs see each request."""

import logging
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.stub import Stubber

from artifact_pipeline.worker.s3.client import make_client
from benchmarks.probes import Requests, operation_of
from tests.s3.direct_steps import BUCKET, client_at, put, session
from tests.s3.recording_server import RecordingServer, Said

pytestmark = pytest.mark.usefixtures("plain_botocore")


@pytest.mark.parametrize(
    "event",
    [
        "provide-client-params.s3.PutObject",
        "before-parameter-build.s3",
        "before-endpoint-resolution.s3",
        "before-call.s3.PutObject",
        "request-created.*.*",
        "choose-signer.s3.PutObject",
        "before-sign.s3",
        "before-send.s3.PutObject",
        "response-received.s3",
        "before-parse.s3",
        "needs-retry.s3",
        "after-call.s3",
    ],
)
def test_each_hook_hears_of_each_put(server: RecordingServer, event: str) -> None:
    # Given a client whose puts are direct
    client = client_at(server)
    put(client), put(client)
    heard: list[str] = []

    def hear(event_name: str, **_: object) -> None:
        heard.append(event_name)

    # When
    client.meta.events.register(event, hear)
    put(client), put(client)
    # Then
    assert len(heard) == 2
    # And no longer than it is registered
    client.meta.events.unregister(event, hear)
    put(client)
    assert len(heard) == 2


def test_a_hook_of_the_session_hears_of_each_put(server: RecordingServer) -> None:
    heard: list[object] = []
    own = session()
    own.events.register("before-send.s3.PutObject", lambda **_: heard.append(1))
    client = make_client(server.url, 1, own, bucket=BUCKET)
    put(client), put(client)
    assert len(heard) == 2


def test_a_tracing_library_sees_each_put(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a client whose puts are direct
    client = client_at(server)
    put(client), put(client)
    seen: list[str] = []
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def traced(self: Any, operation_name: str, kwarg: Any) -> Any:
        seen.append(operation_name)
        return call(self, operation_name, kwarg)

    # When
    monkeypatch.setattr(BaseClient, "_make_api_call", traced)
    put(client), put(client)
    # Then
    assert seen == ["PutObject", "PutObject"]


def test_a_stubbed_client_is_asked(server: RecordingServer) -> None:
    client = client_at(server)
    put(client)
    with Stubber(client) as stubber:
        stubber.add_response("put_object", {"ETag": "stubbed"})
        assert put(client)["ETag"] == "stubbed"


def test_botocores_log_has_each_request(
    server: RecordingServer, made_by_botocore: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    client = client_at(server)
    put(client)
    with caplog.at_level(logging.DEBUG, "botocore"):
        put(client)
    assert len(made_by_botocore) == 2


def test_requests_are_counted_without_a_hook(
    server: RecordingServer, made_by_botocore: list[str]
) -> None:
    # Given a client whose puts are direct
    client = client_at(server)
    put(client)
    made_by_botocore.clear()
    # When its requests are counted
    requests = Requests(client)
    put(client)
    # Then they still are
    assert made_by_botocore == []
    assert requests.taken() == ["PutObject"]
    assert requests.taken() == []
    # And one that fails is counted, as are boto3's tries after it
    server.answers.append(Said(503))
    put(client)
    assert requests.taken() == ["PutObject", "PutObject"]
    assert made_by_botocore == ["PutObject"]


@pytest.mark.parametrize(
    ("method", "query", "operation"),
    [
        ("HEAD", "", "HeadObject"),
        ("PUT", "?partNumber=1&uploadId=a", "PUT ?partNumber=1&uploadId=a"),
        ("OPTIONS", "", "OPTIONS"),
    ],
)
def test_a_counted_request_has_a_name(method: str, query: str, operation: str) -> None:
    assert operation_of(method, f"http://127.0.0.1:9000/artifacts/key{query}") == operation
