"""The bucket."""

import json
import shlex
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from artifact_pipeline.domain.errors import TransferError
from artifact_pipeline.worker.diagnosis.bucket_policy import find_denied_writes
from artifact_pipeline.worker.diagnosis.findings import (
    SIGNATURES,
    Finding,
    clock,
    error,
    ok,
    warning,
)
from artifact_pipeline.worker.s3.dates import date_of
from artifact_pipeline.worker.s3.encryption import Encryption, encryption_of
from artifact_pipeline.worker.s3.errors import code_of, is_unsupported, translated_errors
from artifact_pipeline.worker.s3.tags import ObjectTags

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PREFIX = "jobs/"
_PAGE = 1000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NOTHING = Encryption()
_MANAGED_KEY = "alias/aws/s3"
"""The key that S3 takes where a bucket names none."""
_NO_ENCRYPTION = "ServerSideEncryptionConfigurationNotFoundError"
_NO_LIFECYCLE = "NoSuchLifecycleConfiguration"
_ENCRYPT = (
    "aws s3api put-bucket-encryption --bucket {bucket} --server-side-encryption-configuration"
    " {rules}"
)
_ABORT = (
    "aws s3api put-bucket-lifecycle-configuration --bucket {bucket} --lifecycle-configuration"
    ' \'{{"Rules": [{{"ID": "abandoned-uploads", "Status": "Enabled", "Filter": {{"Prefix":'
    ' "jobs/"}}, "AbortIncompleteMultipartUpload": {{"DaysAfterInitiation": 14}}}}]}}\''
)
_ADD_ABORT = (
    "add a rule with AbortIncompleteMultipartUpload to those that are there: aws s3api"
    " get-bucket-lifecycle-configuration --bucket {bucket}"
)


def reach_bucket(client: "S3Client", bucket: str) -> None:
    """List one key, to see whether the bucket answers.

    Raises: TransferError: it is not there, refuses us, or does not answer.
    """
    _list(client, bucket)


def examine_bucket(
    client: "S3Client",
    bucket: str,
    default: Encryption | None = None,
    asked: Encryption = _NOTHING,
) -> Iterator[Finding]:
    """Examine the bucket.

    Args:
        client: of S3.
        bucket: its name.
        default: what the bucket must give to clients' uploads, because their URLs sign no
            encryption; None where they sign it.
        asked: what workers ask for.
    """
    try:
        listed = _list(client, bucket, _PAGE)
    except TransferError as refused:
        yield error(
            "bucket",
            f"{bucket}: {refused}",
            why="nothing can be stored or fetched",
            fix="check ARTIFACTS_BUCKET, ARTIFACTS_S3_ENDPOINT_URL, the credentials, and the"
            " policies in docs/iam",
        )
        return
    yield ok("bucket", f"{bucket} answers")
    yield clock("S3 clock", date_of(listed), harm=SIGNATURES)
    existing = yield from _readable(client, bucket, listed)
    yield _encryption(client, bucket, default, _told(existing, asked))
    yield from find_denied_writes(client, bucket, asked)
    yield _lifecycle(client, bucket)


def find_tags(tags: ObjectTags) -> Iterator[Finding]:
    """Yield what the tags of uploads need, if there are tags."""
    if tags.names:
        # Nothing but a write tells whether the permission is there.
        yield ok(
            "bucket tags",
            f"uploads get {', '.join(tags.names)}, which needs s3:PutObjectTagging (docs/iam)",
        )


def _list(client: "S3Client", bucket: str, limit: int = 1) -> Mapping[str, Any]:
    with translated_errors():
        return client.list_objects_v2(Bucket=bucket, Prefix=_PREFIX, MaxKeys=limit)


def _readable(
    client: "S3Client", bucket: str, listed: Mapping[str, Any]
) -> Generator[Finding, None, Encryption | None]:
    """Look at the newest object of the page; return its encryption if there is one."""
    # Only of an object that is there: where listing is limited to a prefix, S3 answers a HEAD of
    # one that is not as if it were forbidden.
    entries = listed.get("Contents", [])
    if not entries:
        return None
    newest = max(entries, key=lambda entry: entry.get("LastModified", _LONG_AGO))
    try:
        head = client.head_object(Bucket=bucket, Key=newest["Key"])
    except ClientError as refused:
        yield error(
            "bucket reading",
            f"HEAD of an object: {code_of(refused)}",
            why="stored objects cannot be read: uploads over them end as access_denied, and uploads"
            " of clients are not confirmed",
            fix="allow s3:GetObject, as in docs/iam/worker.json",
        )
        return None
    yield ok("bucket reading", "objects can be read")
    return encryption_of(head)


def _told(existing: Encryption | None, asked: Encryption) -> str:
    """Return how the newest object is encrypted; empty if no object tells."""
    if existing is None or existing.algorithm is None:
        return ""
    # It may be older than the setting, or a client's.
    differs = asked.algorithm not in {None, existing.algorithm}
    wanted = f", {asked.setting} asks for {asked}" if differs else ""
    return f"the newest object has {existing}{wanted}"


def _encryption(
    client: "S3Client", bucket: str, default: Encryption | None, existing: str
) -> Finding:
    found = _ask(client.get_bucket_encryption, bucket)
    is_refused = isinstance(found, ClientError)
    needs_key = default is not None and default.is_by_kms
    if is_refused and existing and not needs_key:
        return ok("bucket encryption", existing)
    if is_refused and code_of(found) != _NO_ENCRYPTION:
        return _permission_missing("bucket encryption", found, "s3:GetEncryptionConfiguration")
    rule = None if is_refused else _default_rule(found)
    if rule is None:
        return warning(
            "bucket encryption",
            "it has no default encryption",
            why="objects that are put without asking for encryption are not encrypted",
            fix=_encrypt(bucket, default or _NOTHING),
        )
    if default is not None and not _meets(rule, default):
        return warning(
            "bucket encryption",
            f"by default it encrypts by {_described(rule)}, not by {_described(_rule_of(default))}",
            why="upload URLs sign no encryption, so uploads of clients get the default, and not"
            " ARTIFACTS_SSE",
            fix=f"{_encrypt(bucket, default)}, or set ARTIFACTS_URL_SIGNS_ENCRYPTION=true",
        )
    return ok("bucket encryption", "; ".join(filter(None, ["it encrypts by default", existing])))


def _default_rule(found: Mapping[str, Any]) -> Mapping[str, str] | None:
    rules = found.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    return next(filter(None, (r.get("ApplyServerSideEncryptionByDefault") for r in rules)), None)


def _rule_of(encryption: Encryption) -> dict[str, str]:
    key = {} if encryption.kms_key_id is None else {"KMSMasterKeyID": encryption.kms_key_id}
    return {"SSEAlgorithm": encryption.algorithm or "AES256", **key}


def _meets(rule: Mapping[str, str], wanted: Encryption) -> bool:
    if not wanted.is_by_kms:
        return True  # S3's own keys are the least that a default asks for
    is_same_algorithm = rule["SSEAlgorithm"] == wanted.algorithm
    key = rule.get("KMSMasterKeyID", _MANAGED_KEY)
    return is_same_algorithm and _may_be_same_key(key, wanted.kms_key_id or _MANAGED_KEY)


def _may_be_same_key(one: str, other: str) -> bool:
    if (_MANAGED_KEY in one) != (_MANAGED_KEY in other):
        return False
    # Only KMS knows which key has an alias. Without one, an ARN ends with the key's id.
    if "alias/" in one or "alias/" in other:
        return True
    return one.rpartition("/")[2] == other.rpartition("/")[2]


def _described(rule: Mapping[str, str]) -> str:
    return " ".join([rule["SSEAlgorithm"], *filter(None, [rule.get("KMSMasterKeyID")])])


def _encrypt(bucket: str, default: Encryption) -> str:
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": _rule_of(default)}]}
    return _ENCRYPT.format(bucket=bucket, rules=shlex.quote(json.dumps(rules)))


def _lifecycle(client: "S3Client", bucket: str) -> Finding:
    found = _ask(client.get_bucket_lifecycle_configuration, bucket)
    if isinstance(found, ClientError) and code_of(found) != _NO_LIFECYCLE:
        return _permission_missing("bucket lifecycle", found, "s3:GetLifecycleConfiguration")
    rules = [] if isinstance(found, ClientError) else found.get("Rules", [])
    if any(_aborts(rule) for rule in rules):
        return ok("bucket lifecycle", "abandoned multipart uploads are aborted")
    return warning(
        "bucket lifecycle",
        "no rule aborts abandoned multipart uploads",
        why="if reconcile does not run, abandoned parts cost storage without end",
        # The command that sets a rule replaces all others.
        fix=(_ADD_ABORT if rules else _ABORT).format(bucket=bucket),
    )


def _aborts(rule: Mapping[str, Any]) -> bool:
    return rule["Status"] == "Enabled" and "AbortIncompleteMultipartUpload" in rule


def _ask(question: Callable[..., Any], bucket: str) -> Any:  # noqa: ANN401 - an answer of S3
    try:
        return question(Bucket=bucket)
    except ClientError as refused:
        return refused


def _permission_missing(check: str, refused: ClientError, permission: str) -> Finding:
    if is_unsupported(refused):
        return ok(check, f"this store has none to ask for: {code_of(refused)}")
    return warning(
        check,
        f"S3 refuses to tell: {code_of(refused)}",
        why="the setting cannot be checked with these credentials",
        fix=f"run it with credentials that may {permission}",
    )
