"""What the probe may do: the worker's policy and docs/iam/probe.json, and no more."""

from typing import Any
from urllib.parse import urlsplit

from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.diagnosis.probe.area import PROBE_PREFIX
from artifact_pipeline.worker.diagnosis.probe.run import ACTIONS, probe_store
from tests.integration.permissions import ACTION_OF, DOCUMENTED_BUCKET, Need, Policy
from tests.stores.probing import probe_of, unwell

ARN = f"arn:aws:s3:::{DOCUMENTED_BUCKET}"


class Needs:
    """What the requests of a client need of AWS."""

    def __init__(self, client: S3Client) -> None:
        self.of_all: set[Need] = set()
        client.meta.events.register("provide-client-params.s3", self._note)

    def _note(self, event_name: str, params: dict[str, Any], **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        action = ACTIONS[operation]
        if operation == "DeleteObject" and "VersionId" in params:
            action = "s3:DeleteObjectVersion"
        self._add(action, params.get("Key"), params.get("Prefix"))
        if "Tagging" in params:
            self._add("s3:PutObjectTagging", params["Key"], None)
        if source := params.get("CopySource"):
            self._add("s3:GetObject", source["Key"], None)

    def _add(self, action: str, key: str | None, prefix: str | None) -> None:
        self.of_all.add(Need(action, f"{ARN}/{key}" if key else ARN, prefix))


def test_a_workers_policy_and_that_of_the_probe_allow_all_that_it_does(
    s3_client: S3Client, bucket: str
) -> None:
    # Given a bucket with versions
    s3_client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    needs = Needs(s3_client)
    # When
    findings = list(probe_store(probe_of(s3_client, bucket)))
    # Then no version is left
    assert unwell(findings) == set()
    listed = s3_client.list_object_versions(Bucket=bucket, Prefix=PROBE_PREFIX)
    assert not listed.get("Versions")
    assert not listed.get("DeleteMarkers")
    # And the policies allow it, each action of which is needed
    policies = (Policy.of("worker"), Policy.of("probe"))
    allowed = {need for need in needs.of_all if any(policy.allows(need) for policy in policies)}
    # DeleteObjects names its keys in the body.
    bulk = Need("s3:DeleteObject", ARN, None)
    assert needs.of_all - allowed == {bulk}
    assert {need.action for need in needs.of_all} == policies[0].actions | policies[1].actions


def test_its_policy_reaches_no_further_than_its_own_prefix() -> None:
    for statement in Policy.of("probe").statements:
        path = urlsplit(statement["Resource"].removeprefix("arn:aws:s3:::")).path
        prefixes = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
        assert path.endswith(f"/{PROBE_PREFIX}*") or prefixes == f"{PROBE_PREFIX}*"


def test_operations_have_the_same_actions_as_elsewhere() -> None:
    # Of what the probe asks; it locks and restores nothing.
    both = ACTIONS.keys() & ACTION_OF.keys()
    assert {name: ACTIONS[name] for name in both} == {name: ACTION_OF[name] for name in both}
    others = {"GetObjectLockConfiguration", "PutObjectLegalHold", "RestoreObject"}
    assert ACTION_OF.keys() - both == others
