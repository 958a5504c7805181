"""Checks of the probe: multipart uploads, and copies within the store."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.diagnosis.probe.checksums import other_checksums
from artifact_pipeline.worker.diagnosis.probe.outcomes import Outcome, Refusal, met, refused, unmet
from artifact_pipeline.worker.diagnosis.probe.store import BODY, LargeObject, Probe, sha256_of
from artifact_pipeline.worker.diagnosis.probe.writes import WRONG_ETAG, conditional
from artifact_pipeline.worker.s3.checksums import composite, is_same
from artifact_pipeline.worker.s3.encryption import has_md5_etag
from artifact_pipeline.worker.s3.endpoints import endpoint_of, is_of_aws

_MD5 = re.compile(r"[0-9a-f]{32}(-\d+)?")
_BY_MD5 = "ARTIFACTS_S3_CHECKSUM=md5"
_PARTS_UNKNOWN = "not checked: the multipart upload failed"


def multipart(probe: Probe) -> Outcome:
    large = probe.large
    if not isinstance(large, LargeObject):
        return unmet(f"an upload of two parts answers {large}")
    if large.head["ContentLength"] != len(large.body):
        return unmet(f"the object has {large.head['ContentLength']} bytes, not {len(large.body)}")
    return met("two parts make an object")


def complete_if_none_match(probe: Probe) -> Outcome:
    key = probe.area.key("complete-if-none-match")
    _complete(probe, key, IfNoneMatch="*")
    refusal = refused(_complete, probe, key, IfNoneMatch="*")
    return conditional(refusal, "a second CompleteMultipartUpload with If-None-Match: *")


def complete_if_match(probe: Probe) -> Outcome:
    key = probe.area.key("complete-if-match")
    etag = probe.put(key, b"first")["ETag"]
    refusal = refused(_complete, probe, key, IfMatch=WRONG_ETAG)
    outcome = conditional(refusal, "CompleteMultipartUpload with a wrong If-Match")
    if outcome.severity is not Severity.OK:
        return outcome
    right = refused(_complete, probe, key, IfMatch=etag)
    if right:
        return unmet(f"CompleteMultipartUpload with the right If-Match answers {right}")
    return outcome


def _complete(probe: Probe, key: str, **condition: str) -> None:
    upload_id = probe.area.start(key, **probe.described)
    part = probe.upload_part(key, upload_id, 1, BODY)
    probe.complete(key, upload_id, [part], **condition)


def listed_parts(probe: Probe) -> Outcome:
    large = probe.large
    if not isinstance(large, LargeObject):
        return _unknown()
    if isinstance(large.listed, Refusal):
        return unmet(f"ListParts answers {large.listed}", ())
    if [each["PartNumber"] for each in large.listed] != [1, 2]:
        return unmet(f"pages of one part list {len(large.listed)} of 2 parts", ())
    answered = [each.get("ChecksumSHA256") for each in large.listed]
    if None in answered:
        has_md5 = all(
            each["ETag"].strip('"') == _md5(part).hex()
            for each, part in zip(large.listed, large.parts, strict=True)
        )
        by_md5 = (_BY_MD5,) if has_md5 and _BY_MD5 in other_checksums(probe) else ()
        return unmet("ListParts answers no SHA-256 of the parts", by_md5, Severity.WARNING)
    if answered != [sha256_of(part) for part in large.parts]:
        return unmet("ListParts answers a wrong SHA-256 of a part", ())
    return met("ListParts answers the SHA-256 of each part")


def composite_checksum(probe: Probe) -> Outcome:
    large = probe.large
    if not isinstance(large, LargeObject):
        return _unknown()
    expected = composite([hashlib.sha256(part).digest() for part in large.parts])
    answers = {
        "CompleteMultipartUpload": large.completed.get("ChecksumSHA256"),
        "HEAD": large.head.get("ChecksumSHA256"),
    }
    for operation, answered in answers.items():
        if answered is not None and not is_same(expected, answered):
            return unmet(f"{operation} answers {answered}, not the composite {expected}")
    silent = [operation for operation, answered in answers.items() if answered is None]
    if silent:
        return unmet(
            f"{' and '.join(silent)} without the SHA-256 of an object in parts",
            other_checksums(probe),
            Severity.WARNING,
        )
    has_number = all("-" in str(answered) for answered in answers.values())
    return met(f"composite, {'base64-N' if has_number else 'without the number of parts'}")


def etags(probe: Probe) -> Outcome:
    """Judge whether an ETag that looks like an MD5 is one: downloads are compared with it."""
    answer = probe.put(probe.area.key("etag"), BODY)
    forms = [_form("a PUT", answer, {_md5(BODY).hex(): "the MD5"})]
    large = probe.large
    if isinstance(large, LargeObject):
        digests = b"".join(_md5(part) for part in large.parts)
        of_parts = f"{_md5(digests).hex()}-{len(large.parts)}"
        digests_of = {of_parts: "md5-N", _md5(large.body).hex(): "the MD5 of all bytes"}
        of_object = _form("parts", large.head, digests_of)
        if of_object.severity is Severity.ERROR and not is_of_aws(endpoint_of(probe.client)):
            # Nothing is compared with these elsewhere.
            of_object = unmet(of_object.what, (), Severity.WARNING)
        forms.append(of_object)
    wrong = next((form for form in forms if form.severity is not Severity.OK), None)
    return wrong or met("; ".join(form.what for form in forms))


def _form(what: str, answer: Mapping[str, Any], digests: Mapping[str, str]) -> Outcome:
    etag = answer["ETag"].strip('"')
    if etag in digests:
        return met(f"of {what} {digests[etag]}")
    if not _MD5.fullmatch(etag):
        return met(f"of {what} opaque")
    if not has_md5_etag(answer):
        return met(f"of {what} not the MD5, as S3 answers with a key of KMS")
    observed = f"the ETag of {what} looks like an MD5, and is none: {etag}"
    return unmet(observed, ("ARTIFACTS_S3_CHECKSUM=read-back",))


def part_copy(probe: Probe) -> Outcome:
    large = probe.large
    if not isinstance(large, LargeObject):
        return _unknown()
    key = probe.area.key("part-copy")
    refusal = refused(_copy_in_parts, probe, large, key, large.head["ETag"])
    if refusal:
        return unmet(f"UploadPartCopy answers {refusal}")
    if _body(probe, key) != large.body:
        return unmet("UploadPartCopy makes an object of other bytes")
    refusal = refused(_copy_in_parts, probe, large, key, WRONG_ETAG)
    if refusal is None:
        return unmet("UploadPartCopy ignores a wrong x-amz-copy-source-if-match")
    return met(f"copies ranges, and answers {refusal} to a wrong If-Match of the source")


def _copy_in_parts(probe: Probe, large: LargeObject, key: str, etag: str) -> None:
    upload_id = probe.area.start(key, **probe.described)
    first = len(large.parts[0])
    parts = []
    for number, (start, stop) in enumerate(((0, first), (first, len(large.body))), start=1):
        copied = probe.client.upload_part_copy(
            Bucket=probe.bucket,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            CopySource={"Bucket": probe.bucket, "Key": large.key},
            CopySourceIfMatch=etag,
            CopySourceRange=f"bytes={start}-{stop - 1}",
        )
        parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
    probe.complete(key, upload_id, parts)


def copy_object(probe: Probe) -> Outcome:
    source, key = probe.area.key("copy-source"), probe.area.key("copy")
    probe.put(source, BODY)
    arguments: Any = probe.described
    refusal = refused(
        probe.client.copy_object,
        Bucket=probe.bucket,
        Key=key,
        CopySource={"Bucket": probe.bucket, "Key": source},
        **arguments,
    )
    if refusal:
        return met(f"CopyObject answers {refusal}; the pipeline copies by UploadPartCopy")
    if _body(probe, key) != BODY:
        return unmet("CopyObject makes an object of other bytes")
    return met("CopyObject copies")


def _body(probe: Probe, key: str) -> bytes:
    return probe.client.get_object(Bucket=probe.bucket, Key=key)["Body"].read()


def _md5(body: bytes) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).digest()


def _unknown() -> Outcome:
    return unmet(_PARTS_UNKNOWN, (), Severity.WARNING)
