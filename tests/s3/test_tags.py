"""Tags that uploads give their objects."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from urllib.error import HTTPError
from urllib.parse import parse_qsl
from urllib.request import Request, urlopen

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.job_uploads import JobUpload, UploadContext, UploadType
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.diagnosis.bucket import find_tags
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.results import S3ResultsRepository
from artifact_pipeline.worker.s3.tags import NO_TAGS, ObjectTags
from artifact_pipeline.worker.s3.upload_locations import S3UploadLocationRepository
from tests.buckets import create_bucket
from tests.integration.permissions import Need, Policy, WatchedS3
from tests.s3.presigned_steps import query
from tests.s3.results_steps import PREFIX
from tests.s3.steps import KEY, PART, client_at, put, random_bytes, store_of
from tests.servers import Moto

TEXT = "team=cfd, job={job_id},run={run_id},what={kind} of {job_id}"
TAGS = ObjectTags.parse(TEXT)
OF_A_RUN = {"team": "cfd", "job": "12", "run": "4", "what": "run_results of 12"}


def tags_of(artifact: Artifact, text: str = TEXT) -> dict[str, str]:
    arguments = ObjectTags.parse(text).arguments(artifact.metadata)
    return dict(parse_qsl(arguments.get("Tagging", ""), keep_blank_values=True))


class TestParsing:
    def test_placeholders_are_filled(self) -> None:
        assert tags_of(Artifact(ArtifactKind.RUN_RESULTS, 12, 4)) == OF_A_RUN

    def test_a_tag_with_the_run_is_left_out_where_no_run_is(self) -> None:
        assert tags_of(Artifact(ArtifactKind.JOB_CONFIG, 12)) == {
            "team": "cfd",
            "job": "12",
            "what": "job_config of 12",
        }

    @pytest.mark.parametrize("text", ["", "  "])
    def test_none(self, text: str) -> None:
        assert ObjectTags.parse(text) == NO_TAGS
        assert NO_TAGS.arguments({"job": "12"}) == {}

    def test_only_tags_of_runs_are_none_for_a_job(self) -> None:
        assert tags_of(Artifact(ArtifactKind.JOB_CONFIG, 12), "run={run_id}") == {}

    @pytest.mark.parametrize(
        ("text", "tags"),
        [
            ("a=", {"a": ""}),
            ("a=b=c", {"a": "b=c"}),
            ("größe=1 m/s + 2", {"größe": "1 m/s + 2"}),
            ("k" * 128 + "=" + "v" * 256, {"k" * 128: "v" * 256}),
            (",".join(f"t{n}=x" for n in range(10)), {f"t{n}": "x" for n in range(10)}),
        ],
    )
    def test_what_s3_takes(self, text: str, tags: dict[str, str]) -> None:
        assert tags_of(Artifact(ArtifactKind.JOB_CONFIG, 12), text) == tags

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("team", "'team' is not NAME=VALUE. Example: team=cfd,job={job_id}"),
            ("=cfd", "'=cfd' is not NAME=VALUE. Example: team=cfd,job={job_id}"),
            ("a=b,", "'' is not NAME=VALUE. Example: team=cfd,job={job_id}"),
            (",".join(f"t{n}=x" for n in range(11)), "11 tags, but S3 takes at most 10"),
            ("a=1,a=2", "tag 'a': the name is given 2 times"),
            ("AWS:a=1", "tag 'AWS:a': names that begin with aws: are reserved"),
            (
                "k" * 129 + "=1",
                f"tag '{'k' * 128}': its name has 129 characters, and S3 takes 128",
            ),
            (
                "a=" + "v" * 247 + "{job_id}",
                "tag 'a': its value can have 257 characters, and S3 takes 256",
            ),
            (
                "a={user}{job_id}",
                "tag 'a': {user} is unknown. Use {job_id}, {run_id}, {kind}",
            ),
            (
                "a=50%",
                "tag 'a': S3 does not take '%'. Use letters, digits, spaces and + - = . _ : / @",
            ),
            (
                "a#=1",
                "tag 'a#': S3 does not take '#'. Use letters, digits, spaces and + - = . _ : / @",
            ),
            (
                "a={job_id",
                "tag 'a': S3 does not take '{'. Use letters, digits, spaces and + - = . _ : / @",
            ),
            (
                "a=1\n2",
                "tag 'a': S3 does not take '\\n'. Use letters, digits, spaces and + - = . _ : / @",
            ),
        ],
    )
    def test_what_s3_does_not_take_is_one_line(self, text: str, problem: str) -> None:
        with pytest.raises(ValueError, match=r"^.+$") as refused:
            ObjectTags.parse(text)
        assert str(refused.value) == problem


@pytest.fixture
def s3(moto: Moto) -> Iterator[WatchedS3]:
    """A server that keeps the tags of multipart uploads too."""
    with WatchedS3(moto.port) as watched:
        yield watched


def sent(url: str, headers: dict[str, str]) -> int:
    request = Request(url, b"{}", headers, method="PUT")  # noqa: S310 - http
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
            return int(answer.status)
    except HTTPError as refused:
        return refused.code


def upload(client: S3Client, bucket: str, size: int) -> None:
    put(replace(store_of(client, bucket), tags=TAGS), random_bytes(size))


def upload_results(client: S3Client, bucket: str, size: int) -> None:
    results = S3ResultsRepository(
        bucket, s3_client=client, multipart_threshold=PART, part_size=PART, threads=1, tags=TAGS
    )
    results.upload_results(PREFIX.job_id, 4, random_bytes(size), PREFIX)


@pytest.mark.parametrize("size", [10, PART], ids=["small", "large"])
@pytest.mark.parametrize("write", [upload, upload_results])
def test_an_object_has_the_tags_and_only_one_in_parts_is_looked_at(
    s3: WatchedS3, write: Callable[[S3Client, str, int], None], size: int
) -> None:
    # Given
    client = client_at(s3.url)
    bucket = create_bucket(client)
    s3.counts.clear()
    # When
    write(client, bucket, size)
    # Then
    in_parts = ["CreateMultipartUpload", "CompleteMultipartUpload", "GetObjectTagging"]
    expected = ["PutObject"] if size < PART else in_parts
    assert {name for name in s3.counts if name not in {"HeadObject", "UploadPart"}} == {*expected}
    answer = client.get_object_tagging(Bucket=bucket, Key=KEY)
    assert {tag["Key"]: tag["Value"] for tag in answer["TagSet"]} == OF_A_RUN


@pytest.mark.parametrize("size", [10, PART], ids=["small", "large"])
def test_tags_need_a_permission_that_the_policies_have(s3: WatchedS3, size: int) -> None:
    # Given
    client = client_at(s3.url)
    bucket = create_bucket(client)
    s3.requests.clear()
    # When
    upload(client, bucket, size)
    # Then
    assert "s3:PutObjectTagging" in {need.action for need in s3.needs}
    for role in ("worker", "producer", "operator"):
        policy = Policy.of(role)
        assert all(policy.allows(need) for need in s3.needs if "Tagging" in need.action)
        assert not policy.allows(Need("s3:PutObjectTagging", "arn:aws:s3:::my-artifacts/x"))


def test_an_upload_url_signs_them_as_a_header_that_the_client_is_told() -> None:
    # Given
    locations = S3UploadLocationRepository(
        "bucket", s3_client=client_at(None), signed_tags=ObjectTags.parse("job={job_id},a=b c")
    )
    config = JobUpload(UploadContext.JOB, UploadType.CONFIG, 12)
    prefix = JobS3Prefix(12, datetime(2025, 10, 23, 21, 15, tzinfo=UTC))
    # When
    location = locations.get_upload_location(config, prefix)
    # Then
    assert dict(location.headers) == {"x-amz-tagging": "job=12&a=b%20c"}
    assert query(location)["X-Amz-SignedHeaders"] == "host;x-amz-tagging"


def test_a_client_tags_what_it_puts(ministack: Ministack) -> None:
    # Given
    client = client_at(ministack.url)
    bucket = create_bucket(client)
    locations = S3UploadLocationRepository(bucket, s3_client=client, signed_tags=TAGS)
    config = JobUpload(UploadContext.JOB, UploadType.CONFIG, 12)
    prefix = JobS3Prefix(12, datetime(2025, 10, 23, 21, 15, tzinfo=UTC))
    location = locations.get_upload_location(config, prefix)
    # When it sends the headers, and when it does not
    assert (sent(location.url, {}), sent(location.url, dict(location.headers))) == (403, 200)
    # Then
    answer = client.get_object_tagging(Bucket=bucket, Key=prefix.job_config_key())
    assert {tag["Key"] for tag in answer["TagSet"]} == {"team", "job", "what"}


def test_doctor_says_what_they_need() -> None:
    [finding] = find_tags(TAGS)
    assert finding.what == (
        "uploads get team, job, run, what, which needs s3:PutObjectTagging (docs/iam)"
    )
    assert list(find_tags(NO_TAGS)) == []
