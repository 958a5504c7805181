"""Checks of the probe: by which checksum the store refuses other bytes."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.diagnosis.probe.outcomes import Outcome, met, refused, unmet
from artifact_pipeline.worker.diagnosis.probe.store import BODY, Probe, sha256_of
from artifact_pipeline.worker.s3.checksums import as_base64

_RIGHT = {
    "sha256": {"ChecksumSHA256": sha256_of(BODY)},
    # This is the check value of the algorithm: https://reveng.sourceforge.io/crc-catalogue/
    "crc32c": {"ChecksumCRC32C": as_base64(0xE3069283.to_bytes(4, "big"))},
    "md5": {"ContentMD5": as_base64(hashlib.md5(BODY, usedforsecurity=False).digest())},
}
"""Checksums of the body, by the value of ARTIFACTS_S3_CHECKSUM."""
_WRONG = {
    "sha256": {"ChecksumSHA256": as_base64(bytes(32))},
    "crc32c": {"ChecksumCRC32C": as_base64(bytes(4))},
    "md5": {"ContentMD5": as_base64(bytes(16))},
}

_Send = Callable[[Probe, dict[str, str]], Any]
"""Sends the body with these checksums."""


def of_put(probe: Probe) -> Outcome:
    return _judged(probe, _put, "PUT")


def of_part(probe: Probe) -> Outcome:
    return _judged(probe, _send_part, "part")


def of_head(probe: Probe) -> Outcome:
    key = probe.area.key("head")
    right = _RIGHT["sha256"]
    if refused(probe.put, key, BODY, **right):
        probe.put(key, BODY)
    answered = probe.head(key).get("ChecksumSHA256")
    if answered is None:
        return unmet("HEAD answers no SHA-256 of a PUT", other_checksums(probe), Severity.WARNING)
    if answered != right["ChecksumSHA256"]:
        return unmet(f"HEAD answers another SHA-256 of a PUT: {answered}")
    return met("HEAD answers the SHA-256 of a PUT")


@lru_cache(maxsize=1)
def other_checksums(probe: Probe) -> tuple[str, ...]:
    """Return the settings by which other bytes are found without a SHA-256, the best first.

    MD5 is first: an upload can also be continued by it, because the ETags of parts are MD5s.
    """
    checked = (
        name
        for name in ("md5", "crc32c")
        if _is_checked(probe, _put, name) and _is_checked(probe, _send_part, name)
    )
    return tuple(f"ARTIFACTS_S3_CHECKSUM={name}" for name in (*checked, "read-back"))


def _put(probe: Probe, checksum: dict[str, str]) -> None:
    probe.put(probe.area.key("checksum"), BODY, **checksum)


def _send_part(probe: Probe, checksum: dict[str, str]) -> None:
    # The store may want to know the algorithm when the upload begins.
    [name] = checksum
    algorithm = {} if name == "ContentMD5" else {"ChecksumAlgorithm": name[len("Checksum") :]}
    key = probe.area.key("checksum-of-part")
    upload_id = probe.area.start(key, **probe.described, **algorithm)
    probe.upload_part(key, upload_id, 1, BODY, **checksum)


def _judged(probe: Probe, send: _Send, what: str) -> Outcome:
    right = refused(send, probe, _RIGHT["sha256"])
    if right:
        return unmet(f"a {what} with its SHA-256 answers {right}", other_checksums(probe))
    wrong = refused(send, probe, _WRONG["sha256"])
    observed = f"a {what} with a wrong SHA-256 {f'answers {wrong}' if wrong else 'is accepted'}"
    if wrong and wrong.is_of_the_request:
        return met(observed)
    return unmet(observed, other_checksums(probe))


def _is_checked(probe: Probe, send: _Send, name: str) -> bool:
    wrong = refused(send, probe, _WRONG[name])
    return bool(wrong and wrong.is_of_the_request) and not refused(send, probe, _RIGHT[name])
