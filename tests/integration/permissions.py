"""What a policy allows, and what requests to S3 would need."""

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.faults.s3_proxy import FaultyS3
from tests.faults.s3_request import Request

DOCUMENTED_BUCKET = "my-artifacts"
_POLICIES = Path(__file__).parents[2] / "docs" / "iam"
_ARN = f"arn:aws:s3:::{DOCUMENTED_BUCKET}"

ACTION_OF = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "CompleteMultipartUpload": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "DeleteObjects": "s3:DeleteObject",
    "GetObject": "s3:GetObject",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "GetObjectTagging": "s3:GetObjectTagging",
    "HeadObject": "s3:GetObject",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
    "ListParts": "s3:ListMultipartUploadParts",
    "PutObject": "s3:PutObject",
    "PutObjectLegalHold": "s3:PutObjectLegalHold",
    "PutObjectTagging": "s3:PutObjectTagging",
    "RestoreObject": "s3:RestoreObject",
    "UploadPart": "s3:PutObject",
    # And s3:GetObject on its source.
    "UploadPartCopy": "s3:PutObject",
}
"""By operation: https://docs.aws.amazon.com/AmazonS3/latest/userguide/
using-with-s3-policy-actions.html and mpuAndPermissions.html"""

ACTION_OF_ARGUMENT = {
    "Tagging": "s3:PutObjectTagging",
    # Of DeleteObject and DeleteObjects, instead of s3:DeleteObject.
    "VersionId": "s3:DeleteObjectVersion",
}
"""By the argument of a write that needs it as well."""


@dataclass(frozen=True)
class Need:
    """An action on a resource, which is named as in the documented policies."""

    action: str
    resource: str
    prefix: str | None = None


@dataclass(frozen=True)
class Policy:
    statements: list[dict[str, Any]]

    @classmethod
    def of(cls, role: str) -> "Policy":
        return cls(json.loads((_POLICIES / f"{role}.json").read_text())["Statement"])

    @property
    def actions(self) -> set[str]:
        return {action for statement in self.statements for action in statement["Action"]}

    def allows(self, need: Need) -> bool:
        return any(_allows(statement, need) for statement in self.statements)


def _allows(statement: dict[str, Any], need: Need) -> bool:
    condition = statement.get("Condition", {})
    assert set(condition) <= {"StringLike"}, "another condition than this knows"
    prefixes = condition.get("StringLike", {}).get("s3:prefix")
    return (
        statement["Effect"] == "Allow"
        and need.action in statement["Action"]
        and fnmatchcase(need.resource, statement["Resource"])
        and (prefixes is None or fnmatchcase(need.prefix or "", prefixes))
    )


class WatchedS3(FaultyS3):
    """Keeps what was asked for."""

    def __init__(self, upstream_port: int) -> None:
        super().__init__(upstream_port)
        self.requests: list[Request] = []

    @property
    def needs(self) -> set[Need]:
        """What all of it would need of AWS."""
        return {need for request in list(self.requests) for need in _needs(request)}

    def _count(self, request: Request) -> None:
        self.requests.append(request)
        super()._count(request)


def _needs(request: Request) -> set[Need]:
    if request.operation == "DeleteObjects":
        # Its keys are in the body; the rest of the test tells that they are old copies.
        return {Need(ACTION_OF["DeleteObjects"], f"{_ARN}/jobs/")}
    action = ACTION_OF.get(request.operation, f"of {request.method} {request.path}")
    resource = f"{_ARN}/{unquote(request.key)}" if request.key else _ARN
    needs = {Need(action, resource, request.parameters.get("prefix"))}
    if "x-amz-tagging" in request.headers:
        needs.add(Need(ACTION_OF_ARGUMENT["Tagging"], resource))
    if source := request.headers.get("x-amz-copy-source"):
        _bucket, _, key = unquote(source).lstrip("/").partition("/")
        needs.add(Need("s3:GetObject", f"{_ARN}/{key}"))
    return needs
