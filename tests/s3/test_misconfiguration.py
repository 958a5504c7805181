"""Wrong settings of AWS: each is one line that names it, whenever botocore notices."""

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import botocore.exceptions
import pytest
from botocore.exceptions import BotoCoreError

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    ConfigurationError,
    MisconfiguredError,
    RefusedByStoreError,
    StoreUnavailableError,
    TransferError,
)
from artifact_pipeline.worker.diagnosis.bucket import reach_bucket
from artifact_pipeline.worker.embedded.servers import free_port
from artifact_pipeline.worker.s3.client import make_client, make_regional_client
from artifact_pipeline.worker.s3.errors import translated_errors

CONFIG = """
[profile incomplete]
aws_access_key_id = x
[profile unknown-region]
region = no way
[profile orphan]
role_arn = arn:aws:iam::1:role/x
source_profile = nobody
[profile signed-out]
sso_session = company
sso_account_id = 1
sso_role_name = x
[sso-session company]
sso_region = us-east-1
sso_start_url = https://company.example/start
"""
# By the error that is raised; all others are RefusedByStoreError.
PASSING = {
    *("HTTPClientError", "ConnectionClosedError", "ReadTimeoutError", "ResponseStreamingError"),
    *("ConnectionError", "EndpointConnectionError", "SSLError", "ConnectTimeoutError"),
    *("ProxyConnectionError", "IncompleteReadError"),
    *("CredentialRetrievalError", "MetadataRetrievalError"),
}
DENIED = {"NoCredentialsError"}
OF_ONE_REQUEST = {
    # Of what is asked, and not of how it is asked.
    *("BotoCoreError", "ParamValidationError", "ValidationError", "MissingParametersError"),
    *("UnknownKeyError", "RangeError", "UnknownParameterError", "AliasConflictParameterError"),
    *("InvalidDNSNameError", "UnsupportedS3ArnError", "UnsupportedS3ControlArnError"),
    *("InvalidHostLabelError", "UnsupportedOutpostResourceError", "UnknownServiceStyle"),
    *("PaginationError", "OperationNotPageableError", "UnknownClientMethodError"),
    *("ChecksumError", "FlexibleChecksumError", "AwsChunkedWrapperError", "UnseekableStreamError"),
    *("MD5UnavailableError", "CapacityNotAvailableError", "UnsupportedServiceProtocolsError"),
    # Of parts of botocore that are not used.
    *("WaiterError", "WaiterConfigError", "InvalidExpressionError"),
    *("StubResponseError", "StubAssertionError", "UnStubbedResponseError"),
}


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """AWS's settings in the environment: a config file, a region, and no credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def reach(endpoint_url: str | None = None) -> None:
    """Do what a worker does at its start."""
    url = endpoint_url or f"http://127.0.0.1:{free_port()}"
    reach_bucket(make_client(url, threads=1, bucket="artifacts"), "artifacts")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"AWS_PROFILE": "prod-x"}, "AWS_PROFILE=prod-x: no such profile. "),
        ({"AWS_DEFAULT_PROFILE": "prod-x"}, "AWS_DEFAULT_PROFILE=prod-x: no such profile. "),
        ({"AWS_PROFILE": "unknown-region"}, "AWS_DEFAULT_REGION=no way: not a region. "),
        ({"AWS_DEFAULT_REGION": "eu west"}, "AWS_DEFAULT_REGION=eu west: not a region. "),
        ({"AWS_PROFILE": "incomplete"}, "aws_secret_access_key: missing, "),
        ({"AWS_ACCESS_KEY_ID": "x"}, "AWS_SECRET_ACCESS_KEY: missing, "),
        (
            {"AWS_PROFILE": "orphan"},
            'AWS settings: InvalidConfigError: The source_profile "nobody"',
        ),
        ({"AWS_PROFILE": "signed-out"}, "AWS_PROFILE=signed-out: it is signed out. Run `aws sso"),
        ({"AWS_DEFAULTS_MODE": "x"}, "AWS settings: InvalidDefaultsMode: "),
        ({"HTTP_PROXY": "http://me:hunter2@[bad"}, "HTTP_PROXY: no URL of a proxy (example: "),
        ({"http_proxy": "ftp://proxy"}, "http_proxy: no URL of a proxy (example: "),
        (
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/"},
            "AWS settings: Unsupported host ",
        ),
        (
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/none"},
            "AWS_WEB_IDENTITY_TOKEN_FILE=/none: No such file or directory. ",
        ),
    ],
    ids=str,
)
def test_a_wrong_setting_is_one_line_that_names_it(
    aws: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    # Given
    for name, value in settings.items():
        aws.setenv(name, value)
    # When
    with pytest.raises(MisconfiguredError) as refused:
        reach()
    # Then
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert isinstance(refused.value, ConfigurationError)


@pytest.mark.parametrize(
    "settings",
    [
        {"HTTPS_PROXY": "proxy:3128"},
        {"HTTPS_PROXY": "http://[bad", "NO_PROXY": "amazonaws.com"},
        {"HTTP_PROXY": "http://[bad"},
    ],
)
def test_a_proxy_that_is_right_or_not_used(
    aws: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    for name, value in settings.items():
        aws.setenv(name, value)
    make_client(None, threads=1, bucket="artifacts")


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_file_that_cannot_be_read_is_named(
    aws: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    # Given
    (tmp_path / "broken").write_text("no section\n")
    aws.setenv(variable, str(tmp_path / "broken"))
    # When / Then
    with pytest.raises(MisconfiguredError, match=f"^{variable}={tmp_path}/broken: no valid AWS"):
        reach()


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file or directory"), ("no certificate", "no certificates in PEM format")],
)
def test_a_ca_bundle_that_is_none_is_named(
    aws: pytest.MonkeyPatch, tmp_path: Path, content: str | None, why: str
) -> None:
    # Given
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    aws.setenv("AWS_CA_BUNDLE", str(bundle))
    # When / Then
    with pytest.raises(MisconfiguredError, match=f"^AWS_CA_BUNDLE={bundle}: {why}"):
        reach("https://127.0.0.1:1")


@pytest.mark.parametrize("variable", ["ARTIFACTS_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_an_endpoint_that_botocore_refuses_is_named(aws: pytest.MonkeyPatch, variable: str) -> None:
    # Given
    aws.setenv(variable, "http://my_host:9000")
    given = "http://my_host:9000" if variable.startswith("ARTIFACTS_") else None
    # When / Then
    with pytest.raises(MisconfiguredError, match=f"^{variable}: no valid host"):
        make_client(given, threads=1, bucket="artifacts")


def test_a_regional_client_names_the_profile_too(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_PROFILE", "prod-x")
    with pytest.raises(MisconfiguredError, match=r"^AWS_PROFILE=prod-x: "):
        make_regional_client("artifacts", None)


def test_credentials_that_cannot_be_fetched_now_are_no_wrong_setting(
    aws: pytest.MonkeyPatch,
) -> None:
    aws.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    aws.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(StoreUnavailableError, match="CredentialRetrievalError"):
        reach()


def every(error: type[BotoCoreError] = BotoCoreError) -> Iterator[type[BotoCoreError]]:
    yield error
    for child in error.__subclasses__():
        if child.__module__ == botocore.exceptions.__name__:
            yield from every(child)


@pytest.mark.parametrize("error", sorted(set(every()), key=str), ids=lambda e: e.__name__)
def test_every_error_of_botocore_was_looked_at(error: type[BotoCoreError]) -> None:
    # Given
    made = error.__new__(error)
    made.kwargs = dict.fromkeys(("profile", "path", "region_name", "cred_var", "provider"), "x")
    # When
    with pytest.raises(TransferError) as caught, translated_errors():
        raise made
    # Then a new class has to be put into one of the lists
    expected: type[TransferError] = MisconfiguredError
    for names, meaning in (
        (PASSING, StoreUnavailableError),
        (DENIED, AccessDeniedError),
        (OF_ONE_REQUEST, RefusedByStoreError),
    ):
        if error.__name__ in names:
            expected = meaning
    assert type(caught.value) is expected


def test_the_session_of_a_caller_has_its_own_credentials(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_PROFILE", "incomplete")
    session = boto3.Session("id", "key", region_name="us-east-1")
    assert make_client("http://127.0.0.1:1", threads=1, session=session)
