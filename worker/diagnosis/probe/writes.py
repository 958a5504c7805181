"""Checks of the probe: what a store does with one PUT."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError

from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.diagnosis.probe.outcomes import Outcome, Refusal, met, refused, unmet
from artifact_pipeline.worker.diagnosis.probe.store import BODY, LargeObject, Probe
from artifact_pipeline.worker.s3.encryption import encryption_of
from artifact_pipeline.worker.s3.existence import is_listed
from artifact_pipeline.worker.s3.verification import metadata_of

WRONG_ETAG = f'"{"0" * 32}"'
_PRECONDITION_FAILED = Refusal(412, "PreconditionFailed")


def conditional(refusal: Refusal | None, what: str) -> Outcome:
    """Judge the answer to a write whose condition does not hold."""
    if refusal is None:
        return unmet(f"{what} is accepted, and overwrites the object")
    if refusal != _PRECONDITION_FAILED:
        return unmet(f"{what} answers {refusal}, not {_PRECONDITION_FAILED}")
    return met(f"{what} answers {refusal}")


def if_none_match(probe: Probe) -> Outcome:
    key = probe.area.key("if-none-match")
    probe.put(key, b"first", IfNoneMatch="*")
    refusal = refused(probe.put, key, b"second", IfNoneMatch="*")
    return conditional(refusal, "a second PUT with If-None-Match: *")


def if_match(probe: Probe) -> Outcome:
    key = probe.area.key("if-match")
    etag = probe.put(key, b"first")["ETag"]
    outcome = conditional(
        refused(probe.put, key, b"second", IfMatch=WRONG_ETAG), "a PUT with a wrong If-Match"
    )
    if outcome.severity is not Severity.OK:
        return outcome
    right = refused(probe.put, key, b"third", IfMatch=etag)
    return unmet(f"a PUT with the right If-Match answers {right}") if right else outcome


def encryption(probe: Probe) -> Outcome:
    key = probe.area.key("encryption")
    refusal = refused(
        probe.client.put_object, Bucket=probe.bucket, Key=key, Body=b"{}", **probe.asked
    )
    if refusal:
        return _not_as_asked(probe, f"a PUT with {_described(probe.asked)} answers {refusal}")
    large = probe.large
    heads = [probe.head(key), *([large.head] if isinstance(large, LargeObject) else [])]
    for head in heads:
        if probe.asked and not _has(head, probe.asked):
            has = _described(head)
            observed = f"{_described(probe.asked)} is asked for, and the object has {has}"
            return _not_as_asked(probe, observed)
    if not probe.asked:
        return met(f"none is asked for; an object has {_described(heads[0])}")
    return met(f"objects have {_described(probe.asked)}, as asked for")


def _not_as_asked(probe: Probe, observed: str) -> Outcome:
    return replace(unmet(observed), otherwise=probe.encryption.remedy)


def _has(head: Mapping[str, Any], asked: Mapping[str, str]) -> bool:
    key = asked.get("SSEKMSKeyId", "")
    # Only KMS knows which key has an alias. An ARN ends with the key's id.
    is_key = "alias/" in key or str(head.get("SSEKMSKeyId", "")).endswith(key.rpartition("/")[2])
    return is_key and head.get("ServerSideEncryption") == asked["ServerSideEncryption"]


def _described(encryption: Mapping[str, Any]) -> str:
    return str(encryption_of(encryption))


def metadata(probe: Probe) -> Outcome:
    key = probe.area.key("metadata")
    wanted = {"job": "12", "kind": "probe"}
    probe.put(key, BODY, ContentType="application/zip", Metadata=wanted)
    head = probe.head(key)
    has = (head.get("ContentType"), metadata_of(head))
    if has != ("application/zip", wanted):
        return unmet(f"an object has {has[0]} and {has[1]}, not what it was put with")
    return met("an object has the content type and the metadata that it was put with")


def missing(probe: Probe) -> Outcome:
    key = probe.area.key("missing")
    try:
        probe.head(key)
    except ClientError as error:
        refusal = Refusal.of(error)
        if refusal.status == HTTPStatus.FORBIDDEN:
            return _forbidden(probe, key)
        if refusal.status != HTTPStatus.NOT_FOUND:
            return unmet(f"HEAD of a missing key answers {refusal}, not 404")
        return met("HEAD of a missing key answers 404")
    return unmet("HEAD of a missing key answers 200")


def _forbidden(probe: Probe, key: str) -> Outcome:
    listed = is_listed(probe.client, ObjectAddress(probe.bucket, key))
    if listed:
        return unmet("HEAD of a missing key answers 403, and the listing has the key")
    if listed is None:
        return met("HEAD of a missing key answers 403, as S3 does without s3:ListBucket")
    return met("HEAD of a missing key answers 403; the listing tells that it is missing")
