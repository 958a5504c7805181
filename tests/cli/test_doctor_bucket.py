"""What `artifacts doctor` finds in the bucket."""

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from artifact_pipeline.worker.diagnosis.bucket import examine_bucket
from artifact_pipeline.worker.diagnosis.findings import Finding, Severity
from tests.cli.commands import Command
from tests.cli.doctor_steps import ABORT, found, set_lifecycle
from tests.cli.shelf import Shelf

pytestmark = pytest.mark.processes

KMS_KEY = "11111111-2222-3333-4444-555555555555"
EXPIRE = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}}


class TestBucket:
    def test_a_profile_that_is_not_there(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        monkeypatch.setenv("AWS_PROFILE", "prod-x")
        # When
        answer = artifacts("doctor", "--json")
        # Then all the rest is looked at all the same
        assert answer.status == Severity.ERROR
        assert list(found(answer)) == ["error bucket"]
        assert "AWS_PROFILE=prod-x: no such profile" in answer.out
        assert {"broker", "database", "workspace"} <= {each["check"] for each in answer.json}
        assert healthy

    def test_one_whose_examination_fails_in_a_way_that_nobody_thought_of(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> Iterator[Finding]:
            raise RuntimeError("https://user:hunter2@host/")

        monkeypatch.setattr("artifact_pipeline.worker.diagnosis.s3_store.examine_bucket", fail)
        answer = artifacts("doctor", "--json")
        assert list(found(answer)) == ["error bucket"]
        assert "hunter2" not in answer.out + answer.err
        assert {"broker", "database", "workspace"} <= {each["check"] for each in answer.json}
        assert healthy

    def test_one_that_is_not_there(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARTIFACTS_BUCKET", "nobodys")
        answer = artifacts("doctor", "--json")
        assert list(found(answer)) == ["error bucket"]
        assert healthy

    def test_one_that_keeps_abandoned_parts(self, artifacts: Command, healthy: Shelf) -> None:
        healthy.client.delete_bucket_lifecycle(Bucket=healthy.bucket)
        answer = artifacts("doctor", "--json")
        assert answer.status == Severity.WARNING
        fix = found(answer)["warning bucket lifecycle"]
        assert fix.startswith("aws s3api put-bucket-lifecycle-configuration --bucket ")

    @pytest.mark.parametrize(
        "rule", [EXPIRE | {"Expiration": {"Days": 30}}, ABORT | {"Status": "Disabled"}]
    )
    def test_rules_that_are_there_are_not_replaced(
        self, artifacts: Command, healthy: Shelf, rule: Mapping[str, Any]
    ) -> None:
        set_lifecycle(healthy, rule)
        fix = found(artifacts("doctor", "--json"))["warning bucket lifecycle"]
        assert "put-bucket" not in fix

    def test_what_s3_refuses_to_tell_is_no_finding_but_a_question(self, healthy: Shelf) -> None:
        with answering(
            healthy,
            head_object="403",
            get_bucket_encryption="AccessDenied",
            get_bucket_lifecycle_configuration="AccessDenied",
        ) as client:
            findings = {each.check: each for each in examine_bucket(client, healthy.bucket)}
        assert findings["bucket reading"].severity is Severity.ERROR
        assert "s3:GetObject" in findings["bucket reading"].fix
        assert findings["bucket encryption"].severity is Severity.WARNING
        assert "s3:GetEncryptionConfiguration" in findings["bucket encryption"].fix
        assert "s3:GetLifecycleConfiguration" in findings["bucket lifecycle"].fix

    def test_one_that_does_not_encrypt_by_itself(self, healthy: Shelf) -> None:
        code = "ServerSideEncryptionConfigurationNotFoundError"
        with answering(healthy, get_bucket_encryption=code) as client:
            findings = {each.check: each for each in examine_bucket(client, healthy.bucket)}
        assert findings["bucket encryption"].severity is Severity.WARNING
        assert "put-bucket-encryption" in findings["bucket encryption"].fix

    def test_one_that_encrypts_clients_uploads_by_another_key(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a bucket that encrypts by S3's own keys, and workers that ask for one of KMS
        monkeypatch.setenv("ARTIFACTS_SSE", "aws:kms")
        monkeypatch.setenv("ARTIFACTS_KMS_KEY_ID", KMS_KEY)
        # When
        fix = found(artifacts("doctor", "--json"))["warning bucket encryption"]
        # Then it says how the default becomes that key, and it does
        command, _, setting = fix.partition(", or set ")
        assert setting == "ARTIFACTS_URL_SIGNS_ENCRYPTION=true"
        *_, rules = shlex.split(command)
        healthy.client.put_bucket_encryption(
            Bucket=healthy.bucket, ServerSideEncryptionConfiguration=json.loads(rules)
        )
        assert found(artifacts("doctor", "--json")) == {}

    def test_where_urls_sign_the_encryption_its_default_does_not_matter(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARTIFACTS_SSE", "aws:kms")
        monkeypatch.setenv("ARTIFACTS_KMS_KEY_ID", KMS_KEY)
        monkeypatch.setenv("ARTIFACTS_URL_SIGNS_ENCRYPTION", "true")
        assert found(artifacts("doctor", "--json")) == {}
        assert healthy


@contextmanager
def answering(shelf: Shelf, **codes: str) -> Iterator[Any]:
    """An S3 that lists one object, and answers the rest with those errors, or with nothing."""
    with Stubber(shelf.client) as stub:
        now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        metadata = {"HTTPHeaders": {"date": now}, "HTTPStatusCode": 200}
        listed = {"Contents": [{"Key": "jobs/1/x"}], "ResponseMetadata": metadata}
        stub.add_response("list_objects_v2", listed)
        for method in (
            "head_object",
            "get_bucket_encryption",
            "get_bucket_policy",
            "get_bucket_lifecycle_configuration",
        ):
            if method in codes:
                stub.add_client_error(method, codes[method], http_status_code=403)
            else:
                stub.add_response(method, {})
        yield shelf.client
