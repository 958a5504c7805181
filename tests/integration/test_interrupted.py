"""A worker that is killed in the middle of an upload."""

import os
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from domain.artifacts import Artifact, ArtifactKind
from domain.transfers import Direction
from tests.integration.deployment import Deployment
from worker.embedded.stack import BUCKET, EmbeddedStack

_MIB = 2**20
_PART = 5 * _MIB
_PARTS = 40
IMPATIENT = {
    "ARTIFACTS_LEASE_SECONDS": "1",
    "ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "0",
    "ARTIFACTS_PART_SIZE": str(_PART),
    "ARTIFACTS_TRANSFER_THREADS": "1",
}


def test_another_worker_goes_on_where_a_killed_one_was(tmp_path: Path) -> None:
    with EmbeddedStack(tmp_path) as stack:
        # Given a large upload of which some parts have arrived
        deployed = Deployment(stack)
        job_id = deployed.job(datetime(2025, 10, 23, 21, 15, tzinfo=UTC))
        artifact = Artifact(ArtifactKind.JOB_INPUT, job_id)
        content = os.urandom(_PARTS * _PART)
        deployed.write(artifact, content)
        first = stack.start_worker("--concurrency", "1", environment=IMPATIENT)
        deployed.send(artifact)
        deployed.wait_until(lambda: _parts(deployed, artifact) >= 5)

        # When its worker is killed outright
        first.kill()
        arrived = _parts(deployed, artifact)
        stack.start_worker("--concurrency", "1", "--beat", environment=IMPATIENT)

        # Then another sends what is missing and nothing else, and no multipart upload stays open
        stored = deployed.stored(artifact)
        assert 5 <= arrived < _PARTS
        assert deployed.ended(artifact).bytes_sent == (_PARTS - arrived) * _PART
        assert stored.object.sha256 == sha256(content).hexdigest()
        assert deployed.body(stored.object.key) == content
        assert "Uploads" not in stack.client().list_multipart_uploads(Bucket=BUCKET)


def _parts(deployed: Deployment, artifact: Artifact) -> int:
    latest = deployed.transfers.latest(artifact, Direction.UPLOAD)
    if latest is None or latest.upload_id is None:
        return 0
    key = f"jobs/{artifact.job_id}/2025/10/23/211500/job_input.zip"
    pages = deployed.stack.client().get_paginator("list_parts")
    found = pages.paginate(Bucket=BUCKET, Key=key, UploadId=latest.upload_id)
    return sum(len(page.get("Parts", [])) for page in found)
