"""What the tests of the probe are written with."""

from collections.abc import Callable
from typing import Any

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.diagnosis.findings import Finding
from artifact_pipeline.worker.diagnosis.probe.store import Probe
from artifact_pipeline.worker.diagnosis.probe.table import CHECKS
from artifact_pipeline.worker.s3.encryption import Encryption

Lying = Callable[..., list[Finding]]
"""Probes the bucket through a front with these lies."""

PART = 64 * 1024
"""Smaller than S3's smallest part, which ministack takes."""


def probe_of(client: S3Client, bucket: str, **changes: Any) -> Probe:
    options = {"encryption": Encryption("AES256"), "part_size": PART}
    return Probe(client, bucket, **{**options, **changes})


def unwell(findings: list[Finding]) -> set[tuple[str, str]]:
    """The severity and the name of each finding that is not ok."""
    return {
        (finding.severity.name.lower(), finding.check.removeprefix("probe "))
        for finding in findings
        if finding.severity
    }


def ask_only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Leave the other checks out, which take most of the time."""
    checks = [check for check in CHECKS if check.name in names]
    monkeypatch.setattr("artifact_pipeline.worker.diagnosis.probe.run.CHECKS", checks)
