"""Tags of objects in parts on a store that ignores those of CreateMultipartUpload."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import LeaseLostError, StoreUnavailableError
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.store import S3ObjectStore
from artifact_pipeline.worker.s3.tags import ObjectTags
from tests.s3.steps import KEY, PART, Progress, Requests, client_at, put, random_bytes, store_of
from tests.stores.lying import Forward, Lie, lying_s3, on, refusing
from tests.stores.s3_requests import Answer, Request

pytestmark = pytest.mark.usefixtures("no_backoff")

CONTENT = random_bytes(PART + 1)
# Not in the order of their names, and with what a query must quote.
TAGS = ObjectTags.parse("team=c f/d,job={job_id},empty=")
WANTED = {"team": "c f/d", "job": "12", "empty": ""}


def tagging(client: S3Client, bucket: str) -> S3ObjectStore:
    return replace(store_of(client, bucket), tags=TAGS)


def tags_of(client: S3Client, bucket: str) -> dict[str, str]:
    answer = client.get_object_tagging(Bucket=bucket, Key=KEY)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


@contextmanager
def lying(ministack: Ministack, bucket: str, *lies: Lie) -> Iterator[S3ObjectStore]:
    with lying_s3(ministack.url, *lies) as url:
        yield tagging(client_at(url), bucket)


def test_they_are_put_after_the_completion(s3_client: S3Client, bucket: str) -> None:
    # Given
    store, requests = tagging(s3_client, bucket), Requests(s3_client)
    # When
    put(store, CONTENT)
    # Then
    assert requests.names[-3:] == [
        "CompleteMultipartUpload",
        "GetObjectTagging",
        "PutObjectTagging",
    ]
    assert tags_of(s3_client, bucket) == WANTED


def test_an_object_that_has_them_is_only_looked_at(s3_client: S3Client, bucket: str) -> None:
    # Given an upload that was completed and tagged, and not recorded
    store, progress = tagging(s3_client, bucket), Progress()
    put(store, CONTENT, progress)
    requests = Requests(s3_client)
    # When
    put(store, CONTENT, Progress(progress.upload_id))
    # Then
    assert requests.count("GetObjectTagging") == 1
    assert requests.count("PutObjectTagging") == 0


def test_without_tags_nothing_is_asked(s3_client: S3Client, bucket: str) -> None:
    requests = Requests(s3_client)
    put(store_of(s3_client, bucket), CONTENT)
    assert not [name for name in requests.names if "Tagging" in name]


def test_an_attempt_that_dies_before_it_tags_leaves_that_to_the_next(
    ministack: Ministack, s3_client: S3Client, bucket: str
) -> None:
    # Given
    progress = Progress()
    away = refusing("PutObjectTagging", 503, "SlowDown")
    with lying(ministack, bucket, away) as store, pytest.raises(StoreUnavailableError):
        put(store, CONTENT, progress)
    assert tags_of(s3_client, bucket) == {}
    # When
    stored = put(tagging(s3_client, bucket), CONTENT, Progress(progress.upload_id))
    # Then
    assert (stored.bytes_sent, tags_of(s3_client, bucket)) == (0, WANTED)


def test_a_worker_that_lost_its_lease_tags_nothing(s3_client: S3Client, bucket: str) -> None:
    # Given
    requests = Requests(s3_client)
    # When: the checkpoints are before each part and before the completion
    with pytest.raises(LeaseLostError):
        put(tagging(s3_client, bucket), CONTENT, Progress(lost_at=3))
    # Then
    assert not [name for name in requests.names if "Tagging" in name]


@pytest.mark.parametrize(
    "answer",
    [Answer.refusing(501, "NotImplemented"), Answer(500)],
    ids=["not implemented", "rclone"],
)
def test_a_store_without_tags_is_not_given_any(
    ministack: Ministack,
    s3_client: S3Client,
    bucket: str,
    caplog: pytest.LogCaptureFixture,
    answer: Answer,
) -> None:
    """Rclone stores the body of PutObjectTagging as the object."""

    # Given
    def overwrite(request: Request, forward: Forward) -> Answer:
        is_put = request.operation == "PutObjectTagging"
        return forward(replace(request, target=request.path)) if is_put else forward(request)

    no_tags = on("GetObjectTagging", lambda _: answer)
    # When
    with lying(ministack, bucket, no_tags, overwrite) as store:
        put(store, CONTENT)
    # Then
    assert s3_client.get_object(Bucket=bucket, Key=KEY)["Body"].read() == CONTENT
    said = "GetObjectTagging: the store does not support tags. Unset ARTIFACTS_S3_TAGS"
    assert said in caplog.text


@pytest.mark.parametrize(
    "refusal",
    [
        ("GetObjectTagging", 403, "AccessDenied"),
        ("PutObjectTagging", 403, "AccessDenied"),
        ("PutObjectTagging", 501, "NotImplemented"),
    ],
)
def test_a_refusal_is_a_warning_because_the_object_is_stored(
    ministack: Ministack,
    s3_client: S3Client,
    bucket: str,
    caplog: pytest.LogCaptureFixture,
    refusal: tuple[str, int, str],
) -> None:
    # When
    with lying(ministack, bucket, refusing(*refusal)) as store:
        stored = put(store, CONTENT)
    # Then
    operation, _, code = refusal
    assert stored.version == s3_client.head_object(Bucket=bucket, Key=KEY)["ETag"]
    [said] = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert said.startswith(f"{KEY}: stored, but it may lack its tags: {operation}: {code}")
