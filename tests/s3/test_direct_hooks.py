"""Hooks, tracing libraries and logs see each request."""


import base64
import gc
import logging
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.endpoint import Endpoint
from botocore.exceptions import ParamValidationError
from botocore.httpsession import URLLib3Session
from botocore.stub import Stubber
from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.s3.direct_requests import send
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.tags import ObjectTags
from tests.deployments.tls import Authority
from tests.s3.recording_server import LOST, Recorded, RecordingServer, Said, recording
from tests.s3.steps import KEY, answer_of, random_bytes

BUCKET = "artifacts"
BODY = random_bytes(1000)
LARGE = random_bytes(70_000)
VOLATILE = {"x-amz-date", "user-agent", "amz-sdk-invocation-id", "authorization", "expect"}
KEYS = ["jobs/1/config.json", "jobs/1/2025/10/23/211500/run_4_results.zip", "a~b_c-d.e"]


from tests.s3.direct_steps import *

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


