"""`artifacts doctor --probe`: what a store does with the requests that promises rest on."""

from collections.abc import Generator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.diagnosis.findings import Finding, Severity, error, ok, warning
from artifact_pipeline.worker.diagnosis.probe.area import PROBE_PREFIX
from artifact_pipeline.worker.diagnosis.probe.outcomes import (
    Outcome,
    Refusal,
    assignments_of,
    unmet,
)
from artifact_pipeline.worker.diagnosis.probe.store import Probe
from artifact_pipeline.worker.diagnosis.probe.table import CHECKS, Check
from artifact_pipeline.worker.s3.abilities import StoreAbilities

_REMOVAL = "probe removal"
ACTIONS = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "CompleteMultipartUpload": "s3:PutObject",
    "CopyObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "DeleteObjects": "s3:DeleteObject",
    "GetObject": "s3:GetObject",
    "GetObjectTagging": "s3:GetObjectTagging",
    "HeadObject": "s3:GetObject",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
    "ListParts": "s3:ListMultipartUploadParts",
    "PutObject": "s3:PutObject",
    "PutObjectTagging": "s3:PutObjectTagging",
    "UploadPart": "s3:PutObject",
    "UploadPartCopy": "s3:PutObject",
}
"""By operation: https://docs.aws.amazon.com/AmazonS3/latest/userguide/
using-with-s3-policy-actions.html and mpuAndPermissions.html"""
_CORRECT = "correct that, and run `artifacts doctor --probe` again"
_AGAIN = "run `artifacts doctor --probe` again: the same request may succeed"
_POLICY = "docs/iam/probe.json beside the role's own policy"


def probe_store(probe: Probe) -> Generator[Finding]:
    """Run every check, each as a finding; close the iterator to end early, which removes too."""
    refusal = _writes_can_be_removed(probe)
    if refusal is not None:
        yield refusal
        return
    left: list[str] = []
    try:
        for check in CHECKS:
            yield _finding(check, probe)
    finally:
        left += probe.area.remove()
    yield _removed(probe, left)


def _writes_can_be_removed(probe: Probe) -> Finding | None:
    """Write one object and delete it: what cannot be removed must not be written."""
    key = probe.area.key("removal")
    try:
        probe.put(key, b"{}")
        probe.client.delete_object(Bucket=probe.bucket, Key=key)
        probe.area.remove_interrupted()
    except (ClientError, BotoCoreError) as refused:
        operation = getattr(refused, "operation_name", "")
        return error(
            _REMOVAL,
            f"{operation or 'no answer'}: {_what(refused)}",
            why="the store was not probed, because what a probe writes must be removed"
            + (f"; {key} is left" if operation == "DeleteObject" else ""),
            fix=_remedy(refused),
        )
    except BaseException:
        probe.area.remove()
        raise
    return None


def _finding(check: Check, probe: Probe) -> Finding:
    try:
        outcome = check.run(probe)
    except ClientError as refused:
        refusal = Refusal.of(refused)
        if refusal.is_of_permissions:
            return _denied(check, refused)
        if refusal.is_of_the_moment:
            return _not_checked(check, refused, _AGAIN)
        outcome = unmet(f"{refused.operation_name} answers {refusal}")
    except KeyError as lacking:
        outcome = unmet(f"an answer lacks {lacking.args[0]}")
    except (BotoCoreError, HTTPError, PipelineError) as unanswered:
        outcome = unmet(_what(unanswered))
    return judged(check, outcome, probe.abilities)


def _settings(check: Check) -> tuple[str, ...]:
    if check.way_around is None:
        return ()
    name, _, values = check.way_around.setting.partition("=")
    return tuple(f"{name}={value}" for value in values.split("|"))


def judged(check: Check, outcome: Outcome, abilities: StoreAbilities) -> Finding:
    """Return the finding of an outcome, under the settings that choose these abilities."""
    settings = _settings(check) if outcome.settings is None else outcome.settings
    assigned = assignments_of(abilities)
    chosen = next((setting for setting in settings if setting in assigned), None)
    if outcome.severity is Severity.OK:
        return _needless(check, outcome, chosen) if chosen else ok(check.name, outcome.what)
    if chosen is None or check.way_around is None:
        make = error if outcome.severity is Severity.ERROR else warning
        fix = f"set {settings[0]}" if settings else outcome.otherwise or check.otherwise
        return make(check.name, outcome.what, why=f"at stake: {check.promise}", fix=fix)
    if check.way_around.weakens:
        what = f"{outcome.what}; {chosen} is set"
        return warning(
            check.name, what, why=check.way_around.weakens, fix=f"then: {check.otherwise}"
        )
    return ok(check.name, f"{outcome.what}; {chosen} does without it")


def _needless(check: Check, outcome: Outcome, chosen: str) -> Finding:
    if check.way_around is None or not check.way_around.weakens:
        return ok(check.name, outcome.what)
    return warning(
        check.name,
        f"{outcome.what}, though {chosen} is set",
        why=check.way_around.weakens,
        fix=f"unset {chosen.partition('=')[0]}",
    )


def _denied(check: Check, refused: ClientError) -> Finding:
    return _not_checked(check, refused, _allow(refused.operation_name))


def _not_checked(check: Check, refused: ClientError, fix: str) -> Finding:
    return warning(
        check.name,
        f"not checked: {refused.operation_name} answers {Refusal.of(refused)}",
        why=f"the probe cannot tell whether this holds: {check.promise}",
        fix=fix,
    )


def _remedy(refused: ClientError | BotoCoreError) -> str:
    if not isinstance(refused, ClientError):
        return _CORRECT
    refusal = Refusal.of(refused)
    if refusal.is_of_permissions:
        return _allow(refused.operation_name)
    return _AGAIN if refusal.is_of_the_moment else _CORRECT


def _allow(operation: str) -> str:
    action = ACTIONS.get(operation)
    if action is None:
        return _CORRECT
    return f"allow {action} on {PROBE_PREFIX}*: {_POLICY}"


def _removed(probe: Probe, left: list[str]) -> Finding:
    if not left:
        return ok(_REMOVAL, "everything that the probe wrote is removed")
    return warning(
        _REMOVAL,
        f"{len(left)} left below {probe.area.prefix}: {'; '.join(left[:3])}",
        why="what the probe wrote costs storage",
        fix=f"delete it, and allow s3:DeleteObject, s3:AbortMultipartUpload and, in a bucket with"
        f" versions, s3:ListBucketVersions and s3:DeleteObjectVersion: {_POLICY}",
    )


def _what(refused: Any) -> str:  # noqa: ANN401 - any of these errors
    if isinstance(refused, ClientError):
        return str(Refusal.of(refused))
    return redact(f"{type(refused).__name__}: {refused}")
