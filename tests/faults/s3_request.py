"""What a request to S3 asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from tests.faults.wire import Head

_OPTIONAL = frozenset(
    {
        "continuation-token",
        "delimiter",
        "encoding-type",
        "fetch-owner",
        "key-marker",
        "max-keys",
        "max-parts",
        "max-uploads",
        "part-number-marker",
        "prefix",
        "start-after",
        "upload-id-marker",
        "versionId",
        "x-id",
    }
)
"""Parameters that do not tell operations apart."""

_OPERATIONS: dict[tuple[str, str, frozenset[str]], str] = {
    ("HEAD", "bucket", frozenset()): "HeadBucket",
    ("GET", "bucket", frozenset({"list-type"})): "ListObjectsV2",
    ("GET", "bucket", frozenset({"uploads"})): "ListMultipartUploads",
    ("HEAD", "object", frozenset()): "HeadObject",
    ("HEAD", "object", frozenset({"partNumber"})): "HeadObject",
    ("GET", "object", frozenset()): "GetObject",
    ("GET", "object", frozenset({"partNumber"})): "GetObject",
    ("GET", "object", frozenset({"uploadId"})): "ListParts",
    ("GET", "object", frozenset({"tagging"})): "GetObjectTagging",
    ("PUT", "object", frozenset()): "PutObject",
    ("PUT", "object", frozenset({"tagging"})): "PutObjectTagging",
    ("PUT", "object", frozenset({"partNumber", "uploadId"})): "UploadPart",
    ("POST", "object", frozenset({"uploads"})): "CreateMultipartUpload",
    ("POST", "object", frozenset({"uploadId"})): "CompleteMultipartUpload",
    ("POST", "object", frozenset({"restore"})): "RestoreObject",
    ("DELETE", "object", frozenset({"uploadId"})): "AbortMultipartUpload",
    ("DELETE", "object", frozenset()): "DeleteObject",
    ("POST", "bucket", frozenset({"delete"})): "DeleteObjects",
}
_COPIES = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}
"""The operations that have a source, by those without one."""


@dataclass(frozen=True)
class Request:
    """A request as it came: the path and the query are still encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """By name in lower case."""

    @classmethod
    def of(cls, head: Head) -> "Request":
        method, target, _version = head.start
        path, _, query = target.partition("?")
        return cls(method, path, query, head.headers)

    @property
    def operation(self) -> str:
        """As boto3 names it, for a bucket that is addressed by path; or `other`."""
        kind = "object" if self.key else "bucket"
        operation = _OPERATIONS.get((self.method, kind, self._telling_parameters()), "other")
        if "x-amz-copy-source" in self.headers:
            return _COPIES.get(operation, "other")
        return operation

    @property
    def key(self) -> str:
        """Encoded as it came, of a bucket that is addressed by path; empty for the bucket."""
        return self.path.lstrip("/").partition("/")[2]

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def _telling_parameters(self) -> frozenset[str]:
        names = set(self.parameters)
        # In a presigned address the signature is among the parameters.
        return frozenset(name for name in names - _OPTIONAL if not name.startswith("X-Amz-"))
