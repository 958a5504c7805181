"""Permanent URLs."""

from urllib.request import urlopen

import boto3
import pytest

from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.s3.store import S3ObjectStore
from tests.s3.steps import KEY, put, store_of


def url(bucket: str, key: str, region: str = "eu-central-1", endpoint: str | None = None) -> str:
    session = boto3.Session("tests", "tests-secret", region_name=region)
    store = store_of(make_client(endpoint, threads=1, session=session), bucket)
    return store.location(key).url


@pytest.mark.parametrize(
    ("bucket", "region", "expected"),
    [
        ("artifacts", "eu-central-1", f"https://artifacts.s3.eu-central-1.amazonaws.com/{KEY}"),
        ("artifacts", "cn-north-1", f"https://artifacts.s3.cn-north-1.amazonaws.com.cn/{KEY}"),
        ("my.bucket", "eu-central-1", f"https://s3.eu-central-1.amazonaws.com/my.bucket/{KEY}"),
    ],
    ids=["by host", "in China", "by path where a dot would break the certificate"],
)
def test_on_aws_the_bucket_is_in_the_host(bucket: str, region: str, expected: str) -> None:
    assert url(bucket, KEY, region) == expected


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "https://s3.example.org"])
def test_elsewhere_the_bucket_is_in_the_path(endpoint: str) -> None:
    assert url("artifacts", KEY, endpoint=endpoint) == f"{endpoint}/artifacts/{KEY}"


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:9000"])
def test_a_key_is_quoted(endpoint: str | None) -> None:
    location = url("artifacts", "jobs/12/a b?c#d%e+ü.zip", endpoint=endpoint)
    assert location.endswith("/jobs/12/a%20b%3Fc%23d%25e%2B%C3%BC.zip")


def test_the_url_is_where_the_object_is(store: S3ObjectStore) -> None:
    # Given
    key = "jobs/12/a b+ü.json"
    put(store, b"{}", key=key)
    # When / Then
    with urlopen(store.location(key).url) as answer:  # noqa: S310 - our own server
        assert answer.read() == b"{}"
