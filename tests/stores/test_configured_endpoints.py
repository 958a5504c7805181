"""Which endpoint counts, and where the bucket stands: as boto3 has it, and as our settings say."""

import os
from itertools import product
from pathlib import Path
from typing import Any

import boto3
import pytest

from artifact_pipeline.domain.errors import ConfigurationError, MisconfiguredError
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.composition.bucket_adapters import BucketAdapters
from artifact_pipeline.worker.diagnosis.endpoints import examine_endpoints
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.s3.endpoints import ConfiguredEndpoint
from artifact_pipeline.worker.settings import BucketSettings, load

OWN = "http://own:9000"
KEY = "jobs/1/2025/10/23/211500/x.json"
IS_IP = "is an IP address, which takes no bucket's name before it"
VARIABLES = {
    "AWS_ENDPOINT_URL_S3": "http://variable-of-s3:9000",
    "AWS_ENDPOINT_URL": "http://variable:9000",
}
PROFILES = {
    None: None,
    "plain": None,
    "of-all": "http://profile:9000",
    "of-s3": "http://services:9000",
    "of-others": "http://profile:9000",
    "ignoring": None,
}
CONFIG = """
[profile plain]
region = eu-central-1
[profile of-all]
endpoint_url = http://profile:9000
[profile of-s3]
endpoint_url = http://profile:9000
services = store
[profile of-others]
endpoint_url = http://profile:9000
services = others
[profile ignoring]
endpoint_url = http://profile:9000
ignore_configured_endpoint_urls = true
[profile astray]
services = nowhere
[services store]
s3 =
  endpoint_url = http://services:9000
dynamodb =
  endpoint_url = http://dynamodb:9000
[services others]
dynamodb =
  endpoint_url = http://dynamodb:9000
"""


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment with credentials, a region and the profiles, and nothing else of AWS's."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "ARTIFACTS_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text(CONFIG)
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests-secret",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "ARTIFACTS_BUCKET": "b12",
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("profile", PROFILES)
def test_the_endpoint_is_the_one_that_boto3_chooses(
    aws: pytest.MonkeyPatch, profile: str | None
) -> None:
    if profile is not None:
        aws.setenv("AWS_PROFILE", profile)
    for ignores, given in product((False, True), ((True, True), (False, True), (False, False))):
        # Given
        aws.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", str(ignores).lower())
        if profile == "ignoring" and not ignores:
            aws.delenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
        for (name, url), is_given in zip(VARIABLES.items(), given, strict=True):
            aws.setenv(name, url) if is_given else aws.delenv(name, raising=False)
        # When
        session = boto3.Session()
        found = ConfiguredEndpoint.find(None, session)
        # Then
        theirs = session.client("s3").meta.endpoint_url
        assert theirs == (found.url if found else "https://s3.eu-central-1.amazonaws.com")
    assert make_client(None, 1, session).meta.endpoint_url == theirs
    # And: our own comes before all others
    own = ConfiguredEndpoint.find(OWN, boto3.Session())
    assert own == ConfiguredEndpoint(OWN, "ARTIFACTS_S3_ENDPOINT_URL")
    assert make_client(OWN, 1).meta.endpoint_url == OWN


@pytest.mark.parametrize(
    ("profile", "source"),
    [
        ("of-s3", "endpoint_url in services 'store' of the profile 'of-s3' of the AWS config file"),
        ("of-all", "endpoint_url in the profile 'of-all' of the AWS config file"),
    ],
)
def test_an_endpoint_of_the_profile_says_where_it_stands(
    aws: pytest.MonkeyPatch, profile: str, source: str
) -> None:
    aws.setenv("AWS_PROFILE", profile)
    found = ConfiguredEndpoint.find(None, boto3.Session())
    assert found == ConfiguredEndpoint(str(PROFILES[profile]), source)


def test_a_section_of_services_that_is_missing_is_named(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_PROFILE", "astray")
    with pytest.raises(MisconfiguredError, match="nowhere"):
        make_client(None, 1)


def test_a_url_of_the_profile_that_is_none_is_named(
    aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[default]\nendpoint_url = http://my_host:9000\n")
    with pytest.raises(MisconfiguredError) as refused:
        make_client(None, 1)
    place = "endpoint_url in the profile 'default' of the AWS config file"
    assert str(refused.value).startswith(f"{place}: no valid host. Example: ")
    assert aws


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://minio:port", "not a URL: check the host and the port"),
        ("http://minio:99999", "not a URL: check the host and the port"),
        ("http://[::1", "not a URL: check the host and the port"),
        ("minio:9000", "the scheme or the host is missing. Example: https://s3.example.com"),
        ("http://", "the scheme or the host is missing. Example: https://s3.example.com"),
        ("http://minio/?x=1", "remove the query after the ? or #. Example: https://s3.example.com"),
        ("http://minio minio", "no valid host. Example: https://s3.example.com"),
    ],
)
def test_an_endpoint_of_awss_variables_that_is_none_is_named(
    aws: pytest.MonkeyPatch, url: str, why: str
) -> None:
    aws.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(MisconfiguredError) as refused:
        make_client(None, 1)
    assert str(refused.value) == f"AWS_ENDPOINT_URL: {why}"


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_endpoint_of_awss_variables_counts_everywhere(
    aws: pytest.MonkeyPatch, variable: str
) -> None:
    # Given
    aws.setenv(variable, "http://minio:9000")
    adapters = BucketAdapters(load(BucketSettings))
    here = ObjectAddress("b12", KEY)
    by_path = f"http://minio:9000/b12/{KEY}"
    # When / Then: recorded, signed and read back in the same form
    assert adapters.store.location(KEY).url == by_path
    assert adapters.results.get_download_url(by_path).sanitized == by_path
    assert adapters.address_of(by_path) == here
    assert adapters.address_of(f"https://b12.s3.amazonaws.com/{KEY}") == here


def test_credentials_in_an_endpoint_are_neither_recorded_nor_shown(
    aws: pytest.MonkeyPatch,
) -> None:
    aws.setenv("AWS_ENDPOINT_URL", "http://user:hunter2@minio:9000")
    store = BucketAdapters(load(BucketSettings)).store
    assert store.location(KEY).url == f"http://minio:9000/b12/{KEY}"
    assert store.endpoint == "minio:9000"


def test_doctor_says_which_endpoint_counts(aws: pytest.MonkeyPatch) -> None:
    def said() -> str:
        (finding,) = examine_endpoints(load(BucketSettings))
        assert (finding.check, finding.severity) == ("S3 endpoint", Severity.OK)
        return finding.what

    assert said() == "AWS; the bucket is in the host"
    aws.setenv("AWS_ENDPOINT_URL", "http://user:hunter2@variable:9000")
    assert said() == "http://variable:9000, AWS_ENDPOINT_URL; the bucket is in the path"
    aws.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert said() == (
        "AWS; the bucket is in the host; not used: AWS_ENDPOINT_URL, because of"
        " AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
    )
    aws.delenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
    aws.setenv("AWS_PROFILE", "ignoring")
    assert said().endswith("because of ignore_configured_endpoint_urls in the AWS profile")
    aws.setenv("ARTIFACTS_S3_ENDPOINT_URL", OWN)
    aws.setenv("ARTIFACTS_S3_ADDRESSING", "virtual")
    assert said() == (
        "http://own:9000, ARTIFACTS_S3_ENDPOINT_URL; the bucket is in the host; not used:"
        " AWS_ENDPOINT_URL, because of ARTIFACTS_S3_ENDPOINT_URL"
    )


class TestAddressing:
    @pytest.mark.parametrize(
        ("endpoint", "addressing", "url"),
        [
            (None, "auto", "https://b12.s3.eu-central-1.amazonaws.com"),
            (None, "virtual", "https://b12.s3.eu-central-1.amazonaws.com"),
            (None, "path", "https://s3.eu-central-1.amazonaws.com/b12"),
            (OWN, "auto", "http://own:9000/b12"),
            (OWN, "path", "http://own:9000/b12"),
            (OWN, "virtual", "http://b12.own:9000"),
        ],
    )
    def test_it_is_that_of_every_url(
        self, aws: pytest.MonkeyPatch, endpoint: str | None, addressing: str, url: str
    ) -> None:
        # Given
        if endpoint is not None:
            aws.setenv("ARTIFACTS_S3_ENDPOINT_URL", endpoint)
        aws.setenv("ARTIFACTS_S3_ADDRESSING", addressing)
        adapters = BucketAdapters(load(BucketSettings))
        # When / Then
        recorded = adapters.store.location(KEY).url
        assert recorded == f"{url}/{KEY}"
        assert adapters.results.get_download_url(recorded).sanitized == recorded
        assert adapters.address_of(recorded) == ObjectAddress("b12", KEY)

    @pytest.mark.parametrize(
        ("settings", "why"),
        [
            ({"S3_ENDPOINT_URL": "https://10.0.0.5:9000"}, f"10.0.0.5:9000 {IS_IP}"),
            ({"S3_PUBLIC_ENDPOINT_URL": "http://[::1]"}, f"[::1] {IS_IP}"),
            (
                {"S3_ENDPOINT_URL": "https://own", "BUCKET": "my.data"},
                "no wildcard certificate covers the dot in the bucket's name 'my.data'",
            ),
            (
                {"S3_ENDPOINT_URL": OWN, "BUCKET": "My_Data"},
                "the bucket's name 'My_Data' is not a host name",
            ),
        ],
    )
    def test_a_bucket_that_cannot_stand_in_the_host_is_refused_with_the_settings(
        self, aws: pytest.MonkeyPatch, settings: dict[str, str], why: str
    ) -> None:
        aws.setenv("ARTIFACTS_S3_ADDRESSING", "virtual")
        for name, value in settings.items():
            aws.setenv(f"ARTIFACTS_{name}", value)
        with pytest.raises(ConfigurationError) as refused:
            load(BucketSettings)
        (name, *_) = settings
        said = f"ARTIFACTS_S3_ADDRESSING=virtual: {why} (ARTIFACTS_{name}). Use path, or auto"
        assert str(refused.value) == said

    @pytest.mark.parametrize(
        ("url", "bucket", "why"),
        [
            (None, "my.data", "the dot in the bucket's name 'my.data'. Use path, or auto"),
            ("http://10.0.0.5", "b12", "takes no bucket's name before it (AWS_ENDPOINT_URL). "),
        ],
    )
    def test_where_awss_settings_name_the_endpoint_the_client_refuses_it(
        self, aws: pytest.MonkeyPatch, url: str | None, bucket: str, why: str
    ) -> None:
        # Given
        if url is not None:
            aws.setenv("AWS_ENDPOINT_URL", url)
        # When / Then
        choice: Any = {"bucket": bucket, "addressing": "virtual"}
        with pytest.raises(MisconfiguredError) as refused:
            make_client(None, 1, **choice)
        assert str(refused.value).startswith("ARTIFACTS_S3_ADDRESSING=virtual: ")
        assert why in str(refused.value)

    def test_a_dot_without_tls_is_no_obstacle(self, aws: pytest.MonkeyPatch) -> None:
        aws.setenv("ARTIFACTS_S3_ENDPOINT_URL", OWN)
        aws.setenv("ARTIFACTS_S3_ADDRESSING", "virtual")
        aws.setenv("ARTIFACTS_BUCKET", "my.data")
        adapters = BucketAdapters(load(BucketSettings))
        recorded = adapters.store.location(KEY).url
        assert recorded == f"http://my.data.own:9000/{KEY}"
        assert adapters.address_of(recorded) == ObjectAddress("my.data", KEY)
