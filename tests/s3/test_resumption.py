"""An interrupted upload, and the attempt that goes on with it."""

from hashlib import sha256
from pathlib import Path

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.stub import Stubber
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import AccessDeniedError, LeaseLostError
from artifact_pipeline.domain.ports.packed import forms_of
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.worker.s3.checksums import as_base64
from artifact_pipeline.worker.s3.multipart import MultipartUpload
from artifact_pipeline.worker.s3.store import S3ObjectStore
from artifact_pipeline.worker.workspace import Workspace
from tests.s3.steps import (
    KEY,
    PART,
    Progress,
    Requests,
    answered_client,
    error_of,
    put,
    random_bytes,
    store_of,
)
from tests.workspace.trees import RESULTS, all_of, plant

PARTS = 9
CONTENT = random_bytes(PARTS * PART - 100)
ALL_PARTS_SENT = PARTS + 1
"""The checkpoint before the object is completed."""


def interrupted(
    store: S3ObjectStore, content: bytes | Source = CONTENT, at: int = ALL_PARTS_SENT
) -> str:
    """The id of an upload that ended at that checkpoint."""
    progress = Progress(lost_at=at)
    with pytest.raises(LeaseLostError):
        put(store, content, progress)
    assert progress.upload_id is not None
    return progress.upload_id


def body(store: S3ObjectStore) -> bytes:
    return store.client.get_object(Bucket=store.bucket, Key=KEY)["Body"].read()


def exists(store: S3ObjectStore) -> bool:
    return "Contents" in store.client.list_objects_v2(Bucket=store.bucket, Prefix=KEY)


@pytest.mark.parametrize("threads", [1, 4])
def test_the_next_attempt_sends_only_what_is_missing(
    s3_client: S3Client, bucket: str, threads: int
) -> None:
    # Given
    store = store_of(s3_client, bucket, threads=threads)
    upload_id = interrupted(store, at=6)
    source = s3_client.list_parts(Bucket=bucket, Key=KEY, UploadId=upload_id)["Parts"]
    # When
    requests = Requests(s3_client)
    progress = Progress(upload_id)
    stored = put(store, CONTENT, progress)
    # Then
    assert 0 < len(source) < PARTS
    assert requests.count("UploadPart") == PARTS - len(source)
    assert requests.count("CreateMultipartUpload") == 0
    assert progress.started_ids == []
    assert stored.bytes_sent == len(CONTENT) - sum(part["Size"] for part in source)
    assert (stored.size, stored.sha256) == (len(CONTENT), sha256(CONTENT).hexdigest())
    assert body(store) == CONTENT


def test_an_upload_that_lacked_only_its_completion_sends_no_part(
    store: S3ObjectStore, requests: Requests
) -> None:
    # Given
    upload_id = interrupted(store)
    requests.names.clear()
    # When
    stored = put(store, CONTENT, Progress(upload_id))
    # Then
    assert requests.names == ["ListParts", "CompleteMultipartUpload"]
    assert stored.bytes_sent == 0
    assert body(store) == CONTENT


def test_of_a_changed_source_the_changed_part_is_sent_again(
    store: S3ObjectStore, requests: Requests
) -> None:
    # Given
    upload_id = interrupted(store)
    requests.names.clear()
    changed = CONTENT[: 3 * PART] + b"!" + CONTENT[3 * PART + 1 :]
    # When
    stored = put(store, changed, Progress(upload_id))
    # Then
    assert requests.count("UploadPart") == 1
    assert (stored.bytes_sent, stored.sha256) == (PART, sha256(changed).hexdigest())
    assert body(store) == changed


@pytest.mark.parametrize(
    ("changed", "sent"),
    [(CONTENT[: 2 * PART], 0), (CONTENT[: 2 * PART + 9], 1), (CONTENT + b"!" * PART, 2)],
    ids=["shorter by parts", "shorter", "longer"],
)
def test_a_source_of_another_length_ends_as_it_is_now(
    store: S3ObjectStore, requests: Requests, changed: bytes, sent: int
) -> None:
    # Given
    upload_id = interrupted(store)
    requests.names.clear()
    # When
    stored = put(store, changed, Progress(upload_id))
    # Then
    assert requests.count("UploadPart") == sent
    assert stored.size == len(changed)
    assert body(store) == changed


def test_another_part_size_sends_everything_again(s3_client: S3Client, bucket: str) -> None:
    # Given
    upload_id = interrupted(store_of(s3_client, bucket))
    halved = store_of(s3_client, bucket, part_size=PART // 2)
    # When
    stored = put(halved, CONTENT, Progress(upload_id))
    # Then
    assert stored.bytes_sent == len(CONTENT)
    assert body(halved) == CONTENT


def test_an_upload_that_vanished_starts_anew(store: S3ObjectStore, requests: Requests) -> None:
    # Given
    upload_id = interrupted(store)
    store.client.abort_multipart_upload(Bucket=store.bucket, Key=KEY, UploadId=upload_id)
    requests.names.clear()
    # When
    progress = Progress(upload_id)
    stored = put(store, CONTENT, progress)
    # Then
    assert requests.count("UploadPart") == PARTS
    assert progress.started_ids == [progress.upload_id] != [upload_id]
    assert stored.bytes_sent == len(CONTENT)
    assert body(store) == CONTENT


def test_an_upload_that_may_not_be_looked_at_does_not_start_anew() -> None:
    # Given
    def deny(operation: str, _request: AWSPreparedRequest) -> AWSResponse:
        assert operation == "ListParts"
        return error_of(403, "AccessDenied")

    progress = Progress("kept")
    # When
    with pytest.raises(AccessDeniedError):
        put(store_of(answered_client(deny), "bucket"), CONTENT, progress)
    # Then
    assert (progress.upload_id, progress.started_ids) == ("kept", [])


@pytest.mark.parametrize("at", [1, 2, PARTS, ALL_PARTS_SENT])
def test_a_lease_lost_between_parts_completes_nothing(
    store: S3ObjectStore, requests: Requests, at: int
) -> None:
    # When
    interrupted(store, at=at)
    # Then
    assert requests.count("UploadPart") <= at - 1
    assert requests.count("CompleteMultipartUpload") == 0
    assert not exists(store)


def test_a_resumed_upload_that_loses_its_lease_can_be_resumed_again(
    store: S3ObjectStore,
) -> None:
    # Given
    upload_id = interrupted(store, at=3)
    for at in (5, 7):
        progress = Progress(upload_id, lost_at=at)
        with pytest.raises(LeaseLostError):
            put(store, CONTENT, progress)
        assert progress.upload_id == upload_id
    # When
    stored = put(store, CONTENT, Progress(upload_id))
    # Then
    assert stored.bytes_sent < len(CONTENT)
    assert body(store) == CONTENT


def test_more_than_a_thousand_parts_are_listed_page_by_page(s3_client: S3Client) -> None:
    # Given
    upload = MultipartUpload(
        client=s3_client,
        bucket="bucket",
        key=KEY,
        create={},
        threads=1,
        progress=Progress("upload"),
    )
    asked = {"Bucket": "bucket", "Key": KEY, "UploadId": "upload"}
    with Stubber(s3_client) as stub:
        for first, last in ((1, 1000), (1001, 2000), (2001, 2003)):
            page = {
                "Parts": [_listed(number) for number in range(first, last + 1)],
                "IsTruncated": last < 2003,
                "NextPartNumberMarker": last,
            }
            marker = {} if first == 1 else {"PartNumberMarker": first - 1}
            stub.add_response("list_parts", page, {**asked, **marker})
        # When
        existing = upload.existing_parts()
        # Then
        stub.assert_no_pending_responses()
    assert existing is not None
    assert list(existing) == list(range(1, 2004))
    assert existing[2003].digest == sha256(b"2003").digest()
    assert sum(part.bytes_sent for part in existing.values()) == 0


def _listed(number: int) -> dict[str, object]:
    return {
        "PartNumber": number,
        "ETag": f'"{number}"',
        "Size": PART,
        "ChecksumSHA256": as_base64(sha256(str(number).encode()).digest()),
    }


@pytest.fixture
def forms(tmp_path: Path) -> list[Source]:
    """Results of a few parts, in the form of this release and in the former one."""
    rows = "".join(f"{number},{number * number % 977}\n" for number in range(150_000)).encode()
    workspace = Workspace(tmp_path)
    plant(workspace.path(RESULTS), {"RUN1/a.csv": rows, "RUN1/b.csv": rows[::-1]})
    return list(forms_of(workspace.source(RESULTS)))


@pytest.mark.parametrize("begun", [0, 1], ids=["this", "the former"])
def test_results_go_on_in_the_form_in_which_their_upload_was_begun(
    store: S3ObjectStore, requests: Requests, forms: list[Source], begun: int
) -> None:
    # Given: an upload by this release, or by the former one
    content = all_of(forms[begun])
    upload_id = interrupted(store, forms[begun], at=6)
    requests.names.clear()
    # When
    stored = put(store, forms[0], Progress(upload_id))
    # Then
    assert requests.count("CreateMultipartUpload") == 0
    assert 0 < stored.bytes_sent < stored.size
    assert body(store) == content
    # And: it is taken for the same when its record was lost
    again = put(store, forms[0], Progress(upload_id))
    assert (again.bytes_sent, again.sha256) == (0, sha256(content).hexdigest())
