"""What `artifacts doctor` reads from the policy and the objects of a bucket."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from artifact_pipeline.worker.diagnosis.bucket import examine_bucket
from artifact_pipeline.worker.diagnosis.bucket_policy import find_denied_writes
from artifact_pipeline.worker.diagnosis.findings import Finding, Severity
from artifact_pipeline.worker.s3.encryption import Encryption
from tests.s3.steps import client_at

SSE = "s3:x-amz-server-side-encryption"
NOTHING = Encryption()
AES256 = Encryption("AES256")
KMS = Encryption("aws:kms", "arn:aws:kms:eu-west-1:1:key/1")


def statement(condition: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "Sid": "DenyUnencrypted",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::bucket/*",
        "Condition": condition,
        **changes,
    }


WITHOUT_HEADER = {"Null": {SSE: "true"}}
NOT_AES256 = {"StringNotEquals": {SSE: "AES256"}}
NOT_KMS = {"StringNotLike": {SSE: ["aws:kms*"]}}
OTHER_IF_SENT = {"StringNotEquals": {SSE: "aws:kms"}, "Null": {SSE: "false"}}
ANOTHER = "arn:aws:kms:eu-west-1:1:key/2"
OTHER_KEY = {"StringNotEqualsIfExists": {f"{SSE}-aws-kms-key-id": ANOTHER}}


def found(policy: object, asked: Encryption) -> list[Finding]:
    client = client_at(None)
    with Stubber(client) as stub:
        stub.add_response("get_bucket_policy", {"Policy": json.dumps(policy)})
        return list(find_denied_writes(client, "bucket", asked))


@pytest.mark.parametrize(
    ("condition", "asked", "fix"),
    [
        (WITHOUT_HEADER, NOTHING, "set ARTIFACTS_SSE=AES256, or change the policy"),
        (NOT_AES256, NOTHING, "set ARTIFACTS_SSE=AES256, or change the policy"),
        (NOT_AES256, KMS, "set ARTIFACTS_SSE=AES256, or change the policy"),
        (NOT_KMS, AES256, "set ARTIFACTS_SSE=aws:kms, or change the policy"),
        (OTHER_IF_SENT, AES256, "set ARTIFACTS_SSE=aws:kms, or change the policy"),
        (OTHER_KEY, KMS, f"set ARTIFACTS_KMS_KEY_ID={ANOTHER}, or change the policy"),
    ],
)
def test_a_policy_that_denies_the_uploads_is_an_error(
    condition: dict[str, Any], asked: Encryption, fix: str
) -> None:
    [finding] = found({"Statement": [statement(condition)]}, asked)
    assert finding.severity is Severity.ERROR
    assert finding.what.startswith("DenyUnencrypted denies uploads that ask for ")
    assert finding.fix == fix
    # And a single statement need not be in a list
    assert found({"Statement": statement(condition)}, asked) == [finding]


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (statement(WITHOUT_HEADER), AES256),
        (statement(NOT_AES256), AES256),
        (statement(NOT_KMS), KMS),
        (statement(OTHER_IF_SENT), NOTHING),
        # Not about writes, not about these objects, or about something else as well.
        (statement(WITHOUT_HEADER, Effect="Allow"), NOTHING),
        (statement(WITHOUT_HEADER, Action=["s3:GetObject"]), NOTHING),
        (statement(WITHOUT_HEADER, Resource="arn:aws:s3:::bucket/logs/*"), NOTHING),
        (statement({"Bool": {"aws:SecureTransport": "false"}}), NOTHING),
        (statement({**WITHOUT_HEADER, "StringLike": {"aws:userid": "x"}}), NOTHING),
        (statement({"ForAnyValue:StringEquals": {SSE: "x"}}), NOTHING),
    ],
)
def test_a_policy_that_does_not_deny_them_is_none(given: dict[str, Any], asked: Encryption) -> None:
    assert found({"Statement": [given]}, asked) == []


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucketPolicy", "NotImplemented"])
def test_a_policy_that_cannot_be_read_is_none(code: str) -> None:
    client = client_at(None)
    with Stubber(client) as stub:
        stub.add_client_error("get_bucket_policy", code)
        assert list(find_denied_writes(client, "bucket", NOTHING)) == []


def test_what_a_store_does_not_know_is_no_warning() -> None:
    # Given a store without default encryption, policies and lifecycle rules
    client = client_at(None)
    with Stubber(client) as stub:
        listed: Any = {"ResponseMetadata": {"HTTPHeaders": {}, "HTTPStatusCode": 200}}
        stub.add_response("list_objects_v2", listed)
        for question in ("encryption", "policy", "lifecycle_configuration"):
            stub.add_client_error(f"get_bucket_{question}", "NotImplemented", http_status_code=501)
        # When
        findings = list(examine_bucket(client, "bucket", NOTHING, NOTHING))
    # Then
    assert {each.severity for each in findings} == {Severity.OK}
    said = {each.what for each in findings if each.check != "bucket"}
    assert "this store has none to ask for: NotImplemented" in said


@pytest.mark.parametrize(
    ("code", "asked", "what"),
    [
        (None, NOTHING, "it encrypts by default; the newest object has aws:kms key-1"),
        # The object tells, where the bucket does not.
        ("AccessDenied", NOTHING, "the newest object has aws:kms key-1"),
        (
            "ServerSideEncryptionConfigurationNotFoundError",
            AES256,
            "the newest object has aws:kms key-1, ARTIFACTS_SSE asks for AES256",
        ),
        (
            "ServerSideEncryptionConfigurationNotFoundError",
            NOTHING.with_signing(is_signed=True),
            "the newest object has aws:kms key-1, ARTIFACTS_URL_SIGNS_ENCRYPTION asks for AES256",
        ),
    ],
)
def test_the_newest_object_tells_what_is_encrypted(
    code: str | None, asked: Encryption, what: str
) -> None:
    client, now = client_at(None), datetime.now(UTC)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    default: Any = {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}
    with Stubber(client) as stub:
        listed: Any = {
            "Contents": [
                {"Key": "jobs/1/a", "LastModified": now - timedelta(days=1)},
                {"Key": "jobs/1/b", "LastModified": now},
                {"Key": "jobs/1/c", "LastModified": now - timedelta(days=2)},
            ],
            "ResponseMetadata": {"HTTPHeaders": {}, "HTTPStatusCode": 200},
        }
        stub.add_response("list_objects_v2", listed)
        head: Any = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1"}
        stub.add_response("head_object", head, {"Bucket": "bucket", "Key": "jobs/1/b"})
        if code:
            stub.add_client_error("get_bucket_encryption", code)
        else:
            stub.add_response("get_bucket_encryption", default)
        stub.add_client_error("get_bucket_policy", "NoSuchBucketPolicy")
        stub.add_response("get_bucket_lifecycle_configuration", {})
        findings = {each.check: each for each in examine_bucket(client, "bucket", asked, asked)}
    finding = findings["bucket encryption"]
    assert (finding.severity, finding.what) == (Severity.OK, what)
