from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.settings import WorkerSettings, load

MIB = 2**20


EXAMPLES = {
    "ARTIFACTS_DATABASE_URL": "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
    "ARTIFACTS_BROKER_URL": "redis://:PASSWORD@HOST:6379/0",
    "ARTIFACTS_BUCKET": "my-artifacts",
    "ARTIFACTS_WORKSPACE": "/srv/simulations",
}


REQUIRED = list(EXAMPLES)


pytestmark = pytest.mark.usefixtures("good")


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_setting_is_named_with_an_example(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # Given
    monkeypatch.delenv(name)
    # When
    with pytest.raises(ConfigurationError) as refused:
        load(WorkerSettings)
    # Then
    assert str(refused.value) == f"{name}: not set (example: {EXAMPLES[name]})"


def test_all_that_is_missing_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    for name in REQUIRED:
        monkeypatch.delenv(name)
    # When
    with pytest.raises(ConfigurationError) as refused:
        load(WorkerSettings)
    # Then
    parts = str(refused.value).split("; ")
    assert sorted(part.split(":")[0] for part in parts) == sorted(REQUIRED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "hunter2"),
        ("DATABASE_URL", "postgres://u:hunter2@h/db"),
        # The host was forgotten: what stands in the port's place is the password.
        ("DATABASE_URL", "postgresql://u:hunter2"),
        ("DATABASE_URL", "postgresql+hunter2://u@h/db"),
        ("DATABASE_URL", "postgresql+psycopg2://u:hunter2@h/db"),
        # The end of the password would count as the host, which errors quote.
        ("DATABASE_URL", "postgresql+psycopg://u:p@hunter2@h/db"),
        ("BROKER_URL", ""),
        ("BROKER_URL", "hunter2"),
        ("BROKER_URL", "kafka://u:hunter2@h//"),
        ("BROKER_URL", "amqps://h//?ssl_ca_certs=/hunter2"),
        ("BROKER_URL", "amqp://u:hunter2@"),
        ("BROKER_URL", "amqp://u:hunter2@h:hunter2/"),
        ("BROKER_URL", "amqp://u:p@h/?hunter2=1"),
        ("BROKER_URL", "redis://u:hunter2@h:hunter2/0"),
        ("BROKER_URL", "redis://:hunter2@h/hunter2"),
        ("BROKER_URL", "redis://h/0;amqp://u:hunter2@h//"),
        ("BROKER_URL", "redis://:p?hunter2=1@h/0"),
        ("BROKER_URL", "redis://h/0?hunter2=1"),
        ("BROKER_URL", "rediss://h/0?ssl_cert_reqs=hunter2"),
        ("BROKER_URL", "rediss://h/0?ssl_ca_certs=/hunter2"),
        ("BROKER_URL", "redis+socket://"),
        ("BROKER_URL", "redis+socket:///run/redis.sock?hunter2=1"),
        ("BUCKET", ""),
        ("BUCKET", "h2"),
        ("BUCKET", "hunter2" * 10),
        ("BUCKET", "hunter2/jobs"),
        ("S3_ENDPOINT_URL", ""),
        ("S3_ENDPOINT_URL", "hunter2:9000"),
        ("S3_ENDPOINT_URL", "http://"),
        ("S3_ENDPOINT_URL", "http://u:hunter2@h:hunter2"),
        ("S3_ENDPOINT_URL", "http://u:hunter2@h"),
        ("S3_ENDPOINT_URL", "ftp://hunter2"),
        ("S3_ENDPOINT_URL", "http://h/?hunter2=1"),
        ("S3_PUBLIC_ENDPOINT_URL", ""),
        ("S3_PUBLIC_ENDPOINT_URL", "hunter2:9000"),
        ("S3_PUBLIC_ENDPOINT_URL", "https://u:hunter2@h"),
        ("S3_PUBLIC_ENDPOINT_URL", "https://h/#hunter2"),
        ("S3_ADDRESSING", "hunter2"),
        ("WORKSPACE", ""),
        ("WORKSPACE", "/nowhere/hunter2"),
        ("WORKSPACE", "/" + "hunter2" * 100),
        ("WORKSPACE", __file__),
        ("SSE", "hunter2"),
        ("MAX_ATTEMPTS", "hunter2"),
        ("MAX_ATTEMPTS", "0"),
        ("MAX_ATTEMPTS", "1001"),
        ("BACKOFF_BASE_SECONDS", "0"),
        ("BACKOFF_BASE_SECONDS", "nan"),
        ("BACKOFF_BASE_SECONDS", "inf"),
        ("BACKOFF_CAP_SECONDS", "-1"),
        ("BACKOFF_CAP_SECONDS", "1e300"),
        ("LEASE_SECONDS", "hunter2"),
        ("LEASE_SECONDS", "0.5"),
        ("LEASE_SECONDS", "3601"),
        ("MULTIPART_THRESHOLD", str(5 * MIB - 1)),
        ("MULTIPART_THRESHOLD", "16 megs"),
        ("PART_SIZE", str(5 * MIB - 1)),
        ("PART_SIZE", str(5 * 1024 * MIB + 1)),
        ("TRANSFER_THREADS", "0"),
        ("TRANSFER_THREADS", "65"),
        ("DISPATCH_PAGE", "0"),
        ("DISPATCH_PAGE", "10001"),
        ("LOG_FORMAT", "hunter2"),
        ("TRACING", "hunter2"),
        ("HISTORY_DAYS", "0.5"),
        ("HISTORY_DAYS", "-90"),
        ("DISPATCH_UNCLAIMED_SECONDS", "-1"),
        ("DISPATCH_UNCLAIMED_SECONDS", "inf"),
        ("DISPATCH_REPUBLISH_SECONDS", "0"),
        ("DISPATCH_REPUBLISH_SECONDS", "1e300"),
    ],
)
def test_a_bad_value_is_named_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    # Given
    monkeypatch.setenv(f"ARTIFACTS_{name}", value)
    # When
    with pytest.raises(ConfigurationError) as refused:
        load(WorkerSettings)
    # Then
    message = str(refused.value)
    assert message.startswith(f"ARTIFACTS_{name}: ")
    assert "\n" not in message
    assert "hunter2" not in message
    assert "; " not in message, "only what is wrong"
    # And: not by way of the cause, which a traceback would show
    assert refused.value.__suppress_context__


def test_what_is_not_set_has_its_default(good: dict[str, str]) -> None:
    # When
    settings = load(WorkerSettings)
    # Then
    given = {name.removeprefix("ARTIFACTS_").lower() for name in good}
    assert settings.workspace == Path(good["ARTIFACTS_WORKSPACE"])
    assert settings.model_dump(exclude=given) == {
        "workspace_name": None,
        "database_iam": False,
        "log_format": "console",
        "tracing": False,
        "broker_prefix": "",
        "broker_ca_file": None,
        "broker_master_name": "",
        "broker_sentinel_password": "",
        "database_prepare_threshold": None,
        "store": "",
        "other_stores": "",
        "s3_public_endpoint_url": None,
        "s3_addressing": "auto",
        "sse": None,
        "liveness_file": None,
        "kms_key_id": None,
        "url_expires": 3600,
        "download_url_expires": 24 * 3600,
        "url_signs_encryption": False,
        "s3_tags": "",
        "url_signs_tags": False,
        "max_attempts": 10,
        "backoff_base_seconds": 2,
        "backoff_cap_seconds": 600,
        "lease_seconds": 60,
        "multipart_threshold": 16 * MIB,
        "part_size": 16 * MIB,
        "transfer_threads": 4,
        "bandwidth": None,
        "zip_times": "drop",
        "s3_conditional_writes": True,
        "s3_checksum": "sha256",
        "s3_copies": "store",
        "s3_deletes": "checksum",
        "s3_timeout_seconds": 60,
        "breaker_failures": 5,
        "breaker_seconds": 30,
        "abandoned_upload_hours": 168,
        "history_days": None,
        "page_size": 32,
        "page_threads": 8,
        "manifest": True,
        "retention": False,
        "audit": False,
        "audit_pages": 10,
        "events": False,
        "events_task": None,
        "events_url": None,
        "events_targets": "",
        "events_queue": "events",
        "events_secret": "",
        "events_timeout_seconds": 10.0,
        "dispatch_page": 500,
        "dispatch_queue_limit": 10_000,
        "dispatch_unclaimed_seconds": 15,
        "dispatch_republish_seconds": 300,
    }
    assert settings.lease == timedelta(minutes=1)


def test_failures_are_remembered_for_longer_than_it_takes_to_fail_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given
    assert load(WorkerSettings).failures_forgotten_after == timedelta(minutes=10)
    # When
    monkeypatch.setenv("ARTIFACTS_BREAKER_SECONDS", "900")
    # Then
    assert load(WorkerSettings).failures_forgotten_after > timedelta(seconds=2 * 900 + 3 * 65)


def test_settings_do_not_change() -> None:
    # Given
    settings = load(WorkerSettings)
    # When / Then
    with pytest.raises(ValidationError, match="frozen"):
        settings.bucket = "another"  # type: ignore[misc] # which is the point
