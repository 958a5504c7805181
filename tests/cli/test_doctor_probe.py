"""`artifacts doctor --probe`, as a command."""

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.diagnosis.probe.table import CHECKS
from artifact_pipeline.worker.embedded.servers import Ministack
from tests.cli.commands import Command
from tests.stores.test_probe import is_empty

pytestmark = pytest.mark.processes


def test_it_needs_the_settings_of_the_bucket_alone(
    artifacts_forked: Command, ministack: Ministack, bucket: str, s3_client: S3Client
) -> None:
    # When
    answer = artifacts_forked(
        *("doctor", "--only", "bucket", "--probe", "--json"),
        ARTIFACTS_BUCKET=bucket,
        ARTIFACTS_S3_ENDPOINT_URL=ministack.url,
        AWS_ACCESS_KEY_ID="tests",
        AWS_SECRET_ACCESS_KEY="tests-secret",
        AWS_DEFAULT_REGION="us-east-1",
    )
    # Then
    assert answer.status == Severity.WARNING  # no rule aborts abandoned uploads
    probed = [each for each in answer.json if each["check"].startswith("probe ")]
    assert [each["check"] for each in probed] == [*(c.name for c in CHECKS), "probe removal"]
    assert {each["severity"] for each in probed} == {"ok"}
    assert is_empty(s3_client, bucket)


def test_a_wrong_setting_of_the_bucket_is_a_finding(artifacts_forked: Command) -> None:
    answer = artifacts_forked("doctor", "--only", "bucket", "--probe", "--json")
    assert answer.status == Severity.ERROR
    [finding] = answer.json
    assert finding["check"] == "settings"
    assert "ARTIFACTS_BUCKET" in finding["what"]
