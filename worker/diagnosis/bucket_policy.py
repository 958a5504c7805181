"""Whether the bucket's policy denies the writes of workers for how they ask for encryption."""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from artifact_pipeline.worker.diagnosis.findings import Finding, error
from artifact_pipeline.worker.s3.encryption import Encryption

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ALGORITHM = "s3:x-amz-server-side-encryption"
_KEY = "s3:x-amz-server-side-encryption-aws-kms-key-id"
_WRITE = "s3:putobject"
_AN_OBJECT = "{bucket}/jobs/1/job_config.json"
_OPERATORS = {"StringEquals", "StringNotEquals", "StringLike", "StringNotLike"}


def find_denied_writes(client: "S3Client", bucket: str, asked: Encryption) -> Iterator[Finding]:
    """Yield an error for each statement that denies a write; none if the policy is unreadable."""
    for statement in _statements(client, bucket):
        if _is_about_writes(statement, bucket) and _denies(statement, asked):
            name = statement.get("Sid", "a statement without a Sid")
            yield error(
                "bucket policy",
                f"{name} denies uploads that ask for {asked.algorithm or 'no encryption'}",
                why="uploads end as access_denied",
                fix=f"set {_setting(statement)}, or change the policy",
            )


def _statements(client: "S3Client", bucket: str) -> list[Mapping[str, Any]]:
    try:
        policy = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])
    except (ClientError, ValueError, KeyError):
        return []
    found = policy.get("Statement", [])
    return [found] if isinstance(found, dict) else found


def _is_about_writes(statement: Mapping[str, Any], bucket: str) -> bool:
    if statement.get("Effect") != "Deny":
        return False
    written = _AN_OBJECT.format(bucket=bucket)
    actions = [action.lower() for action in _listed(statement.get("Action"))]
    resources = [each.rpartition(":::")[2] for each in _listed(statement.get("Resource"))]
    return _is_like(_WRITE, actions) and _is_like(written, resources)


def _denies(statement: Mapping[str, Any], asked: Encryption) -> bool:
    values = {_ALGORITHM: asked.algorithm, _KEY: asked.kms_key_id}
    conditions = list(_conditions(statement))
    if not any(key in values for _, key, _ in conditions):
        return False  # about something else
    return all(
        key in values and _holds(operator, wanted, values[key])
        for operator, key, wanted in conditions
    )


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for operator, keys in statement.get("Condition", {}).items():
        for key, wanted in keys.items():
            yield operator, key.lower(), _listed(wanted)


def _holds(operator: str, wanted: list[str], value: str | None) -> bool:
    """Return whether a condition is true; False where only S3 can tell."""
    if operator == "Null":
        return (value is None) == (wanted[0].lower() == "true")
    name = operator.removesuffix("IfExists")
    is_negated = "Not" in name
    if name not in _OPERATORS:
        return False
    if value is None:
        return is_negated or name != operator
    is_found = _is_like(value, wanted) if "Like" in name else value in wanted
    return is_found != is_negated


def _setting(statement: Mapping[str, Any]) -> str:
    """Return the setting by which uploads are what the statement demands."""
    demanded = {
        key: wanted[0].rstrip("*")
        for operator, key, wanted in _conditions(statement)
        if operator.startswith("StringNot")
    }
    if _KEY in demanded:
        return f"ARTIFACTS_KMS_KEY_ID={demanded[_KEY]}"
    return f"ARTIFACTS_SSE={demanded.get(_ALGORITHM, 'AES256')}"


def _is_like(value: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def _listed(value: Any) -> list[str]:  # noqa: ANN401 - a part of a policy
    if value is None:
        return []
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]
