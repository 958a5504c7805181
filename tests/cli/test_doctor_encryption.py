"""What `artifacts doctor` thinks of a bucket's default encryption."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from artifact_pipeline.worker.diagnosis.bucket import examine_bucket
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.s3.encryption import Encryption
from tests.s3.steps import client_at

KEY = "11111111-2222-3333-4444-555555555555"
AES256 = {"SSEAlgorithm": "AES256"}


def by_kms(key: str | None) -> dict[str, str]:
    return {"SSEAlgorithm": "aws:kms"} | ({} if key is None else {"KMSMasterKeyID": key})


@pytest.mark.parametrize(
    ("default", "wanted", "severity"),
    [
        (AES256, Encryption(), Severity.OK),
        (by_kms(KEY), Encryption(), Severity.OK),
        (AES256, Encryption("AES256"), Severity.OK),
        (by_kms(KEY), Encryption("AES256"), Severity.OK),
        # Without a key's id S3 takes its own, and not the bucket's.
        (by_kms(None), Encryption("aws:kms"), Severity.OK),
        (by_kms(KEY), Encryption("aws:kms"), Severity.WARNING),
        (by_kms(None), Encryption("aws:kms:dsse"), Severity.WARNING),
        (AES256, Encryption("aws:kms", KEY), Severity.WARNING),
        (by_kms(KEY), Encryption("aws:kms", KEY), Severity.OK),
        (by_kms(f"arn:aws:kms:eu-west-1:1:key/{KEY}"), Encryption("aws:kms", KEY), Severity.OK),
        (by_kms("another"), Encryption("aws:kms", KEY), Severity.WARNING),
        (by_kms(None), Encryption("aws:kms", KEY), Severity.WARNING),
        (by_kms(None), Encryption("aws:kms", "alias/aws/s3"), Severity.OK),
        # Which key has an alias, only KMS knows.
        (by_kms("alias/ours"), Encryption("aws:kms", KEY), Severity.OK),
        # Clients send the encryption that their URLs sign, so the default does not matter.
        (by_kms("another"), None, Severity.OK),
    ],
)
def test_the_default_is_what_clients_uploads_need(
    default: dict[str, str], wanted: Encryption | None, severity: Severity
) -> None:
    rules: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    client = client_at(None)
    with Stubber(client) as stub:
        now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        listed: Any = {"ResponseMetadata": {"HTTPHeaders": {"date": now}, "HTTPStatusCode": 200}}
        stub.add_response("list_objects_v2", listed)
        stub.add_response("get_bucket_encryption", {"ServerSideEncryptionConfiguration": rules})
        stub.add_client_error("get_bucket_policy", "NoSuchBucketPolicy")
        stub.add_response("get_bucket_lifecycle_configuration", {})
        findings = {each.check: each for each in examine_bucket(client, "bucket", wanted)}
    assert findings["bucket encryption"].severity is severity, findings
