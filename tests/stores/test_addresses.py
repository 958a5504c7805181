"""Every form of an object's URL: what it means, and that what is recorded is read back."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.addresses import parse_address
from artifact_pipeline.domain.model.endpoints import Endpoint
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.s3.endpoints import Addressing, endpoint_of
from artifact_pipeline.worker.s3.presign import Presigner
from tests.s3.steps import answer_of, store_of

KEY = "jobs/1/2025/10/23/211500/x.json"
MINIO = "http://minio:9000"
PLAIN_TLS = "https://minio.example.org"
SUPABASE = "https://x.supabase.co/storage/v1/s3"
R2 = "https://acc.r2.cloudflarestorage.com"
VPCE = "vpce-0a1b-c2d3.s3.us-east-1.vpce.amazonaws.com"
HERE = ObjectAddress("b12", KEY)

MEANT: list[tuple[str, str | None, ObjectAddress]] = [
    # A port that is the default of its scheme, and one that is not.
    ("https://minio.example.org/b12/{key}", "https://minio.example.org:443", HERE),
    ("https://minio.example.org:443/b12/{key}", PLAIN_TLS, HERE),
    ("https://minio.example.org:443/b12/{key}", "https://minio.example.org:443", HERE),
    ("http://minio.example.org:80/b12/{key}", "http://minio.example.org", HERE),
    ("http://minio:9000/b12/{key}", MINIO, HERE),
    # A host has no case, and may end with a dot; an address has several spellings.
    ("HTTPS://MINIO.Example.org/b12/{key}", PLAIN_TLS, HERE),
    ("https://minio.example.org/b12/{key}", "https://MINIO.Example.org", HERE),
    ("https://minio.example.org./b12/{key}", PLAIN_TLS, HERE),
    ("http://[::1]:9000/b12/{key}", "http://[0:0:0:0:0:0:0:1]:9000", HERE),
    ("http://[2001:DB8::1]/b12/{key}", "http://[2001:db8::1]", HERE),
    # As before: the scheme does not matter.
    ("http://minio.example.org/b12/{key}", PLAIN_TLS, HERE),
    # A path of the endpoint's own.
    (SUPABASE + "/b12/{key}", SUPABASE, HERE),
    (SUPABASE + "/b12/{key}", SUPABASE + "/", HERE),
    ("https://b12.x.supabase.co/storage/v1/s3/{key}", SUPABASE, HERE),
    ("https://minio.example.org/b12/{key}", PLAIN_TLS + "/", HERE),
    # The bucket in the host, at a store that is not AWS's.
    ("http://b12.minio:9000/{key}", MINIO, HERE),
    ("https://b12.acc.r2.cloudflarestorage.com/{key}", R2, HERE),
    ("https://acc.r2.cloudflarestorage.com/b12/{key}", R2, HERE),
    ("https://my.data.minio.example.org/{key}", PLAIN_TLS, ObjectAddress("my.data", KEY)),
    ("https://minio.example.org/my.data/{key}", PLAIN_TLS, ObjectAddress("my.data", KEY)),
    ("https://minio.example.org/Old_Data/{key}", PLAIN_TLS, ObjectAddress("Old_Data", KEY)),
    # AWS's own forms, also where an endpoint is configured.
    ("https://b12.s3.eu-central-1.amazonaws.com:443/{key}", None, HERE),
    ("https://b12.s3.eu-central-1.amazonaws.com/{key}", MINIO, HERE),
    ("https://my.data.s3.eu-central-1.amazonaws.com/{key}", None, ObjectAddress("my.data", KEY)),
    ("https://b12.s3.amazonaws.com/{key}", None, HERE),
    ("https://s3.amazonaws.com/b12/{key}", None, HERE),
    ("https://b12.s3-us-west-2.amazonaws.com/{key}", None, HERE),
    ("https://s3-external-1.amazonaws.com/b12/{key}", None, HERE),
    ("https://b12.s3.dualstack.eu-central-1.amazonaws.com/{key}", None, HERE),
    ("https://s3.dualstack.eu-central-1.amazonaws.com/b12/{key}", None, HERE),
    ("https://b12.s3-fips.us-east-1.amazonaws.com/{key}", None, HERE),
    ("https://s3-fips-us-gov-west-1.amazonaws.com/b12/{key}", None, HERE),
    ("https://b12.s3-fips.dualstack.us-east-1.amazonaws.com/{key}", None, HERE),
    ("https://b12.s3-accelerate.amazonaws.com/{key}", None, HERE),
    ("https://b12.s3-accelerate.dualstack.amazonaws.com/{key}", None, HERE),
    ("https://b12.s3.cn-north-1.amazonaws.com.cn/{key}", None, HERE),
    ("https://b12.s3.eusc-de-east-1.amazonaws.eu/{key}", None, HERE),
    ("https://s3.eusc-de-east-1.amazonaws.eu/b12/{key}", None, HERE),
    ("https://b12.s3.us-iso-east-1.c2s.ic.gov/{key}", None, HERE),
    # VPC endpoints, whose own label `bucket` is none.
    (f"https://b12.{VPCE}/{{key}}", None, HERE),
    (f"https://b12.bucket.{VPCE}/{{key}}", None, HERE),
    (f"https://bucket.{VPCE}/b12/{{key}}", None, HERE),
    (f"https://bucket.{VPCE}/b12/{{key}}", f"https://bucket.{VPCE}", HERE),
    (f"https://b12.bucket.{VPCE}/{{key}}", f"https://bucket.{VPCE}", HERE),
    (f"https://{VPCE}/b12/{{key}}", None, HERE),
    # Without a host.
    ("s3://b12/{key}", None, HERE),
    ("S3://b12/{key}", None, HERE),
    ("s3a://b12/{key}", None, HERE),
    ("s3n://b12/{key}", None, HERE),
    ("arn:aws:s3:::b12/{key}", None, HERE),
    ("arn:aws-cn:s3:::b12/{key}", None, HERE),
    ("s3://arn:aws:s3:::b12/{key}", None, HERE),
    # The key: a query names none, and a plus is a plus.
    ("https://minio.example.org/b12/{key}?versionId=3", PLAIN_TLS, HERE),
    ("https://b12.s3.amazonaws.com/{key}?versionId=3", None, HERE),
    ("s3://b12/{key}?versionId=3", None, HERE),
    ("http://minio:9000/b12/a%20b+c%2Bd%25%C3%BC", MINIO, ObjectAddress("b12", "a b+c+d%ü")),
    ("https://b12.minio.example.org//a//b/", PLAIN_TLS, ObjectAddress("b12", "/a//b/")),
    ("s3a://b12/a%20b+c", None, ObjectAddress("b12", "a%20b+c")),
    ("arn:aws:s3:::b12/a:b?c=d/e", None, ObjectAddress("b12", "a:b?c=d/e")),
]  # fmt: skip

USE = ". Use s3://BUCKET/KEY"
ACCESS_POINT = f": the URL of an access point does not name its bucket{USE}"
REFUSED: list[tuple[str, str | None, str]] = [
    # Of another service: unknown, whatever it is.
    ("https://s3.example.org/b12/{key}", MINIO, ""),
    ("https://minio.example.org:8443/b12/{key}", PLAIN_TLS, ""),
    ("https://minio.example.org/b12/{key}", "https://minio.example.org:8443", ""),
    ("http://minio:9001/b12/{key}", MINIO, ""),
    ("http://b12.minio:9001/{key}", MINIO, ""),
    ("http://b12.127.0.0.1:9000/{key}", "http://127.0.0.1:9000", ""),
    ("http://minio.example.com/b12/{key}", "http://minio.example.com.br", ""),
    ("http://evilminio.example.org/b12/{key}", "http://minio.example.org", ""),
    ("http://b12.minio.example.org.evil/{key}", "http://minio.example.org", ""),
    ("http://[::2]:9000/b12/{key}", "http://[::1]:9000", ""),
    # Beside the endpoint's path.
    ("https://x.supabase.co/storage/v1/object/b12/{key}", SUPABASE, ""),
    ("https://x.supabase.co/storage/v1/s3b12/{key}", SUPABASE, ""),
    ("https://b12.x.supabase.co/{key}", SUPABASE, ""),
    # Without a key, or no URL.
    ("https://minio.example.org/b12", PLAIN_TLS, ""),
    ("https://b12.minio.example.org/", PLAIN_TLS, ""),
    ("https://minio.example.org:port/b12/{key}", PLAIN_TLS, ""),
    ("/mnt/b12/{key}", MINIO, ""),
    # Of AWS, and of no object.
    ("https://ap-123456789012.s3-accesspoint.us-east-1.amazonaws.com/{key}", None, ACCESS_POINT),
    (
        "https://ap-123456789012.s3-accesspoint-fips.dualstack.us-gov-west-1.amazonaws.com/{key}",
        None,
        ACCESS_POINT,
    ),
    ("https://x.mrap.accesspoint.s3-global.amazonaws.com/{key}", None, ACCESS_POINT),
    (f"https://accesspoint.{VPCE}/{{key}}", None, ACCESS_POINT),
    (f"https://ap-123456789012.accesspoint.{VPCE}/{{key}}", None, ACCESS_POINT),
    ("https://ol-1.s3-object-lambda.us-east-1.amazonaws.com/{key}", None, ACCESS_POINT),
    ("https://ap-1.op-1.s3-outposts.us-east-1.amazonaws.com/{key}", None, ACCESS_POINT),
    ("arn:aws:s3:us-east-1:123456789012:accesspoint/ap/object/{key}", None, ACCESS_POINT),
    ("arn:aws:s3::123456789012:accesspoint/m.mrap/object/{key}", None, ACCESS_POINT),
    ("s3://arn:aws:s3:us-east-1:123456789012:accesspoint/ap/{key}", None, ACCESS_POINT),
    ("arn:aws:s3:::b12", None, f": it is not the ARN of an object{USE}"),
    ("arn:aws:iam::123456789012:role/x", None, f": it is not the ARN of an object{USE}"),
    (
        "https://b12.s3-website-us-east-1.amazonaws.com/{key}",
        None,
        f": a website endpoint can answer with another object{USE}",
    ),
    (
        "https://b12.s3-website.eu-central-1.amazonaws.com/{key}",
        None,
        f": a website endpoint can answer with another object{USE}",
    ),
    (
        "https://b12--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com/{key}",
        None,
        f": directory buckets are not supported{USE}",
    ),
    (f"https://control.{VPCE}/{{key}}", None, f": S3 Control has no objects{USE}"),
    (
        "https://eu-central-1.console.aws.amazon.com/s3/object/b12?prefix={key}",
        None,
        f": it is a page of the AWS console{USE}",
    ),
]

Addressed = tuple[str | None, Addressing, str]
RECORDED: list[Addressed] = [
    (MINIO, "auto", "b12"),
    (MINIO, "virtual", "b12"),
    (MINIO, "virtual", "my.data"),
    (MINIO, "path", "my.data"),
    ("http://127.0.0.1:9000", "auto", "b12"),
    ("http://[::1]:9000", "auto", "b12"),
    ("https://minio.example.org:443", "auto", "b12"),
    ("https://minio.example.org:8443/", "virtual", "b12"),
    ("https://Minio.Example.org", "auto", "my.data"),
    (SUPABASE, "auto", "b12"),
    (SUPABASE, "virtual", "b12"),
    (f"https://bucket.{VPCE}", "auto", "b12"),
    (f"https://bucket.{VPCE}", "virtual", "b12"),
    ("https://s3.dualstack.eu-central-1.amazonaws.com", "auto", "b12"),
    ("https://s3-accelerate.amazonaws.com", "auto", "b12"),
    (None, "auto", "b12"),
    (None, "auto", "my.data"),
    (None, "virtual", "b12"),
    (None, "path", "b12"),
]


def parse(url: str, endpoint: str | None) -> ObjectAddress:
    endpoints = [] if endpoint is None else [Endpoint.of(endpoint)]
    return parse_address(url.replace("{key}", KEY), endpoints)


@pytest.mark.parametrize(("form", "endpoint", "address"), MEANT)
def test_a_form_names_its_object(form: str, endpoint: str | None, address: ObjectAddress) -> None:
    assert parse(form, endpoint) == address


@pytest.mark.parametrize(("form", "endpoint", "why"), REFUSED)
def test_what_names_no_object_is_refused_with_the_reason(
    form: str, endpoint: str | None, why: str
) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        parse(form, endpoint)
    shown = form.replace("{key}", KEY).partition("?")[0].removeprefix("s3://arn")
    assert str(refusal.value).endswith(f"{shown}'{why}")
    assert str(refusal.value).startswith("not the URL of an object in S3: '")


def test_of_two_endpoints_at_one_host_the_longer_path_counts() -> None:
    endpoints = [Endpoint.of(PLAIN_TLS), Endpoint.of(f"{PLAIN_TLS}/public")]
    assert parse_address(f"{PLAIN_TLS}/public/b12/{KEY}", endpoints) == HERE
    assert parse_address(f"{PLAIN_TLS}/b12/{KEY}", endpoints) == HERE


@dataclass(frozen=True)
class Urls:
    """The URLs of one object: in a request, signed, and recorded."""

    sent: str
    signed: UploadLocation
    recorded: str


@pytest.mark.parametrize(("endpoint", "addressing", "bucket"), RECORDED)
@pytest.mark.parametrize("key", [KEY, "jobs/1/a b+ü%2F?c=d#e~(f).json"])
def test_what_is_sent_signed_and_recorded_is_read_back_alike(
    endpoint: str | None, addressing: Addressing, bucket: str, key: str
) -> None:
    # Given
    client = make_client(endpoint, 1, session("eu-central-1"), bucket=bucket, addressing=addressing)
    address = ObjectAddress(bucket, key)
    # When
    urls = urls_of(client, address)
    # Then
    for url in (urls.sent, urls.signed.url, urls.signed.sanitized, urls.recorded):
        assert parse_address(url, [endpoint_of(client)]) == address
        assert spelling(url) == spelling(urls.sent)


@pytest.mark.parametrize("variable", ["AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT"])
@pytest.mark.parametrize("bucket", ["b12", "my.data"])
def test_variants_of_awss_endpoints(
    monkeypatch: pytest.MonkeyPatch, variable: str, bucket: str
) -> None:
    # Given
    monkeypatch.setenv(variable, "true")
    own = boto3.Session("tests", "tests-secret", region_name="us-west-2")
    client = make_client(None, 1, own, bucket=bucket)
    address = ObjectAddress(bucket, KEY)
    # When / Then
    urls = urls_of(client, address)
    assert urls.recorded == urls.signed.sanitized
    assert parse_address(urls.recorded) == address


def test_every_partition_of_aws_is_known() -> None:
    resolver = session("us-east-1")
    for partition in resolver.get_available_partitions():
        region = resolver.get_available_regions("s3", partition)[0]
        client = make_client(None, 1, session(region), bucket="b12")
        recorded = store_of(client, "b12").location(KEY).url
        assert parse_address(recorded) == HERE, partition
        assert recorded == Presigner(client, 60).get(HERE).sanitized


@cache
def session(region: str) -> boto3.Session:
    return boto3.Session("tests", "tests-secret", region_name=region)


def urls_of(client: S3Client, address: ObjectAddress) -> Urls:
    sent: list[str] = []

    def answer(request: AWSPreparedRequest, **_: Any) -> Any:
        sent.append(request.url)
        return answer_of(200, content_length="0")

    hooks: Any = client.meta.events
    hooks.register("before-send.s3.HeadObject", answer)
    client.head_object(Bucket=address.bucket, Key=address.key)
    signed = Presigner(client, 60).get(address)
    return Urls(sent[0], signed, store_of(client, address.bucket).location(address.key).url)


def spelling(url: str) -> tuple[Endpoint, str]:
    """Return the host and the path: what a server sees of a URL."""
    at = Endpoint.of(url)
    return at, at.path
