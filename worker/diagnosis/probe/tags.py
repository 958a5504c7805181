"""Checks of the probe: whether objects keep the tags that they are put with."""

from typing import Any

from artifact_pipeline.worker.diagnosis.probe.outcomes import Outcome, met, refused, unmet
from artifact_pipeline.worker.diagnosis.probe.store import BODY, Probe

_TAGGING = "probe=1"
_SET: list[Any] = [{"Key": "probe", "Value": "1"}]


def tags(probe: Probe) -> Outcome:
    """Judge the tags of a PUT, and then the tags of an object in parts."""
    key = probe.area.key("tags")
    refusal = refused(probe.put, key, BODY, Tagging=_TAGGING)
    if refusal:
        return _untagged(probe, f"a PUT with tags answers {refusal}")
    wrong = _wrong(probe, key)
    return _untagged(probe, f"after a PUT with tags, {wrong}") if wrong else _of_parts(probe)


def _of_parts(probe: Probe) -> Outcome:
    key = probe.area.key("tags-of-parts")
    refusal = refused(_put_in_parts, probe, key)
    if refusal:
        return _untagged(probe, f"CreateMultipartUpload with tags answers {refusal}")
    ignored = _wrong(probe, key)
    if not ignored:
        return met("objects have the tags that they are put with")
    # An upload does the same after its completion.
    refusal = refused(
        probe.client.put_object_tagging,
        Bucket=probe.bucket,
        Key=key,
        Tagging={"TagSet": _SET},
    )
    wrong = f"PutObjectTagging answers {refusal}" if refusal else _wrong(probe, key)
    observed = f"after CreateMultipartUpload with tags, {ignored}"
    if wrong:
        return _untagged(probe, f"{observed}; then {wrong}")
    return met(f"{observed}; uploads in parts are tagged after their completion")


def _put_in_parts(probe: Probe, key: str) -> None:
    upload_id = probe.area.start(key, **probe.described, Tagging=_TAGGING)
    probe.complete(key, upload_id, [probe.upload_part(key, upload_id, 1, BODY)])


def _wrong(probe: Probe, key: str) -> str:
    """Return what is wrong with the tags of an object; empty if they are right."""
    got: list[Any] = []
    refusal = refused(
        lambda: got.append(probe.client.get_object_tagging(Bucket=probe.bucket, Key=key))
    )
    if refusal:
        return f"GetObjectTagging answers {refusal}"
    has = got[0].get("TagSet", [])
    return "" if has == _SET else f"an object has the tags {has}"


def _untagged(probe: Probe, observed: str) -> Outcome:
    if probe.has_tags:
        return unmet(observed)
    return met(f"{observed}; ARTIFACTS_S3_TAGS is not set, so nothing needs tags")
