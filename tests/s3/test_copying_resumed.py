"""A copy that was interrupted, and the attempt that goes on with it."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import LeaseLostError
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.worker.s3.copying import S3ObjectCopier
from tests.contract.copier_steps import copy
from tests.s3.copying_steps import (
    CONTENT,
    PARTS,
    SMALL,
    Summing,
    another,
    body,
    copier_of,
    open_uploads,
    parts_of,
    store_source,
)
from tests.s3.steps import KEY, PART, Progress, Requests, random_bytes

pytestmark = pytest.mark.processes

READ = PARTS
"""The checkpoints of the source's chunks, each of which is a part here."""
BEFORE_THE_END = 2 * PARTS + 1
"""The checkpoint before the copy is completed."""
each_size = pytest.mark.parametrize("content", [SMALL, CONTENT], ids=["small", "large"])


@pytest.fixture(params=["summed", "by their ETags"])
def copier(request: pytest.FixtureRequest, s3_client: S3Client, bucket: str) -> S3ObjectCopier:
    """With small parts, that are known by what S3 answers or a server without checksums does."""
    if request.param == "summed":
        Summing(s3_client)
    return copier_of(s3_client, bucket)


def interrupted(copier: S3ObjectCopier, source: BucketObject, at: int = BEFORE_THE_END) -> str:
    """The id of a copy that ended at that checkpoint."""
    progress = Progress(lost_at=at)
    with pytest.raises(LeaseLostError):
        copy(copier, source, progress=progress)
    assert progress.upload_id is not None
    return progress.upload_id


def test_the_next_attempt_copies_only_what_is_missing(
    copier: S3ObjectCopier, requests: Requests
) -> None:
    # Given
    one_by_one = replace(copier, threads=1)
    source = store_source(copier, CONTENT)
    upload_id = interrupted(one_by_one, source, at=READ + 4)
    copied = parts_of(copier, upload_id)
    requests.names.clear()
    # When
    progress = Progress(upload_id)
    stored = copy(copier, source, progress=progress)
    # Then
    assert 0 < len(copied) < PARTS
    assert requests.count("UploadPartCopy") == PARTS - len(copied)
    assert requests.count("CreateMultipartUpload") == 0
    assert progress.started_ids == []
    assert stored.sha256 == sha256(CONTENT).hexdigest()
    assert body(copier) == CONTENT


def test_a_copy_that_lacked_only_its_completion_copies_no_part(
    copier: S3ObjectCopier, requests: Requests
) -> None:
    # Given
    source = store_source(copier, CONTENT)
    upload_id = interrupted(copier, source)
    requests.names.clear()
    # When
    copy(copier, source, progress=Progress(upload_id))
    # Then
    begin = ["GetObjectTagging", "ListParts", *["GetObject"] * PARTS, "CompleteMultipartUpload"]
    assert requests.names[: len(begin)] == begin
    assert body(copier) == CONTENT


@pytest.mark.parametrize("at", range(1, BEFORE_THE_END + 1))
def test_a_lease_lost_anywhere_completes_nothing_and_drops_nothing(
    copier: S3ObjectCopier, at: int
) -> None:
    # Given
    source, progress = store_source(copier, CONTENT), Progress(lost_at=at)
    # When
    with pytest.raises(LeaseLostError):
        copy(copier, source, progress=progress)
    # Then
    assert body(copier) is None
    assert open_uploads(copier) == (1 if at > READ else 0)
    # And the next attempt can go on
    copy(copier, source, progress=Progress(progress.upload_id))
    assert body(copier) == CONTENT
    assert open_uploads(copier) == 0


def test_parts_of_another_source_are_not_kept(copier: S3ObjectCopier, requests: Requests) -> None:
    # Given a source that is replaced after its parts were copied, one part being the same
    upload_id = interrupted(copier, store_source(copier, CONTENT))
    newer = CONTENT[:PART] + CONTENT[PART:][::-1]
    source = store_source(copier, newer)
    requests.names.clear()
    # When
    copy(copier, source, progress=Progress(upload_id))
    # Then
    assert requests.count("UploadPartCopy") == PARTS - 1
    assert body(copier) == newer


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
def test_an_only_part_of_another_source_is_not_kept(
    copier: S3ObjectCopier, *, is_known: bool
) -> None:
    # Given
    upload_id = interrupted(copier, store_source(copier, SMALL), at=2)
    source = store_source(copier, SMALL[::-1])
    source = source if is_known else replace(source, sha256=None)
    # When
    copy(copier, source, progress=Progress(upload_id))
    # Then
    assert body(copier) == SMALL[::-1]


def test_a_copy_that_vanished_starts_anew(copier: S3ObjectCopier, requests: Requests) -> None:
    # Given
    source = store_source(copier, CONTENT)
    upload_id = interrupted(copier, source)
    another(copier.client).abort_multipart_upload(Bucket=copier.bucket, Key=KEY, UploadId=upload_id)
    requests.names.clear()
    # When
    progress = Progress(upload_id)
    copy(copier, source, progress=progress)
    # Then
    assert requests.count("UploadPartCopy") == PARTS
    assert progress.started_ids == [progress.upload_id] != [upload_id]
    assert body(copier) == CONTENT


@each_size
def test_what_was_completed_but_not_recorded_is_taken(
    copier: S3ObjectCopier, content: bytes
) -> None:
    # Given a copy whose worker died after completing it
    source, progress = store_source(copier, content), Progress()
    first = copy(copier, source, progress=progress)
    # When
    again = copy(copier, source, progress=Progress(progress.upload_id))
    # Then
    assert (again.version, again.sha256) == (first.version, first.sha256)
    assert open_uploads(copier) == 0


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example has its key
)
@given(size=st.integers(1, 6 * PART), part_size=st.integers(PART // 4, PART), at=st.integers(1, 30))
def test_however_it_is_interrupted_the_copy_is_the_source(
    copier: S3ObjectCopier, size: int, part_size: int, at: int
) -> None:
    # Given
    copier, content = replace(copier, part_size=part_size), random_bytes(size)
    source, key = store_source(copier, content), f"{size}-{part_size}-{at}"
    progress = Progress(lost_at=at)
    # When
    try:
        copy(copier, source, key, progress=progress)
    except LeaseLostError:
        copy(copier, source, key, progress=Progress(progress.upload_id))
    # Then
    assert another(copier.client).get_object(Bucket=copier.bucket, Key=key)["Body"].read() == (
        content
    )
