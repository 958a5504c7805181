"""Restores of archived objects, on two servers and with answers that neither gives."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from botocore.stub import Stubber
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import (
    ObjectReplacedError,
    RefusedByStoreError,
    StoreUnavailableError,
    TransferError,
    UnsupportedByStoreError,
)
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.restorations import NOT_RESTORED, Restoration, RestoreSpeed
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.s3.restoring import S3ObjectRestorer, restoration_of
from artifact_pipeline.worker.s3.tiers import tier
from tests.buckets import create_bucket
from tests.s3.steps import KEY, client_at
from tests.servers import Moto

STANDARD = RestoreSpeed.STANDARD
UNTIL = datetime(2012, 12, 21, tzinfo=UTC)


@pytest.fixture
def on_moto(moto: Moto) -> S3Client:
    return client_at(moto.url)


@pytest.fixture
def on_ministack(ministack: Ministack) -> S3Client:
    return client_at(ministack.url)


@pytest.fixture
def client() -> S3Client:
    return client_at("http://s3.invalid")


@pytest.fixture
def stubbed(client: S3Client) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber


def archived(storage_class: str = "GLACIER") -> BucketObject:
    address = ObjectAddress("bucket", KEY)
    return BucketObject(
        address=address, size=1, version='"0"', modified_at=UNTIL, tier=tier(storage_class)
    )


def restore(client: S3Client, there: BucketObject, speed: RestoreSpeed = STANDARD) -> None:
    S3ObjectRestorer(client=client).restore(there, days=3, speed=speed)


@pytest.mark.parametrize("server", ["on_moto", "on_ministack"])
def test_an_object_is_archived_then_restored(request: pytest.FixtureRequest, server: str) -> None:
    # Given
    client = cast("S3Client", request.getfixturevalue(server))
    reader = S3ObjectReader(client=client, bucket=create_bucket(client))
    address = ObjectAddress(reader.bucket, KEY)
    client.put_object(Bucket=address.bucket, Key=KEY, Body=b"x", StorageClass="GLACIER")
    before = reader.find(address)
    assert before is not None
    assert before.restoration == NOT_RESTORED
    # When, twice: ministack answers RestoreAlreadyInProgress to the second
    for _ in range(2):
        restore(client, before)
    # Then it is under way, or done at once
    after = reader.find(address)
    assert after is not None
    assert after.restoration is not None
    assert after.restoration.is_known
    assert after.tier == before.tier
    if after.restoration.until is not None:
        assert after.restoration.until > datetime.now(UTC) + timedelta(days=2)


@pytest.mark.parametrize("server", ["on_moto", "on_ministack"])
def test_an_object_that_is_gone_is_not_restored(
    request: pytest.FixtureRequest, server: str
) -> None:
    client = cast("S3Client", request.getfixturevalue(server))
    there = archived()
    bucket = create_bucket(client)
    with pytest.raises(ObjectReplacedError):
        restore(client, replace(there, address=ObjectAddress(bucket, KEY)))


@pytest.mark.parametrize("speed", RestoreSpeed)
def test_the_store_is_told_days_and_tier(stubbed: Stubber, speed: RestoreSpeed) -> None:
    request = {"Days": 3, "GlacierJobParameters": {"Tier": speed.value.capitalize()}}
    sent = {"Bucket": "bucket", "Key": KEY, "RestoreRequest": request}
    stubbed.add_response("restore_object", {}, sent)
    restore(cast("S3Client", stubbed.client), archived(), speed)
    stubbed.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "status", "expected", "text"),
    [
        ("NotImplemented", 501, UnsupportedByStoreError, "RestoreObject: NotImplemented"),
        ("MethodNotAllowed", 405, UnsupportedByStoreError, "RestoreObject: MethodNotAllowed"),
        ("SlowDown", 503, StoreUnavailableError, "RestoreObject: SlowDown"),
        (
            *("GlacierExpeditedRetrievalNotAvailable", 503, RefusedByStoreError),
            "no capacity for an expedited restore now",
        ),
    ],
)
def test_a_refusal_says_why(
    stubbed: Stubber, code: str, status: int, expected: type[TransferError], text: str
) -> None:
    stubbed.add_client_error("restore_object", code, http_status_code=status)
    with pytest.raises(expected, match=text):
        restore(cast("S3Client", stubbed.client), archived())


def test_deep_archive_has_no_expedited_restores(client: S3Client) -> None:
    with pytest.raises(RefusedByStoreError, match="Use --tier standard, or bulk"):
        restore(client, archived("DEEP_ARCHIVE"), RestoreSpeed.EXPEDITED)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, NOT_RESTORED),
        ('ongoing-request="true"', Restoration(is_under_way=True)),
        (
            'ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"',
            Restoration(until=UNTIL),
        ),
        ('ongoing-request="false", expiry-date="soon"', NOT_RESTORED),
        ('ongoing-request="false"', NOT_RESTORED),
    ],
)
def test_the_header_is_read(header: str | None, expected: Restoration) -> None:
    assert restoration_of(header) == expected
