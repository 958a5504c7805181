"""A failed direct request ends as it would in boto3."""

import pytest
from mypy_boto3_s3 import S3Client

from tests.s3.direct_steps import Ways, client_at, essence, put
from tests.s3.recording_server import LOST, RecordingServer, Said

pytestmark = pytest.mark.usefixtures("plain_botocore")

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
