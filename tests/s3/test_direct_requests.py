"""Direct requests are those that boto3 would send, and their failures those that it would have."""

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


@dataclass
class Ways:
    """Two clients of one configuration. Hooks watch the requests of one, so boto3 sends them."""

    direct: S3Client
    boto3: S3Client

    @classmethod
    def of(cls, make: Callable[[], S3Client]) -> "Ways":
        ways = cls(make(), make())
        ways.boto3.meta.events.register("before-send.s3", lambda **_: None)
        return ways


@pytest.fixture(scope="module")
def server() -> Iterator[RecordingServer]:
    with recording() as made:
        yield made


@pytest.fixture(autouse=True)
def _fresh(server: RecordingServer) -> None:
    server.taken()
    server.answers.clear()


@pytest.fixture
def made_by_botocore(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations whose requests botocore makes."""
    names: list[str] = []
    make: Any = Endpoint.make_request

    def noting(self: Any, operation: Any, request: Any) -> Any:
        names.append(operation.name)
        return make(self, operation, request)

    monkeypatch.setattr(Endpoint, "make_request", noting)
    return names


def session(**credentials: str) -> boto3.Session:
    named = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret", **credentials}
    return boto3.Session(region_name="eu-central-1", **named)  # type: ignore[arg-type]


def client_at(server: RecordingServer) -> S3Client:
    return make_client(server.url, 4, session(), bucket=BUCKET)


def arguments(
    key: str = KEY, metadata: dict[str, str] | None = None, body: bytes = BODY, **more: str
) -> dict[str, Any]:
    digest = sha256(body).digest()
    named = {"sha256": digest.hex(), **(metadata or {"job_id": "1", "kind": "run_logs"})}
    return {
        "Bucket": BUCKET,
        "Key": key,
        "ContentType": "text/plain",
        "Metadata": named,
        "ChecksumSHA256": base64.b64encode(digest).decode(),
        **more,
    }


def put(client: S3Client, body: bytes = BODY, **named: Any) -> Any:
    given = arguments(**{"body": body, **named})
    digest = sha256(body).digest()
    return send(client, "put_object", given, body=body, length=len(body), sha256=digest)


def compared(headers: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in headers.items() if name not in VOLATILE}
    signed = headers.get("authorization", "").rpartition("Signature=")[0]
    attempt = headers["amz-sdk-request"].rpartition("attempt=")[2]  # behind the time to live
    # Without the key and the date.
    return {**kept, "signed": "/".join(signed.split("/")[2:]), "amz-sdk-request": attempt}


_KMS = Encryption("aws:kms", "arn:aws:kms:eu-central-1:1:key/k")
_TAGS = ObjectTags.parse("team=c f/d,job={job_id},ort=Köln")
FORMS: dict[str, dict[str, str]] = {
    "plain": {},
    "a new object": {"IfNoneMatch": "*"},
    "a replacement": {"IfMatch": '"0123456789abcdef-2"'},
    "AES256": Encryption("AES256").arguments(),
    "KMS": {**_KMS.arguments(), "IfNoneMatch": "*"},
    "tags": _TAGS.arguments({"job_id": "1"}),
    "a storage class": {"StorageClass": "STANDARD_IA"},
    "CRC32C": {"ChecksumCRC32C": "AAAAAA=="},
    "MD5": {"ContentMD5": "1B2M2Y8AsgTpgAmY7PhCfg=="},
}
AWS: dict[str, Callable[[], S3Client]] = {
    "AWS": lambda: make_client(None, 4, session(), bucket=BUCKET),
    "path": lambda: make_client(None, 4, session(), bucket=BUCKET, addressing="path"),
    "a dot": lambda: make_client(None, 4, session(), bucket="with.dot"),
    "token": lambda: make_client(None, 4, session(aws_session_token="token"), bucket=BUCKET),
    "accelerated": lambda: make_client(
        "https://s3-accelerate.amazonaws.com", 4, session(), bucket=BUCKET
    ),
    "virtual host": lambda: make_client(
        "https://s3.example.com", 4, session(), bucket=BUCKET, addressing="virtual"
    ),
    "default port": lambda: make_client("http://s3.example.com:80", 4, session(), bucket=BUCKET),
    "another port": lambda: make_client("http://[::1]:9000", 4, session(), bucket=BUCKET),
    "below a path": lambda: make_client("http://s3.example.com/below", 4, session(), bucket=BUCKET),
    "dualstack": lambda: _by_boto3(Config(use_dualstack_endpoint=True)),
    "FIPS": lambda: _by_boto3(Config(use_fips_endpoint=True), "us-east-1"),
    "unsigned payload": lambda: _by_boto3(Config(s3={"payload_signing_enabled": False})),
    "legacy retries": lambda: _by_boto3(Config(retries={"mode": "legacy"})),
}


def _by_boto3(config: Config, region: str = "eu-central-1") -> S3Client:
    own = Config(request_checksum_calculation="when_required", signature_version="s3v4")
    return session().client("s3", region_name=region, config=own.merge(config))


def essence(request: Any) -> object:
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value
        for name, value in request.headers.items()
    }
    url = request.target if isinstance(request, Recorded) else request.url
    return request.method, url, compared(headers)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_direct_put_is_the_request_that_boto3_sends(
    server: RecordingServer, made_by_botocore: list[str], form: dict[str, str]
) -> None:
    # Given a client that has put one object like it
    ways = Ways.of(lambda: client_at(server))
    put(ways.direct, **form)
    server.taken(), made_by_botocore.clear()
    # When
    for way in (ways.direct, ways.boto3):
        for number, key in enumerate(KEYS):
            put(way, BODY[number:], key=key, metadata={"job_id": f"2{number}", "kind": "k"}, **form)
    # Then
    requests = server.taken()
    assert list(map(essence, requests[:3])) == list(map(essence, requests[3:]))
    assert [request.body for request in requests] == [BODY, BODY[1:], BODY[2:]] * 2
    assert len(made_by_botocore) == 3


@pytest.mark.parametrize("make", AWS.values(), ids=AWS)
def test_a_direct_put_goes_where_the_client_is_configured_to(
    make: Callable[[], S3Client], made_by_botocore: list[str], sent: list[Any]
) -> None:
    # Given
    ways = Ways.of(make)
    put(ways.direct)
    sent.clear(), made_by_botocore.clear()
    # When
    put(ways.direct, key=KEYS[0]), put(ways.boto3, key=KEYS[0])
    # Then
    assert essence(sent[0]) == essence(sent[1])
    assert len(made_by_botocore) == 1


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The requests that all clients send; each is answered here."""
    requests: list[Any] = []

    def answer(_self: Any, request: Any) -> AWSResponse:
        requests.append(request)
        return answer_of(200, ETag='"etag"')

    monkeypatch.setattr(URLLib3Session, "send", answer)
    return requests


def test_a_direct_part_is_the_request_that_boto3_sends(
    server: RecordingServer, made_by_botocore: list[str]
) -> None:
    # Given
    ways = Ways.of(lambda: client_at(server))

    def put_part(client: S3Client, number: int) -> None:
        body = LARGE[number:]
        digest = sha256(body).digest()
        given = {
            "Bucket": BUCKET,
            "Key": KEY,
            "UploadId": "up/load+id=",
            "PartNumber": number,
            "ChecksumSHA256": base64.b64encode(digest).decode(),
        }
        file = BytesIO(body)
        send(client, "upload_part", given, body=file, length=len(body), sha256=digest)

    put_part(ways.direct, 1)
    server.taken(), made_by_botocore.clear()
    # When
    put_part(ways.direct, 2), put_part(ways.boto3, 2)
    # Then both ask before they send the body
    direct, theirs = server.taken()
    assert (essence(direct), direct.body) == (essence(theirs), theirs.body)
    assert direct.headers["expect"] == theirs.headers["expect"] == "100-continue"
    assert len(made_by_botocore) == 1


def test_only_large_bodies_are_announced(server: RecordingServer) -> None:
    client = client_at(server)
    for body in (BODY, BODY, LARGE):
        put(client, body)
    assert ["expect" in request.headers for request in server.taken()] == [True, False, True]


REFUSED = b"<Error><Code>%s</Code><Message>no</Message></Error>"
FAILURES: dict[str, list[Said]] = {
    "a condition": [Said(412, body=REFUSED % b"PreconditionFailed")],
    "access": [Said(403, body=REFUSED % b"AccessDenied")],
    "a digest": [Said(400, body=REFUSED % b"BadDigest")],
    "a conflict": [Said(409, body=REFUSED % b"ConditionalRequestConflict")],
    "no bucket": [Said(404, body=REFUSED % b"NoSuchBucket")],
    "not implemented": [Said(501, body=REFUSED % b"NotImplemented")],
    "no code": [Said(418, body=b"<html>")],
    "once unavailable": [Said(503, body=REFUSED % b"SlowDown")],
    "unavailable": [Said(503, body=REFUSED % b"SlowDown")] * 3,
    "an error in a success": [Said(200, body=REFUSED % b"InternalError")] * 3,
    "once lost": [LOST],
    "lost": [LOST] * 3,
    "lost, then there": [LOST, Said(412, body=REFUSED % b"PreconditionFailed")],
    "no ETag": [Said(200)],
    "moved for ever": [Said(301, {"Location": "/elsewhere"}, b"")],
    "a body": [Said(200, {"ETag": '"e"'}, b"<Stored/>")],
}


@pytest.mark.parametrize("said", FAILURES.values(), ids=FAILURES)
def test_a_failure_is_the_one_that_boto3_has(server: RecordingServer, said: list[Said]) -> None:
    # Given
    ways = Ways.of(lambda: client_at(server))
    put(ways.direct)
    server.taken()
    # When
    outcomes = []
    for way in (ways.direct, ways.boto3):
        server.answers.extend(said)
        outcomes.append((_outcome(way), list(map(essence, server.taken()))))
        server.answers.clear()
    # Then as many attempts end in the same way
    assert outcomes[0] == outcomes[1]


def _outcome(client: S3Client) -> object:
    try:
        answer = put(client)
    except Exception as error:  # noqa: BLE001 - compared
        response = getattr(error, "response", None) or {}
        return type(error).__name__, str(error), response.get("Error")
    return answer.get("ETag"), answer.get("VersionId")


def test_the_next_put_is_direct_again(server: RecordingServer, made_by_botocore: list[str]) -> None:
    # Given a failure
    client = client_at(server)
    put(client)
    server.answers.append(Said(503, body=REFUSED % b"SlowDown"))
    put(client)
    # When the next one shows anew what boto3 sends
    put(client)
    made_by_botocore.clear()
    # Then
    assert put(client) == {"ETag": '"etag"', "VersionId": "v1"}
    assert made_by_botocore == []


def test_a_bucket_that_moved_to_another_region_is_found_once(server: RecordingServer) -> None:
    # Given
    client = client_at(server)
    put(client), server.taken()
    moved = Said(301, {"x-amz-bucket-region": "us-west-2"}, REFUSED % b"PermanentRedirect")
    server.answers.append(moved)
    # When
    for _ in range(3):
        put(client)
    # Then
    regions = [request.headers["authorization"].split("/")[2] for request in server.taken()]
    assert regions == ["eu-central-1", "us-west-2", "us-west-2", "us-west-2"]


def test_successes_give_botocore_its_retries_back(server: RecordingServer) -> None:
    # Given a client that has used up a part of its retries
    client = client_at(server)
    put(client)
    [quota] = [
        handler.__self__._quota
        for handler in client.meta.events._emitter._handlers.prefix_search("after-call.s3")  # type: ignore[attr-defined]
        if type(getattr(handler, "__self__", None)).__name__ == "RetryQuotaChecker"
    ]
    quota.acquire(100)
    before = quota.available_capacity
    # When
    put(client)
    # Then
    assert quota.available_capacity == before + 1


def test_fresh_credentials_are_used(server: RecordingServer) -> None:
    # Given credentials that are new for each request
    names = iter(f"key{number}" for number in range(100))

    def refresh() -> dict[str, str]:
        name = next(names)
        soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
        return {"access_key": name, "secret_key": "s", "token": f"of-{name}", "expiry_time": soon}

    own = session()
    own._session._credentials = RefreshableCredentials.create_from_metadata(
        refresh(), refresh, "tests"
    )
    client = make_client(server.url, 1, own, bucket=BUCKET)
    # When
    for _ in range(6):
        put(client)
    # Then each is signed by the key that its token belongs to
    requests = [request.headers for request in server.taken()]
    keys = [
        each["authorization"].partition("Credential=")[2].partition("/")[0] for each in requests
    ]
    assert [each["x-amz-security-token"] for each in requests] == [f"of-{key}" for key in keys]
    assert len(set(keys)) == len(keys)


def test_an_anonymous_client_signs_nothing(
    server: RecordingServer, made_by_botocore: list[str]
) -> None:
    config = Config(signature_version=UNSIGNED, request_checksum_calculation="when_required")
    client = boto3.client("s3", endpoint_url=server.url, region_name="eu-west-1", config=config)
    for _ in range(2):
        put(client)
    assert ["authorization" in request.headers for request in server.taken()] == [False, False]
    assert len(made_by_botocore) == 2


def test_a_client_that_adds_a_checksum_of_its_own_is_left_to_boto3(
    server: RecordingServer, made_by_botocore: list[str]
) -> None:
    # Given a request without a checksum, to which botocore adds one of the bytes
    client = session().client("s3", endpoint_url=server.url)
    given = arguments()
    del given["ChecksumSHA256"]
    # When
    for _ in range(3):
        send(client, "put_object", given, body=BODY, length=len(BODY), sha256=sha256(BODY).digest())
    # Then
    assert all("x-amz-checksum-crc32" in request.headers for request in server.taken())
    assert len(made_by_botocore) == 3


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


@pytest.mark.parametrize(
    "named", [{"key": "a b"}, {"key": "ä"}, {"key": "/a"}, {"metadata": {"a": "b "}}]
)
def test_what_a_request_does_not_have_as_it_is_goes_by_boto3(
    server: RecordingServer, named: dict[str, Any]
) -> None:
    ways = Ways.of(lambda: client_at(server))
    put(ways.direct, metadata={"a": "b"})
    server.taken()
    put(ways.direct, **named), put(ways.boto3, **named)
    direct, theirs = map(essence, server.taken())
    assert direct == theirs


def test_metadata_that_is_not_ascii_is_refused_as_by_boto3(server: RecordingServer) -> None:
    client = client_at(server)
    put(client, metadata={"job": "1"}), server.taken()
    with pytest.raises(ParamValidationError, match="Non ascii"):
        put(client, metadata={"job": "ä"})
    assert server.taken() == []


def test_a_proxy_is_used(server: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setenv("HTTP_PROXY", server.url)
    client = make_client("http://s3.example.com", 1, session(), bucket=BUCKET)
    # When
    put(client), put(client)
    # Then
    targets = {request.target for request in server.taken()}
    assert targets == {f"http://s3.example.com/{BUCKET}/{KEY}"}


def test_a_private_authority_is_believed_where_it_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_by_botocore: list[str]
) -> None:
    # Given
    authority = Authority(tmp_path, "authority")
    certificate, key = map(str, authority.issue("server"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.file))
    with recording((certificate, key)) as server:
        url = server.url.replace("http:", "https:")
        client = make_client(url, 1, session(), bucket=BUCKET)
        # When
        put(client), put(client)
        # Then
        assert len(server.taken()) == 2
        assert made_by_botocore == ["PutObject"]


def test_a_client_is_gone_with_its_last_name(server: RecordingServer) -> None:
    # Given no help of the collector
    client = client_at(server)
    put(client), put(client)
    gone = weakref.ref(client)
    gc.disable()
    try:
        # When
        del client
        # Then
        assert gone() is None
    finally:
        gc.enable()


def test_threads_put_by_one_client(server: RecordingServer) -> None:
    # Given
    client = client_at(server)
    bodies = [BODY[number:] for number in range(20)]
    # When
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda body: put(client, body, key=f"k{len(body)}"), bodies))
    # Then
    stored = {request.target: request.body for request in server.taken()}
    assert stored == {f"/{BUCKET}/k{len(body)}": body for body in bodies}
