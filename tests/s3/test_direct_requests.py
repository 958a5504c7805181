"""Direct requests are those that boto3 would send."""

import base64
import gc
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ParamValidationError
from botocore.httpsession import URLLib3Session
from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.s3.direct_requests import send
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.tags import ObjectTags
from tests.deployments.tls import Authority
from tests.s3.direct_steps import (
    BODY,
    BUCKET,
    KEYS,
    LARGE,
    Ways,
    arguments,
    client_at,
    essence,
    put,
    session,
)
from tests.s3.recording_server import RecordingServer, recording
from tests.s3.steps import KEY, answer_of

pytestmark = pytest.mark.usefixtures("plain_botocore")

_KMS = Encryption("aws:kms", "arn:aws:kms:eu-central-1:1:key/k")
_TAGS = ObjectTags.parse("team=c f/d,job={job_id},ort=Köln")
FORMS: dict[str, dict[str, Any]] = {
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


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_direct_put_is_the_request_that_boto3_sends(
    server: RecordingServer, made_by_botocore: list[str], form: dict[str, Any]
) -> None:
    # Given a client that has put one object like it
    ways = Ways.of(lambda: client_at(server))
    put(ways.direct, **form)
    server.taken()
    made_by_botocore.clear()
    # When
    for way in (ways.direct, ways.boto3):
        for number, key in enumerate(KEYS):
            named: dict[str, Any] = {"metadata": {"job_id": f"2{number}", "kind": "k"}, **form}
            put(way, BODY[number:], key=key, **named)
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
    sent.clear()
    made_by_botocore.clear()
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
    server.taken()
    made_by_botocore.clear()
    # When
    put_part(ways.direct, 2)
    put_part(ways.boto3, 2)
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


def test_fresh_credentials_are_used(server: RecordingServer) -> None:
    # Given credentials that are new for each request
    names = iter(f"key{number}" for number in range(100))

    def refresh() -> dict[str, str]:
        name = next(names)
        soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
        return {"access_key": name, "secret_key": "s", "token": f"of-{name}", "expiry_time": soon}

    own = session()
    core: Any = own._session
    core._credentials = RefreshableCredentials.create_from_metadata(refresh(), refresh, "tests")
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
